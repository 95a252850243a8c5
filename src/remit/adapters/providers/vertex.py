"""Gemini models at Vertex AI, by an access token or a service account's key file.

Source: Vertex AI docs "Gemini API reference", "Locations"; AIP-4111 for the account's self-signed token.
"""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="vertex",
    wire="gemini",
    base_url="https://{location}-aiplatform.googleapis.com/v1/projects/{project}/locations/{location}/publishers/google",
    places={
        "project": ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"),
        "location": ("GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_REGION", "=global"),
    },
    key_env=("VERTEX_ACCESS_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"),
    base_url_env=("GOOGLE_VERTEX_BASE_URL",),
    auth="google",
    supports=("tools", "stream", "vision", "audio", "files", "reasoning", "structured", "cache"),
    embeds="gemini-embed",
)
