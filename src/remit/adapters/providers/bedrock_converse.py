"""The bedrock-converse wire family, at Amazon unless a base URL says otherwise."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="bedrock-converse",
    wire="bedrock-converse",
    base_url="https://bedrock-runtime.{region}.amazonaws.com",
    places={"region": ("AWS_REGION", "AWS_DEFAULT_REGION", "=us-east-1")},
    key_env=("AWS_BEARER_TOKEN_BEDROCK",),
    base_url_env=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",),
    auth="aws",
    supports=("tools", "stream", "vision", "files", "reasoning", "structured", "cache"),
)
