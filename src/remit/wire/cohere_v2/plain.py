"""cohere-v2: the short way to a Reply, for texts without anything beside them.

As in `openai_chat/plain.py`: what it does not know as plain is None, and `decode.py` reads it all.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import UNSET, Struct, UnsetType

from remit.core.messages import Text
from remit.core.model import Reply
from remit.core.usage import Usage
from remit.wire.cohere_v2.decode import STOPS
from remit.wire.reading import Count, plain_reader


class _Text(Struct, gc=False):
    type: Literal["text"]
    text: str


class _Message(Struct, gc=False, forbid_unknown_fields=True):
    content: list[_Text]
    role: str | None = None


class _Pair(Struct, gc=False):
    input_tokens: Count = 0
    output_tokens: Count = 0


class _Billed(Struct, gc=False):
    input_tokens: Count | UnsetType = UNSET
    output_tokens: Count | UnsetType = UNSET


class _Counts(Struct, gc=False):
    tokens: _Pair
    billed_units: _Billed | None = None
    cached_tokens: Count = 0


class _Response(Struct, gc=False):
    message: _Message
    usage: _Counts
    finish_reason: str | None = None
    model: str = ""
    id: str = ""
    error: None = None
    object: None = None
    type: None = None


_read: Final = plain_reader(_Response)


def decode_plain(body: bytes) -> Reply | None:
    """The reply of a whole body when it has the plain shape; None = read it the long way."""
    read = _read(body)
    if read is None:
        return None
    parts = tuple([Text(chunk.text) for chunk in read.message.content])
    stop = STOPS.get((read.finish_reason or "").upper(), "other")
    return Reply(parts, stop, _usage(read.usage), read.model, read.id, body)


def _usage(counts: _Counts) -> Usage:
    """As `decode.usage_of`."""
    tokens, billed = counts.tokens, counts.billed_units
    billed_in = 0 if billed is None else billed.input_tokens or 0
    billed_out = 0 if billed is None else billed.output_tokens or 0
    return Usage(
        tokens.input_tokens, counts.cached_tokens, 0, tokens.output_tokens,
        billed_input_tokens=billed_in, billed_output_tokens=billed_out,
    )  # fmt: skip
