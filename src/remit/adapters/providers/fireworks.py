"""Fireworks. Source: Fireworks docs, "OpenAI compatibility"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="fireworks",
    wire="openai-chat",
    base_url="https://api.fireworks.ai/inference/v1",
    key_env=("FIREWORKS_API_KEY",),
    base_url_env=("FIREWORKS_BASE_URL",),
    supports=("tools", "stream", "vision", "reasoning", "structured", "cache"),
    renames={"max_completion_tokens": "max_tokens"},
    embeds="openai-embeddings",
)
