"""The openai-chat wire family, at OpenAI unless a base URL says otherwise."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="openai-chat",
    wire="openai-chat",
    base_url="https://api.openai.com/v1",
    key_env=("OPENAI_API_KEY",),
    base_url_env=("OPENAI_BASE_URL",),
    supports=("tools", "stream", "vision", "audio", "files", "reasoning", "structured", "cache"),
    embeds="openai-embeddings",
)
