"""The server's half of the six wires: a Reply as a provider would send it, whole or as a stream.

Only what a test double needs: text, calls, stop reason and usage. A stream is a list of pieces, each
one frame as it stands on the wire, so that a fault can fall between any two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from remit.core.messages import Text
from remit.core.model import Reply
from remit.testing import wire_replies_clouds as clouds
from remit.testing.answers import Frames, call_arguments, chat_call, cut, texts_and_calls
from remit.wire.event_stream import encode_frame

_encode: Final = msgspec.json.Encoder().encode


def whole(wire: str, reply: Reply) -> bytes:
    """The body of an unstreamed answer."""
    return _encode(_WHOLE[wire](reply))


def streamed(wire: str, reply: Reply) -> list[bytes]:
    """The frames of a streamed answer, in order."""
    if wire == "bedrock-converse":
        return [_binary(event, value) for event, value in clouds.bedrock_frames(reply)]
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


def _chat(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.tool_calls:
        message["tool_calls"] = [chat_call(call) for call in reply.tool_calls]
    choice = {"index": 0, "message": message, "finish_reason": _chat_finish(reply)}
    return {"id": reply.id, "model": reply.model, "choices": [choice], "usage": _chat_usage(reply)}


def _chat_frames(reply: Reply) -> Frames:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> tuple[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return "", {"id": reply.id, "model": reply.model, "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in cut(reply.text):
        yield chunk({"content": piece})
    for number, call in enumerate(reply.tool_calls):
        begun = {"name": call.name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": number, "id": call.id, "type": "function", "function": begun}]})
        for piece in cut(call_arguments(call)):
            yield chunk({"tool_calls": [{"index": number, "function": {"arguments": piece}}]})
    yield chunk({}, _chat_finish(reply))
    yield "", {"id": reply.id, "model": reply.model, "choices": [], "usage": _chat_usage(reply)}


# ---- openai-responses ----------------------------------------------------------------------------


def _items(reply: Reply) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for number, part in enumerate(texts_and_calls(reply)):
        if isinstance(part, Text):
            content = [{"type": "output_text", "text": part.text, "annotations": []}]
            items.append({"type": "message", "id": f"msg_{number}", "role": "assistant", "content": content})
        else:
            call = {"call_id": part.id, "name": part.name, "arguments": call_arguments(part)}
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
        for piece in cut(written):
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
        for part in texts_and_calls(reply)
    ]
    head = {"id": reply.id, "type": "message", "role": "assistant", "model": reply.model, "content": content}
    return {**head, "stop_reason": _anthropic_stop(reply), "usage": _anthropic_usage(reply)}


def _anthropic_frames(reply: Reply) -> Frames:
    def event(kind: str, **fields: Any) -> tuple[str, Any]:
        return kind, {"type": kind, **fields}

    yield event("message_start", message={**_anthropic(reply), "content": [], "stop_reason": None})
    yield event("ping")
    for position, part in enumerate(texts_and_calls(reply)):
        block: dict[str, Any] = {"type": "text", "text": ""}
        if isinstance(part, Text):
            field, kind, written = "text", "text_delta", part.text
        else:
            block = {"type": "tool_use", "id": part.id, "name": part.name, "input": {}}
            field, kind, written = "partial_json", "input_json_delta", call_arguments(part)
        yield event("content_block_start", index=position, content_block=block)
        for piece in cut(written):
            yield event("content_block_delta", index=position, delta={"type": kind, field: piece})
        yield event("content_block_stop", index=position)
    usage = {"output_tokens": reply.usage.output_tokens}
    yield event("message_delta", delta={"stop_reason": _anthropic_stop(reply)}, usage=usage)
    yield event("message_stop")


_WHOLE: Final[dict[str, Callable[[Reply], dict[str, Any]]]] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic-messages": _anthropic,
    "gemini": clouds.gemini,
    "bedrock-converse": clouds.bedrock,
    "cohere-v2": clouds.cohere,
}
_FRAMES: Final[dict[str, Callable[[Reply], Frames]]] = {
    "openai-chat": _chat_frames,
    "openai-responses": _responses_frames,
    "anthropic-messages": _anthropic_frames,
    "gemini": clouds.gemini_frames,
    "cohere-v2": clouds.cohere_frames,
}
