"""The server's half of the six wires: a Reply as a provider would send it, whole or as a stream.

Only what a test double needs: text, calls, stop reason and usage. A stream is a list of pieces, each
one frame as it stands on the wire, so that a fault can fall between any two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from remit.core.messages import Text, ToolCall
from remit.core.model import Reply
from remit.wire.event_stream import encode_frame

_encode: Final = msgspec.json.Encoder().encode
PIECE_CHARS: Final = 16

Frames = Iterator[tuple[str, Any]]
"""(event name or "", JSON)"""


def whole(wire: str, reply: Reply) -> bytes:
    """The body of an unstreamed answer."""
    return _encode(_WHOLE[wire](reply))


def streamed(wire: str, reply: Reply) -> list[bytes]:
    """The frames of a streamed answer, in order."""
    if wire == "bedrock-converse":
        return [_binary(event, value) for event, value in _bedrock_frames(reply)]
    frames = [_sse(event, value) for event, value in _FRAMES[wire](reply)]
    return [*frames, b"data: [DONE]\n\n"] if wire == "openai-chat" else frames


def failure(wire: str, status: int, message: str, wait: str = "") -> bytes:
    """The body of an error answer; `wait` (for example "1.5s") is put where that wire's body names a delay."""
    error: dict[str, Any] = {"message": f"{message} Please try again in {wait}." if wait else message}
    if wire == "gemini":
        error = {"code": status, "status": "UNAVAILABLE", "message": message}
        if wait:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            error["details"] = [{"@type": kind, "retryDelay": wait}]
    elif wire == "anthropic-messages":
        return _encode({"type": "error", "error": {"type": "overloaded_error", **error}})
    elif wire in ("bedrock-converse", "cohere-v2"):
        return _encode(error)
    return _encode({"error": error})


def error_frame(wire: str, message: str) -> bytes:
    """An error inside a stream."""
    if wire == "bedrock-converse":
        headers = {":message-type": "exception", ":exception-type": "serviceUnavailableException"}
        return encode_frame(headers, _encode({"message": message}))
    error: dict[str, Any] = {"type": "overloaded_error", "message": message}
    if wire == "gemini":
        error = {"code": 503, "status": "UNAVAILABLE", "message": message}
    return _sse("error", {"type": "error", "error": error})


def _sse(event: str, value: Any) -> bytes:
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + _encode(value) + b"\n\n"


def _binary(event: str, value: Any) -> bytes:
    headers = {":event-type": event, ":content-type": "application/json", ":message-type": "event"}
    return encode_frame(headers, _encode(value))


def _cut(text: str) -> list[str]:
    return [text[i : i + PIECE_CHARS] for i in range(0, len(text), PIECE_CHARS)]


def _arguments(call: ToolCall) -> str:
    return call.invalid or _encode(call.arguments).decode()


def _parts(reply: Reply) -> list[Text | ToolCall]:
    return [part for part in reply.parts if isinstance(part, Text | ToolCall)]


# ---- openai-chat ---------------------------------------------------------------------------------


def _chat_usage(reply: Reply) -> dict[str, Any]:
    u = reply.usage
    return {
        "prompt_tokens": u.input_tokens,
        "completion_tokens": u.output_tokens,
        "total_tokens": u.input_tokens + u.output_tokens,
        "prompt_tokens_details": {"cached_tokens": u.cached_tokens},
    }


def _chat_finish(reply: Reply) -> str:
    return {"tool_use": "tool_calls", "max_tokens": "length", "content_filter": "content_filter"}.get(
        reply.stop_reason, "stop"
    )


def _chat_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _arguments(call)}}


def _chat(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.tool_calls:
        message["tool_calls"] = [_chat_call(call) for call in reply.tool_calls]
    choice = {"index": 0, "message": message, "finish_reason": _chat_finish(reply)}
    return {"id": reply.id, "model": reply.model, "choices": [choice], "usage": _chat_usage(reply)}


def _chat_frames(reply: Reply) -> Frames:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> tuple[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return "", {"id": reply.id, "model": reply.model, "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in _cut(reply.text):
        yield chunk({"content": piece})
    for number, call in enumerate(reply.tool_calls):
        begun = {"name": call.name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": number, "id": call.id, "type": "function", "function": begun}]})
        for piece in _cut(_arguments(call)):
            yield chunk({"tool_calls": [{"index": number, "function": {"arguments": piece}}]})
    yield chunk({}, _chat_finish(reply))
    yield "", {"id": reply.id, "model": reply.model, "choices": [], "usage": _chat_usage(reply)}


# ---- openai-responses ----------------------------------------------------------------------------


def _items(reply: Reply) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for number, part in enumerate(_parts(reply)):
        if isinstance(part, Text):
            content = [{"type": "output_text", "text": part.text, "annotations": []}]
            items.append({"type": "message", "id": f"msg_{number}", "role": "assistant", "content": content})
        else:
            call = {"call_id": part.id, "name": part.name, "arguments": _arguments(part)}
            items.append({"type": "function_call", "id": f"fc_{number}", **call})
    return items


def _response(reply: Reply, output: list[Any], done: bool = True) -> dict[str, Any]:
    u = reply.usage
    body: dict[str, Any] = {"id": reply.id, "model": reply.model, "object": "response", "output": output}
    if not done:
        return body | {"status": "in_progress"}
    cut = reply.stop_reason == "max_tokens"
    body["status"] = "incomplete" if cut else "completed"
    body["incomplete_details"] = {"reason": "max_output_tokens"} if cut else None
    given = {"input_tokens": u.input_tokens, "input_tokens_details": {"cached_tokens": u.cached_tokens}}
    made = {"output_tokens": u.output_tokens, "output_tokens_details": {"reasoning_tokens": u.reasoning_tokens}}
    return body | {"usage": given | made}


def _responses(reply: Reply) -> dict[str, Any]:
    return _response(reply, _items(reply))


def _responses_frames(reply: Reply) -> Frames:
    number = 0

    def event(kind: str, **fields: Any) -> tuple[str, Any]:
        nonlocal number
        number += 1
        return kind, {"type": kind, "sequence_number": number, **fields}

    items = _items(reply)
    yield event("response.created", response=_response(reply, [], done=False))
    for position, item in enumerate(items):
        is_text = item["type"] == "message"
        started = {**item, "content": []} if is_text else {**item, "arguments": ""}
        yield event("response.output_item.added", output_index=position, item=started)
        written = item["content"][0]["text"] if is_text else item["arguments"]
        kind = "response.output_text.delta" if is_text else "response.function_call_arguments.delta"
        for piece in _cut(written):
            yield event(kind, output_index=position, item_id=item["id"], delta=piece)
        yield event("response.output_item.done", output_index=position, item=item)
    ending = "response.incomplete" if reply.stop_reason == "max_tokens" else "response.completed"
    yield event(ending, response=_response(reply, items))


# ---- anthropic-messages --------------------------------------------------------------------------


def _anthropic_stop(reply: Reply) -> str:
    return {"tool_use": "tool_use", "max_tokens": "max_tokens", "refusal": "refusal", "pause": "pause_turn"}.get(
        reply.stop_reason, "end_turn"
    )


def _anthropic_usage(reply: Reply) -> dict[str, int]:
    u = reply.usage
    return {
        "input_tokens": u.input_tokens - u.cached_tokens - u.cache_write_tokens,
        "cache_read_input_tokens": u.cached_tokens,
        "cache_creation_input_tokens": u.cache_write_tokens,
        "output_tokens": u.output_tokens,
    }


def _anthropic(reply: Reply) -> dict[str, Any]:
    content = [
        {"type": "text", "text": part.text}
        if isinstance(part, Text)
        else {"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments}
        for part in _parts(reply)
    ]
    head = {"id": reply.id, "type": "message", "role": "assistant", "model": reply.model, "content": content}
    return {**head, "stop_reason": _anthropic_stop(reply), "usage": _anthropic_usage(reply)}


def _anthropic_frames(reply: Reply) -> Frames:
    def event(kind: str, **fields: Any) -> tuple[str, Any]:
        return kind, {"type": kind, **fields}

    yield event("message_start", message={**_anthropic(reply), "content": [], "stop_reason": None})
    yield event("ping")
    for position, part in enumerate(_parts(reply)):
        if isinstance(part, Text):
            block, field, kind = {"type": "text", "text": ""}, "text", "text_delta"
            written = part.text
        else:
            block = {"type": "tool_use", "id": part.id, "name": part.name, "input": {}}  # type: ignore[dict-item]
            field, kind, written = "partial_json", "input_json_delta", _arguments(part)
        yield event("content_block_start", index=position, content_block=block)
        for piece in _cut(written):
            yield event("content_block_delta", index=position, delta={"type": kind, field: piece})
        yield event("content_block_stop", index=position)
    usage = {"output_tokens": reply.usage.output_tokens}
    yield event("message_delta", delta={"stop_reason": _anthropic_stop(reply)}, usage=usage)
    yield event("message_stop")


# ---- gemini --------------------------------------------------------------------------------------


def _gemini_part(part: Text | ToolCall) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    return {"functionCall": {"id": part.id, "name": part.name, "args": part.arguments}}


def _gemini(reply: Reply, parts: list[dict[str, Any]] | None = None, last: bool = True) -> dict[str, Any]:
    shown = [_gemini_part(part) for part in _parts(reply)] if parts is None else parts
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": shown}, "index": 0}
    body: dict[str, Any] = {"candidates": [candidate], "modelVersion": reply.model, "responseId": reply.id}
    if last:
        stops = {"max_tokens": "MAX_TOKENS", "content_filter": "SAFETY"}
        candidate["finishReason"] = stops.get(reply.stop_reason, "STOP")
        u = reply.usage
        body["usageMetadata"] = {
            "promptTokenCount": u.input_tokens,
            "cachedContentTokenCount": u.cached_tokens,
            "candidatesTokenCount": u.output_tokens - u.reasoning_tokens,
            "thoughtsTokenCount": u.reasoning_tokens,
        }
    return body


def _gemini_frames(reply: Reply) -> Frames:
    for part in _parts(reply):
        if isinstance(part, Text):
            for piece in _cut(part.text):
                yield "", _gemini(reply, [{"text": piece}], last=False)
        else:
            yield "", _gemini(reply, [_gemini_part(part)], last=False)
    yield "", _gemini(reply, [], last=True)


# ---- bedrock-converse ----------------------------------------------------------------------------


def _bedrock_stop(reply: Reply) -> str:
    return {"tool_use": "tool_use", "max_tokens": "max_tokens", "content_filter": "content_filtered"}.get(
        reply.stop_reason, "end_turn"
    )


def _bedrock_usage(reply: Reply) -> dict[str, int]:
    u = reply.usage
    return {
        "inputTokens": u.input_tokens - u.cached_tokens - u.cache_write_tokens,
        "outputTokens": u.output_tokens,
        "cacheReadInputTokens": u.cached_tokens,
        "cacheWriteInputTokens": u.cache_write_tokens,
    }


def _bedrock(reply: Reply) -> dict[str, Any]:
    content = [
        {"text": part.text}
        if isinstance(part, Text)
        else {"toolUse": {"toolUseId": part.id, "name": part.name, "input": part.arguments}}
        for part in _parts(reply)
    ]
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": _bedrock_stop(reply), "usage": _bedrock_usage(reply)}


def _bedrock_frames(reply: Reply) -> Frames:
    yield "messageStart", {"role": "assistant"}
    for position, part in enumerate(_parts(reply)):
        if isinstance(part, Text):
            deltas: list[dict[str, Any]] = [{"text": piece} for piece in _cut(part.text)]
        else:
            start = {"toolUse": {"toolUseId": part.id, "name": part.name}}
            yield "contentBlockStart", {"contentBlockIndex": position, "start": start}
            deltas = [{"toolUse": {"input": piece}} for piece in _cut(_arguments(part))]
        for delta in deltas:
            yield "contentBlockDelta", {"contentBlockIndex": position, "delta": delta}
        yield "contentBlockStop", {"contentBlockIndex": position}
    yield "messageStop", {"stopReason": _bedrock_stop(reply)}
    yield "metadata", {"usage": _bedrock_usage(reply), "metrics": {"latencyMs": 1}}


# ---- cohere-v2 -----------------------------------------------------------------------------------


def _cohere_end(reply: Reply) -> dict[str, Any]:
    stops = {"tool_use": "TOOL_CALL", "max_tokens": "MAX_TOKENS", "stop_sequence": "STOP_SEQUENCE"}
    tokens = {"input_tokens": reply.usage.input_tokens, "output_tokens": reply.usage.output_tokens}
    return {"finish_reason": stops.get(reply.stop_reason, "COMPLETE"), "usage": {"tokens": tokens}}


def _cohere(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": [{"type": "text", "text": reply.text}]}
    if reply.tool_calls:
        message = {"role": "assistant", "tool_calls": [_chat_call(call) for call in reply.tool_calls]}
        if reply.text:
            message["content"] = [{"type": "text", "text": reply.text}]
    return {"id": reply.id, "message": message, **_cohere_end(reply)}


def _cohere_frames(reply: Reply) -> Frames:
    def event(kind: str, position: int | None = None, **message: Any) -> tuple[str, Any]:
        place = {} if position is None else {"index": position}
        return kind, {"type": kind, **place, "delta": {"message": message}}

    yield "message-start", {"type": "message-start", "id": reply.id, "delta": {"message": {"role": "assistant"}}}
    if reply.text:
        yield event("content-start", 0, content={"type": "text", "text": ""})
        for piece in _cut(reply.text):
            yield event("content-delta", 0, content={"text": piece})
        yield event("content-end", 0)
    for number, call in enumerate(reply.tool_calls):
        started = _chat_call(call) | {"function": {"name": call.name, "arguments": ""}}
        yield event("tool-call-start", number, tool_calls=started)
        for piece in _cut(_arguments(call)):
            yield event("tool-call-delta", number, tool_calls={"function": {"arguments": piece}})
        yield event("tool-call-end", number)
    yield "message-end", {"type": "message-end", "delta": _cohere_end(reply)}


_WHOLE: Final[dict[str, Callable[[Reply], dict[str, Any]]]] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic-messages": _anthropic,
    "gemini": _gemini,
    "bedrock-converse": _bedrock,
    "cohere-v2": _cohere,
}
_FRAMES: Final[dict[str, Callable[[Reply], Frames]]] = {
    "openai-chat": _chat_frames,
    "openai-responses": _responses_frames,
    "anthropic-messages": _anthropic_frames,
    "gemini": _gemini_frames,
    "cohere-v2": _cohere_frames,
}
