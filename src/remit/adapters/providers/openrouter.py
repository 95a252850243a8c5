"""OpenRouter: models of many providers behind one key. Source: OpenRouter API reference."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="openrouter",
    wire="openai-chat",
    base_url="https://openrouter.ai/api/v1",
    key_env=("OPENROUTER_API_KEY",),
    base_url_env=("OPENROUTER_BASE_URL",),
    supports=("tools", "stream", "vision", "audio", "files", "reasoning", "structured", "cache"),
    embeds="openai-embeddings",
)
