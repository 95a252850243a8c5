"""What is said of every provider: where a local one may be asked for its models."""

from __future__ import annotations

import pytest

from remit.adapters.providers import _catalog


def urls(env: dict[str, str]) -> dict[str, str]:
    """The address that lists the models, by provider."""
    return {row["name"]: row["models_url"] for row in _catalog.rows(env)}


def test_local_providers_are_asked_at_their_loopback_address() -> None:
    """Five of them; no remote provider has such an address."""
    found = {name: url for name, url in urls({}).items() if url}
    assert set(found) == {"ollama", "llamacpp", "lmstudio", "vllm", "sglang"}
    assert found["ollama"] == "http://127.0.0.1:11434/v1/models"
    assert all(url.startswith("http://127.0.0.1:") for url in found.values())


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("localhost:9000", "http://127.0.0.1:9000/v1/models"),
        ("http://127.0.0.2:11434", "http://127.0.0.2:11434/v1/models"),
        ("http://[::1]:11434", "http://[::1]:11434/v1/models"),
        ("http://192.168.0.9:11434", ""),
        ("box", ""),
        ("https://example.org", ""),
        ("http://169.254.169.254", ""),
        ("http://user@127.0.0.1", ""),
        ("http://127.0.0.1.example.org", ""),
        ("0.0.0.0", ""),
    ],
)
def test_no_address_but_loopback_is_asked(host: str, url: str) -> None:
    """A variable that leads elsewhere leads nowhere."""
    assert urls({"OLLAMA_HOST": host})["ollama"] == url
