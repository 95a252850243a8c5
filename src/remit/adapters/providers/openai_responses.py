"""The openai-responses wire family, at OpenAI unless a base URL says otherwise."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="openai-responses",
    wire="openai-responses",
    base_url="https://api.openai.com/v1",
    key_env=("OPENAI_API_KEY",),
    base_url_env=("OPENAI_BASE_URL",),
    supports=("tools", "stream", "vision", "files", "reasoning", "structured", "cache"),
    embeds="openai-embeddings",
)
