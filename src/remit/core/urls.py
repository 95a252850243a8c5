"""URLs: one canonical spelling of an http or https URL, or a refusal.

The idea: grants are matched, addresses checked and requests sent from the same parsed value, so
no two readers can disagree about where a URL leads. What browsers, libraries and servers are
known to read differently (backslashes, control characters, userinfo, odd IPv4 forms, encoded dot
segments, non-ASCII hosts) is either brought to one form or refused; nothing is passed through.

Invariants: `parse_url(str(parse_url(text)))` equals `parse_url(text)`; `host` is lower case
ASCII, without brackets and trailing dot, and an IP address in it is in its canonical text
(`core.addresses`); `path` starts with a slash and holds no dot segment, however encoded.
Source: RFC 3986, WHATWG URL Standard 3.5 (hosts that end in a number).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

from remit.core.addresses import address_kind, canonical_address, looks_like_ipv4, parse_ipv4
from remit.core.patterns import lazy
from remit.errors import Invalid

__all__ = ["DEFAULT_PORTS", "MAX_URL_CHARS", "Url", "address_kind", "canonical_address", "parse_url"]

MAX_URL_CHARS: Final = 8192
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_MAX_HOST_CHARS: Final = 253  # RFC 1035 2.3.4 without the root label
_DECODE_ROUNDS: Final = 4  # a dot segment encoded more often than this is not decoded by any server we know

_FORBIDDEN: Final = lazy(r"[\x00-\x20\x7f\\]")
_SHAPE: Final = lazy(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)
# What needs no normalisation at all: no percent sign, no dot segment, no empty label, no number at the end.
_ORDINARY: Final = lazy(
    r"(https?)://((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)"
    r"(?::([1-9][0-9]{0,4}))?((?:/(?!\.)[A-Za-z0-9_~.:@!$&'()*+,=-]*)*)"
    r"(?:\?([A-Za-z0-9._~!$&'()*+,;=:@/?-]*))?"
)
_LABEL: Final = lazy(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PORT: Final = lazy(r"[0-9]{1,5}")
_PERCENT: Final = lazy(r"%(?:([0-9A-Fa-f]{2}))?")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH_ESCAPE: Final = lazy(r"[^A-Za-z0-9._~!$&'()*+,;=:@/%-]")
_QUERY_ESCAPE: Final = lazy(r"[^A-Za-z0-9._~!$&'()*+,;=:@/?%-]")


class Url(Struct, frozen=True, gc=False):
    """A canonical URL. `str(url)` is its text; a fragment is never part of it."""

    scheme: str
    """http | https"""
    host: str
    """a name, a dotted IPv4 or a compressed IPv6 address without brackets"""
    port: int
    path: str = "/"
    query: str = ""
    """without the question mark; an empty query is no query"""

    @property
    def netloc(self) -> str:
        """Host and port as the Host header wants them: brackets around IPv6, no default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """`scheme://host[:port]`."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def target(self) -> str:
        """`path[?query]`, the request target of HTTP/1.1."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.target}"


@lru_cache(maxsize=1024)
def parse_url(text: str) -> Url:
    """Read an absolute http or https URL.

    Raises:
        Invalid: `value_invalid`, with the reason; the text of the URL is not repeated beyond its host.
    """
    if not isinstance(text, str):
        raise _invalid("a URL must be text")
    if len(text) > MAX_URL_CHARS:
        raise _invalid(f"the URL is longer than {MAX_URL_CHARS} characters")
    found = _ORDINARY.fullmatch(text)
    if found is not None:
        scheme, host, port, path, query = found.groups()
        number = int(port) if port else DEFAULT_PORTS[scheme]
        if number <= 65535 and len(host) <= _MAX_HOST_CHARS and not looks_like_ipv4(host):
            return Url(scheme, host, number, path or "/", query or "")
    return _parse_slowly(text)


def _parse_slowly(text: str) -> Url:
    if _FORBIDDEN.search(text):
        raise _invalid("a URL holds no spaces, control characters or backslashes")
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise _invalid("a URL looks like https://host/path")
    scheme = found[1].lower()
    if scheme not in DEFAULT_PORTS:
        raise _invalid(f"only http and https URLs are supported, not {scheme[:20]!r}")
    authority = found[2]
    if "@" in authority:
        # Not shown: it may be a password.
        raise _invalid("a URL may not hold a user name or password")
    host_text, port_text = _split_port(authority)
    host = _host(host_text)
    port = DEFAULT_PORTS[scheme]
    if port_text is not None:
        if _PORT.fullmatch(port_text) is None or not 1 <= int(port_text) <= 65535:
            raise _invalid(f"the port must be a number from 1 to 65535, not {port_text[:20]!r}")
        port = int(port_text)
    return Url(scheme, host, port, _path(found[3]), _query(found[4] or ""))


def _invalid(message: str) -> Invalid:
    return Invalid("value_invalid", message, hint="Write the URL as https://host[:port]/path[?query].")


def _split_port(authority: str) -> tuple[str, str | None]:
    if authority.startswith("["):
        inner, bracket, rest = authority.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _invalid("an IPv6 host is written in brackets: [::1]")
        return inner + "]", rest[1:] if rest else None
    host, colon, port = authority.partition(":")
    return host, port if colon else None


def _host(text: str) -> str:
    if text.startswith("["):
        if "%" in text:
            raise _invalid("an IPv6 host may not name an interface")
        if ":" not in text:
            raise _invalid("only an IPv6 host is written in brackets")
        return canonical_address(text[1:-1])
    if not text.isascii():
        raise _invalid("a host name must be ASCII; write an international name in its xn-- form")
    host = text.lower().removesuffix(".")
    if not host:
        raise _invalid("the URL names no host")
    if looks_like_ipv4(host):
        return parse_ipv4(host)
    if len(host) > _MAX_HOST_CHARS or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise _invalid(f"not a host name: {host[:80]!r}")
    return host


def _unescape_unreserved(found: re.Match[str]) -> str:
    if found[1] is None:
        return "%25"
    char = chr(int(found[1], 16))
    return char if char in _UNRESERVED else f"%{found[1].upper()}"


def _escape(found: re.Match[str]) -> str:
    try:
        return "".join(f"%{byte:02X}" for byte in found[0].encode())
    except UnicodeEncodeError:
        raise _invalid("the URL holds half of a surrogate pair") from None


def _query(text: str) -> str:
    return _QUERY_ESCAPE.sub(_escape, _PERCENT.sub(_unescape_unreserved, text))


def _path(text: str) -> str:
    for found in _PERCENT.finditer(text):
        if found[1] is None:
            raise _invalid("a percent sign in a path is followed by two hexadecimal digits (or written %25)")
        if int(found[1], 16) < 0x20 or found[1] in ("7f", "7F"):
            raise _invalid("a path holds no encoded control characters")
    path = _PATH_ESCAPE.sub(_escape, _PERCENT.sub(_unescape_unreserved, text)) or "/"
    if "/." in path:
        path = _without_dot_segments(path)
    _refuse_hidden_dot_segments(path)
    return path


def _without_dot_segments(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")  # RFC 3986 5.2.4: a last dot segment leaves its slash
    return "/" + "/".join(kept)


def _refuse_hidden_dot_segments(path: str) -> None:
    """Refuse what only some servers read as `..`: `..%2F`, `..%5C`, `%252e%252e`, `..;x`."""
    if "%" not in path and ";" not in path:
        return
    seen = path
    for _ in range(_DECODE_ROUNDS):
        for segment in re.split(r"[/\\]", seen):
            if segment.partition(";")[0] in (".", ".."):
                raise _invalid("a path holds no encoded dot segments")
        decoded = _PERCENT.sub(lambda found: chr(int(found[1], 16)) if found[1] else "%", seen)
        if decoded == seen:
            return
        seen = decoded
    raise _invalid("a path is not percent-encoded several times over")
