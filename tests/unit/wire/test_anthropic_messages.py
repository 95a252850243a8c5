"""anthropic-messages: blocks, streams, requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remit.core.messages import Audio, Data, Echo, File, Image, Message, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, OutputSpec, Settings, TextDelta, ThinkingDelta, ToolCallDelta, ToolSpec
from remit.core.usage import Usage
from remit.errors import Invalid, ModelError
from remit.wire.anthropic_messages import CODEC

BLOCKS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "hmm", "signature": "sig"},
    {"type": "redacted_thinking", "data": "sealed"},
    {"type": "text", "text": "searching"},
    {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "q"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srv_1",
        "content": [{"type": "web_search_result", "encrypted_content": "e"}],
    },
    {"type": "text", "text": "found", "citations": [{"type": "web_search_result_location", "encrypted_index": "i"}]},
    {"type": "tool_use", "id": "tu_1", "name": "f", "input": {"x": 1.0, "a": [None]}},
    {
        "type": "tool_use",
        "id": "tu_2",
        "name": "g",
        "input": {},
        "caller": {"type": "code_execution_20260120", "tool_id": "srv_1"},
    },
]


def _decode(*blocks: dict[str, Any], stop: Any = "end_turn", **more: Any) -> Any:
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": blocks,
        "stop_reason": stop,
        **more,
    }
    return CODEC.decode(json.dumps(body).encode())


def _sent(*messages: Message, stream: bool = False, **request: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(CODEC.encode(ModelRequest(messages, **request), stream))
    return body


def _sse(*frames: dict[str, Any]) -> bytes:
    return b"".join(b"event: %s\ndata: %s\n\n" % (f["type"].encode(), json.dumps(f).encode()) for f in frames)


START = {
    "type": "message_start",
    "message": {"id": "msg_1", "type": "message", "model": "m", "content": [], "usage": {"input_tokens": 5}},
}


def _streamed(blocks: list[dict[str, Any]]) -> bytes:
    """The frames that the API sends for these blocks, each text in two deltas."""
    frames: list[dict[str, Any]] = [START, {"type": "ping"}]
    for index, block in enumerate(blocks):
        empty = dict(block)
        deltas: list[dict[str, Any]] = []
        for field, kind in (("thinking", "thinking_delta"), ("text", "text_delta"), ("signature", "signature_delta")):
            if field in block:
                empty[field] = ""
                deltas += [{"type": kind, field: piece} for piece in (block[field][:2], block[field][2:])]
        if block["type"] in ("tool_use", "server_tool_use"):
            empty["input"] = {}
            text = json.dumps(block["input"])
            deltas += [{"type": "input_json_delta", "partial_json": piece} for piece in ("", text[:3], text[3:])]
        if "citations" in block:
            empty["citations"] = []
            deltas += [{"type": "citations_delta", "citation": citation} for citation in block["citations"]]
        frames.append({"type": "content_block_start", "index": index, "content_block": empty})
        frames += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        frames.append({"type": "content_block_stop", "index": index})
    delta = {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 7},
    }
    return _sse(*frames, delta, {"type": "message_stop"})


def test_blocks_become_parts_and_go_back_as_they_came() -> None:
    """Signatures, redacted thinking, server items, citations and callers return byte-equal, in order."""
    reply = _decode(*BLOCKS)
    kinds = [Thinking, Thinking, Text, Data, Data, Text, ToolCall, ToolCall]
    assert [type(part) for part in reply.parts] == kinds
    assert (reply.thinking, reply.text, reply.stop_reason) == ("hmm", "searchingfound", "tool_use")
    assert _sent(Message("assistant", reply.parts))["messages"][0]["content"] == BLOCKS


def test_a_stream_equals_the_whole_reply() -> None:
    """The fold of a stream, with signatures joined, is the unstreamed reply; deltas are its texts."""
    whole = _decode(*BLOCKS)
    decoder = CODEC.stream()
    events = decoder.feed(_streamed(BLOCKS))
    reply = decoder.finish()
    assert (reply.parts, reply.stop_reason, reply.id, reply.model) == (
        whole.parts,
        whole.stop_reason,
        whole.id,
        whole.model,
    )
    assert reply.usage == Usage(5, 0, 0, 7, 0)
    assert "".join(e.text for e in events if type(e) is TextDelta) == whole.text
    assert "".join(e.text for e in events if type(e) is ThinkingDelta) == whole.thinking
    assert [e for e in events if type(e) is ToolCallDelta and e.name] == [
        ToolCallDelta(0, "tu_1", "f", ""),
        ToolCallDelta(1, "tu_2", "g", ""),
    ]


def test_usage_adds_the_cache_to_the_input() -> None:
    """Fresh, read and written tokens are counted apart on this wire, and summed here."""
    usage = {
        "input_tokens": 1,
        "cache_read_input_tokens": 10,
        "cache_creation_input_tokens": 100,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 3},
    }
    assert _decode(usage=usage).usage == Usage(111, 10, 100, 7, 3)
    assert _decode(usage={"input_tokens": 1, "cache_read_input_tokens": None}).usage == Usage(1)
    assert _decode(usage=None).usage == Usage()


def test_usage_of_a_stream_is_cumulative_not_summed() -> None:
    """A counter of message_delta replaces the one of message_start; a missing or null one does not."""
    start = {
        "type": "message_start",
        "message": {"usage": {"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 2}},
    }
    delta = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 9, "cache_read_input_tokens": None},
    }
    decoder = CODEC.stream()
    decoder.feed(_sse(start, delta))
    assert decoder.finish().usage == Usage(7, 2, 0, 9, 0)


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("end_turn", "end"),
        (None, "end"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("new", "other"),
    ],
)
def test_stop_reasons(stop: Any, expected: str) -> None:
    """Every stop value has one meaning; a client call that remains beats it."""
    assert _decode(stop=stop).stop_reason == expected
    assert _decode(BLOCKS[6], stop=stop).stop_reason == "tool_use"


def test_invalid_input_of_a_streamed_call() -> None:
    """Input that never became an object is kept as text; empty input is an empty object."""
    for text, expected in (('{"x":', ({}, '{"x":')), ("", ({}, ""))):
        frames = [
            START,
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
            },
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}},
            {"type": "message_stop"},
        ]
        decoder = CODEC.stream()
        decoder.feed(_sse(*frames))
        (call,) = decoder.finish().tool_calls
        assert (call.arguments, call.invalid) == expected


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([START], "model_stream_cut"),
        ([], "model_stream_cut"),
        (
            [START, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}],
            "model_overloaded",
        ),
    ],
)
def test_streams_that_fail(frames: list[dict[str, Any]], code: str) -> None:
    """A cut and an error inside a 200 stream are retryable errors."""
    decoder = CODEC.stream()
    with pytest.raises(ModelError) as caught:
        decoder.feed(_sse(*frames))
        decoder.finish()
    assert (caught.value.code, caught.value.retryable) == (code, True)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"content":7}', b'{"content":[7]}', b'{"content":[],"usage":{"input_tokens":"x"}}']
)
def test_lies_are_a_bad_reply(body: bytes) -> None:
    """What is no message is one clear error."""
    with pytest.raises(ModelError) as caught:
        CODEC.decode(body)
    assert caught.value.code == "model_bad_reply"


def test_turns_alternate_and_results_come_first() -> None:
    """Adjacent messages of a side are one turn; results stand before what was said beside them."""
    body = _sent(
        Message("user", "a"),
        Message("user", "b"),
        Message("assistant", (ToolCall("1", "f"), ToolCall("2", "g"))),
        Message("tool", ToolResult("1", "f", "one")),
        Message("user", "meanwhile"),
        Message("tool", ToolResult("2", "g", "two", True, (Image(b"\x01"),))),
        Message("assistant", ""),
        Message("assistant", "c"),
    )
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "1", "name": "f", "input": {}},
                {"type": "tool_use", "id": "2", "name": "g", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": "one"},
                {
                    "type": "tool_result",
                    "tool_use_id": "2",
                    "content": [
                        {"type": "text", "text": "two"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AQ=="}},
                    ],
                    "is_error": True,
                },
                {"type": "text", "text": "meanwhile"},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "c"}]},
    ]


def test_a_whole_request() -> None:
    """System, media, tools, output and settings in the wire's form."""
    schema = {"type": "object", "properties": {"minimum": {"type": "integer", "minimum": 1}}}
    closed = {"type": "object", "properties": {"minimum": {"type": "integer"}}, "additionalProperties": False}
    body = _sent(
        Message("system", "one"),
        Message(
            "user",
            (
                Image(url="https://x/y.png"),
                File(b"hi", "text/plain", name="n"),
                File(b"%PDF"),
                File(id="file_1"),
                Data(1),
            ),
        ),
        Message("system", "two"),
        tools=(ToolSpec("f", "d", schema),),
        output=OutputSpec("A", schema),
        settings=Settings(None, 0.5, 0.9, ("END",), 3, "f", False, "minimal", None, {"metadata": {"user_id": "u"}}),
        model="claude",
        stream=True,
    )
    assert body == {
        "model": "claude",
        "max_tokens": 4096,
        "system": "one\n\ntwo",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "n:\nhi"},
                        "title": "n",
                    },
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                    },
                    {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
                    {"type": "text", "text": "1"},
                ],
            }
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": schema}],
        "output_config": {"format": {"type": "json_schema", "schema": closed}, "effort": "low"},
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "stream": True,
        "metadata": {"user_id": "u"},
    }


def test_thinking_has_room_and_no_temperature() -> None:
    """The token limit stays above the thinking budget, and what the API refuses with it is left out."""
    body = _sent(Message("user", "x"), settings=Settings(temperature=0.1, top_p=0.2, thinking_tokens=8000))
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 8000}
    assert body["max_tokens"] == 8000 + 4096
    assert "temperature" not in body and "top_p" not in body


@pytest.mark.parametrize(
    ("settings", "choice"),
    [
        (Settings(), None),
        (Settings(tool_choice="auto"), {"type": "auto"}),
        (Settings(tool_choice="none"), {"type": "none"}),
        (Settings(tool_choice="required"), {"type": "any"}),
        (Settings(parallel_tool_calls=False), {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
def test_tool_choice(settings: Settings, choice: Any) -> None:
    """Each neutral choice has its form here."""
    assert _sent(Message("user", "x"), tools=(ToolSpec("f"),), settings=settings).get("tool_choice") == choice


def test_a_users_own_thinking_with_a_signature_is_sent() -> None:
    """Thinking built by hand for this wire is a block; without a signature, or of another wire, it is left out."""
    parts = (
        Thinking("t", "s"),
        Thinking("no signature"),
        Thinking("t2", "s2", Echo("openai-chat", {"reasoning": "t2"})),
        Text("x"),
    )
    assert _sent(Message("assistant", parts))["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "text", "text": "x"},
    ]


def test_audio_is_refused() -> None:
    """What the API does not take is an error with a hint."""
    with pytest.raises(Invalid) as caught:
        _sent(Message("user", Audio(b"x")))
    assert caught.value.code == "message_invalid"


def test_headers() -> None:
    """The version always; the key where there is one."""
    assert CODEC.headers("k") == (("x-api-key", "k"), ("anthropic-version", "2023-06-01"))
    assert CODEC.headers("") == (("anthropic-version", "2023-06-01"),)
