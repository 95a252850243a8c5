"""openai-responses: a response object to a Reply.

Every output item becomes one part that carries the item as its echo: reasoning items (with
encrypted_content and summaries), messages and calls (with their ids), and whatever the server did
itself (web_search_call, code_interpreter_call, mcp_call, image_generation_call, ...) as `Data`.
`.id` of a call is `call_id`, which the result must echo. Raw reasoning text is preferred to its
summary. The status decides the stop reason unless client calls remain.

Source: OpenAI API reference "Responses"; DeepSeek and OpenRouter "Responses API".
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.messages import Data, Echo, Part, Text, Thinking, ToolCall
from remit.core.model import Reply, StopReason
from remit.core.usage import Usage
from remit.wire import reading
from remit.wire.provider_errors import body_error, error_in
from remit.wire.reading import arguments, bad_reply, count, label, obj, objects, text

WIRE: Final = "openai-responses"

# status -> stop reason; failed raises, incomplete looks at its reason
_STOPS: Final[dict[str, StopReason]] = {
    "": "end",
    "completed": "end",
    "cancelled": "error",
    "queued": "pause",
    "in_progress": "pause",
}
_INCOMPLETE: Final[dict[str, StopReason]] = {
    "": "max_tokens",
    "max_output_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "length": "max_tokens",
    "content_filter": "content_filter",
}


def decode(body: bytes) -> Reply:
    """The reply in a whole body; raises model_bad_reply, or the error that it carries."""
    raw = reading.read_object(body)
    error = error_in(raw)
    if error is not None:
        raise error
    if "output" not in raw and "status" not in raw:
        raise body_error(raw) if raw.get("detail") or raw.get("message") else bad_reply("the reply has no output")
    return reply_of(raw, objects(raw, "output"), raw)


def reply_of(response: dict[str, Any], output: list[dict[str, Any]], raw: Any) -> Reply:
    """The reply of a response object and its output items."""
    status = text(response, "status")
    if status == "failed":
        raise body_error(response.get("error") or {"message": "the response failed"})
    return reply_of_items(output, usage_of(obj(response, "usage")), response, raw)


def reply_of_items(output: list[dict[str, Any]], usage: Usage, response: dict[str, Any], raw: Any) -> Reply:
    """The same, for a response that has not failed and whose counts are read already."""
    parts: list[Part] = []
    refused = False
    taken = {text(item, "call_id") for item in output if "call_id" in item}
    number = 0
    for item in output:
        kind = item.get("type")
        part: Part
        if kind == "message":
            part, refusal = _message(item)
            refused = refused or refusal
        elif kind == "function_call" or kind == "custom_tool_call":
            call_id = text(item, "call_id")
            if not call_id:
                while (call_id := f"call_{number}") in taken:
                    number += 1
                number += 1
            part = _call(item, call_id, kind)
        elif kind == "reasoning":
            part = Thinking(reasoning_text(item), text(item, "encrypted_content"), Echo(WIRE, item))
        else:
            part = Data(None, text(item, "type") or "item", Echo(WIRE, item))
        parts.append(part)
    stop = _stop(response, text(response, "status"), parts, refused)
    return Reply(tuple(parts), stop, usage, label(response, "model"), label(response, "id"), raw)


def _stop(response: dict[str, Any], status: str, parts: list[Part], refused: bool) -> StopReason:
    if any(type(part) is ToolCall for part in parts):
        return "tool_use"
    if refused:
        return "refusal"
    if status == "incomplete":
        return _INCOMPLETE.get(text(obj(response, "incomplete_details"), "reason"), "other")
    return _STOPS.get(status, "other")


def _message(item: dict[str, Any]) -> tuple[Text, bool]:
    content = item.get("content")
    if type(content) is list and len(content) == 1 and type(content[0]) is dict:
        only = content[0]
        if only.get("type") == "output_text" and type(only.get("text")) is str:  # what nearly all of them hold
            return Text(only["text"], Echo(WIRE, item)), False
    return Text(message_text(item), Echo(WIRE, item)), any(c.get("type") == "refusal" for c in _content(item))


def _content(item: dict[str, Any]) -> list[dict[str, Any]]:
    content = item.get("content")
    return [{"type": "output_text", "text": content}] if type(content) is str else objects(item, "content")


def message_text(item: dict[str, Any]) -> str:
    """All text of a message item, refusals included."""
    return "".join([text(c, "refusal") if c.get("type") == "refusal" else text(c, "text") for c in _content(item)])


def _call(item: dict[str, Any], call_id: str, kind: str) -> ToolCall:
    if kind == "custom_tool_call":
        return ToolCall(call_id, text(item, "name"), {"input": text(item, "input")}, "", Echo(WIRE, item))
    parsed, invalid = arguments(item.get("arguments"))
    return ToolCall(call_id, text(item, "name"), parsed, invalid, Echo(WIRE, item))


def reasoning_text(item: dict[str, Any]) -> str:
    """Raw reasoning of an item, or its summary where the raw text is not given."""
    raw = "".join([text(c, "text") for c in objects(item, "content")])
    return raw or "\n\n".join([text(s, "text") for s in objects(item, "summary")])


def usage_of(usage: dict[str, Any]) -> Usage:
    """Token counts; some servers use the chat names."""
    if not usage:
        return Usage()
    given = obj(usage, "input_tokens_details") or obj(usage, "prompt_tokens_details")
    made = obj(usage, "output_tokens_details") or obj(usage, "completion_tokens_details")
    return Usage(
        count(usage, "input_tokens") or count(usage, "prompt_tokens"),
        count(given, "cached_tokens"),
        count(given, "cache_write_tokens") or count(given, "cache_creation_tokens"),
        count(usage, "output_tokens") or count(usage, "completion_tokens"),
        count(made, "reasoning_tokens"),
    )
