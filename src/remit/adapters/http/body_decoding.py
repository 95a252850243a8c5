"""Content codings of an answer (gzip, deflate), decoded in small bounded pieces.

remit asks for `identity`; a server that compresses all the same is understood. A bomb is bounded
twice: a piece is at most 64 KiB, so nothing large is ever held that nobody asked for, and the
decoded total is at most `max_bytes`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from remit.errors import Exhausted, Unavailable

_PIECE_BYTES: Final = 64 * 1024
_MAX_MEMBERS: Final = 64  # gzip members in one body (RFC 1952 2.2); an empty member costs time and yields nothing


def body_decoder(headers: dict[str, str], max_bytes: int) -> BodyDecoder | None:
    """The decoder that `headers` call for (None = the body is as it is); removes what it makes untrue.

    Raises:
        Unavailable: `network_failed`, a coding that was not asked for and is not known.
    """
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise Unavailable("network_failed", f"the answer has the unknown content coding {coding[:40]!r}")
    del headers["content-encoding"]
    headers.pop("content-length", None)
    return BodyDecoder(coding == "deflate", max_bytes)


class BodyDecoder:
    """One body's decoder. `feed` yields pieces; `finish` says whether the end was there."""

    def __init__(self, deflate: bool, max_bytes: int) -> None:
        self._deflate = deflate
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | (0 if deflate else 16))
        self._left = max_bytes
        self._members = 0
        self._begun = False
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decode `data`; pieces of at most 64 KiB.

        Raises:
            Unavailable: `network_failed`, broken data.
            Exhausted: `output_too_large`, more than max_bytes decoded.
        """
        if self._deflate and not self._begun:
            data = self._choose_format(data)
        while data:
            if self._inflater.eof:
                self._next_member()
            try:
                piece = self._inflater.decompress(data, _PIECE_BYTES)
            except zlib.error:
                raise Unavailable("network_failed", "the compressed answer is broken") from None
            self._begun = True
            data = self._inflater.unconsumed_tail or self._inflater.unused_data
            self._left -= len(piece)
            if self._left < 0:
                raise Exhausted("output_too_large", "the decoded answer is larger than allowed")
            if piece:
                yield piece

    def finish(self) -> None:
        """Raise Unavailable `network_failed` where the compressed data ended early."""
        if self._held or (self._begun and not self._inflater.eof):
            raise Unavailable("network_failed", "the compressed answer ended early", retryable=True)

    def _choose_format(self, data: bytes) -> bytes:
        """Tell zlib's format from bare deflate by its two bytes of header (RFC 1950 2.2).

        "deflate" means the zlib format (RFC 9110 8.4.1.2), but some servers send it bare.
        """
        data = self._held + data
        if len(data) < 2:
            self._held = data
            return b""
        self._held = b""
        if data[0] & 0x0F != 8 or (data[0] << 8 | data[1]) % 31:
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        return data

    def _next_member(self) -> None:
        self._members += 1
        if self._deflate or self._members > _MAX_MEMBERS:
            raise Unavailable("network_failed", "the compressed answer has data after its end")
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)


def decode_body(body: bytes, decoder: BodyDecoder) -> bytes:
    """The whole decoded `body`; errors as `BodyDecoder.feed` and `finish`."""
    decoded = b"".join(decoder.feed(body))
    decoder.finish()
    return decoded
