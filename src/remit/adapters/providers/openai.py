"""OpenAI, by its Responses API. Source: OpenAI API reference."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="openai",
    wire="openai-responses",
    base_url="https://api.openai.com/v1",
    key_env=("OPENAI_API_KEY",),
    base_url_env=("OPENAI_BASE_URL",),
    supports=("tools", "stream", "vision", "files", "reasoning", "structured", "cache"),
    embeds="openai-embeddings",
)
