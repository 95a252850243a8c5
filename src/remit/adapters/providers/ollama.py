"""Ollama on this machine. Source: Ollama docs, "OpenAI compatibility", and its FAQ for OLLAMA_HOST."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="ollama",
    wire="openai-chat",
    base_url="http://127.0.0.1:11434/v1",
    base_url_env=("OLLAMA_BASE_URL", "OLLAMA_HOST"),
    bare_host_path="/v1",
    local=True,
    supports=("tools", "stream", "vision", "reasoning", "structured"),
    renames={"max_completion_tokens": "max_tokens"},
    embeds="openai-embeddings",
)
