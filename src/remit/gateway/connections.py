"""One connection: uvicorn's HTTP/1.1 protocol with bounds on what comes before a request's body.

    head       32 KB, 100 fields, a target of 8 KB; whole within HEAD_S of its first byte, and of the connection's
    pipelining is refused: one request at a time keeps one client's place one request
    idle       KEEP_ALIVE_S between requests
    upgrades   none: there are no web sockets here

Uvicorn itself bounds none of the head with httptools, and hands no way to drop a reader to the application; the scope's
`remit.abort` is that way. What is malformed gets 400 and the connection ends.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import msgspec
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from remit.errors import Exhausted, Invalid
from remit.gateway.problems import HEADERS, status_of

MAX_HEAD_BYTES: Final = 32 * 1024
MAX_FIELDS: Final = 100
MAX_TARGET_BYTES: Final = 8 * 1024
HEAD_S: Final = 10.0
KEEP_ALIVE_S: Final = 30
TAKE_S: Final = 30.0
"""seconds for a client to take the last answer of its connection"""
MAX_CONNECTIONS: Final = 1_000


class Connection(HttpToolsProtocol):
    """See the module's text."""

    head_s = HEAD_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client connected."""
        super().connection_made(transport)
        self._in_head = True
        self._seen = self._size = 0
        self._deadline: asyncio.TimerHandle | None = self.loop.call_later(self.head_s, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        under_way: Any = self.cycle  # None before the first request
        if self._deadline is None and (under_way is None or under_way.response_complete):
            # The next head begins, or the rest of a body that nobody needs any more: either has its time.
            self._deadline = self.loop.call_later(self.head_s, self.transport.abort)
        if self._in_head:
            self._seen += len(data)
        super().data_received(data)
        if self._in_head and self._seen > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("the head of the request is too large")

    def on_message_begin(self) -> None:
        """A request begins."""
        under_way: Any = self.cycle  # None before the first request
        if under_way is not None and not under_way.response_complete:
            self.transport.abort()
            raise ValueError("pipelined")
        super().on_message_begin()
        self._in_head, self._seen, self._size = True, 0, 0
        self.scope["remit.abort"] = self.transport.abort  # type: ignore[typeddict-unknown-key]  # our own extension

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            raise ValueError("target")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head."""
        super().on_header(name, value)
        self._size += len(name) + len(value)
        if len(self.headers) > MAX_FIELDS or self._size > MAX_HEAD_BYTES:
            raise ValueError("head")

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._disarm()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request of ours, and close."""
        if self.transport.is_closing():
            return
        large = self._size > MAX_HEAD_BYTES or self._seen > MAX_HEAD_BYTES or len(self.headers or ()) > MAX_FIELDS
        error = Exhausted("request_too_large", "the head of the request") if large else Invalid("request_invalid", msg)
        body = msgspec.json.encode(error.for_user())
        status = 431 if large else status_of(error)
        lines = [f"HTTP/1.1 {status} refused", "content-type: application/json", f"content-length: {len(body)}"]
        lines += [*(f"{name}: {value}" for name, value in HEADERS.items()), "connection: close", "", ""]
        self.transport.write("\r\n".join(lines).encode() + body)
        self.transport.close()

    def on_response_complete(self) -> None:
        """An answer was written; a client that does not take it is not waited for."""
        super().on_response_complete()
        if self.transport.is_closing():
            self.loop.call_later(TAKE_S, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """No further request came."""
        self.transport.abort()

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade that is not there is answered like any other request."""
        return None

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Connections:
    """All connections of one listener: makes them, and ends them."""

    def __init__(self, application: Any) -> None:
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)  # clients' faults are answered, not printed
        self._config = Config(
            application, lifespan="off", ws="none", loop="none", log_config=None, access_log=False,
            proxy_headers=False, server_header=False, date_header=False, interface="asgi3", http=Connection,
            timeout_keep_alive=KEEP_ALIVE_S, limit_concurrency=MAX_CONNECTIONS,
        )  # fmt: skip
        self._config.load()
        self._state = ServerState()

    def make(self) -> Connection:
        """The protocol of a new connection."""
        return Connection(self._config, self._state, {}, asyncio.get_running_loop())

    def finish(self) -> None:
        """End each connection with the answer that is under way; idle ones now."""
        for each in list(self._state.connections):
            each.shutdown()

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._state.connections)

    def abort(self) -> None:
        """End what is left."""
        for each in list(self._state.connections):
            each.transport.abort()
        for task in list(self._state.tasks):
            task.cancel()
