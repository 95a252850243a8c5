"""Amazon Bedrock's endpoint that speaks openai-responses, by a Bedrock API key.

Source: Amazon Bedrock user guide "Responses API".
"""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="bedrock-mantle",
    wire="openai-responses",
    base_url="https://bedrock-mantle.{region}.api.aws/v1",
    places={"region": ("AWS_REGION", "AWS_DEFAULT_REGION", "=us-east-1")},
    key_env=("AWS_BEARER_TOKEN_BEDROCK",),
    supports=("tools", "stream", "reasoning", "structured"),
)
