"""LM Studio on this machine. Source: LM Studio docs, "OpenAI compatibility endpoints"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="lmstudio",
    wire="openai-chat",
    base_url="http://127.0.0.1:1234/v1",
    base_url_env=("LMSTUDIO_BASE_URL",),
    local=True,
    supports=("tools", "stream", "vision", "reasoning", "structured"),
    renames={"max_completion_tokens": "max_tokens"},
    embeds="openai-embeddings",
)
