"""Content codings: bounded pieces, both deflates, members, broken ends."""

from __future__ import annotations

import gzip
import zlib

import pytest

from remit.adapters.http.body_decoding import body_decoder, decode_body
from remit.errors import Exhausted, RemitError, Unavailable

TEXT = b"hello " * 50_000


def decoded(coding: str, body: bytes, max_bytes: int = 1_000_000) -> bytes:
    decoder = body_decoder({"content-encoding": coding}, max_bytes)
    assert decoder is not None
    return decode_body(body, decoder)


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("GZIP ", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT[:600]) + gzip.compress(TEXT[600:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", bare_deflate(TEXT)),
    ],
)
def test_decodes(coding: str, body: bytes) -> None:
    """Each known coding decodes, whole and byte by byte, in pieces of at most 64 KiB."""
    assert decoded(coding, body) == TEXT
    decoder = body_decoder({"content-encoding": coding}, 1_000_000)
    assert decoder is not None
    pieces = [piece for byte in body for piece in decoder.feed(bytes([byte]))]
    decoder.finish()
    assert b"".join(pieces) == TEXT
    assert max(map(len, pieces)) <= 65536


@pytest.mark.parametrize(
    ("coding", "body", "kind"),
    [
        ("gzip", gzip.compress(TEXT)[:-9], Unavailable),
        ("gzip", b"oops", Unavailable),
        ("gzip", gzip.compress(TEXT) + b"tail", Unavailable),
        ("gzip", gzip.compress(b"") * 1000, Unavailable),
        ("deflate", zlib.compress(TEXT) + b"tail", Unavailable),
        ("gzip", gzip.compress(bytes(1_000_001)), Exhausted),
        ("deflate", zlib.compress(bytes(50_000_000)), Exhausted),
    ],
)
def test_refuses(coding: str, body: bytes, kind: type[RemitError]) -> None:
    """Broken, cut, trailing and endless data raise; a bomb stops at max_bytes."""
    with pytest.raises(kind):
        decoded(coding, body)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
def test_unknown_codings(coding: str) -> None:
    """A coding that is not known is an error, not a body."""
    with pytest.raises(Unavailable):
        body_decoder({"content-encoding": coding}, 10)


def test_headers_stay_true() -> None:
    """The decoder removes the headers that decoding makes untrue, and only those."""
    headers = {"content-encoding": "gzip", "content-length": "5", "x": "y"}
    body_decoder(headers, 10)
    assert headers == {"x": "y"}
    assert body_decoder(headers, 10) is None and body_decoder({"content-encoding": "identity"}, 10) is None
