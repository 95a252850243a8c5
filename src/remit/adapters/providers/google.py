"""Google's Gemini API. Source: Gemini API reference, "API keys"."""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="google",
    wire="gemini",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    base_url_env=("GOOGLE_GEMINI_BASE_URL",),
    bare_host_path="/v1beta",
    supports=("tools", "stream", "vision", "audio", "files", "reasoning", "structured", "cache"),
    embeds="gemini-embed",
    models_path="/models",
)
