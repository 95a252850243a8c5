"""Hugging Face's router of inference providers; a model may name one: MODEL:PROVIDER.

Source: Hugging Face docs "Inference Providers", "Chat completion".
"""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="huggingface",
    wire="openai-chat",
    base_url="https://router.huggingface.co/v1",
    key_env=("HF_TOKEN", "HUGGINGFACE_API_KEY"),
    base_url_env=("HF_BASE_URL",),
    supports=("tools", "stream", "vision", "reasoning", "structured"),
    renames={"max_completion_tokens": "max_tokens"},
)
