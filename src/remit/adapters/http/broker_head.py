"""The head of a request to the proxy, read strictly.

Pure: bytes in, a value or a refusal out. The head is only read, never passed on: a request is built anew from
what was understood, so nothing that two readers may understand differently (bare line ends, folded or repeated
headers, two lengths, userinfo) can reach a server; such heads are refused all the same.

Three targets are understood: `CONNECT host:port`, an absolute URL (http, or https: then the broker itself speaks
TLS and method and path are checked), and a path with a Host header (`curl --unix-socket`).
Source: RFC 9110 7, RFC 9112 2.2, 3.2, 5.1, 6.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from remit.core.urls import parse_url
from remit.errors import Invalid

MAX_HEAD_BYTES: Final = 32 * 1024
_MAX_HEADERS: Final = 100
_LINE: Final = re.compile(r"([A-Z]{1,20}) ([\x21-\x7e]{1,8192}) HTTP/1\.([01])")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*([\t\x20-\x7e]*)")
_LENGTH: Final = re.compile(r"[0-9]{1,15}")
_CONNECT: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
# Between this client and this proxy; the transport writes its own.
_HOP_NAMES: Final = (
    "connection proxy-connection keep-alive te trailer upgrade proxy-authorization host content-length "
    "transfer-encoding expect accept-encoding"
)
_HOP: Final = frozenset(_HOP_NAMES.split())
_ONCE: Final = ("host", "content-length", "transfer-encoding", "connection", "expect")


class ProxyHead(Struct, frozen=True):
    """A request to the proxy."""

    method: str
    url: str
    """for CONNECT https://host:port/"""
    headers: tuple[tuple[str, str], ...]
    """end-to-end headers, names in lower case"""
    length: int
    """bytes of the body; -1 = chunked"""
    expects_continue: bool
    old: bool
    """HTTP/1.0: no chunks in the answer"""


def read_head(data: bytes) -> tuple[ProxyHead, bytes] | None:
    """(the head, what stands behind it); None while it is incomplete.

    Raises:
        Invalid: `value_invalid`, a head that cannot be judged.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0 or end > MAX_HEAD_BYTES:
        if len(data) > MAX_HEAD_BYTES:
            raise _refused("the head is too long")
        return None
    lines = data[:end].decode("latin-1").split("\r\n")
    first = _LINE.fullmatch(lines[0])
    if first is None or len(lines) > _MAX_HEADERS:
        raise _refused("the request line is not METHOD TARGET HTTP/1.1")
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        found = _HEADER.fullmatch(line)
        if found is None:
            raise _refused("a header line that is not NAME: VALUE")
        headers.append((found[1].lower(), found[2].rstrip(" \t")))
    single = _single(headers)
    method, target, old = first[1], first[2], first[3] == "0"
    url = _url(method, target, single.get("host"))
    dropped = _HOP | {name.strip().lower() for name in single.get("connection", "").split(",")}
    head = ProxyHead(
        method,
        url,
        tuple((name, value) for name, value in headers if name not in dropped),
        _length(single, old),
        single.get("expect", "").lower() == "100-continue",
        old,
    )
    return head, data[end + 4 :]


def _single(headers: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        if name in _ONCE:
            if name in found:
                raise _refused(f"the header {name} stands there twice")
            found[name] = value
    return found


def _url(method: str, target: str, host: str | None) -> str:
    if method == "CONNECT":
        if _CONNECT.fullmatch(target) is None:
            raise _refused("the target of CONNECT is not host:port")
        parsed = parse_url(f"https://{target}/")
    elif target.startswith("/"):
        if host is None:
            raise _refused("a path without a Host header")
        parsed = parse_url(f"http://{host}{target}")
        if not _same(host, parsed.netloc, parsed.scheme):
            raise _refused("the Host header is more than a host")
    else:
        parsed = parse_url(target)
    if host is not None and not _same(host, parsed.netloc, parsed.scheme):
        raise _refused("the Host header names another host than the target")
    return str(parsed)


def _same(host: str, netloc: str, scheme: str) -> bool:
    """Whether a Host header means the same host and port as the target."""
    if re.search(r"[/?#@\s]", host) or not host:
        return False
    return parse_url(f"{scheme}://{host}/").netloc == netloc


def _length(single: dict[str, str], old: bool) -> int:
    coding, length = single.get("transfer-encoding"), single.get("content-length")
    if coding is not None:
        if length is not None or coding.lower() != "chunked" or old:
            raise _refused("its length can be read in two ways")
        return -1
    if length is None:
        return 0
    if _LENGTH.fullmatch(length) is None:
        raise _refused("its length is no number")
    return int(length)


def _refused(why: str) -> Invalid:
    return Invalid("value_invalid", f"not a request that can be judged: {why}")
