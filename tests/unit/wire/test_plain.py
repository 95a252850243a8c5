"""The short way to a Reply says what the long way says, or leaves the reply to it."""

from __future__ import annotations

import json
from importlib import import_module
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace

from remit.core.messages import ToolCall
from remit.core.model import Reply
from remit.core.usage import Usage
from remit.errors import ModelError
from remit.testing.wire_replies import whole

FAMILIES = {
    "openai_chat": "openai-chat",
    "openai_responses": "openai-responses",
    "anthropic_messages": "anthropic-messages",
    "gemini": "gemini",
    "bedrock_converse": "bedrock-converse",
    "cohere_v2": "cohere-v2",
}
TEXT = Reply("Zoë said: ok", usage=Usage(70, 5, 3, 9, 2), model="m-1", id="r_1")
CALL = Reply(("Look.", ToolCall("c1", "find", {"city": "Rome", "n": [1, {"a": None}]})), usage=Usage(7, 0, 0, 9))  # type: ignore[arg-type]
ODD: tuple[Any, ...] = (
    None, "", "x", "error", 0, -1, 7, 7.0, 7.5, 10**16, True, [], ["x"], [{}], {}, {"type": "error"}, {"x": 1},
    {"type": "text", "text": "y"}, [{"type": "text", "text": "y"}], "\U0001f600",
)  # fmt: skip


def ways(family: str, body: bytes) -> tuple[Reply | None, Reply | str]:
    """What the short way and the long way make of a body; of the long way the error's code too."""
    try:
        short = import_module(f"remit.wire.{family}.plain").decode_plain(body)
    except ModelError:
        short = None  # the codec raises it; the long way must raise its like
        with pytest.raises(ModelError):
            import_module(f"remit.wire.{family}.decode").decode(body)
    try:
        return short, import_module(f"remit.wire.{family}.decode").decode(body)
    except ModelError as e:
        return short, e.code


def same(short: Reply, long: Reply | str) -> bool:
    """Equal in all but how they keep the provider's bytes."""
    return (
        isinstance(long, Reply) and short.raw == long.raw and replace(short, source=None) == replace(long, source=None)
    )


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every field of a JSON value stands."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, child in inner for path in paths(child, (*at, key)))]


def changed(body: bytes, path: tuple[Any, ...], value: Any, add: str = "") -> bytes:
    """The body with another value at a path, or (`add`) with a further field there."""
    root = json.loads(body)
    holder = root
    for key in path if add else path[:-1]:
        holder = holder[key]
    if add and isinstance(holder, dict):
        holder[add] = value
    elif not add:
        holder[path[-1]] = value
    return json.dumps(root, ensure_ascii=False).encode()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plain_reply_goes_the_short_way(family: str) -> None:
    """Otherwise the rest of this file would prove nothing."""
    short, long = ways(family, whole(FAMILIES[family], TEXT))
    assert short is not None
    assert same(short, long)


@pytest.mark.parametrize("family", FAMILIES)
def test_both_ways_agree_on_every_changed_field(family: str) -> None:
    """Each field of a text and of a call set to each odd value: never another reply, never a reply for an error."""
    seen = 0
    for reply in (TEXT, CALL):
        body = whole(FAMILIES[family], reply)
        for path, value in product([p for p in paths(json.loads(body)) if p], ODD):
            short, long = ways(family, changed(body, path, value))
            seen += short is not None
            assert short is None or same(short, long), (path, value, short, long)
    assert seen > 20


@pytest.mark.parametrize("family", FAMILIES)
def test_both_ways_agree_on_every_further_field(family: str) -> None:
    """Each field that a family knows added at each object."""
    names = ("error", "type", "object", "citations", "caller", "thought", "thoughtSignature", "functionCall", "toolUse",
             "reasoning_content", "usage", "index", "detail", "message", "text", "refusal", "cacheDetails", "tool_plan",
             "prompt_tokens", "cached_tokens", "toolUsePromptTokensDetails", "x")  # fmt: skip
    for reply in (TEXT, CALL):
        body = whole(FAMILIES[family], reply)
        for path, name, value in product(paths(json.loads(body)), names, ODD):
            made = changed(body, path, value, name)
            short, long = ways(family, made)
            assert short is None or same(short, long), (made, short, long)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rest", [b"\xff", b'"' + b"[" * 120 + b"]" * 120 + b'"', b"\\ud800"])
def test_what_would_be_skipped_unread_is_not_plain(family: str, rest: bytes) -> None:
    """Bytes that are no UTF-8 in a field that nobody reads, and nesting: the long way judges."""
    body = whole(FAMILIES[family], TEXT)[:-1] + b',"zz":"' + rest.strip(b'"') + b'"}'
    short, long = ways(family, body)
    assert short is None or same(short, long)
    deep = whole(FAMILIES[family], TEXT)[:-1] + b',"zz":' + b"[" * 101 + b"]" * 101 + b"}"
    assert ways(family, deep) == (None, "model_bad_reply")
