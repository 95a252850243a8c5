"""Server-sent events: bytes, cut anywhere, to frames.

The parser keeps at most one unfinished line and one unfinished frame, so memory is bounded by
`max_frame_bytes`; a larger frame is an error, never a silent cut. Lines end with LF, CR or CRLF,
a byte-order mark at the start is ignored, comments and unknown fields are skipped. What is no
event stream at all (a plain JSON error with status 200) is kept, bounded, in `stray`, so that a
decoder can still say what the server said.

Source: WHATWG HTML, section 9.2.6 "Interpreting an event stream". One difference: a last frame
without its empty line is handed out by `end()`; servers that close early send such a `[DONE]`.
"""

from __future__ import annotations

from typing import Final

from remit.errors import ModelError

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024  # a frame may carry a whole picture in base64
MAX_STRAY_BYTES: Final = 1024 * 1024
BOM: Final = b"\xef\xbb\xbf"

Frame = tuple[bytes, bytes]
"""(event name or b"", data)"""


class SseParser:
    """Incremental parser of one event stream."""

    __slots__ = ("_after_cr", "_data", "_event", "_first", "_line", "_max", "_size", "_stray", "_stray_size")

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._line = bytearray()  # the unfinished line
        self._data: list[bytes] = []  # data lines of the unfinished frame
        self._event = b""
        self._size = 0  # bytes in the unfinished line and frame
        self._max = max_frame_bytes
        self._after_cr = False
        self._first = True
        self._stray: list[bytes] = []
        self._stray_size = 0

    @property
    def stray(self) -> bytes:
        """Lines that belong to no field, joined; empty for a well-formed stream."""
        return b"\n".join(self._stray)

    def feed(self, chunk: bytes) -> list[Frame]:
        """Frames that became complete with `chunk`; raises model_bad_reply over the size bound."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == 10:  # the LF of a CRLF that was cut in two
                chunk = chunk[1:]
        if not chunk:
            return []
        if b"\n" not in chunk and b"\r" not in chunk:
            self._line += chunk
            self._grow(len(chunk))
            return []
        lines = chunk.splitlines()
        if self._line:
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
        last = chunk[-1]
        rest = b"" if last in (10, 13) else lines.pop()
        self._after_cr = last == 13
        frames = self._lines(lines)
        if rest:
            self._line += rest
            self._grow(len(rest))
        return frames

    def end(self) -> list[Frame]:
        """The frame that the end of the stream left unfinished, if any."""
        frames = self._lines([bytes(self._line)]) if self._line else []
        self._line.clear()
        return frames + self._lines([b""])

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._max:
            raise ModelError("model_bad_reply", f"a frame of the stream is larger than {self._max} bytes")

    def _lines(self, lines: list[bytes]) -> list[Frame]:
        frames: list[Frame] = []
        for line in lines:
            if self._first:
                self._first = False
                line = line.removeprefix(BOM)
            if not line:
                if self._data:
                    frames.append((self._event, self._data[0] if len(self._data) == 1 else b"\n".join(self._data)))
                    self._data = []
                self._event = b""
                self._size = 0
            elif line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._grow(len(line))
            else:
                self._other(line)
        return frames

    def _other(self, line: bytes) -> None:
        if line.startswith(b":"):
            return
        name, _, value = line.partition(b":")
        if name == b"event":
            self._event = value.removeprefix(b" ")[:100]
        elif name == b"data":  # "data" without a colon is an empty data line
            self._data.append(b"")
        elif name not in (b"id", b"retry") and self._stray_size + len(line) <= MAX_STRAY_BYTES:
            self._stray.append(line)
            self._stray_size += len(line)
