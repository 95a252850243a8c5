"""DeepSeek. Source: DeepSeek API reference."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="deepseek",
    wire="openai-chat",
    base_url="https://api.deepseek.com/v1",
    key_env=("DEEPSEEK_API_KEY",),
    base_url_env=("DEEPSEEK_BASE_URL",),
    supports=("tools", "stream", "reasoning", "cache"),
    renames={"max_completion_tokens": "max_tokens"},
)
