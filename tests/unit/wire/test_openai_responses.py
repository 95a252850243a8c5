"""openai-responses: items, statuses, streams, requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remit.core.messages import Data, Echo, File, Image, Message, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, OutputSpec, Settings, TextDelta, ThinkingDelta, ToolCallDelta, ToolSpec
from remit.core.usage import Usage
from remit.errors import ModelError
from remit.wire.openai_responses import CODEC

TEXT = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "hi", "annotations": []}],
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "f",
    "arguments": '{"x": 1}',
    "status": "completed",
}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "s"}],
    "encrypted_content": "e",
}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}


def _decode(*output: dict[str, Any], **more: Any) -> Any:
    return CODEC.decode(
        json.dumps({"id": "resp_1", "model": "m", "status": "completed", "output": output, **more}).encode()
    )


def _sent(*messages: Message, stream: bool = False, **request: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(CODEC.encode(ModelRequest(messages, **request), stream))
    return body


def _sse(*frames: dict[str, Any]) -> bytes:
    return b"".join(b"event: %s\ndata: %s\n\n" % (f["type"].encode(), json.dumps(f).encode()) for f in frames)


def _fold(data: bytes) -> Any:
    decoder = CODEC.stream()
    decoder.feed(data)
    return decoder.finish()


def test_every_item_becomes_a_part_and_goes_back_as_it_came() -> None:
    """Reasoning, server items, messages and calls keep their ids and their order."""
    reply = _decode(REASONING, SEARCH, TEXT, CALL)
    assert [type(part) for part in reply.parts] == [Thinking, Data, Text, ToolCall]
    assert (reply.thinking, reply.text, reply.tool_calls[0].id) == ("s", "hi", "call_1")
    assert _sent(Message("assistant", reply.parts))["input"] == [REASONING, SEARCH, TEXT, CALL]


def test_raw_reasoning_is_preferred_to_its_summary() -> None:
    """The thinking is what the model thought where the server shows it."""
    item = {**REASONING, "content": [{"type": "reasoning_text", "text": "raw"}]}
    assert _decode(item).thinking == "raw"


@pytest.mark.parametrize(
    ("more", "stop"),
    [
        ({}, "end"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_tokens"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "incomplete", "incomplete_details": {"reason": "else"}}, "other"),
        ({"status": "incomplete", "incomplete_details": None}, "max_tokens"),
        ({"status": "queued"}, "pause"),
        ({"status": "in_progress"}, "pause"),
        ({"status": "cancelled"}, "error"),
        ({"status": ""}, "end"),
        ({"status": "new"}, "other"),
    ],
)
def test_statuses(more: dict[str, Any], stop: str) -> None:
    """A status and its reason give the stop reason; a call that remains beats both."""
    assert _decode(TEXT, **more).stop_reason == stop
    assert _decode(CALL, **more).stop_reason == "tool_use"


def test_a_failed_response_raises_its_error() -> None:
    """Status failed is an error even with status 200."""
    with pytest.raises(ModelError) as caught:
        _decode(status="failed", error={"code": "server_error", "message": "m"})
    assert (caught.value.code, caught.value.retryable) == ("model_server_error", True)


def test_a_refusal() -> None:
    """Refusal content is text and a stop reason."""
    item = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    reply = _decode(item)
    assert (reply.text, reply.stop_reason) == ("No.", "refusal")
    assert _sent(Message("assistant", reply.parts))["input"] == [item]


def test_usage() -> None:
    """Cached, written and reasoning tokens are read; null details are none."""
    usage = {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 4},
    }
    assert _decode(usage=usage).usage == Usage(9, 3, 2, 5, 4)
    assert _decode(usage={"input_tokens": 9, "output_tokens": 5, "input_tokens_details": None}).usage == Usage(
        9, 0, 0, 5, 0
    )
    assert _decode(usage=None).usage == Usage()


def test_edited_parts_do_not_use_their_echo() -> None:
    """A redacted text and an edited call go back in their new form; the old one is not sent."""
    reply = _decode(TEXT, CALL)
    text, call = reply.parts
    parts = (Text("[redacted]", text.echo), ToolCall(call.id, call.name, {"x": 2}, "", call.echo))
    assert _sent(Message("assistant", parts))["input"] == [
        {"role": "assistant", "content": "[redacted]"},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"x":2}'},
    ]


def test_a_custom_call_is_answered_in_its_own_form() -> None:
    """custom_tool_call and its output have item types of their own."""
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "sql", "input": "select 1"}
    reply = _decode(item)
    assert reply.tool_calls[0].arguments == {"input": "select 1"}
    sent = _sent(Message("assistant", reply.parts), Message("tool", ToolResult("c", "sql", "1")))["input"]
    assert sent == [item, {"type": "custom_tool_call_output", "call_id": "c", "output": "1"}]


CREATED = {
    "type": "response.created",
    "response": {"id": "resp_1", "model": "m", "status": "in_progress", "output": []},
}


def _final(*output: dict[str, Any], kind: str = "response.completed", **more: Any) -> dict[str, Any]:
    response = {"id": "resp_1", "model": "m", "status": "completed", "output": list(output), "usage": None, **more}
    return {"type": kind, "response": response}


def test_a_stream_equals_the_whole_reply() -> None:
    """Deltas are shown as they come, and the fold is the unstreamed reply."""
    frames = [
        CREATED,
        {"type": "response.output_item.added", "output_index": 0, "item": {**REASONING, "summary": []}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "s"},
        {"type": "response.output_item.done", "output_index": 0, "item": REASONING},
        {"type": "response.output_item.added", "output_index": 1, "item": {**TEXT, "content": []}},
        {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "hi"},
        {"type": "response.output_item.done", "output_index": 1, "item": TEXT},
        {"type": "response.output_item.added", "output_index": 2, "item": {**CALL, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"x": 1}'},
        {"type": "response.function_call_arguments.done", "output_index": 2, "arguments": '{"x": 1}'},
        {"type": "response.output_item.done", "output_index": 2, "item": CALL},
        _final(REASONING, TEXT, CALL),
    ]
    decoder = CODEC.stream()
    events = decoder.feed(_sse(*frames))
    reply = decoder.finish()
    whole = _decode(REASONING, TEXT, CALL)
    assert (reply.parts, reply.stop_reason, reply.id, reply.model) == (
        whole.parts,
        whole.stop_reason,
        whole.id,
        whole.model,
    )
    assert events == [
        ThinkingDelta("s"),
        TextDelta("hi"),
        ToolCallDelta(0, "call_1", "f", ""),
        ToolCallDelta(0, "", "", '{"x": 1}'),
    ]


def test_the_done_item_is_echoed_where_the_final_response_differs() -> None:
    """What the server sealed in output_item.done is what it wants back."""
    done = {"type": "response.output_item.done", "output_index": 0, "item": REASONING}
    reply = _fold(_sse(CREATED, done, _final({**REASONING, "encrypted_content": "other"})))
    assert reply.parts[0].echo.item == REASONING


def test_streams_with_less_in_them() -> None:
    """A final response alone, items without a final output, and [DONE] without a final response all fold."""
    done = {"type": "response.output_item.done", "output_index": 0, "item": TEXT}
    assert _fold(_sse(CREATED, _final(TEXT))).text == "hi"
    assert _fold(_sse(CREATED, done, _final())).text == "hi"
    assert _fold(_sse(CREATED, done) + b"data: [DONE]\n\n").text == "hi"
    delta = {"type": "response.output_text.delta", "output_index": 0, "delta": "hi"}
    assert _fold(_sse(CREATED, delta, _final())).text == "hi"


def test_an_incomplete_stream_ends_with_its_reason() -> None:
    """response.incomplete is an end, not a cut."""
    frame = _final(
        TEXT, kind="response.incomplete", status="incomplete", incomplete_details={"reason": "max_output_tokens"}
    )
    assert _fold(_sse(CREATED, frame)).stop_reason == "max_tokens"


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([CREATED], "model_stream_cut"),
        ([], "model_stream_cut"),
        ([CREATED, {"type": "error", "code": "rate_limit_exceeded", "message": "m"}], "model_rate_limited"),
        ([CREATED, {"type": "error", "error": {"type": "invalid_request_error", "message": "m"}}], "model_bad_request"),
        (
            [CREATED, _final(kind="response.failed", status="failed", error={"code": "server_error", "message": "m"})],
            "model_server_error",
        ),
    ],
)
def test_streams_that_fail(frames: list[dict[str, Any]], code: str) -> None:
    """A cut, an error event and a failed response are errors."""
    with pytest.raises(ModelError) as caught:
        _fold(_sse(*frames))
    assert caught.value.code == code


def test_a_whole_request() -> None:
    """Instructions, items, tools, output and settings in the wire's form; nothing is stored."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    body = _sent(
        Message("system", "one"),
        Message("system", "two"),
        Message("user", "go"),
        Message(
            "assistant", (Thinking("t", "s", Echo("anthropic-messages", {})), Text("ok"), ToolCall("c", "f", {"x": 1}))
        ),
        Message("tool", ToolResult("c", "f", "1", media=(Image(b"\x01"),))),
        Message("system", "later"),
        Message("user", (Text("see"), File(url="https://x/a.pdf"), Data([1]))),
        tools=(ToolSpec("f", "d", schema),),
        output=OutputSpec("A", schema),
        settings=Settings(9, 0.5, 0.9, ("END",), 3, "required", True, "low", 100, {"metadata": {"k": "v"}}),
        model="gpt-5",
        stream=True,
    )
    assert body == {
        "model": "gpt-5",
        "instructions": "one\n\ntwo",
        "input": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "ok"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"x":1}'},
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [
                    {"type": "input_text", "text": "1"},
                    {"type": "input_image", "image_url": "data:image/png;base64,AQ==", "detail": "auto"},
                ],
            },
            {"role": "system", "content": "later"},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "see"},
                    {"type": "input_file", "file_url": "https://x/a.pdf"},
                    {"type": "input_text", "text": "[1]"},
                ],
            },
        ],
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "tools": [{"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": False}],
        "text": {"format": {"type": "json_schema", "name": "A", "schema": schema, "strict": False}},
        "max_output_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "reasoning": {"effort": "low"},
        "tool_choice": "required",
        "parallel_tool_calls": True,
        "stream": True,
        "metadata": {"k": "v"},
    }


@pytest.mark.parametrize(
    ("model", "asked"), [("gpt-4o", False), ("gpt-5-chat-latest", False), ("o3", True), ("deepseek-v4", True)]
)
def test_sealed_reasoning_is_asked_for_where_a_model_reasons(model: str, asked: bool) -> None:
    """Models without reasoning refuse the include."""
    assert ("include" in _sent(Message("user", "x"), model=model)) is asked
