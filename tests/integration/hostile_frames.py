"""What a hostile provider of each family writes: single frames of a stream, put together by the tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from remit.wire.event_stream import encode_frame

Frame = tuple[str, Any]
"""(event name, JSON)"""


class Family(NamedTuple):
    """How one wire says things in a stream."""

    begin: Callable[[], list[Frame]]
    text: Callable[[str], list[Frame]]
    call: Callable[[Any, Any, Any], list[Frame]]
    """index, id (None = left out) and name of a call that begins"""
    piece: Callable[[Any, str], list[Frame]]
    """index, and more of its arguments"""
    end: Callable[[Any, Any], list[Frame]]
    """stop reason and usage"""
    stop: str
    usage: dict[str, Any]
    counts: tuple[str, str]
    """names of the input and output count in `usage`; a dot leads into an object"""
    binary: bool = False


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _chat(delta: dict[str, Any], **more: Any) -> list[Frame]:
    return [("", {"choices": [{"index": 0, "delta": delta, **more}]})]


def _typed(kind: str, **fields: Any) -> list[Frame]:
    return [(kind, {"type": kind, **fields})]


def _anthropic_text(piece: str) -> list[Frame]:
    return _typed("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})


def _gemini(parts: list[Any], **more: Any) -> list[Frame]:
    return [("", {"candidates": [{"content": {"role": "model", "parts": parts}, **more}]})]


def _item(index: Any, call_id: Any, name: Any) -> list[Frame]:
    item = _without_none({"type": "function_call", "call_id": call_id, "name": name, "arguments": ""})
    return _typed("response.output_item.added", output_index=index, item=item)


def _tool(index: Any, call_id: Any, name: Any) -> dict[str, Any]:
    return _without_none({"index": index, "id": call_id, "function": {"name": name, "arguments": ""}})


FAMILIES = {
    "openai-chat": Family(
        lambda: [],
        lambda piece: _chat({"content": piece}),
        lambda index, call_id, name: _chat({"tool_calls": [_tool(index, call_id, name)]}),
        lambda index, piece: _chat({"tool_calls": [_without_none({"index": index, "function": {"arguments": piece}})]}),
        lambda stop, usage: [
            *_chat({}, finish_reason=stop), ("", {"choices": [], **_without_none({"usage": usage})}), ("", "[DONE]"),
        ],
        "stop", {"prompt_tokens": 7, "completion_tokens": 9}, ("prompt_tokens", "completion_tokens"),
    ),
    "openai-responses": Family(
        lambda: _typed("response.created", response={"id": "r", "model": "m", "status": "in_progress"}),
        lambda piece: _typed("response.output_text.delta", output_index=0, delta=piece),
        _item,
        lambda index, piece: _typed("response.function_call_arguments.delta", output_index=index, delta=piece),
        lambda stop, usage: _typed(
            "response.completed",
            response=_without_none({"id": "r", "model": "m", "status": stop, "output": [], "usage": usage}),
        ),
        "completed", {"input_tokens": 7, "output_tokens": 9}, ("input_tokens", "output_tokens"),
    ),
    "anthropic-messages": Family(
        lambda: [
            *_typed("message_start", message={"id": "m", "role": "assistant", "usage": {}}),
            *_typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        ],
        _anthropic_text,
        lambda index, call_id, name: _typed(
            "content_block_start",
            index=index,
            content_block=_without_none({"type": "tool_use", "id": call_id, "name": name, "input": {}}),
        ),
        lambda index, piece: _typed(
            "content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": piece}
        ),
        lambda stop, usage: [
            *_typed("message_delta", delta={"stop_reason": stop}, **_without_none({"usage": usage})),
            *_typed("message_stop"),
        ],
        "end_turn", {"input_tokens": 7, "output_tokens": 9}, ("input_tokens", "output_tokens"),
    ),
    "gemini": Family(
        lambda: [],
        lambda piece: _gemini([{"text": piece}]),
        lambda index, call_id, name: _gemini([{"functionCall": _without_none({"id": call_id, "name": name})}]),
        lambda index, piece: [],
        lambda stop, usage: [("", {**_gemini([], finishReason=stop)[0][1], **_without_none({"usageMetadata": usage})})],
        "STOP", {"promptTokenCount": 7, "candidatesTokenCount": 9}, ("promptTokenCount", "candidatesTokenCount"),
    ),
    "bedrock-converse": Family(
        lambda: [("messageStart", {"role": "assistant"})],
        lambda piece: [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}})],
        lambda index, call_id, name: [(
            "contentBlockStart",
            {"contentBlockIndex": index, "start": {"toolUse": _without_none({"toolUseId": call_id, "name": name})}},
        )],
        lambda index, piece: [
            ("contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}})
        ],
        lambda stop, usage: [
            ("messageStop", {"stopReason": stop}), ("metadata", _without_none({"usage": usage})),
        ],
        "end_turn", {"inputTokens": 7, "outputTokens": 9}, ("inputTokens", "outputTokens"), True,
    ),
    "cohere-v2": Family(
        lambda: _typed("message-start", id="r", delta={"message": {"role": "assistant"}}),
        lambda piece: _typed("content-delta", index=0, delta={"message": {"content": {"text": piece}}}),
        lambda index, call_id, name: _typed(
            "tool-call-start",
            index=index,
            delta={"message": {"tool_calls": _without_none(
                {"id": call_id, "type": "function", "function": {"name": name, "arguments": ""}})}},
        ),
        lambda index, piece: _typed(
            "tool-call-delta", index=index, delta={"message": {"tool_calls": {"function": {"arguments": piece}}}}
        ),
        lambda stop, usage: _typed("message-end", delta=_without_none({"finish_reason": stop, "usage": usage})),
        "COMPLETE", {"tokens": {"input_tokens": 7, "output_tokens": 9}},
        ("tokens.input_tokens", "tokens.output_tokens"),
    ),
}  # fmt: skip


def written(family: Family, frames: list[Frame]) -> list[bytes]:
    """The frames as they go over the wire, one by one."""
    out = []
    for event, value in frames:
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        if family.binary:
            out.append(encode_frame({":message-type": "event", ":event-type": event}, data))
        else:
            out.append((f"event: {event}\n" if event else "").encode() + b"data: " + data + b"\n\n")
    return out


def whole(family: Family, frames: list[Frame], stop: str = "", usage: Any = ...) -> bytes:
    """A whole stream around some frames."""
    ending = family.end(stop or family.stop, family.usage if usage is ... else usage)
    return b"".join(written(family, [*family.begin(), *frames, *ending]))
