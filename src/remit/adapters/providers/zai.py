"""Z.ai, the GLM models. Source: Z.ai API reference, "Chat completion"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="zai",
    wire="openai-chat",
    base_url="https://api.z.ai/api/paas/v4",
    key_env=("ZAI_API_KEY",),
    base_url_env=("ZAI_BASE_URL",),
    supports=("tools", "stream", "vision", "reasoning", "cache"),
    renames={"max_completion_tokens": "max_tokens", "parallel_tool_calls": ""},
)
