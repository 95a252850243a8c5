"""cohere-v2: what the recorded traffic does not show, from the public documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remit.core.messages import Audio, Data, Image, Message, Text, ToolCall, ToolResult
from remit.core.model import ModelRequest, OutputSpec, Settings, TextDelta, ThinkingDelta, ToolCallDelta, ToolSpec
from remit.errors import Invalid, ModelError
from remit.wire.cohere_v2 import CODEC

TOOLS = (ToolSpec("f", "does"), ToolSpec("g"))
USAGE = {"billed_units": {"input_tokens": 1, "output_tokens": 9}, "tokens": {"input_tokens": 496, "output_tokens": 11}}


def reply(message: dict[str, Any], finish: str = "COMPLETE", usage: dict[str, Any] | None = None) -> Any:
    """The decoded reply of a message."""
    return CODEC.decode(json.dumps({"id": "i", "message": message, "finish_reason": finish, "usage": usage}).encode())


def body(*messages: Message, **more: Any) -> dict[str, Any]:
    """What is sent."""
    encoded: dict[str, Any] = json.loads(CODEC.encode(ModelRequest(messages, model="command-a", **more), False))
    return encoded


def stream(*events: dict[str, Any], end: bool = True) -> tuple[Any, list[Any]]:
    """(reply, deltas) of events."""
    decoder = CODEC.stream()
    last = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}}
    frames = [*events, last] if end else list(events)
    shown = decoder.feed("".join(f"event: {f['type']}\ndata: {json.dumps(f)}\n\n" for f in frames).encode())
    return decoder.finish(), shown


def event(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    """One event."""
    return {"type": kind, **({} if index is None else {"index": index}), "delta": {"message": message}}


@pytest.mark.parametrize(
    ("finish", "expected"),
    [("COMPLETE", "end"), ("STOP_SEQUENCE", "stop_sequence"), ("MAX_TOKENS", "max_tokens"), ("TOOL_CALL", "end"),
     ("ERROR", "error"), ("TIMEOUT", "error"), ("", "end"), ("NEW", "other")],
)  # fmt: skip
def test_finish_reasons(finish: str, expected: str) -> None:
    """Every documented reason."""
    assert reply({"content": [{"type": "text", "text": "x"}]}, finish).stop_reason == expected


def test_usage() -> None:
    """Tokens are counted, billed units kept; without tokens the billed units are the counts."""
    u = reply({}, usage={**USAGE, "cached_tokens": 7}).usage
    assert (u.input_tokens, u.output_tokens, u.cached_tokens) == (496, 11, 7)
    assert (u.billed_input_tokens, u.billed_output_tokens) == (1, 9)
    u = reply({}, usage={"billed_units": USAGE["billed_units"]}).usage
    assert (u.input_tokens, u.output_tokens, u.billed_input_tokens) == (1, 9, 0)


def test_what_came_goes_back() -> None:
    """Plan, thinking, text, citations and calls, in their places."""
    message = {
        "tool_plan": "I will",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, {"type": "new", "x": 1}],
        "citations": [{"start": 0, "end": 1, "text": "a"}],
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{ "a": 1 }'}}],
    }
    got = reply(message, "TOOL_CALL")
    assert (got.text, got.thinking, got.stop_reason) == ("a", "I willhm", "tool_use")
    [sent] = body(Message("assistant", got.parts))["messages"]
    assert sent == {"role": "assistant", **message}


def test_a_request_of_everything() -> None:
    """Results are documents, images URLs, a forced tool is offered alone, a form beside tools is words."""
    sent = body(
        Message("system", "be brief"),
        Message("user", (Text("see"), Image(url="https://x/y.png"), Data([1]))),
        Message("assistant", (ToolCall("1", "f", {"a": 1}),)),
        Message("tool", (ToolResult("1", "f", "r"),)),
        tools=TOOLS,
        settings=Settings(9, 0.5, 0.9, stop=("x",), seed=7, tool_choice="g", thinking_tokens=64),
        output=OutputSpec("o", {"title": "T"}),
    )  # fmt: skip
    words, system, user, assistant, tool = sent["messages"]
    assert words["role"] == "system" and '"title":"T"' in words["content"] and system["content"] == "be brief"
    assert user["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "text", "text": "[1]"},
    ]
    assert assistant["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}
    assert tool == {
        "role": "tool", "tool_call_id": "1",
        "content": [{"type": "document", "document": {"data": {"data": "r"}}}],
    }  # fmt: skip
    assert [t["function"]["name"] for t in sent["tools"]] == ["g"] and sent["tool_choice"] == "REQUIRED"
    assert {k: sent[k] for k in ("max_tokens", "temperature", "p", "seed", "stop_sequences", "thinking")} == {
        "max_tokens": 9, "temperature": 0.5, "p": 0.9, "seed": 7, "stop_sequences": ["x"],
        "thinking": {"type": "enabled", "token_budget": 64},
    }  # fmt: skip
    plain = body(Message("user", "x"), output=OutputSpec("o", {"title": "T"}))
    assert plain["response_format"] == {"type": "json_object", "json_schema": {"title": "T"}}
    assert "tool_choice" not in body(Message("user", "x"), tools=TOOLS, settings=Settings(tool_choice="auto"))
    with pytest.raises(Invalid):
        body(Message("user", (Audio(b"x"),)))


def test_a_stream_of_everything() -> None:
    """Plan, two calls in pieces, thinking, text, citations; content and calls are numbered apart."""
    got, shown = stream(
        {"type": "message-start", "id": "i", "delta": {"message": {"role": "assistant"}}},
        event("tool-plan-delta", tool_plan="I "), event("tool-plan-delta", tool_plan="will"),
        event("tool-call-start", 0, tool_calls={"id": "1", "function": {"name": "f", "arguments": ""}}),
        event("tool-call-delta", 0, tool_calls={"function": {"arguments": '{"a":'}}),
        event("tool-call-delta", 0, tool_calls={"function": {"arguments": "1}"}}), event("tool-call-end", 0),
        event("tool-call-start", 1, tool_calls={"id": "2", "function": {"name": "g"}}),
        event("content-start", 0, content={"type": "thinking", "thinking": ""}),
        event("content-delta", 0, content={"thinking": "hm"}), event("content-end", 0),
        event("content-start", 1, content={"type": "text", "text": ""}),
        event("content-delta", 1, content={"text": "a"}),
        event("citation-start", 0, citations={"text": "a"}), event("citation-end", 0), {"type": "debug", "prompt": "p"},
    )  # fmt: skip
    assert shown == [
        ThinkingDelta("I "), ThinkingDelta("will"), ToolCallDelta(0, "1", "f", ""), ToolCallDelta(0, "", "", '{"a":'),
        ToolCallDelta(0, "", "", "1}"), ToolCallDelta(1, "2", "g", ""), ThinkingDelta("hm"), TextDelta("a"),
    ]  # fmt: skip
    assert (got.id, got.text, got.thinking, got.usage.input_tokens) == ("i", "a", "I willhm", 496)
    assert [(c.id, c.name, c.arguments) for c in got.tool_calls] == [("1", "f", {"a": 1}), ("2", "g", {})]
    [sent] = body(Message("assistant", got.parts))["messages"]
    assert sent["citations"] == [{"text": "a"}]


def test_streams_that_fail() -> None:
    """Cut, an error at the end, an error event, a plain message."""
    for frames, code in [
        ([event("content-delta", 0, content={"text": "a"})], "model_stream_cut"),
        ([{"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "overloaded"}}], "model_server_error"),
        ([{"type": "error", "error": {"type": "too_many_requests", "message": "m"}}], "model_rate_limited"),
    ]:
        with pytest.raises(ModelError) as caught:
            stream(*frames, end=False)
        assert caught.value.code == code


@pytest.mark.parametrize("bad", [b"{}", b"[]", b'{"message":3}', b'{"message":{"content":[1]}}', b'{"message":"no"}'])
def test_what_is_no_reply_is_refused(bad: bytes) -> None:
    """An error of the model's family, never another exception."""
    with pytest.raises(ModelError):
        CODEC.decode(bad)
