"""DeepSeek by openai-responses. Source: DeepSeek API docs, "Responses API"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="deepseek-responses",
    wire="openai-responses",
    base_url="https://api.deepseek.com/v1",
    key_env=("DEEPSEEK_API_KEY",),
    base_url_env=("DEEPSEEK_BASE_URL",),
    supports=("tools", "stream", "reasoning", "cache"),
)
