"""OpenRouter by openai-responses. Source: OpenRouter docs "Responses API"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="openrouter-responses",
    wire="openai-responses",
    base_url="https://openrouter.ai/api/v1",
    key_env=("OPENROUTER_API_KEY",),
    base_url_env=("OPENROUTER_BASE_URL",),
    supports=("tools", "stream", "vision", "files", "reasoning", "structured", "cache"),
)
