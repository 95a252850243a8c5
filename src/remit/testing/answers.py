"""What the doubles share: a reply from what a test writes, and a reply as stream events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from remit.core.messages import Message, Text, Thinking, ToolCall, ToolResult
from remit.core.model import Reply, StreamEnd, StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta

PIECE_CHARS: Final = 16
"""characters of one delta: small enough that a short text arrives in several pieces"""
_encode: Final = msgspec.json.Encoder().encode

Frames = Iterator[tuple[str, Any]]
"""(event name or "", JSON) of a streamed answer"""


def as_reply(value: Any, model: str) -> Reply:
    """A Reply from a Reply, a string, one part or a list of parts; raises message_invalid."""
    reply = value if isinstance(value, Reply) else Reply(value)
    return reply if reply.model else msgspec.structs.replace(reply, model=model)


def pieces(reply: Reply) -> Iterator[StreamEvent]:
    """The deltas of a reply and its StreamEnd, as a provider would stream them."""
    calls = 0
    for part in reply.parts:
        match part:
            case Text(text=text):
                yield from (TextDelta(piece) for piece in cut(text))
            case Thinking(text=text):
                yield from (ThinkingDelta(piece) for piece in cut(text))
            case ToolCall():
                arguments = part.invalid or _encode(part.arguments).decode()
                yield ToolCallDelta(calls, part.id, part.name)
                yield from (ToolCallDelta(calls, arguments=piece) for piece in cut(arguments))
                calls += 1
            case _:
                pass  # media and data have no deltas; they come with the folded reply
    yield StreamEnd(reply)


def said(message: Message) -> str:
    """All text of a message: its own, its tool results', its calls."""
    found = []
    for part in message.parts:
        match part:
            case Text(text=text) | ToolResult(text=text):
                found.append(text)
            case ToolCall():
                found.append(f"{part.name} {_encode(part.arguments).decode()}")
            case _:
                pass
    return "\n".join(found)


def cut(text: str) -> list[str]:
    """A text in pieces of PIECE_CHARS."""
    return [text[i : i + PIECE_CHARS] for i in range(0, len(text), PIECE_CHARS)]


def texts_and_calls(reply: Reply) -> list[Text | ToolCall]:
    """The parts that every wire can send."""
    return [part for part in reply.parts if isinstance(part, Text | ToolCall)]


def call_arguments(call: ToolCall) -> str:
    """The arguments as the JSON text that wires send."""
    return call.invalid or _encode(call.arguments).decode()


def chat_call(call: ToolCall) -> dict[str, Any]:
    """A call as openai-chat and cohere-v2 hold it."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call_arguments(call)}}
