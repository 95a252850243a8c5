"""Azure OpenAI by openai-chat, for models that have no Responses API there.

Source: Azure OpenAI docs "API version lifecycle", "Reference".
"""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="azure-chat",
    wire="openai-chat",
    base_url="https://{resource}.openai.azure.com/openai/v1",
    places={"resource": ("AZURE_OPENAI_RESOURCE",)},
    key_env=("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
    base_url_env=("AZURE_OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"),
    bare_host_path="/openai/v1",
    auth="api-key",
    supports=("tools", "stream", "vision", "audio", "reasoning", "structured", "cache"),
    embeds="openai-embeddings",
)
