"""Replies that were changed on the way: one error type, never another exception, never a hang."""

from __future__ import annotations

import gc
import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.core.messages import Message
from remit.core.model import ModelRequest
from remit.errors import ModelError
from remit.wire.anthropic_messages import CODEC as ANTHROPIC
from remit.wire.openai_chat import CODEC as CHAT
from remit.wire.openai_responses import CODEC as RESPONSES

CODECS = {"chat": CHAT, "responses": RESPONSES, "anthropic": ANTHROPIC}
JUNK = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\ud800",
    [],
    {},
    [None],
    [[]],
    {"a": 1},
    [{"type": "text"}],
    {"index": -5},
    "null",
]

WHOLE: dict[str, Any] = {
    "chat": {
        "id": "c",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]},
                        {"type": "text", "text": "x"},
                    ],
                    "reasoning_details": [{"type": "reasoning.text", "text": "r", "index": 0, "signature": "s"}],
                    "extra_content": {"google": {"thought_signature": "s"}},
                    "audio": {"id": "a", "transcript": "t"},
                    "refusal": "",
                    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}],
                },
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 1}},
    },
    "responses": {
        "id": "r",
        "model": "m",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "s"}], "content": []},
            {"type": "message", "content": [{"type": "output_text", "text": "x"}, {"type": "refusal", "refusal": "n"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "web_search_call", "id": "ws"},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 1}},
    },
    "anthropic": {
        "id": "m",
        "model": "m",
        "type": "message",
        "stop_reason": "end_turn",
        "content": [
            {"type": "thinking", "thinking": "t", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "x", "citations": [{"type": "c"}]},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}, "caller": {"type": "direct"}},
            {"type": "server_tool_use", "id": "s", "name": "w", "input": {}},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 1, "output_tokens_details": {"thinking_tokens": 1}},
    },
}

STREAMS: dict[str, list[Any]] = {
    "chat": [
        {
            "id": "c",
            "model": "m",
            "choices": [
                {"index": 0, "delta": {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}]}}
            ],
        },
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {
                        "content": "x",
                        "reasoning_details": [{"type": "reasoning.text", "text": "r", "index": 0}],
                    },
                }
            ]
        },
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}]},
                }
            ]
        },
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
                    "finish_reason": "stop",
                }
            ]
        },
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
    ],
    "responses": [
        {"type": "response.created", "response": {"id": "r", "model": "m", "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "content": []}},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "x"},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "x"},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"type": "message", "content": [{"type": "output_text", "text": "x"}]},
        },
        {
            "type": "response.output_item.added",
            "output_index": 1,
            "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""},
        },
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{}"},
        {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": "{}"},
        {
            "type": "response.completed",
            "response": {"id": "r", "status": "completed", "output": [], "usage": {"input_tokens": 1}},
        },
    ],
    "anthropic": [
        {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"a": 1}}},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        },
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "signature_delta", "signature": "s"}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ],
}


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _paths(inner, (*path, key))
    return found


def _changed(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    copy = value.copy()
    copy[path[0]] = _changed(value[path[0]], path[1:], junk)
    return copy


def check_usable(codec: Any, reply: Any) -> None:
    """What was decoded can be journalled and sent, to its own wire and to the others."""
    msgspec.json.encode(reply)
    for other in CODECS.values():
        json.loads(other.encode(ModelRequest((Message("assistant", reply.parts),), model="m"), False))


@pytest.mark.parametrize("family", CODECS)
def test_any_value_in_any_place_of_a_reply(family: str) -> None:
    """Each field in turn replaced by each kind of junk, or gone: a clean reply or one error type."""
    codec: Any = CODECS[family]
    for path in _paths(WHOLE[family]):
        for junk in JUNK:
            body = json.dumps(_changed(WHOLE[family], path, junk)).encode()
            try:
                reply = codec.decode(body)
            except ModelError:
                continue
            check_usable(codec, reply)


@pytest.mark.parametrize("family", CODECS)
def test_any_value_in_any_place_of_a_stream(family: str) -> None:
    """The same for every field of every frame."""
    codec: Any = CODECS[family]
    frames = STREAMS[family]
    for path in _paths(frames):
        for junk in JUNK:
            changed = _changed(frames, path, junk)
            data = b"".join(b"data: %s\n\n" % json.dumps(frame).encode() for frame in changed)
            decoder = codec.stream()
            try:
                decoder.feed(data)
                reply = decoder.finish()
            except ModelError:
                continue
            check_usable(codec, reply)


@pytest.mark.parametrize("family", CODECS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_bytes_changed_and_frames_mixed(family: str, data: st.DataObject) -> None:
    """Flipped bytes, lost, doubled and reordered frames, cut anywhere."""
    codec: Any = CODECS[family]
    order = data.draw(st.lists(st.sampled_from(range(len(STREAMS[family]))), max_size=14))
    raw = bytearray(b"".join(b"data: %s\n\n" % json.dumps(STREAMS[family][i]).encode() for i in order))
    for _ in range(data.draw(st.integers(0, 3))):
        if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    outcomes = []
    for chunks in ((bytes(raw),), (bytes(raw[:cut]), bytes(raw[cut:]))):
        decoder = codec.stream()
        try:
            for chunk in chunks:
                decoder.feed(chunk)
            outcomes.append(decoder.finish())
        except ModelError as error:
            outcomes.append((error.code, error.message))
    assert outcomes[0] == outcomes[1]


def _repeated(family: str) -> list[Any]:
    call = {"index": 0, "function": {"name": "f", "arguments": "}"}}
    details = [{"type": "reasoning.text", "index": 0, "text": "x" * 50}]
    return {
        "chat": [{"choices": [{"delta": {"tool_calls": [call], "reasoning_details": details}}]}],
        "responses": [
            {"type": "response.output_item.added", "item": {"type": "function_call", "call_id": "c"}},
            {"type": "response.function_call_arguments.delta", "delta": "{"},
            {"type": "response.output_item.done", "item": {"type": "function_call", "id": "never"}},
        ],
        "anthropic": [
            {"type": "content_block_start", "content_block": {"type": "text", "text": "x"}},
            {"type": "content_block_delta", "delta": {"type": "citations_delta", "citation": 1}},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}},
        ],
    }[family]


@pytest.mark.parametrize("family", CODECS)
def test_work_grows_with_the_bytes_not_faster(family: str) -> None:
    """Four times the frames, at most some sixteen times the time: nothing in the fold is quadratic."""
    codec: Any = CODECS[family]
    unit = b"".join(b"data: %s\n\n" % json.dumps(frame).encode() for frame in _repeated(family))

    def seconds(times: int) -> float:
        start = time.process_time()
        decoder = codec.stream()
        decoder.feed(unit * times)
        try:
            decoder.finish()
        except ModelError:
            pass
        return time.process_time() - start

    def least(times: int) -> float:
        return min(seconds(times) for _ in range(3))  # a busy machine only ever adds

    gc.disable()  # a collection's cost grows with the whole process, not with these bytes
    try:
        seconds(500)
        assert least(16_000) < 12 * max(least(4_000), 0.01)
    finally:
        gc.enable()
