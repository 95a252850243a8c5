"""The server's half of gemini, bedrock-converse and cohere-v2 (the others and the way in: `wire_replies.py`)."""

from __future__ import annotations

from typing import Any

from remit.core.messages import Text, ToolCall
from remit.core.model import Reply
from remit.testing.answers import Frames, call_arguments, chat_call, cut, texts_and_calls

# ---- gemini --------------------------------------------------------------------------------------


def _gemini_part(part: Text | ToolCall) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    return {"functionCall": {"id": part.id, "name": part.name, "args": part.arguments}}


def gemini(reply: Reply, parts: list[dict[str, Any]] | None = None, last: bool = True) -> dict[str, Any]:
    """A whole response, or one frame of its stream."""
    shown = [_gemini_part(part) for part in texts_and_calls(reply)] if parts is None else parts
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


def gemini_frames(reply: Reply) -> Frames:
    """Its stream."""
    for part in texts_and_calls(reply):
        if isinstance(part, Text):
            for piece in cut(part.text):
                yield "", gemini(reply, [{"text": piece}], last=False)
        else:
            yield "", gemini(reply, [_gemini_part(part)], last=False)
    yield "", gemini(reply, [], last=True)


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


def bedrock(reply: Reply) -> dict[str, Any]:
    """A whole response."""
    content = [
        {"text": part.text}
        if isinstance(part, Text)
        else {"toolUse": {"toolUseId": part.id, "name": part.name, "input": part.arguments}}
        for part in texts_and_calls(reply)
    ]
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": _bedrock_stop(reply), "usage": _bedrock_usage(reply)}


def bedrock_frames(reply: Reply) -> Frames:
    """Its stream."""
    yield "messageStart", {"role": "assistant"}
    for position, part in enumerate(texts_and_calls(reply)):
        if isinstance(part, Text):
            deltas: list[dict[str, Any]] = [{"text": piece} for piece in cut(part.text)]
        else:
            start = {"toolUse": {"toolUseId": part.id, "name": part.name}}
            yield "contentBlockStart", {"contentBlockIndex": position, "start": start}
            deltas = [{"toolUse": {"input": piece}} for piece in cut(call_arguments(part))]
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


def cohere(reply: Reply) -> dict[str, Any]:
    """A whole response."""
    message: dict[str, Any] = {"role": "assistant", "content": [{"type": "text", "text": reply.text}]}
    if reply.tool_calls:
        message = {"role": "assistant", "tool_calls": [chat_call(call) for call in reply.tool_calls]}
        if reply.text:
            message["content"] = [{"type": "text", "text": reply.text}]
    return {"id": reply.id, "message": message, **_cohere_end(reply)}


def cohere_frames(reply: Reply) -> Frames:
    """Its stream."""

    def event(kind: str, position: int | None = None, **message: Any) -> tuple[str, Any]:
        place = {} if position is None else {"index": position}
        return kind, {"type": kind, **place, "delta": {"message": message}}

    yield "message-start", {"type": "message-start", "id": reply.id, "delta": {"message": {"role": "assistant"}}}
    if reply.text:
        yield event("content-start", 0, content={"type": "text", "text": ""})
        for piece in cut(reply.text):
            yield event("content-delta", 0, content={"text": piece})
        yield event("content-end", 0)
    for number, call in enumerate(reply.tool_calls):
        started = chat_call(call) | {"function": {"name": call.name, "arguments": ""}}
        yield event("tool-call-start", number, tool_calls=started)
        for piece in cut(call_arguments(call)):
            yield event("tool-call-delta", number, tool_calls={"function": {"arguments": piece}})
        yield event("tool-call-end", number)
    yield "message-end", {"type": "message-end", "delta": _cohere_end(reply)}
