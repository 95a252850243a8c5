"""A vLLM server on this machine. Source: vLLM docs, "OpenAI-compatible server"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="vllm",
    wire="openai-chat",
    base_url="http://127.0.0.1:8000/v1",
    base_url_env=("VLLM_BASE_URL",),
    local=True,
    supports=("tools", "stream", "vision", "reasoning", "structured"),
    renames={"max_completion_tokens": "max_tokens"},
    embeds="openai-embeddings",
)
