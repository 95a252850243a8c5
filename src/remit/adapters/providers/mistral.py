"""Mistral. It names the seed otherwise and sends usage in every stream unasked.

Source: Mistral API reference, "Chat".
"""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="mistral",
    wire="openai-chat",
    base_url="https://api.mistral.ai/v1",
    key_env=("MISTRAL_API_KEY",),
    base_url_env=("MISTRAL_BASE_URL",),
    supports=("tools", "stream", "vision", "audio", "reasoning", "structured", "cache"),
    renames={"seed": "random_seed", "stream_options": "", "max_completion_tokens": "max_tokens"},
    embeds="openai-embeddings",
)
