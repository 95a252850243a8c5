"""Crusoe's managed inference. Source: Crusoe Cloud docs "Managed inference"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="crusoe",
    wire="openai-chat",
    base_url="https://managed-inference-api-proxy.crusoecloud.com/v1",
    key_env=("CRUSOE_API_KEY",),
    base_url_env=("CRUSOE_BASE_URL",),
    supports=("tools", "stream", "reasoning", "structured"),
    renames={"max_completion_tokens": "max_tokens"},
)
