"""openai-responses: the short way to a Reply, for a completed response.

Its items are kept as they came, so they are read as in `decode.py`; skipped is what the response repeats of the
request and says of itself, which is most of its bytes. What is not plain is None, and `decode.py` reads it all.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from remit.core.model import Reply
from remit.core.usage import Usage
from remit.wire.openai_responses.decode import reply_of_items
from remit.wire.reading import Count, Nought, plain_reader


class _Given(Struct, gc=False):
    cached_tokens: Count = 0
    cache_write_tokens: Count = 0
    cache_creation_tokens: Count = 0


class _Made(Struct, gc=False):
    reasoning_tokens: Count = 0


class _Counts(Struct, gc=False):
    input_tokens: Count = 0
    output_tokens: Count = 0
    input_tokens_details: _Given | None = None
    output_tokens_details: _Made | None = None
    prompt_tokens: Nought = 0
    completion_tokens: Nought = 0
    prompt_tokens_details: None = None
    completion_tokens_details: None = None


class _Response(Struct, gc=False):
    status: Literal["completed"]
    output: list[dict[str, Any]]
    usage: _Counts
    model: str = ""
    id: str = ""
    error: None = None
    object: Literal["response"] = "response"
    type: None = None


_read: Final = plain_reader(_Response)


def decode_plain(body: bytes) -> Reply | None:
    """The reply of a whole body when it has the plain shape; None = read it the long way."""
    read = _read(body)
    if read is None:
        return None
    given, made, counts = read.usage.input_tokens_details, read.usage.output_tokens_details, read.usage
    cached = 0 if given is None else given.cached_tokens
    written = 0 if given is None else given.cache_write_tokens or given.cache_creation_tokens
    reasoning = 0 if made is None else made.reasoning_tokens
    usage = Usage(counts.input_tokens, cached, written, counts.output_tokens, reasoning)
    return reply_of_items(read.output, usage, {"status": read.status, "model": read.model, "id": read.id}, body)
