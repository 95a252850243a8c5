"""An SGLang server on this machine. Source: SGLang docs, "OpenAI APIs"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="sglang",
    wire="openai-chat",
    base_url="http://127.0.0.1:30000/v1",
    base_url_env=("SGLANG_BASE_URL",),
    local=True,
    supports=("tools", "stream", "vision", "reasoning", "structured"),
    renames={"max_completion_tokens": "max_tokens"},
    embeds="openai-embeddings",
)
