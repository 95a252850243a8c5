"""Perplexity; its models search and take no tools. Source: Perplexity API reference, "Chat completions"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="perplexity",
    wire="openai-chat",
    base_url="https://api.perplexity.ai",
    key_env=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
    base_url_env=("PERPLEXITY_BASE_URL",),
    supports=("stream", "vision", "reasoning", "structured"),
    renames={"max_completion_tokens": "max_tokens", "stream_options": "", "seed": ""},
)
