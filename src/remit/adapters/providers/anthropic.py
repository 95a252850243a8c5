"""Anthropic, by its Messages API. Source: Anthropic API reference."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="anthropic",
    wire="anthropic-messages",
    base_url="https://api.anthropic.com/v1",
    key_env=("ANTHROPIC_API_KEY",),
    base_url_env=("ANTHROPIC_BASE_URL",),
    bare_host_path="/v1",
    supports=("tools", "stream", "vision", "files", "reasoning", "structured", "cache"),
    models_path="/models",
)
