"""Provider profiles: the folder as registry, addresses and keys."""

from __future__ import annotations

import pytest

from remit.adapters import providers
from remit.errors import Invalid
from remit.ports.provider import Profile

EXPECTED = (
    *("anthropic", "anthropic-messages", "cerebras", "deepseek", "groq", "llamacpp", "lmstudio", "mistral", "ollama"),
    *("openai", "openai-chat", "openai-compatible", "openai-responses", "openrouter", "sglang", "together", "vllm"),
    "xai",
)


def test_the_folder_is_the_registry() -> None:
    """Every file is a provider, and every provider has a codec."""
    assert set(EXPECTED) <= set(providers.names())
    for name in providers.names():
        row = providers.profile(name)
        assert row.name == name
        codec = providers.codec(row)
        assert codec.wire == row.wire
        assert not row.base_url.endswith("/")
        assert row.local == (name in ("ollama", "vllm", "llamacpp", "lmstudio", "sglang"))
        assert bool(row.key_env) != row.local


@pytest.mark.parametrize("name", ["opnai", "open-ai", "GROQ", "../groq", "http_model", "__init__", "os", "", "x" * 500])
def test_unknown_names_are_refused_with_the_nearest(name: str) -> None:
    """A name that is no file of the folder is never imported; the error says what is near."""
    with pytest.raises(Invalid) as caught:
        providers.profile(name)
    assert caught.value.code == "model_unknown"
    if name in ("opnai", "open-ai", "GROQ"):
        assert ("groq" if name == "GROQ" else "openai") in caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("name", "given", "env", "expected"),
    [
        ("openai", "", {}, "https://api.openai.com/v1"),
        ("openai", "", {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"}, "http://127.0.0.1:9/v1"),
        ("openai", "", {"OPENAI_BASE_URL": "http://127.0.0.1:9"}, "http://127.0.0.1:9"),
        ("openai", "", {"OPENAI_BASE_URL": " "}, "https://api.openai.com/v1"),
        ("openai-chat", "http://127.0.0.1:8080/v1", {"OPENAI_BASE_URL": "http://other"}, "http://127.0.0.1:8080/v1"),
        ("openai-chat", "http://h:1/deep/path/v7/", {}, "http://h:1/deep/path/v7"),
        ("openai-chat", "http://h:1/v1/chat/completions", {}, "http://h:1/v1"),
        ("anthropic", "", {"ANTHROPIC_BASE_URL": "http://h:1"}, "http://h:1/v1"),
        ("anthropic", "", {"ANTHROPIC_BASE_URL": "http://h:1/"}, "http://h:1/v1"),
        ("anthropic", "", {"ANTHROPIC_BASE_URL": "http://h:1/x"}, "http://h:1/x"),
        ("anthropic", "http://h:1", {}, "http://h:1"),
        ("openai-compatible", "http://h:1/v1", {}, "http://h:1/v1"),
        ("ollama", "", {}, "http://127.0.0.1:11434/v1"),
        ("ollama", "", {"OLLAMA_HOST": "127.0.0.1:9"}, "http://127.0.0.1:9/v1"),
        ("ollama", "", {"OLLAMA_HOST": "box"}, "http://box:11434/v1"),
        ("ollama", "", {"OLLAMA_HOST": "https://box:9/"}, "https://box:9/v1"),
        ("ollama", "", {"OLLAMA_BASE_URL": "http://h:9/v1", "OLLAMA_HOST": "box"}, "http://h:9/v1"),
    ],
)
def test_base_urls(name: str, given: str, env: dict[str, str], expected: str) -> None:
    """What the user wrote beats the environment, which beats the profile; Anthropic's variable has no version."""
    assert providers.base_url(providers.profile(name), given, env) == expected


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("openai-compatible", ""),
        ("openai", "ftp://h/v1"),
        ("openai", "http://user:pass@h/v1"),
        ("openai", "http://h/v1?key=1"),
        ("openai", "not a url"),
        ("openai", "http://h/v1\r\nx: y"),
    ],
)
def test_bad_base_urls_are_refused(name: str, given: str) -> None:
    """No address, another scheme, credentials or a query in it: config_invalid."""
    with pytest.raises(Invalid) as caught:
        providers.base_url(providers.profile(name), given, {})
    assert caught.value.code == "config_invalid"
    assert "pass" not in caught.value.message


def test_keys() -> None:
    """A given key beats the environment; an empty one means none; a line end around it is taken off."""
    row = providers.profile("openai")
    env = {"OPENAI_API_KEY": "sk-env\n"}
    assert providers.api_key(row, None, env) == "sk-env"
    assert providers.api_key(row, "sk-given", env) == "sk-given"
    assert providers.api_key(row, "", env) == ""
    assert providers.api_key(row, None, {}) == ""


@pytest.mark.parametrize("key", ["sk-a\r\nx-evil: 1", "sk a", "sk-é", "sk-\x00"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    """A key cannot add a header, and is not shown when it is refused."""
    with pytest.raises(Invalid) as caught:
        providers.api_key(providers.profile("openai"), key, {})
    assert caught.value.code == "config_invalid"
    assert "sk" not in caught.value.message


def test_a_profile_with_an_unknown_wire_is_refused() -> None:
    """A row cannot lead to the import of anything but a codec."""
    with pytest.raises(Invalid):
        providers.codec(Profile("x", "os.path"))


def test_make_model() -> None:
    """Name, address and transport of a model come together; the transport is asked for its exact URL."""
    asked: list[str] = []
    model = providers.make_model("openai-chat:a/b:c", "http://h:1/v1", "k", {}, lambda url: asked.append(url))  # type: ignore[arg-type,func-returns-value]
    assert (model.name, model.url, asked) == (
        "openai-chat:a/b:c",
        "http://h:1/v1/chat/completions",
        ["http://h:1/v1/chat/completions"],
    )
    for name in ("gpt-4o", "openai:", ":x"):
        with pytest.raises(Invalid):
            providers.make_model(name, "", None, {}, lambda url: None)  # type: ignore[arg-type,return-value]
