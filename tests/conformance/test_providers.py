"""Every provider, one suite: a new file in adapters/providers is picked up by its name.

Each is asked over real HTTP, through gate and journal, at a server that speaks its wire.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

import remit
from remit.adapters import providers
from remit.adapters.providers.http_model import path_of
from remit.core.messages import Message, Text, ToolCall, ToolResult
from remit.core.model import ModelRequest, Reply, Settings, StreamEnd, TextDelta, ToolSpec
from remit.core.urls import parse_url
from remit.core.usage import Usage
from remit.errors import Invalid, ModelError
from remit.runtime import Runtime
from remit.testing import FakeClock, WireFault, WireServer

KEY = "conformance-key-0123456789abcdef"
FEATURES = {"tools", "stream", "vision", "audio", "files", "reasoning", "structured", "cache"}
ANSWER = Reply((Text("two pieces, at least, of text"), ToolCall("c1", "f", {"a": 1})), "tool_use", Usage(9, 3, 0, 4))
TOOL = ToolSpec("f", "does", {"type": "object", "properties": {"a": {"type": "integer"}}})


@pytest.mark.parametrize("name", providers.names())
def test_the_row(name: str) -> None:
    """Name, wire, features, variables, address and header are what they can be; its text names a source."""
    row = providers.profile(name)
    assert row.name == name and row.wire in providers.WIRES
    assert set(row.supports) <= FEATURES and len(set(row.supports)) == len(row.supports)
    variables = [
        *row.key_env,
        *row.base_url_env,
        *(v for vs in row.places.values() for v in vs if not v.startswith("=")),
    ]
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", variable) for variable in variables)
    assert set(re.findall(r"\{(\w+)\}", row.base_url)) == set(row.places)
    env = {variables[0]: "place-1" for variables in row.places.values()}
    if row.base_url:
        url = parse_url(providers.base_url(row, "", env))
        assert url.scheme == "https" or row.local
        assert (url.host in ("127.0.0.1", "localhost")) == row.local
    assert row.auth in ("", "bearer", "aws", "google") or re.fullmatch(r"[a-z][a-z0-9-]+", row.auth)
    assert all(name == name.lower() for name, _ in row.headers)
    assert bool(row.key_env) != row.local
    assert row.embeds in ("", "openai-embeddings", "cohere-embed", "gemini-embed")


async def _talk(name: str) -> int:
    row = providers.profile(name)
    async with WireServer(answer=ANSWER) as server, Runtime(clock=FakeClock()):
        base_url = server.base_url(row.wire)
        model = remit.model(f"{name}:a/model:1", base_url=base_url, api_key=KEY)
        settings = Settings(
            max_tokens=50, temperature=0.5, seed=7, stop=("x",), tool_choice="f", parallel_tool_calls=False
        )
        whole = await model.request("hi", tools=[TOOL], settings=settings)
        results = Message("tool", (ToolResult("c1", "f", "r"),))
        history = [Message("system", "s"), Message("user", "hi"), Message("assistant", whole.parts), results]
        shown, streamed = "", None
        async with model.stream(history, tools=[TOOL]) as stream:
            async for event in stream:
                shown += event.text if type(event) is TextDelta else ""
                streamed = event.reply if type(event) is StreamEnd else streamed
        assert streamed is not None
        for reply in (whole, streamed):
            assert (reply.text, reply.stop_reason) == (ANSWER.text, "tool_use")
            assert [(c.id, c.name, c.arguments) for c in reply.tool_calls] == [("c1", "f", {"a": 1})]
            assert (reply.usage.input_tokens, reply.usage.output_tokens) == (9, 4)
        assert shown == ANSWER.text
        first, second = server.asked
        assert (first.stream, second.stream) == (False, True)
        _check_request(row, first)
        codec = providers.codec(row)
        path = base_url.partition(str(server.port))[2] + path_of(codec.path, "a/model:1")
        assert first.path == path and "c1" in json.dumps(second.body)
        return len(server.asked)


def _check_request(row: Any, asked: Any) -> None:
    """The key is in one header and nowhere else; a dialect's fields have their own names."""
    carrying = [name for name, value in asked.headers.items() if KEY in value]
    header = row.auth if row.auth not in ("", "bearer", "aws", "google") else ""
    usual = {"gemini": "x-goog-api-key", "anthropic-messages": "x-api-key"}.get(row.wire, "authorization")
    assert carrying == [header or ("authorization" if row.auth in ("bearer", "google") else usual)]
    assert KEY not in asked.path and KEY not in json.dumps(asked.body)
    assert asked.headers["user-agent"] == "remit"
    for old, new in row.renames.items():
        assert old not in asked.body or old == new
    assert "null" not in re.sub(r'"content": ?null', "", json.dumps(asked.body))


@pytest.mark.parametrize("name", providers.names())
def test_it_talks(name: str) -> None:
    """A call whole and streamed, a tool's result on the way back, the key in its header only."""
    assert asyncio.run(_talk(name)) == 2


async def _failing(name: str, *faults: WireFault) -> ModelError:
    row = providers.profile(name)
    async with WireServer(faults=faults) as server, Runtime(clock=FakeClock()):
        model = remit.model(f"{name}:m", base_url=server.base_url(row.wire), api_key=KEY)
        with pytest.raises(ModelError) as caught:
            await model.request("hi")
        return caught.value


@pytest.mark.parametrize("name", providers.names())
def test_it_fails_well(name: str) -> None:
    """A refused key names its variable, an unknown model the address; the key is in no error."""
    row = providers.profile(name)
    refused = asyncio.run(_failing(name, WireFault("status", status=401)))
    assert (refused.code, refused.retryable) == ("model_auth", False)
    assert row.local or row.key_env[0] in refused.hint
    unknown = asyncio.run(_failing(name, WireFault("status", status=404)))
    assert unknown.code == "model_not_found" and "127.0.0.1" in unknown.hint
    for error in (refused, unknown):
        assert KEY not in f"{error.for_user()}{error!r}{error.__cause__!r}{error.__context__!r}"


@pytest.mark.parametrize("name", [name for name in providers.names() if not providers.profile(name).local])
def test_without_a_key_nothing_is_sent(name: str) -> None:
    """At the provider's own address a call without a key is refused here, and the error says which variable to set."""
    row = providers.profile(name)
    env = {variables[0]: "place-1" for variables in row.places.values()}
    if not row.base_url:
        with pytest.raises(Invalid):
            providers.make_model(f"{name}:m", "", None, env, lambda url: None)  # type: ignore[arg-type,return-value]
        return
    model = providers.make_model(f"{name}:m", "", None, env, lambda url: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(ModelError) as caught:
        asyncio.run(model.request(ModelRequest((Message("user", "hi"),))))
    assert caught.value.code == "model_auth" and row.key_env[0] in caught.value.hint
