"""openai-chat: dialects, streams, requests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.messages import Audio, Data, Echo, File, Image, Message, Text, Thinking, ToolCall, ToolResult
from remit.core.model import (
    ModelRequest,
    OutputSpec,
    Settings,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolSpec,
)
from remit.core.usage import Usage
from remit.errors import Invalid, ModelError
from remit.wire.openai_chat import CODEC, ChatCodec
from remit.wire.openai_chat.decode import decode as decode_whole
from remit.wire.openai_chat.plain import decode_plain


def _body(message: dict[str, Any], finish: Any = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return json.dumps({"id": "c", "model": "m", "choices": [choice], **more}).encode()


def _sse(*deltas: dict[str, Any], finish: Any = "stop", done: bool = True) -> bytes:
    frames = [{"id": "c", "model": "m", "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    if finish is not None:
        frames.append({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    text = "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames)
    return (text + ("data: [DONE]\n\n" if done else "")).encode()


def _fold(*chunks: bytes) -> Any:
    decoder = CODEC.stream()
    for chunk in chunks:
        decoder.feed(chunk)
    return decoder.finish()


def _sent(*messages: Message, stream: bool = False, **request: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(CODEC.encode(ModelRequest(messages, **request), stream))
    return body


CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", "end"),
        ("", "end"),
        (None, "end"),
        ("length", "max_tokens"),
        ("model_length", "max_tokens"),
        ("content_filter", "content_filter"),
        ("sensitive", "content_filter"),
        ("tool_calls", "end"),
        ("insufficient_system_resource", "error"),
        ("brand_new", "other"),
        (7, "other"),
    ],
)
def test_stop_reasons_without_calls(finish: Any, stop: str) -> None:
    """Each provider's word has one meaning; an empty one is the end, an unknown one is other."""
    assert CODEC.decode(_body({"content": "x"}, finish)).stop_reason == stop


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "", "length"])
def test_client_calls_are_tool_use_whatever_the_provider_calls_it(finish: str) -> None:
    """A reply with a call stops for the call."""
    assert CODEC.decode(_body({"tool_calls": [CALL]}, finish)).stop_reason == "tool_use"


def test_a_refusal_is_text_and_a_stop_reason() -> None:
    """What the model refused with is shown."""
    reply = CODEC.decode(_body({"content": None, "refusal": "No."}))
    assert (reply.text, reply.stop_reason) == ("No.", "refusal")
    assert _fold(_sse({"refusal": "N"}, {"refusal": "o."})).text == "No."


@pytest.mark.parametrize(
    ("message", "thinking", "back"),
    [
        ({"reasoning_content": "r"}, "r", {"reasoning_content": "r"}),
        ({"reasoning": "r"}, "r", {"reasoning": "r"}),
        (
            {"reasoning": "r", "reasoning_details": [{"type": "reasoning.text", "text": "r", "signature": "s"}]},
            "r",
            {"reasoning_details": [{"type": "reasoning.text", "text": "r", "signature": "s"}]},
        ),
        (
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}]},
            "",
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}]},
        ),
        (
            {"extra_content": {"google": {"thought_signature": "s"}}},
            "",
            {"extra_content": {"google": {"thought_signature": "s"}}},
        ),
    ],
)
def test_thinking_under_all_names_goes_back_under_its_own(
    message: dict[str, Any], thinking: str, back: dict[str, Any]
) -> None:
    """The same text, and the fields that the server wants back, whole and streamed."""
    for reply in (CODEC.decode(_body({"content": "x", **message})), _fold(_sse(message, {"content": "x"}))):
        assert (reply.thinking, reply.text) == (thinking, "x")
        sent = _sent(Message("assistant", reply.parts))["messages"][0]
        assert sent == {"role": "assistant", "content": "x", **back}


def test_list_content_of_chunks() -> None:
    """Mistral's thinking chunks are thinking, and go back as chunks; streamed pieces are joined."""
    chunk = {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]}
    reply = CODEC.decode(_body({"content": [chunk, {"type": "text", "text": "4"}]}))
    assert (reply.thinking, reply.text) == ("hmm", "4")
    assert _sent(Message("assistant", reply.parts))["messages"][0]["content"] == [chunk, {"type": "text", "text": "4"}]
    pieces = [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": t}]}]} for t in ("h", "mm")]
    assert _fold(_sse({"content": ""}, *pieces, {"content": "4"})).parts == reply.parts


def test_details_of_a_stream_are_joined_by_kind_and_index() -> None:
    """Texts grow, the signature that comes last stays, sealed items stay apart."""
    deltas = [
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "a"}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "b", "signature": None}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "s"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "index": 0, "data": "d"}]},
    ]
    thinking = _fold(_sse(*deltas)).parts[0]
    assert thinking.echo.item["reasoning_details"] == [
        {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s"},
        {"type": "reasoning.encrypted", "index": 0, "data": "d"},
    ]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4}, Usage(9, 0, 0, 4, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": None}, Usage(9, 0, 0, 4, 0)),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2}},
            Usage(9, 3, 2, 0, 0),
        ),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 5, "completion_tokens": 1}, Usage(9, 5, 0, 1, 0)),
        ({"prompt_tokens": 9, "num_cached_tokens": 5, "completion_tokens": 1}, Usage(9, 5, 0, 1, 0)),
        ({"prompt_tokens": 9, "cached_tokens": 5, "completion_tokens": 1}, Usage(9, 5, 0, 1, 0)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "total_tokens": 13,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(9, 0, 0, 4, 3),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "total_tokens": 16,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(9, 0, 0, 7, 3),
        ),
        (None, Usage()),
        ({}, Usage()),
    ],
)
def test_usage_under_all_names(usage: Any, expected: Usage) -> None:
    """Cached tokens are found under every name; reasoning is part of the output, as xAI does not count it."""
    assert CODEC.decode(_body({"content": "x"}, usage=usage)).usage == expected


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        (["a", "b"], ["a", "b"]),
        (["", None], ["call_0", "call_1"]),
        (["call_0", ""], ["call_0", "call_1"]),
        (["", "call_0"], ["call_1", "call_0"]),
        (["a", "a"], ["a", "a"]),
        ([7], ["7"]),
    ],
)
def test_missing_ids_are_made_up_stably(raw: list[Any], ids: list[str]) -> None:
    """A made-up id never meets a real one; a provider's repeated id is its own affair."""
    calls = [{**CALL, "id": i} for i in raw]
    assert [c.id for c in CODEC.decode(_body({"tool_calls": calls})).tool_calls] == ids


def test_arguments_that_are_no_object_are_kept_as_they_are() -> None:
    """The call is there, marked invalid, and goes back in a form that servers take."""
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":'}}
    reply = CODEC.decode(_body({"tool_calls": [call]}))
    assert reply.tool_calls == (ToolCall("a", "f", {}, '{"x":'),)
    back = _sent(Message("assistant", reply.parts))["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(back) == {"invalid_json": '{"x":'}


def test_the_exact_argument_text_and_signatures_of_a_call_go_back() -> None:
    """Spaces in arguments and Gemini's extra_content survive; an edited call does not use its echo."""
    item = {**CALL, "extra_content": {"google": {"thought_signature": "s"}}}
    (call,) = CODEC.decode(_body({"tool_calls": [item]})).tool_calls
    assert _sent(Message("assistant", call))["messages"][0]["tool_calls"] == [item]
    edited = ToolCall(call.id, call.name, {"x": 2}, "", call.echo)
    sent = _sent(Message("assistant", edited))["messages"][0]["tool_calls"][0]
    assert json.loads(sent["function"]["arguments"]) == {"x": 2}


def _piece(arguments: Any = None, **more: Any) -> dict[str, Any]:
    function = {k: v for k, v in (("name", more.pop("name", None)), ("arguments", arguments)) if v is not None}
    return {"tool_calls": [{"function": function, **more}]}


@pytest.mark.parametrize(
    ("deltas", "calls"),
    [
        (
            [_piece("", index=0, id="a", name="f"), _piece('{"x"', index=0), _piece(":1}", index=0)],
            [("a", "f", {"x": 1})],
        ),
        (  # interleaved
            [
                _piece("", index=0, id="a", name="f"),
                _piece("", index=1, id="b", name="g"),
                _piece('{"y":2}', index=1),
                _piece('{"x":1}', index=0),
            ],
            [("a", "f", {"x": 1}), ("b", "g", {"y": 2})],
        ),
        (  # indexes out of order: the unstreamed list is by index
            [_piece("{}", index=1, id="b", name="g"), _piece("{}", index=0, id="a", name="f")],
            [("a", "f", {}), ("b", "g", {})],
        ),
        (  # index 0 for every call
            [_piece('{"x":1}', index=0, id="a", name="f"), _piece('{"y":2}', index=0, id="b", name="g")],
            [("a", "f", {"x": 1}), ("b", "g", {"y": 2})],
        ),
        (  # the same, without ids
            [_piece('{"x":1}', index=0, name="f"), _piece('{"y":2}', index=0, name="g")],
            [("call_0", "f", {"x": 1}), ("call_1", "g", {"y": 2})],
        ),
        (  # no index at all
            [_piece("", id="a", name="f"), _piece('{"x":'), _piece("1}"), _piece('{"y":2}', id="b", name="g")],
            [("a", "f", {"x": 1}), ("b", "g", {"y": 2})],
        ),
        (  # id and name repeated in every piece
            [_piece('{"x"', index=0, id="a", name="f"), _piece(":1}", index=0, id="a", name="f")],
            [("a", "f", {"x": 1})],
        ),
        ([_piece({"x": 1}, index=0, id="a", name="f")], [("a", "f", {"x": 1})]),
        ([_piece(None, index=0, id="a", name="f")], [("a", "f", {})]),
    ],
)
def test_calls_of_a_stream(deltas: list[dict[str, Any]], calls: list[Any]) -> None:
    """Pieces find their call by index, by id, or by what came before."""
    reply = _fold(_sse(*deltas, finish="tool_calls"))
    assert [(c.id, c.name, c.arguments) for c in reply.tool_calls] == calls


def test_deltas_come_as_they_arrive() -> None:
    """Id and name with the first piece, then arguments; text and thinking apart."""
    decoder = CODEC.stream()
    events = decoder.feed(
        _sse(
            {"role": "assistant", "content": ""},
            {"reasoning": "r"},
            {"content": "t"},
            _piece("{", index=0, id="a", name="f"),
        )
    )
    assert events == [ThinkingDelta("r"), TextDelta("t"), ToolCallDelta(0, "a", "f", "{")]


@pytest.mark.parametrize(
    ("stream", "passes"),
    [
        (_sse({"content": "x"}, finish=None, done=True), True),
        (_sse({"content": "x"}, finish="stop", done=False), True),
        (_sse({"content": "x"}, finish=None, done=False), False),
        (b"", False),
        (b": comment\n\n", False),
        (b"data: {", False),
    ],
)
def test_the_end_of_a_stream(stream: bytes, passes: bool) -> None:
    """A finish_reason or [DONE] ends it; without either it was cut."""
    if passes:
        assert _fold(stream).text == "x"
        return
    with pytest.raises(ModelError) as caught:
        _fold(stream)
    assert (caught.value.code, caught.value.retryable) == ("model_stream_cut", True)


def test_usage_after_the_end_and_only_the_first_choice() -> None:
    """Usage in a chunk without choices counts; a second choice is ignored."""
    more = {"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    stream = _sse({"content": "x"}, done=False) + b"".join(
        b"data: %s\n\n" % json.dumps(f).encode() for f in (more, usage)
    )
    reply = _fold(stream)
    assert (reply.text, reply.stop_reason, reply.usage) == ("x", "end", Usage(3, 0, 0, 2, 0))


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b'event: error\ndata: {"message":"m","status_code":503}\n\n', "model_overloaded"),
        (b'data: {"error":{"message":"m","code":429}}\n\n', "model_rate_limited"),
        (b'data: {"choices":[{"index":0,"error":{"code":502,"message":"m"},"delta":{}}]}\n\n', "model_server_error"),
        (b"data: not json\n\n", "model_bad_reply"),
        (b"data: [1]\n\n", "model_bad_reply"),
        (b'data: {"choices":7}\n\n', "model_bad_reply"),
    ],
)
def test_an_error_in_a_stream_comes_after_what_was_shown(frame: bytes, code: str) -> None:
    """Deltas before the error are handed out however the bytes are cut; then the error is raised."""
    text = _sse({"content": "x"}, finish=None, done=False)
    for chunks in ((text + frame,), (text, frame)):
        decoder = CODEC.stream()
        events: list[Any] = []
        with pytest.raises(ModelError) as caught:
            for chunk in chunks:
                events += decoder.feed(chunk)
            decoder.finish()
        assert caught.value.code == code
        assert events == [TextDelta("x")]


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"error":{"message":"m","type":"invalid_request_error"}}', "model_bad_request"),
        (b'{\n "error": {"message": "m",\n "code": 429}\n}\n', "model_rate_limited"),
        (b"Bad gateway", "model_bad_reply"),
        (_body({"content": "whole"}), "whole"),
    ],
)
def test_a_server_that_does_not_stream(body: bytes, outcome: str) -> None:
    """A whole reply, an error or a text in place of an event stream is read for what it is."""
    if outcome == "whole":
        assert _fold(body).text == "whole"
        return
    with pytest.raises(ModelError) as caught:
        _fold(body)
    assert caught.value.code == outcome


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"7", b"{}", b'{"choices":[]}', b'{"choices":[1]}', b"<html>", _body({"content": 5})]
)
def test_lies_are_a_bad_reply(body: bytes) -> None:
    """What is no completion is one clear error."""
    with pytest.raises(ModelError) as caught:
        CODEC.decode(body)
    assert caught.value.code == "model_bad_reply"


def test_a_whole_request() -> None:
    """All message kinds, tools, output and settings in the wire's form."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    body = _sent(
        Message("system", "be brief"),
        Message("user", (Text("look"), Image(b"\x01", "image/png"), Image(url="https://x/y.png"), Data({"k": 1}))),
        Message("assistant", (Text("calling"), ToolCall("a", "f", {"x": 1}), ToolCall("b", "g", {}))),
        Message("tool", (ToolResult("a", "f", "one", media=(Image(b"\x02"),)), ToolResult("b", "g", "two", True))),
        Message(
            "user", (Audio(b"\x03", "audio/mpeg"), File(b"hi", "text/plain", name="n.txt"), File(b"%PDF", name="d.pdf"))
        ),
        tools=(ToolSpec("f", "does f", schema),),
        output=OutputSpec("My Answer", schema),
        settings=Settings(9, 0.5, 0.9, ("END",), 3, "f", False, "low", 100, {"temperature": 0.1, "user": "u"}),
        model="gpt-4o",
        stream=True,
    )
    assert body == {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "be brief"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQ=="}},
                    {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
                    {"type": "text", "text": '{"k":1}'},
                ],
            },
            {
                "role": "assistant",
                "content": "calling",
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
                    {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "a", "content": "one"},
            {"role": "tool", "tool_call_id": "b", "content": "two"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Returned by f (call a):"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,Ag=="}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "Aw==", "format": "mp3"}},
                    {"type": "text", "text": "n.txt:\nhi"},
                    {
                        "type": "file",
                        "file": {"filename": "d.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
                    },
                ],
            },
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "does f", "parameters": schema}}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "My_Answer", "schema": schema, "strict": True},
        },
        "max_tokens": 9,
        "temperature": 0.1,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 3,
        "reasoning_effort": "low",
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "u",
    }


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("gpt-4o", "max_tokens"),
        ("gpt-5-mini", "max_completion_tokens"),
        ("openai/o3", "max_completion_tokens"),
        ("gpt-oss-20b", "max_tokens"),
    ],
)
def test_the_name_of_the_token_limit_fits_the_model(model: str, field: str) -> None:
    """Reasoning models of OpenAI refuse max_tokens; other servers know nothing else."""
    body = _sent(Message("user", "x"), model=model, settings=Settings(max_tokens=5))
    assert {key: value for key, value in body.items() if key.startswith("max")} == {field: 5}


def test_a_dialect_renames_and_leaves_out() -> None:
    """A profile's renames reach the body."""
    codec = ChatCodec({"seed": "random_seed", "stream_options": ""})
    body = json.loads(codec.encode(ModelRequest((Message("user", "x"),), settings=Settings(seed=3), model="m"), True))
    assert body == {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True, "random_seed": 3}


@pytest.mark.parametrize(
    "message",
    [
        Message("user", ToolCall("a", "f")),
        Message("user", Thinking("t")),
        Message("system", Image(b"x")),
        Message("assistant", Image(b"x")),
        Message("assistant", ToolResult("a")),
        Message("user", Image()),
        Message("user", Audio(url="https://x/y.wav")),
    ],
)
def test_what_has_no_place_is_refused_before_it_is_sent(message: Message) -> None:
    """A part that the wire cannot carry is an error with a code, never skipped."""
    with pytest.raises(Invalid) as caught:
        _sent(message)
    assert caught.value.code == "message_invalid"


def test_spoken_output_is_referred_to_by_id() -> None:
    """Audio of a reply goes back as its id only, its transcript is the text."""
    reply = CODEC.decode(_body({"content": None, "audio": {"id": "au", "data": "AAAA", "transcript": "hi"}}))
    assert reply.text == "hi"
    assert _sent(Message("assistant", reply.parts))["messages"][0] == {
        "role": "assistant",
        "content": "hi",
        "audio": {"id": "au"},
    }


def test_echoes_of_another_wire_are_ignored() -> None:
    """A reasoning item or a server item of another family is left out, on both sides."""
    foreign = Data(None, "x", Echo("openai-responses", {"type": "tool_search_output"}))
    assert _sent(Message("user", (foreign, Text("x"))))["messages"][0]["content"] == [{"type": "text", "text": "x"}]
    parts = (Thinking("t", "s", Echo("openai-responses", {"type": "reasoning"})), Text("x"))
    assert _sent(Message("assistant", parts))["messages"][0] == {"role": "assistant", "content": "x"}


_COUNT = st.none() | st.integers(-1, 3) | st.sampled_from([7, 2**31, 2**60, True, 1.0, "4"])


@given(
    usage=st.dictionaries(
        st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens"]),
        _COUNT, max_size=4,
    ),
    details=st.dictionaries(
        st.sampled_from(["cached_tokens", "audio_tokens", "reasoning_tokens", "cache_write_tokens",
                         "accepted_prediction_tokens"]), _COUNT, max_size=3,
    ),
    named=st.sampled_from(["prompt_tokens_details", "completion_tokens_details", ""]),
    beside=st.booleans(),
)  # fmt: skip
def test_the_short_way_counts_as_the_long_way(usage: Any, details: Any, named: str, beside: bool) -> None:
    """Whatever counts a reply has, the typed reader says what the whole reader says, or leaves it to that one."""
    if named:
        usage = {**usage, named: details}
    if beside:  # xAI: reasoning stands beside the completion
        usage = {**usage, "prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 10,
                 "completion_tokens_details": {"reasoning_tokens": 3}}  # fmt: skip
    body = _body({"content": "hi"}, usage=usage)
    short = decode_plain(body)
    if short is not None:
        assert short.usage == decode_whole(body).usage


def test_what_openai_itself_sends_takes_the_short_way() -> None:
    """Counts with their details, as every reply of OpenAI has them."""
    details = {"prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
               "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0, "accepted_prediction_tokens": 0,
                                             "rejected_prediction_tokens": 0}}  # fmt: skip
    body = _body({"content": "hi"}, usage={"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14, **details})
    short = decode_plain(body)
    assert short is not None and short.usage == decode_whole(body).usage == Usage(9, 4, 0, 5, 3)
