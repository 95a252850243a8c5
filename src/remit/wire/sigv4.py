"""AWS Signature Version 4 over one request, sans-I/O.

Everything that is signed is an argument: the time too, so the published vectors can be run. Paths
are encoded once more, as every service but S3 demands. The secret key is used and never kept.

Source: AWS IAM user guide "Create a signed AWS API request"; the "AWS Signature Version 4 test suite".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from msgspec import Struct

ALGORITHM: Final = "AWS4-HMAC-SHA256"


class AwsKey(Struct, frozen=True):
    """An access key; `token` is the session token of a temporary one."""

    id: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        return f"AwsKey({self.id[:4]}...)"


class Scope(Struct, frozen=True):
    """For whom, and when, a signature holds."""

    region: str
    service: str
    at: str
    """UTC, YYYYMMDDTHHMMSSZ"""

    @property
    def text(self) -> str:
        """date/region/service/aws4_request"""
        return f"{self.at[:8]}/{self.region}/{self.service}/aws4_request"


def canonical_request(method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes) -> tuple[str, str]:
    """(canonical request, signed header names); `headers` must hold all that is signed, host included."""
    parts = urlsplit(url)
    names: dict[str, list[str]] = {}
    for name, value in headers:
        names.setdefault(name.lower(), []).append(re.sub(r"\s+", " ", value.strip()))
    lines = [f"{name}:{','.join(names[name])}\n" for name in sorted(names)]
    signed = ";".join(sorted(names))
    given = [(quote(key, safe="-_.~"), quote(value, safe="-_.~")) for key, value in _query(parts.query)]
    query = "&".join(f"{key}={value}" for key, value in sorted(given))
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join([method, quote(_path(parts.path), safe="/-_.~"), query, "".join(lines), signed, digest]), signed


def _query(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True) if query else []


def _path(path: str) -> str:
    """Without empty, `.` and `..` segments."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if path.endswith("/") and kept else ""
    return "/" + "/".join(kept) + slash


def string_to_sign(scope: Scope, canonical: str) -> str:
    """What the signature is made of."""
    return "\n".join([ALGORITHM, scope.at, scope.text, hashlib.sha256(canonical.encode()).hexdigest()])


def signature(key: AwsKey, scope: Scope, to_sign: str) -> str:
    """Hexadecimal."""
    step = f"AWS4{key.secret}".encode()
    for piece in (scope.at[:8], scope.region, scope.service, "aws4_request", to_sign):
        step = hmac.new(step, piece.encode(), hashlib.sha256).digest()
    return step.hex()


def signed_headers(
    key: AwsKey, scope: Scope, request: tuple[str, str], headers: tuple[tuple[str, str], ...], body: bytes
) -> tuple[tuple[str, str], ...]:
    """The headers that are added: x-amz-date, the session token, authorization.

    Args:
        request: method and absolute URL, exactly as it is sent.
        headers: what is signed beside host; a header that a proxy may change must not be among them.
    """
    method, url = request
    added: tuple[tuple[str, str], ...] = (("x-amz-date", scope.at),)
    if key.token:
        added = (*added, ("x-amz-security-token", key.token))
    parts = urlsplit(url)
    # The default port is not in the Host header.
    host = parts.netloc.lower().removesuffix({"https": ":443", "http": ":80"}.get(parts.scheme, ":"))
    canonical, names = canonical_request(method, url, (("host", host), *headers, *added), body)
    value = signature(key, scope, string_to_sign(scope, canonical))
    credential = f"{key.id}/{scope.text}"
    proof = f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={value}"
    return (*added, ("authorization", proof))
