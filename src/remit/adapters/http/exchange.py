"""One request and its answer while it arrives, and the two errors that end most of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from remit.errors import Exhausted, RemitError, Unavailable

if TYPE_CHECKING:
    from remit.adapters.http.request_head import RequestHead
    from remit.ports.http import HttpRequest


def network_failed(message: str, retryable: bool = True) -> Unavailable:
    """The error of a connection that did not do its work."""
    return Unavailable("network_failed", message, retryable=retryable)


def deadline_exceeded(phase: str, seconds: float) -> Exhausted:
    """The error of a deadline; `phase` is connect | first_byte | idle | total."""
    message = f"no answer in time: {phase} took more than {seconds:g} s"
    return Exhausted("deadline_exceeded", message, retryable=True, details={"phase": phase})


class Exchange:
    """One request and what has arrived of its answer."""

    # Defaults of the class, not of each object: most exchanges never change most of them.
    status = 0
    size = 0  # body bytes so far
    buffered = 0  # of them, not yet taken by the reader of a stream
    received = False  # any byte of the answer
    unused = 0  # bytes since the body last grew: head, chunk extensions, trailers
    head_bytes = 0
    interim = 0
    unsent = 0  # bytes of a large body that had not left at the last look
    keep = False
    until_close = False
    finished = False
    error: RemitError | None = None

    def __init__(self, request: HttpRequest, head: RequestHead, stream: bool, loop: asyncio.AbstractEventLoop) -> None:
        self.request = request
        self.head = head
        self.key = (request.address, head.port, head.host if head.tls else "")
        """what a connection must lead to: address, port, host that TLS proves ("" = no TLS)"""
        self.stream = stream
        self.started = loop.time()
        self.future: asyncio.Future[None] = loop.create_future()
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []

    def wake(self) -> None:
        """Let the waiting task look."""
        if not self.future.done():
            self.future.set_result(None)
