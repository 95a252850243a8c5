"""Port: HTTP to the outside.

Two levels. `HttpClient` is a bare transport: it connects to exactly the address it is told to and
never follows a redirect, reads a proxy variable or resolves a name. `Egress` stands before it: it
resolves a name once, refuses addresses that nobody granted, and pins the checked one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from msgspec import Struct

MAX_BODY_BYTES: Final = 32 * 1024 * 1024


class HttpRequest(Struct, frozen=True):
    """One request. `url` is absolute (http or https); redirects are never followed."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    address: str = ""
    """the IP address to connect to (pinned); a bare client refuses an empty one, `Egress` fills it"""
    connect_s: float = 10.0
    first_byte_s: float = 60.0
    """longest wait for the first byte of the answer, from the moment the request is sent"""
    idle_s: float = 120.0
    """longest wait between two bytes of the answer"""
    total_s: float | None = None
    max_bytes: int = MAX_BODY_BYTES
    """a longer body raises output_too_large"""
    secrets: tuple[tuple[str, str], ...] = ()
    """(name, header | body) of the handles `{{secret:NAME}}` that the egress may replace in this request"""


class HttpReply(Struct, frozen=True):
    """A whole answer. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpStream(Protocol):
    """An answer whose body arrives piece by piece."""

    status: int
    headers: dict[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """The decoded body as it arrives; raises network_failed when it ends before its length."""
        ...

    async def read(self) -> bytes:
        """The rest of the body."""
        ...


class HttpClient(Protocol):
    """A transport. Cancelling a call closes its socket within 50 ms.

    Raises Unavailable network_failed (refused, reset, cut, TLS), Exhausted deadline_exceeded
    (details["phase"]: connect | first_byte | idle | total) and Exhausted output_too_large.
    """

    async def fetch(self, request: HttpRequest) -> HttpReply:
        """Send and read the whole answer."""
        ...

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        """Send, and hand out the answer once its headers are there; leaving the block closes it."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
