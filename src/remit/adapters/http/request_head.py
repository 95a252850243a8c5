"""The head of an HTTP/1.1 request: checked once, encoded once, cached.

An agent sends the same origin, path and headers again and again; only the body differs. So all that
comes before Content-Length is one cached bytes object per (method, url, headers).

Invariants: nothing that a caller passes can end a line, add a header or change who the request is
for; framing headers are written by the transport alone (RFC 9112 6, RFC 9110 7.2).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from msgspec import Struct

from remit.core.patterns import lazy
from remit.core.urls import parse_url
from remit.errors import Invalid

_TOKEN: Final = lazy(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_METHOD: Final = lazy(r"[A-Z]{1,20}")
_VALUE: Final = lazy(r"[\t\x20-\x7e]*")
_REFUSED_METHODS: Final = frozenset({"CONNECT", "TRACE"})
# RFC 9110 9.2.2; only these may be sent again on a fresh connection.
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
# The transport owns framing and connection; Host comes from the checked URL.
_OWNED: Final = frozenset(
    ["host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "expect", "te", "trailer"]
)
_MAX_HEADERS_BYTES: Final = 64 * 1024


class RequestHead(Struct, frozen=True):
    """What a transport needs to know of a request besides its body."""

    start: bytes
    """request line and headers, each with its line end, without Content-Length and the empty line"""
    headers: tuple[tuple[str, str], ...]
    """the same headers as text, without Host"""
    host: str
    """host of the URL, canonical: the name that TLS must prove"""
    port: int
    tls: bool
    bodiless: bool
    """the answer has no body whatever its headers say (HEAD)"""
    idempotent: bool
    sends_length: bool
    """Content-Length is sent even for an empty body"""


@lru_cache(maxsize=256)
def request_head(method: str, url: str, headers: tuple[tuple[str, str], ...]) -> RequestHead:
    """Check and encode the head of a request.

    Raises:
        Invalid: `value_invalid`, a URL, method or header that cannot be sent.
    """
    if _METHOD.fullmatch(method) is None or method in _REFUSED_METHODS:
        raise Invalid("value_invalid", f"not a method that can be sent: {method[:20]!r}")
    parsed = parse_url(url)
    names = {name.lower() for name, _ in headers}
    sent = list(headers)
    # Identity by default: a model's JSON is small, and what is not compressed cannot be a bomb.
    for name, value in (("accept-encoding", "identity"), ("user-agent", "remit"), ("accept", "*/*")):
        if name not in names:
            sent.append((name, value))
    for name, value in sent:
        _check_header(name, value)
    lines = [f"{method} {parsed.target} HTTP/1.1", f"host: {parsed.netloc}", *(f"{n}: {v}" for n, v in sent)]
    start = ("\r\n".join(lines) + "\r\n").encode("ascii")
    if len(start) > _MAX_HEADERS_BYTES:
        raise Invalid("value_invalid", f"the headers of a request are at most {_MAX_HEADERS_BYTES} bytes")
    return RequestHead(
        start,
        tuple(sent),
        parsed.host,
        parsed.port,
        parsed.scheme == "https",
        method == "HEAD",
        method in _IDEMPOTENT,
        method in _WITH_BODY,
    )


def _check_header(name: str, value: str) -> None:
    if _TOKEN.fullmatch(name) is None:
        raise Invalid("value_invalid", f"not a header name: {name[:40]!r}")
    if name.lower() in _OWNED:
        raise Invalid("value_invalid", f"the header {name[:40]!r} is written by the transport; leave it out")
    if _VALUE.fullmatch(value) is None:
        # The value is not shown: it may be a secret.
        raise Invalid("value_invalid", f"the value of header {name[:40]!r} holds more than printable ASCII")
