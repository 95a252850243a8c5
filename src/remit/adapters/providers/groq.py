"""Groq. Source: Groq API reference, "OpenAI compatibility"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="groq",
    wire="openai-chat",
    base_url="https://api.groq.com/openai/v1",
    key_env=("GROQ_API_KEY",),
    base_url_env=("GROQ_BASE_URL",),
    supports=("tools", "stream", "vision", "reasoning", "structured", "cache"),
)
