"""Together AI. Source: Together docs, "OpenAI compatibility"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="together",
    wire="openai-chat",
    base_url="https://api.together.xyz/v1",
    key_env=("TOGETHER_API_KEY",),
    base_url_env=("TOGETHER_BASE_URL",),
    supports=("tools", "stream", "vision", "reasoning", "structured"),
    renames={"max_completion_tokens": "max_tokens"},
    embeds="openai-embeddings",
)
