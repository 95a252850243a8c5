"""A llama.cpp server on this machine. Source: llama.cpp, tools/server README."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="llamacpp",
    wire="openai-chat",
    base_url="http://127.0.0.1:8080/v1",
    base_url_env=("LLAMACPP_BASE_URL",),
    local=True,
    supports=("tools", "stream", "vision", "reasoning", "structured"),
    renames={"max_completion_tokens": "max_tokens"},
    embeds="openai-embeddings",
)
