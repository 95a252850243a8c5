"""Amazon Bedrock, by a Bedrock API key or signed with an AWS access key.

Source: Amazon Bedrock user guide "API keys", "Endpoints".
"""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="bedrock",
    wire="bedrock-converse",
    base_url="https://bedrock-runtime.{region}.amazonaws.com",
    places={"region": ("AWS_REGION", "AWS_DEFAULT_REGION", "=us-east-1")},
    key_env=("AWS_BEARER_TOKEN_BEDROCK",),
    base_url_env=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",),
    auth="aws",
    supports=("tools", "stream", "vision", "files", "reasoning", "structured", "cache"),
)
