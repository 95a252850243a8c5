"""anthropic-messages: the short way to a Reply, for texts and client calls without anything beside them.

As in `openai_chat/plain.py`: a typed decoder reads what a plain message needs and skips the rest; whatever it does not
know as plain (thinking, citations, what the server ran, a programmatic caller, an error) is None, and `decode.py` reads
it all. Both give the same Reply.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from remit.core.messages import Part, Text, ToolCall
from remit.core.model import Reply
from remit.core.usage import Usage
from remit.wire.anthropic_messages.decode import STOPS
from remit.wire.reading import Count, plain_reader


class _Text(Struct, gc=False, tag_field="type", tag="text"):
    text: str
    citations: None = None


class _Direct(Struct, gc=False, forbid_unknown_fields=True):
    type: Literal["direct"]


class _Use(Struct, gc=False, tag_field="type", tag="tool_use"):
    id: Annotated[str, Meta(min_length=1)]
    name: str
    input: dict[str, Any]
    caller: _Direct | None = None


class _Made(Struct, gc=False):
    thinking_tokens: Count = 0


class _Written(Struct, gc=False):
    ephemeral_1h_input_tokens: Count = 0


class _Counts(Struct, gc=False):
    input_tokens: Count = 0
    cache_read_input_tokens: Count = 0
    cache_creation_input_tokens: Count = 0
    output_tokens: Count = 0
    output_tokens_details: _Made | None = None
    cache_creation: _Written | None = None


class _Message(Struct, gc=False):
    content: list[_Text | _Use]
    usage: _Counts
    stop_reason: str | None = None
    model: str = ""
    id: str = ""
    error: None = None
    object: None = None
    type: Literal["message"] = "message"


_read: Final = plain_reader(_Message)


def decode_plain(body: bytes) -> Reply | None:
    """The reply of a whole body when it has the plain shape; None = read it the long way."""
    read = _read(body)
    if read is None:
        return None
    parts: list[Part] = []
    called = False
    for block in read.content:
        if type(block) is _Text:
            parts.append(Text(block.text))
        else:
            assert type(block) is _Use
            called = True
            parts.append(ToolCall(block.id, block.name, block.input))
    stop = "tool_use" if called else STOPS.get(read.stop_reason or "", "other")
    return Reply(tuple(parts), stop, _usage(read.usage), read.model, read.id, body)


def _usage(counts: _Counts) -> Usage:
    """As `decode.usage_of`."""
    cached, written = counts.cache_read_input_tokens, counts.cache_creation_input_tokens
    thought = 0 if counts.output_tokens_details is None else counts.output_tokens_details.thinking_tokens
    hour = 0 if counts.cache_creation is None else counts.cache_creation.ephemeral_1h_input_tokens
    given = counts.input_tokens + cached + written
    return Usage(given, cached, written, counts.output_tokens, thought, 1, hour)
