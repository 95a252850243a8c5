"""Counts for a reply whose server gave none: four characters a token, marked as an estimate.

A call without counts would be free: no budget, no cap and no limit of tokens would see it. Source: spec/models.md 1.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from remit.core.messages import Audio, File, Image, Message, ToolResult
from remit.core.model import ModelRequest, Reply
from remit.core.usage import Usage

CHARS: Final = 4  # a token
MEDIA_CHARS: Final = 4_000  # of a picture, a sound or a file: what they hold is no text, and their bytes say little
_encode: Final = msgspec.json.Encoder().encode


def estimated(reply: Reply, request: ModelRequest) -> Reply:
    """The reply with estimated counts."""
    asked = sum(map(_size, request.messages)) + (len(_encode(request.tools)) if request.tools else 0)
    said = _size(Message("assistant", reply.parts))
    usage = Usage(max(1, asked // CHARS), output_tokens=max(1, said // CHARS) if said else 0, estimated=True)
    return replace(reply, usage=usage)


def _size(message: Message) -> int:
    """Characters of a message, without what only its provider reads."""
    size = 0
    for part in message.parts:
        if isinstance(part, Image | Audio | File):
            size += MEDIA_CHARS
        elif type(part) is ToolResult:
            size += len(part.text) + MEDIA_CHARS * len(part.media)
        else:
            text = getattr(part, "text", None)
            size += len(text) if type(text) is str else len(_encode(getattr(part, "arguments", None)))
    return size
