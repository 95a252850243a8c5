"""Moonshot, the Kimi models. Source: Moonshot API docs."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="moonshot",
    wire="openai-chat",
    base_url="https://api.moonshot.ai/v1",
    key_env=("MOONSHOT_API_KEY",),
    base_url_env=("MOONSHOT_BASE_URL",),
    supports=("tools", "stream", "vision", "reasoning", "cache"),
    renames={"max_completion_tokens": "max_tokens"},
)
