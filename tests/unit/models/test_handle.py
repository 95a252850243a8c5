"""The handle that `remit.model` returns: what it takes, and what it refuses before anything is sent."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

import remit
from remit import Agent, Message, ModelRequest, Settings, ToolSpec, tool
from remit.errors import Invalid
from remit.models.handle import make_request
from remit.ports.http import HttpReply
from remit.runtime import Runtime


def look(city: str) -> str:
    """Look."""
    return city


SPEC = ToolSpec("look", "Look.", remit.Tool(look).spec.schema)


@pytest.mark.parametrize("settings", [Settings(max_tokens=7, stop=("x",)), {"max_tokens": 7, "stop": ["x"]}])
@pytest.mark.parametrize("tools", [look, tool(look), SPEC, [look], (SPEC,)])
def test_a_request_is_what_a_person_writes(settings: Any, tools: Any) -> None:
    """Settings or a mapping, one tool or many, decorated or not: the same request."""
    expected = ModelRequest((Message("user", "hi"),), (SPEC,), None, Settings(max_tokens=7, stop=("x",)))
    assert make_request("hi", tools, None, settings) == expected


def test_nothing_means_the_defaults() -> None:
    """None for tools or settings is the same as leaving them out."""
    assert make_request("hi", None, None, None) == ModelRequest((Message("user", "hi"),))
    assert Agent("a", settings={"temperature": 0}).settings == Settings(temperature=0.0)


@pytest.mark.parametrize("settings", [{"max_tokenz": 7}, {"max_tokens": "7"}, {1: 2}, 5, "x"])
def test_settings_that_are_none(settings: Any) -> None:
    """An unknown field or a wrong type is named, not ignored."""
    with pytest.raises(Invalid) as caught:
        make_request("hi", (), None, settings)
    assert (caught.value.code, caught.value.message[:9]) == ("value_invalid", "settings:")


@pytest.mark.parametrize("tools", [["read_file"], [{"name": "x"}], [5]])
def test_tools_that_are_none(tools: Any) -> None:
    """What is neither a spec nor a function is refused by its value."""
    with pytest.raises(Invalid, match="not a ToolSpec"):
        make_request("hi", tools, None, None)


@pytest.mark.parametrize("name", ["", "gpt", "openai:", ":x", None, 5])
def test_names_of_models(name: Any) -> None:
    """A model is provider:model."""
    with pytest.raises(Invalid) as caught:
        remit.model(name)
    assert caught.value.code == "model_unknown"


def test_star_import() -> None:
    """`from remit import *` would give every public name."""
    assert [name for name in remit.__all__ if not hasattr(remit, name)] == []
    assert sorted([*remit.__all__, "__version__"]) == dir(remit)


def test_a_call_beyond_its_http_is_a_bounded_number_of_steps() -> None:
    """Gate, memory journal, codec and a run of its own: at most 240 function calls, whatever the machine's speed."""
    body = b'{"id":"c","model":"m","choices":[{"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}'

    class Fetched:
        async def fetch(self, request: Any) -> HttpReply:
            return HttpReply(200, {}, body)

    async def main() -> int:
        async with Runtime(tune_gc=False) as runtime:
            runtime.outside.own_address = lambda url: Fetched()  # type: ignore[method-assign,assignment,return-value]
            handle = remit.model("openai-chat:m", base_url="http://127.0.0.1:1/v1", api_key="k")
            for _ in range(3):
                await handle.request("hi")
            count = 0

            def counted(frame: Any, event: str, arg: Any) -> None:
                nonlocal count
                count += event in ("call", "c_call")

            sys.setprofile(counted)
            try:
                await handle.request("hi")
            finally:
                sys.setprofile(None)
            return count

    assert 50 < asyncio.run(main()) <= 240
