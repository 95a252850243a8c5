"""cohere-v2: a chat response to a Reply.

The tool plan, what the model says before its calls, is thinking and goes back as `tool_plan`. The
counts are `usage.tokens`, what the model really read and wrote; `usage.billed_units`, which leaves
the template out, is kept beside them because the price follows it. Citations stand beside the
message's content; they go back with it.

Source: Cohere API reference "Chat" (v2); docs "Tool use", "Reasoning", "How does Cohere's pricing work".
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from remit.core.messages import Data, Echo, Part, Text, Thinking, ToolCall
from remit.core.model import Reply, StopReason
from remit.core.usage import Usage
from remit.wire import reading
from remit.wire.provider_errors import body_error, error_in
from remit.wire.reading import arguments, as_json, bad_reply, count, label, obj, objects, text

WIRE: Final = "cohere-v2"

STOPS: Final[dict[str, StopReason]] = {
    "": "end",
    "COMPLETE": "end",
    "TOOL_CALL": "end",  # without a call that remains; with one the reply is tool_use anyway
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "max_tokens",
    "ERROR_LIMIT": "max_tokens",
    "ERROR_TOXIC": "content_filter",
    "CONTENT_FILTERED": "content_filter",
    "ERROR": "error",
    "TIMEOUT": "error",
    "USER_CANCEL": "error",
}


def decode(body: bytes) -> Reply:
    """The reply in a whole body; raises model_bad_reply, or the error that it carries."""
    raw = reading.read_object(body)
    error = error_in(raw)
    if error is not None:
        raise error
    if "message" not in raw or type(raw["message"]) is not dict:
        raise body_error(raw) if raw.get("message") else bad_reply("the reply has no message")
    return reply_of(raw, obj(raw, "message"), raw)


def reply_of(response: dict[str, Any], message: dict[str, Any], raw: Any) -> Reply:
    """The reply of a (folded) response and its message."""
    parts: list[Part] = []
    plan = text(message, "tool_plan")
    if plan:
        parts.append(Thinking(plan, "", Echo(WIRE, {"tool_plan": plan})))
    content = message.get("content")
    if type(content) is str:
        parts += [Text(content)] if content else []
    else:
        parts += [_chunk(chunk) for chunk in objects(message, "content")]
    cited = message.get("citations")
    if cited:
        parts.append(Data(None, "citations", Echo(WIRE, {"citations": cited})))
    calls = _calls(message)
    stop = "tool_use" if calls else STOPS.get(text(response, "finish_reason").upper(), "other")
    usage = usage_of(obj(response, "usage"))
    return Reply((*parts, *calls), stop, usage, label(response, "model"), label(response, "id"), raw)


def _chunk(chunk: dict[str, Any]) -> Part:
    kind = chunk.get("type")
    if kind == "text":
        return Text(text(chunk, "text"))
    if kind == "thinking":
        return Thinking(text(chunk, "thinking"), "", Echo(WIRE, chunk))
    return Data(None, text(chunk, "type") or "chunk", Echo(WIRE, chunk))


def _calls(message: dict[str, Any]) -> list[ToolCall]:
    raw = objects(message, "tool_calls")
    taken = {text(item, "id") for item in raw}
    calls: list[ToolCall] = []
    number = 0
    for item in raw:
        call_id = text(item, "id")
        if not call_id:
            while (call_id := f"call_{number}") in taken:
                number += 1
            number += 1
        function = obj(item, "function")
        written = function.get("arguments")
        parsed, invalid = arguments(written)
        exact = type(written) is str and written and written != as_json(parsed)
        echo = Echo(WIRE, item) if exact and not invalid else None
        calls.append(ToolCall(call_id, text(function, "name"), parsed, invalid, echo))
    return calls


def usage_of(usage: dict[str, Any]) -> Usage:
    """Token counts; the billed units beside them where they differ."""
    if not usage:
        return Usage()
    tokens, billed = obj(usage, "tokens"), obj(usage, "billed_units")
    counted = Usage(
        count(tokens, "input_tokens"), count(usage, "cached_tokens"), 0, count(tokens, "output_tokens")
    )  # fmt: skip
    if not tokens:
        return replace(
            counted, input_tokens=count(billed, "input_tokens"), output_tokens=count(billed, "output_tokens")
        )
    if "input_tokens" not in billed and "output_tokens" not in billed:
        return counted
    return replace(
        counted,
        billed_input_tokens=count(billed, "input_tokens"),
        billed_output_tokens=count(billed, "output_tokens"),
    )
