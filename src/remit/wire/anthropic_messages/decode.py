"""anthropic-messages: a message to a Reply.

Content blocks become parts in order. A block that the neutral form holds completely needs no echo;
one with more in it (citations, a programmatic caller, redacted thinking, everything the server ran
itself) carries its block and goes back untouched. Input tokens are the sum of fresh, cache-read and
cache-written ones, because this wire counts them apart.

Source: Anthropic API reference "Messages", "Handling stop reasons", "Prompt caching", "Extended thinking".
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.messages import Data, Echo, Part, Text, Thinking, ToolCall
from remit.core.model import Reply, StopReason
from remit.core.usage import Usage
from remit.wire import reading
from remit.wire.provider_errors import body_error, error_in
from remit.wire.reading import arguments, bad_reply, count, label, obj, objects, text

WIRE: Final = "anthropic-messages"

STOPS: Final[dict[str, StopReason]] = {
    "": "end",
    "end_turn": "end",
    "tool_use": "end",  # without a client call; with one the reply is tool_use anyway
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "stop_sequence": "stop_sequence",
    "pause_turn": "pause",
    "compaction": "pause",
    "refusal": "refusal",
}
_DIRECT: Final = {"type": "direct"}


def decode(body: bytes) -> Reply:
    """The reply in a whole body; raises model_bad_reply, or the error that it carries."""
    raw = reading.read_object(body)
    error = error_in(raw)
    if error is not None:
        raise error
    if "content" not in raw:
        raise body_error(raw) if raw.get("detail") or raw.get("message") else bad_reply("the reply has no content")
    return reply_of(raw, objects(raw, "content"), raw)


def reply_of(message: dict[str, Any], blocks: list[dict[str, Any]], raw: Any) -> Reply:
    """The reply of a (folded) message and its content blocks."""
    taken = {text(block, "id") for block in blocks}
    parts: list[Part] = []
    number = 0
    called = False
    for block in blocks:
        kind = block.get("type")
        if kind == "text":
            parts.append(Text(text(block, "text"), Echo(WIRE, block) if block.get("citations") else None))
        elif kind == "tool_use":
            called = True
            call_id = text(block, "id")
            if not call_id:
                while (call_id := f"call_{number}") in taken:
                    number += 1
                number += 1
            parts.append(_call(block, call_id))
        elif kind == "thinking":
            echo = Echo(WIRE, block) if len(block) > 3 else None
            parts.append(Thinking(text(block, "thinking"), text(block, "signature"), echo))
        elif kind == "redacted_thinking":
            parts.append(Thinking("", text(block, "data"), Echo(WIRE, block)))
        else:
            parts.append(Data(None, text(block, "type") or "block", Echo(WIRE, block)))
    stop: StopReason = "tool_use" if called else STOPS.get(text(message, "stop_reason"), "other")
    usage = usage_of(obj(message, "usage"))
    return Reply(tuple(parts), stop, usage, label(message, "model"), label(message, "id"), raw)


def _call(block: dict[str, Any], call_id: str) -> ToolCall:
    parsed, invalid = arguments(block.get("input"))
    caller = block.get("caller")
    keep = caller is not None and caller != _DIRECT
    return ToolCall(call_id, text(block, "name"), parsed, invalid, Echo(WIRE, block) if keep else None)


def usage_of(usage: dict[str, Any]) -> Usage:
    """Token counts, cache reads and writes added to the input."""
    if not usage:
        return Usage()
    cached = count(usage, "cache_read_input_tokens")
    written = count(usage, "cache_creation_input_tokens")
    return Usage(
        count(usage, "input_tokens") + cached + written,
        cached,
        written,
        count(usage, "output_tokens"),
        count(obj(usage, "output_tokens_details"), "thinking_tokens"),
        cache_write_1h_tokens=count(obj(usage, "cache_creation"), "ephemeral_1h_input_tokens"),
    )
