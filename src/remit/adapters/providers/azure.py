"""Azure OpenAI, by its v1 API; the model's name is the deployment's.

Source: Azure OpenAI docs "API version lifecycle" (v1 needs no api-version), "Reference".
"""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="azure",
    wire="openai-responses",
    base_url="https://{resource}.openai.azure.com/openai/v1",
    places={"resource": ("AZURE_OPENAI_RESOURCE",)},
    key_env=("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
    base_url_env=("AZURE_OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"),
    bare_host_path="/openai/v1",
    auth="api-key",
    supports=("tools", "stream", "vision", "files", "reasoning", "structured", "cache"),
    embeds="openai-embeddings",
)
