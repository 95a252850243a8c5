"""application/vnd.amazon.eventstream: bytes, cut anywhere, to frames whose checksums hold.

A frame is: total length, header length, CRC-32 of those eight bytes; headers; payload; CRC-32 of
all before it. A frame that fails either checksum, or whose lengths cannot be, ends the stream with
an error: after a lost boundary nothing that follows can be trusted. Frames before it are handed out
first. What does not begin like a frame at all (a JSON error with status 200) is kept in `stray`.

Source: AWS SDK reference "Amazon event stream specification" (smithy.io, aws/amazon-eventstream).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final
from zlib import crc32

from remit.errors import ModelError
from remit.wire.sse import MAX_STRAY_BYTES, Frame

MAX_FRAME_BYTES: Final = 24 * 1024 * 1024  # Source: the specification allows a payload of 24 MiB
MAX_HEADER_BYTES: Final = 128 * 1024
MAX_KNOWN, MAX_KNOWN_BYTES = 64, 512
_EVENTS: Final[dict[bytes, bytes]] = {}
"""header blocks of events seen, with the event's name: a stream repeats a handful of them at every frame"""
_PRELUDE: Final = 12
_TRAILER: Final = 4
# header value type -> size in bytes; 6 and 7 carry their own length
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_STRING: Final = 7


class EventStreamParser:
    """Incremental parser of one event stream; frames are (event, payload).

    The event of an exception is `exception:TYPE`, that of an error message `error:CODE`.
    """

    __slots__ = ("_buffer", "_failed", "_taken")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._taken = False  # a whole frame was seen
        self._failed = False

    @property
    def stray(self) -> bytes:
        """Bytes that are no event stream; empty for a well-formed one."""
        return bytes(self._buffer) if self._failed and not self._taken else b""

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Frames that became complete with `chunk`, one by one; raises model_bad_reply for a broken one."""
        if self._failed:
            if not self._taken and len(self._buffer) + len(chunk) <= MAX_STRAY_BYTES:
                self._buffer += chunk
            return
        self._buffer += chunk
        at = 0
        try:
            while len(self._buffer) - at >= _PRELUDE:
                size = self._size(at)
                if not size or len(self._buffer) - at < size:
                    break
                frame = _frame(bytes(self._buffer[at : at + size]))
                at += size
                self._taken = True
                yield frame
        finally:
            if at:
                del self._buffer[:at]

    def end(self) -> list[Frame]:
        """Nothing: a frame is whole or it is none. Fewer bytes than a frame can have may be a short text."""
        if not self._taken and self._buffer.startswith((b"{", b"[", b"<")):
            self._failed = True
        return []

    def _size(self, at: int) -> int:
        """The frame's size; 0 = this is no event stream at all."""
        size, headers, checksum = struct.unpack_from(">III", self._buffer, at)
        if crc32(memoryview(self._buffer)[at : at + 8]) != checksum:
            if not self._taken and self._buffer[at] != 0:  # no frame is larger than 16 MiB in practice: a text
                self._failed = True
                return 0
            raise _broken("the checksum of a frame's lengths does not hold")
        if headers > MAX_HEADER_BYTES or size > MAX_FRAME_BYTES or size < headers + _PRELUDE + _TRAILER:
            raise _broken(f"a frame says that it has {size} bytes, {headers} of them headers")
        return int(size)


def _frame(raw: bytes) -> Frame:
    (checksum,) = struct.unpack_from(">I", raw, len(raw) - _TRAILER)
    if crc32(memoryview(raw)[:-_TRAILER]) != checksum:
        raise _broken("the checksum of a frame does not hold")
    (length,) = struct.unpack_from(">I", raw, 4)
    written, payload = raw[_PRELUDE : _PRELUDE + length], raw[_PRELUDE + length : -_TRAILER]
    known = _EVENTS.get(written)
    if known is not None:
        return known, payload
    headers = _headers(written)
    kind = headers.get(b":message-type", b"event")
    if kind == b"exception":
        return b"exception:" + headers.get(b":exception-type", b""), payload or b"{}"
    if kind == b"error":
        said = headers.get(b":error-message", b"").decode("utf-8", "replace")
        from remit.wire.reading import as_json

        return b"error:" + headers.get(b":error-code", b""), payload or as_json({"message": said}).encode()
    event = headers.get(b":event-type", b"")
    if length <= MAX_KNOWN_BYTES and len(_EVENTS) < MAX_KNOWN:
        _EVENTS[written] = event
    return event, payload


def _headers(raw: bytes) -> dict[bytes, bytes]:
    """Text headers by name; others are checked and skipped."""
    found: dict[bytes, bytes] = {}
    at = 0
    try:
        while at < len(raw):
            length = raw[at]
            name = raw[at + 1 : at + 1 + length]
            kind = raw[at + 1 + length]
            at += 2 + length
            if kind in _SIZES:
                size = _SIZES[kind]
            elif kind in (6, _STRING):
                (size,) = struct.unpack_from(">H", raw, at)
                at += 2
            else:
                raise _broken(f"a header has the unknown type {kind}")
            if at + size > len(raw) or len(name) != length:
                raise _broken("a header is longer than its frame says")
            if kind == _STRING:
                found[name] = raw[at : at + size]
            at += size
    except (IndexError, struct.error):
        raise _broken("a header is cut") from None
    return found


def _broken(why: str) -> ModelError:
    return ModelError("model_bad_reply", f"broken event stream: {why}", retryable=True)


def encode_frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One frame with text headers; what servers, and the doubles of remit.testing, send."""
    written = b""
    for name, value in headers.items():
        key, said = name.encode(), value.encode()
        written += bytes((len(key),)) + key + bytes((_STRING,)) + struct.pack(">H", len(said)) + said
    prelude = struct.pack(">II", len(written) + len(payload) + _PRELUDE + _TRAILER, len(written))
    body = prelude + struct.pack(">I", crc32(prelude)) + written + payload
    return body + struct.pack(">I", crc32(body))
