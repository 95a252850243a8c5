"""A reply that repeats the key of its request: the key is masked before anybody reads, shows or journals it.

Providers and proxies echo requests when they fail, and a model may be asked to. Of a stream the end of a delta that may
be the beginning of the key is held back until the next one; the reply is masked once more, whole. Short keys, which
local servers take, could be words of a text and are left. A key that lies in the vault is masked by the egress.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec.structs import replace

from remit.core.model import Reply, StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta

MASK: Final = b"[secret]"
_ESCAPED: Final = re.compile(rb"(?i)\\u00(?:2[bdef]|3[0-9d]|[46][1-9a-f]|[57][0-9a]|5f)")
_encode: Final = msgspec.json.Encoder().encode


def may_hide(key: bytes, body: bytes) -> bool:
    """Whether a body may hold the key: as it is, or in the escapes that JSON allows for the characters of keys."""
    if key in body or (b"/" in key and b"\\/" in body):
        return True
    return b"\\u00" in body and _ESCAPED.search(body) is not None


def without_key(reply: Reply, key: str) -> Reply:
    """The reply, the key in any field of it replaced by [secret]."""
    word = _encode(key)[1:-1]
    words = {word, _encode(word.decode())[1:-1]}  # arguments that are kept as text are JSON in JSON
    clean, source = _replaced(_encode(replace(reply, source=None)), words), reply.source
    hides = source is not None and (type(source) is not bytes or may_hide(word, source))
    raw = _replaced(_encode(reply.raw), words) if hides else None
    if clean is None and raw is None:
        return reply
    found = reply if clean is None else msgspec.json.decode(clean, type=Reply)
    return replace(found, source=source if raw is None else raw)


def _replaced(written: bytes, words: set[bytes]) -> bytes | None:
    """The JSON without the words; None = it holds none of them."""
    if not any(word in written for word in words):
        return None
    for word in words:
        written = written.replace(word, MASK)
    return written


class KeyMask:
    """Masks the deltas of one stream."""

    __slots__ = ("_held", "_key", "_last")

    def __init__(self, key: str) -> None:
        self._key = key
        self._held = ""
        self._last: TextDelta | ThinkingDelta | ToolCallDelta | None = None  # what the held text belongs to

    def events(self, event: StreamEvent) -> list[StreamEvent]:
        """What of an event, and of what was held back before, is shown now."""
        if not isinstance(event, TextDelta | ThinkingDelta | ToolCallDelta):
            return [*self._rest(), event]
        out: list[StreamEvent] = []
        if self._last is not None and not _same(self._last, event):
            out += self._rest()
        field = "arguments" if type(event) is ToolCallDelta else "text"
        text = self._held + getattr(event, field)
        clean = text.replace(self._key, MASK.decode())
        self._held, kept = "", _beginning(clean, self._key)
        if kept:
            self._held, clean = clean[-kept:], clean[:-kept]
            self._last = event
        else:
            self._last = None
        if clean or type(event) is ToolCallDelta:
            out.append(replace(event, **{field: clean}) if clean != getattr(event, field) else event)
        return out

    def _rest(self) -> list[StreamEvent]:
        last, self._last, held = self._last, None, self._held
        self._held = ""
        if last is None or not held:
            return []
        if type(last) is ToolCallDelta:
            return [ToolCallDelta(last.index, "", "", held)]
        return [TextDelta(held) if type(last) is TextDelta else ThinkingDelta(held)]


def _same(last: StreamEvent, event: StreamEvent) -> bool:
    if type(last) is ToolCallDelta and type(event) is ToolCallDelta:
        return last.index == event.index
    return type(last) is type(event)


def _beginning(text: str, key: str) -> int:
    """How long the longest end of the text is that the key begins with."""
    at = text.find(key[0], max(0, len(text) - len(key) + 1))
    while at >= 0:
        if key.startswith(text[at:]):
            return len(text) - at
        at = text.find(key[0], at + 1)
    return 0
