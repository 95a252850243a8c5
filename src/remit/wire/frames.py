"""What the stream decoders of all families share: framing, deferred errors, the end of a stream.

Deltas that came before an error frame in the same chunk are handed out first and the error is
raised by the next call, so that what a caller sees does not depend on where the bytes were cut.
A stream that comes a second time after its end (a proxy that repeats) is ignored: its first frame
again, once the end was seen, closes the stream.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from remit.core.model import Reply, StreamEvent
from remit.errors import ModelError
from remit.wire.provider_errors import http_error
from remit.wire.reading import as_json, read_object
from remit.wire.sse import Frame, SseParser

_FIELDS: Final = (b"data", b"event", b"id", b"retry")


class Framing(Protocol):
    """Bytes to frames; `feed` may hand out frames one by one and raise after some of them."""

    @property
    def stray(self) -> bytes:
        """Bytes that belong to no frame; empty for a well-formed stream."""
        ...

    def feed(self, chunk: bytes) -> Iterable[Frame]:
        """Frames that became complete with `chunk`."""
        ...

    def end(self) -> list[Frame]:
        """The frame that the end of the stream left unfinished, if any."""
        ...


class Positions:
    """Where the blocks of a reply stand: by their index; in order of appearance where that is missing or impossible.

    A server may give the same index to block after block: each block that begins stands alone.
    """

    __slots__ = ("_latest", "_next", "_of")

    def __init__(self) -> None:
        self._of: dict[int, int] = {}  # index -> position of the block that it means now
        self._next = 0
        self._latest = 0

    def known(self, number: int | None) -> int | None:
        """The position that an index means now; None = no block began there."""
        return None if number is None else self._of.get(number)

    def begin(self, number: int | None) -> int:
        """The position of a block that begins."""
        position = self._next if number is None else max(number, self._next) if number in self._of else number
        if number is not None:
            self._of[number] = position
        self._next, self._latest = max(self._next, position + 1), position
        return position

    def at(self, number: int | None) -> int:
        """The position of the block that grows; one begins where there is none."""
        position = (self._latest if self._next else None) if number is None else self._of.get(number)
        if position is None:
            return self.begin(number)
        self._latest = position
        return position


class FrameDecoder(ABC):
    """Base of all stream decoders; subclasses give `frame`, `ended` and `reply`."""

    def __init__(self, whole: Callable[[bytes], Reply], framing: Framing | None = None) -> None:
        self._whole_body = whole
        self._sse: Framing = SseParser() if framing is None else framing
        self._raw = bytearray()
        """the frames' JSON, each after a comma; as objects many small deltas would take ten times as much"""
        self._done = False  # [DONE] was seen; later frames are ignored
        self._first = b""  # the first frame's data
        self._error: ModelError | None = None

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Deltas that became complete with `chunk`; raises the error of an error frame."""
        if self._error is not None:
            raise self._error
        out: list[StreamEvent] = []
        try:
            for frame in self._sse.feed(chunk):
                self._take(frame, out)
        except ModelError as error:
            self._error = error
            if not out:
                raise
        return out

    def finish(self) -> Reply:
        """The folded reply; raises model_stream_cut when the stream ended before its end marker."""
        if self._error is not None:
            raise self._error
        try:
            for frame in self._sse.end():
                self._take(frame, [])
        except ModelError as error:
            if error.code != "model_bad_reply":
                raise
            # An unfinished frame is no JSON: before the end marker that is a cut stream, after it
            # only what comes last (usage) is lost, the same as when the cut falls between frames.
            if not self.ended:
                raise self._cut() from None
        stray = self._sse.stray
        # A lone beginning of a field name ("dat") is a cut stream, not a text that the server sent.
        if stray and not self._raw and not any(field.startswith(stray) for field in _FIELDS):
            return self._unframed(stray)
        if not self.ended:
            raise self._cut()
        return self.reply()

    def read(self, data: bytes, name: str = "") -> dict[str, Any]:
        """The object of a frame, which is kept for `Reply.raw` (under `name`, where that is not in it)."""
        fields = read_object(data)
        if b"\\u" in data or not data.startswith(b"{"):
            data = as_json(fields).encode()  # it may have needed repair
        self._raw += b",{%b:%b}" % (as_json(name).encode(), data) if name else b"," + data
        return fields

    @property
    def source(self) -> bytes:
        """All frames, as one JSON list."""
        return b"[%b]" % bytes(self._raw[1:])

    @abstractmethod
    def frame(self, event: bytes, data: bytes, out: list[StreamEvent]) -> None:
        """Fold one frame of JSON."""

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether the family's end of stream was seen."""

    @abstractmethod
    def reply(self) -> Reply:
        """The folded reply."""

    @property
    def closed(self) -> bool:
        """Whether nothing further can follow; a reader may stop waiting for the end of the body."""
        return self._done and self._error is None

    def _take(self, frame: Frame, out: list[StreamEvent]) -> None:
        event, data = frame
        if self._done:
            return
        if data.startswith(b"[DONE]") or (data == self._first and self.ended):
            self._done = True
        elif data.strip():
            if not self._first:
                self._first = data
            self.frame(event, data, out)
            # Nothing after the end counts, whether it came with the end's own bytes or later.
            self._done = self.closed

    def _unframed(self, body: bytes) -> Reply:
        # The server ignored "stream": a JSON reply or error, or a text, instead of an event stream.
        if body.lstrip()[:1] in (b"{", b"["):
            return self._whole_body(body)
        error = http_error(200, {}, body)
        raise ModelError("model_bad_reply", f"not an event stream: {error.message}", retryable=False)

    def _cut(self) -> ModelError:
        return ModelError("model_stream_cut", "the stream ended before its end marker", retryable=True)
