"""Cerebras. Source: Cerebras inference docs, "OpenAI compatibility"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="cerebras",
    wire="openai-chat",
    base_url="https://api.cerebras.ai/v1",
    key_env=("CEREBRAS_API_KEY",),
    base_url_env=("CEREBRAS_BASE_URL",),
    supports=("tools", "stream", "reasoning", "structured"),
)
