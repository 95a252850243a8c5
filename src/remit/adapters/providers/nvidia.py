"""NVIDIA's hosted models. Source: NVIDIA NIM API reference."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="nvidia",
    wire="openai-chat",
    base_url="https://integrate.api.nvidia.com/v1",
    key_env=("NVIDIA_API_KEY",),
    base_url_env=("NVIDIA_BASE_URL",),
    supports=("tools", "stream", "vision", "reasoning"),
    renames={"max_completion_tokens": "max_tokens"},
    embeds="openai-embeddings",
)
