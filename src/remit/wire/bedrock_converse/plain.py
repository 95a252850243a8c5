"""bedrock-converse: the short way to a Reply, for texts and client calls without anything beside them.

As in `openai_chat/plain.py`: what it does not know as plain is None, and `decode.py` reads it all.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from remit.core.messages import Part, Text, ToolCall
from remit.core.model import Reply
from remit.core.usage import Usage
from remit.wire.bedrock_converse.decode import STOPS
from remit.wire.reading import Count, plain_reader


class _Use(Struct, gc=False, forbid_unknown_fields=True):
    toolUseId: Annotated[str, Meta(min_length=1)]  # the wire's own name
    name: str
    input: dict[str, Any]
    type: Literal["tool_use"] = "tool_use"


class _Block(Struct, gc=False, forbid_unknown_fields=True):
    text: str | UnsetType = UNSET  # null is not missing: a call with another field beside it is kept as it came
    toolUse: _Use | UnsetType = UNSET


class _Content(Struct, gc=False):
    content: list[_Block]


class _Output(Struct, gc=False):
    message: _Content


class _Counts(Struct, gc=False, rename="camel"):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_input_tokens: Count = 0
    cache_read_input_token_count: Count = 0
    cache_write_input_tokens: Count = 0
    cache_write_input_token_count: Count = 0
    cache_details: None = None


class _Response(Struct, gc=False, rename="camel"):
    output: _Output
    usage: _Counts
    stop_reason: str | None = None
    error: None = None
    object: None = None
    type: None = None


_read: Final = plain_reader(_Response)


def decode_plain(body: bytes) -> Reply | None:
    """The reply of a whole body when it has the plain shape; None = read it the long way."""
    read = _read(body)
    if read is None:
        return None
    parts: list[Part] = []
    called = False
    for block in read.output.message.content:
        use = block.toolUse
        if (use is UNSET) is (block.text is UNSET):
            return None
        if use is not UNSET:
            called = True
            parts.append(ToolCall(use.toolUseId, use.name, use.input))
        elif block.text is not UNSET:
            parts.append(Text(block.text))
    stop = "tool_use" if called else STOPS.get(read.stop_reason or "", "other")
    counts = read.usage
    cached = counts.cache_read_input_tokens or counts.cache_read_input_token_count
    written = counts.cache_write_input_tokens or counts.cache_write_input_token_count
    usage = Usage(counts.input_tokens + cached + written, cached, written, counts.output_tokens)
    return Reply(tuple(parts), stop, usage, "", "", body)
