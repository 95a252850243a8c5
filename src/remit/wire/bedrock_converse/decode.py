"""bedrock-converse: a Converse response to a Reply.

Blocks become parts in order. What the server ran itself (a `server_tool_use` and its result), text
with citations and redacted reasoning carry their block and go back untouched. Input tokens are the
sum of fresh, cache-read and cache-written ones, because this wire counts them apart. The wire has no
reply id and names no model.

Source: Amazon Bedrock API reference "Converse", "ContentBlock", "TokenUsage".
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.messages import Data, Echo, Part, Text, Thinking, ToolCall
from remit.core.model import Reply, StopReason
from remit.core.usage import Usage
from remit.wire import reading
from remit.wire.media import media_of
from remit.wire.provider_errors import body_error, error_in
from remit.wire.reading import arguments, bad_reply, count, label, obj, objects, text

WIRE: Final = "bedrock-converse"

STOPS: Final[dict[str, StopReason]] = {
    "": "end",
    "end_turn": "end",
    "tool_use": "end",  # without a call that remains; with one the reply is tool_use anyway
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "refusal",
    "pause_turn": "pause",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}


def decode(body: bytes) -> Reply:
    """The reply in a whole body; raises model_bad_reply, or the error that it carries."""
    raw = reading.read_object(body)
    error = error_in(raw)
    if error is not None:
        raise error
    message = obj(obj(raw, "output"), "message")
    if "content" not in message:
        said = raw.get("message") or raw.get("Message")
        raise body_error(raw) if said else bad_reply("the reply has no message")
    return reply_of(raw, objects(message, "content"), raw)


def reply_of(response: dict[str, Any], blocks: list[dict[str, Any]], raw: Any) -> Reply:
    """The reply of a (folded) response and the blocks of its message."""
    taken = {label(obj(block, "toolUse"), "toolUseId") for block in blocks if "toolUse" in block}
    parts: list[Part] = []
    number = 0
    called = False
    for block in blocks:
        use = obj(block, "toolUse")
        if use and use.get("type") != "server_tool_use":
            called = True
            call_id = text(use, "toolUseId")
            if not call_id:
                while (call_id := f"call_{number}") in taken:
                    number += 1
                number += 1
            parts.append(_call(block, use, call_id))
        else:
            parts.append(_part(block))
    stop: StopReason = "tool_use" if called else STOPS.get(text(response, "stopReason"), "other")
    return Reply(tuple(parts), stop, usage_of(obj(response, "usage")), "", "", raw)


def _call(block: dict[str, Any], use: dict[str, Any], call_id: str) -> ToolCall:
    parsed, invalid = arguments(use.get("input"))
    complete = len(block) == 1 and use.keys() <= {"toolUseId", "name", "input", "type"}
    plain = complete and use.get("type", "tool_use") == "tool_use"
    return ToolCall(call_id, text(use, "name"), parsed, invalid, None if plain else Echo(WIRE, block))


def _part(block: dict[str, Any]) -> Part:
    if type(block.get("text")) is str:
        return Text(text(block, "text"))
    if "reasoningContent" in block:
        return _reasoning(block, obj(block, "reasoningContent"))
    if "citationsContent" in block:
        said = "".join([text(piece, "text") for piece in objects(obj(block, "citationsContent"), "content")])
        return Text(said, Echo(WIRE, block))
    if "image" in block and type(obj(obj(block, "image"), "source").get("bytes")) is str:
        image = obj(block, "image")
        return media_of(text(obj(image, "source"), "bytes"), f"image/{text(image, 'format')}")
    return Data(None, next(iter(block), "block"), Echo(WIRE, block))


def _reasoning(block: dict[str, Any], reasoning: dict[str, Any]) -> Thinking:
    said = obj(reasoning, "reasoningText")
    signature = label(said, "signature") or label(reasoning, "redactedContent")
    plain = said and len(reasoning) == 1 and said.keys() <= {"text", "signature"} and signature
    return Thinking(text(said, "text"), signature, None if plain else Echo(WIRE, block))


def usage_of(usage: dict[str, Any]) -> Usage:
    """Token counts, cache reads and writes added to the input; two names of each are in use."""
    if not usage:
        return Usage()
    read = count(usage, "cacheReadInputTokens") or count(usage, "cacheReadInputTokenCount")
    written = count(usage, "cacheWriteInputTokens") or count(usage, "cacheWriteInputTokenCount")
    hour = sum(count(each, "inputTokens") for each in objects(usage, "cacheDetails") if each.get("ttl") == "1h")
    return Usage(
        count(usage, "inputTokens") + read + written,
        read,
        written,
        count(usage, "outputTokens"),
        cache_write_1h_tokens=hour,
    )
