"""Cohere, by its v2 chat. Source: Cohere API reference."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="cohere",
    wire="cohere-v2",
    base_url="https://api.cohere.com/v2",
    key_env=("CO_API_KEY", "COHERE_API_KEY"),
    base_url_env=("CO_API_URL", "COHERE_BASE_URL"),
    bare_host_path="/v2",
    supports=("tools", "stream", "vision", "reasoning", "structured", "cache"),
    embeds="cohere-embed",
)
