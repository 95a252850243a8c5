"""gemini: the short way to a Reply, for one candidate of one text.

As in `openai_chat/plain.py`: what it does not know as plain (signatures, thoughts, calls, media, counts of another
modality) is None, and `decode.py` reads it all.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from remit.core.messages import Text
from remit.core.model import Reply
from remit.core.usage import Usage
from remit.wire.gemini.decode import STOPS
from remit.wire.reading import Count, Nought, plain_reader


class _Part(Struct, gc=False, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1)]


class _Content(Struct, gc=False):
    parts: Annotated[list[_Part], Meta(min_length=1, max_length=1)]


class _Candidate(Struct, gc=False, rename="camel"):
    content: _Content
    finish_reason: str = ""
    index: Nought = 0


class _Detail(Struct, gc=False):
    modality: Literal["TEXT"]


_Details = list[_Detail] | None


class _Counts(Struct, gc=False, rename="camel"):
    prompt_token_count: Count = 0
    tool_use_prompt_token_count: Count = 0
    cached_content_token_count: Count = 0
    candidates_token_count: Count = 0
    thoughts_token_count: Count = 0
    prompt_tokens_details: _Details = None
    tool_use_prompt_tokens_details: _Details = None
    cache_tokens_details: _Details = None
    candidates_tokens_details: _Details = None


class _Response(Struct, gc=False, rename="camel"):
    candidates: Annotated[list[_Candidate], Meta(min_length=1, max_length=1)]
    usage_metadata: _Counts
    model_version: str = ""
    response_id: str = ""
    error: None = None
    object: None = None
    type: None = None


_read: Final = plain_reader(_Response)


def decode_plain(body: bytes) -> Reply | None:
    """The reply of a whole body when it has the plain shape; None = read it the long way."""
    read = _read(body)
    if read is None:
        return None
    candidate, counts = read.candidates[0], read.usage_metadata
    thoughts = counts.thoughts_token_count
    usage = Usage(
        counts.prompt_token_count + counts.tool_use_prompt_token_count,
        counts.cached_content_token_count,
        0,
        counts.candidates_token_count + thoughts,
        thoughts,
    )
    parts = (Text(candidate.content.parts[0].text),)
    stop = STOPS.get(candidate.finish_reason, "other")
    return Reply(parts, stop, usage, read.model_version, read.response_id, body)
