"""Marks that ask a provider to keep a prefix: where they stand, and when there are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remit.adapters import providers
from remit.core.messages import Message, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, Settings, ToolSpec
from remit.errors import Invalid
from remit.models.prices import price_nano
from remit.wire import token_counts
from remit.wire.anthropic_messages import CODEC as ANTHROPIC
from remit.wire.anthropic_messages import MessagesCodec
from remit.wire.bedrock_converse import CODEC as BEDROCK
from remit.wire.prompt_cache import minimum

SONNET, ON_BEDROCK = "claude-sonnet-4-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
LONG = "Every rule of this house. " * 300  # about 1950 tokens
TOOL = ToolSpec("f", "Finds.", {"type": "object"})
LONG_TOOL = ToolSpec("g", LONG, {"type": "object"})
SYSTEM = Message("system", (Text(LONG),))
ASKED = Message("user", (Text("go"),))
LOOP = (
    ASKED,
    Message("assistant", (Thinking("hm", signature="s"), ToolCall("c1", "f", {}))),
    Message("tool", (ToolResult("c1", "f", "one"),)),
    Message("assistant", (ToolCall("c2", "f", {}),)),
    Message("tool", (ToolResult("c2", "f", "two"),)),
)


def sent(codec: Any, *messages: Message, model: str = SONNET, mode: str = "", **more: Any) -> tuple[Any, bytes]:
    """(the body, its bytes)."""
    raw = codec.encode(ModelRequest(messages, model=model, settings=Settings(prompt_cache=mode), **more), False)
    return json.loads(raw), raw


def test_anthropic_places_at_most_four_marks() -> None:
    """After the tools, after the system text, and at the end of the last two user turns."""
    body, raw = sent(ANTHROPIC, SYSTEM, *LOOP, tools=(TOOL, LONG_TOOL))
    mark = {"type": "ephemeral"}
    assert raw.count(b'"cache_control"') == 4
    assert [t.get("cache_control") for t in body["tools"]] == [None, mark]
    assert body["system"] == [{"type": "text", "text": LONG, "cache_control": mark}]
    marked = [at for at, turn in enumerate(body["messages"]) if "cache_control" in json.dumps(turn)]
    assert marked == [2, 4]
    assert body["messages"][4]["content"][-1]["cache_control"] == mark


def test_the_marks_are_all_that_differs() -> None:
    """Without its marks a body is what it is with the mode off."""
    plain, _ = sent(ANTHROPIC, SYSTEM, *LOOP, tools=(TOOL,), mode="off")
    body, _ = sent(ANTHROPIC, SYSTEM, *LOOP, tools=(TOOL,))
    body["system"] = body["system"][0]["text"]
    for turn in body["messages"]:
        for block in turn["content"]:
            block.pop("cache_control", None)
    assert body == plain


@pytest.mark.parametrize(
    ("messages", "model", "mode", "marks"),
    [
        ((ASKED,), SONNET, "on", 0),  # too short
        ((SYSTEM, ASKED), SONNET, "", 1),  # asked once: what all its runs share
        ((Message("user", (Text(LONG),)),), SONNET, "", 0),  # asked once, and nothing is shared
        ((Message("user", (Text(LONG),)),), SONNET, "on", 1),
        ((SYSTEM, *LOOP), SONNET, "off", 0),
        ((SYSTEM, *LOOP), "claude-haiku-4-5", "", 0),  # needs 4096 tokens
        ((SYSTEM, *LOOP), "glm-4.6", "", 0),  # another maker's, behind the same wire
        ((SYSTEM, *LOOP), "glm-4.6", "on", 3),
    ],
)
def test_when_marks_are_placed(messages: tuple[Message, ...], model: str, mode: str, marks: int) -> None:
    """Length, model, mode and whether a further call is likely decide."""
    assert sent(ANTHROPIC, *messages, model=model, mode=mode)[1].count(b'"cache_control"') == marks


def test_an_hour_and_own_marks() -> None:
    """1h sets the ttl; a request with marks of its own gets no others."""
    body, _ = sent(ANTHROPIC, SYSTEM, *LOOP, mode="1h")
    assert body["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    own = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    request = ModelRequest((SYSTEM, *LOOP), model=SONNET, settings=Settings(extra={"system": own}))
    assert ANTHROPIC.encode(request, False).count(b'"cache_control"') == 1


def test_bedrock_places_cache_points() -> None:
    """The same places; none after the tools of Nova, none for models that refuse them."""
    body, raw = sent(BEDROCK, SYSTEM, *LOOP, model=ON_BEDROCK, tools=(LONG_TOOL,))
    point = {"cachePoint": {"type": "default"}}
    assert raw.count(b'"cachePoint"') == 4
    assert body["toolConfig"]["tools"][-1] == body["system"][-1] == point
    assert [turn["content"][-1] == point for turn in body["messages"]] == [False, False, True, False, True]
    nova, _ = sent(BEDROCK, SYSTEM, *LOOP, model="amazon.nova-pro-v1:0", tools=(LONG_TOOL,))
    assert point not in nova["toolConfig"]["tools"] and point in nova["system"]
    for unknown in ("anthropic.claude-3-sonnet-20240229-v1:0", "meta.llama3-70b-instruct-v1:0"):
        assert b"cachePoint" not in sent(BEDROCK, SYSTEM, *LOOP, model=unknown)[1]


def test_switches() -> None:
    """A codec, a provider and a token count can be without marks; an unknown mode is an error."""
    request = ModelRequest((SYSTEM, *LOOP), model=SONNET)
    assert b"cache_control" not in MessagesCodec("off").encode(request, False)
    row = providers.profile("anthropic")
    assert b"cache_control" not in providers.codec(row, "off").encode(request, False)
    assert providers.codec(row) is ANTHROPIC
    assert b"cache_control" not in token_counts.encode("anthropic-messages", request)
    with pytest.raises(Invalid, match="prompt_cache 'often'"):
        sent(ANTHROPIC, SYSTEM, mode="often")


def test_minimum_lengths() -> None:
    """What the documentation of the providers says."""
    names = ("claude-haiku-4-5", "claude-opus-4-5", "claude-3-5-haiku-latest", "claude-sonnet-4-5", "amazon.nova-lite")
    assert [minimum(name) for name in names] == [4096, 4096, 2048, 1024, 1024]


def test_a_read_is_cheaper_and_a_write_dearer() -> None:
    """A tenth and five quarters of the plain price."""
    from remit.core.usage import Usage

    plain, read, write = (
        price_nano("anthropic", SONNET, Usage(10_000, cached, written)) or 0
        for cached, written in ((0, 0), (10_000, 0), (0, 10_000))
    )
    assert (read * 10, write * 4) == (plain, plain * 5)
