"""xAI by openai-responses. Source: xAI API reference, "Responses"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="xai-responses",
    wire="openai-responses",
    base_url="https://api.x.ai/v1",
    key_env=("XAI_API_KEY",),
    base_url_env=("XAI_BASE_URL",),
    supports=("tools", "stream", "vision", "reasoning", "structured", "cache"),
)
