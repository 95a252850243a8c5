"""Any server that speaks openai-chat; the base URL must be given."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="openai-compatible",
    wire="openai-chat",
    base_url_env=("OPENAI_COMPATIBLE_BASE_URL",),
    key_env=("OPENAI_COMPATIBLE_API_KEY",),
    renames={"max_completion_tokens": "max_tokens"},
    embeds="openai-embeddings",
)
