"""One HTTP/1.1 connection on asyncio: httptools parses, this file decides.

The idea: an `Exchange` is one request and its answer; a `Connection` serves one after another. What
arrives is parsed where it arrives (in `data_received`), and one Future wakes the waiting task: no
tasks, queues or timers per request. The deadline is a lazy timer per connection: it is moved only
when it would fire too late, and looks at the clock when it fires.

Invariants: a connection is handed on only after a complete answer without a byte too many; whatever
could be read two ways (Content-Length with Transfer-Encoding, two lengths, bytes that nobody asked
for) closes it. Source: RFC 9112 6.3 (message body length), 9.3 (persistence), 11.2 (smuggling).
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from remit.adapters.http.exchange import Exchange, deadline_exceeded, network_failed
from remit.errors import Exhausted, RemitError

if TYPE_CHECKING:
    from remit.adapters.http.asyncio_pool import Pool

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 256
_MAX_INTERIM: Final = 16  # 1xx answers before the real one
_HIGH_WATER: Final = 256 * 1024  # buffered bytes of a stream that stop the reading
_JOIN_BYTES: Final = 64 * 1024  # larger bodies are written beside their head, not copied behind it
_NAMES: Final[dict[bytes, str]] = {}  # header names seen, lower case, as text; at most _MAX_NAMES
_MAX_NAMES: Final = 512


class Connection(asyncio.Protocol):
    """A connection of a pool; callbacks of asyncio and of httptools."""

    def __init__(self, pool: Pool, key: tuple[str, int, str]) -> None:
        self.pool = pool
        self.key = key
        self.loop = pool.loop
        self.transport: asyncio.Transport | None = None
        self.exchange: Exchange | None = None
        self.served = 0
        self.touched = 0.0  # when it was last sent or received on
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._paused = False
        self._readable: select.poll | None = None

    # -- what the pool and the client call

    def send(self, exchange: Exchange) -> None:
        """Write the request of `exchange`; its future wakes when there is something to see."""
        transport = self.transport
        assert transport is not None
        self.exchange = exchange
        request, head = exchange.request, exchange.head
        body = request.body
        if not body and not head.sends_length:
            self.pool.write(self, exchange, head.start + b"\r\n")
        elif len(body) <= _JOIN_BYTES:
            self.pool.write(self, exchange, b"%bcontent-length: %d\r\n\r\n%b" % (head.start, len(body), body))
        else:
            transport.writelines([b"%bcontent-length: %d\r\n\r\n" % (head.start, len(body)), body])
            exchange.unsent = len(body)
        self.touched = now = self.loop.time()
        self._wake_before(now + request.first_byte_s, exchange)

    def usable(self) -> bool:
        """Whether an idle connection may carry a request: open, and nothing has arrived on it.

        The look at the socket finds a server's close that the loop has not read yet; without it a
        POST, which is never sent twice, would be lost to it.
        """
        transport = self.transport
        return transport is not None and not transport.is_closing() and not (self._readable and self._readable.poll(0))

    def give_up(self, exchange: Exchange) -> None:
        """Close at once, unless the connection is already done with `exchange`."""
        if self.exchange is exchange:
            self.exchange = None
            self.abort()

    def abort(self) -> None:
        """Close without waiting for what is unsent."""
        if self.transport is not None:
            self.transport.abort()

    def resume(self) -> None:
        """The reader of a stream has taken what was there."""
        if self._paused and self.transport is not None and not self.transport.is_closing():
            self._paused = False
            self.touched = self.loop.time()
            self.transport.resume_reading()

    # -- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(select, "poll"):
            self._readable = select.poll()
            self._readable.register(sock.fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.abort()  # nobody asked: a late or a smuggled answer
            return
        self.touched = self.loop.time()
        before = exchange.size
        try:
            self._parser.feed_data(data)  # type: ignore[union-attr]  # None only once the connection is lost
        except (HttpParserError, HttpParserUpgrade) as error:
            if not exchange.finished:
                self._fail(exchange.error or network_failed(f"the answer is not HTTP/1.1: {error}", retryable=False))
                return
            exchange.keep = False
        if exchange.finished:
            self._finish(exchange)
            return
        exchange.unused = exchange.unused + len(data) if exchange.size == before else 0
        if exchange.unused > MAX_HEAD_BYTES:
            self._fail(network_failed("the answer's head or framing is too large", retryable=False))
            return
        if not exchange.received:
            exchange.received = True
            self._wake_before(self.touched + exchange.request.idle_s, exchange)
        if exchange.stream and exchange.status:
            exchange.wake()
            if exchange.buffered > _HIGH_WATER and not self._paused:
                self._paused = True
                self.transport.pause_reading()  # type: ignore[union-attr]  # bytes came through it

    def connection_lost(self, exc: Exception | None) -> None:
        exchange, self.exchange = self.exchange, None
        if self._timer is not None:
            self._timer.cancel()
        self._parser = None  # it holds this object: a cycle
        self.transport = None
        self.pool.closed(self)
        if exchange is None:
            return
        if exchange.until_close and exc is None:
            exchange.finished = True
        elif exchange.status:
            exchange.error = network_failed("the connection ended in the middle of the answer")
        else:
            exchange.error = network_failed("the connection ended before an answer came")
        exchange.wake()

    # -- httptools; an error of ours is put on the exchange, the raised one only stops the parser

    def on_message_begin(self) -> None:
        exchange = self.exchange
        if exchange is None or exchange.finished:
            raise ValueError("more bytes than the answer has")

    def on_header(self, name: bytes, value: bytes) -> None:
        exchange = self.exchange
        if exchange is None or exchange.finished or exchange.status:
            return  # a trailer: bounded by `unused`, and never a header
        text = _NAMES.get(name) or _header_name(name)
        headers = exchange.headers
        if text in headers:
            if text == "content-length":
                self._refuse("the answer has two lengths")
            headers[text] = f"{headers[text]}, {value.decode('latin-1')}"
        else:
            headers[text] = value.decode("latin-1")
        exchange.head_bytes += len(name) + len(value) + 4
        if exchange.head_bytes > MAX_HEAD_BYTES or len(headers) > MAX_HEADERS:
            self._refuse("the answer's headers are too large")

    def on_headers_complete(self) -> None:
        exchange, parser = self.exchange, self._parser
        assert exchange is not None and parser is not None
        status = parser.get_status_code()
        headers = exchange.headers
        if status < 200:
            exchange.interim += 1
            if status == 101 or exchange.interim > _MAX_INTERIM:
                self._refuse("the answer switches protocols or never begins")
            exchange.headers = {}
            return
        exchange.keep = parser.should_keep_alive()
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if exchange.head.bodiless or status in (204, 304):
            # llhttp does not know that this answer has no body: the parser is not used again.
            exchange.keep = parser.get_http_version() == "1.1" and "close" not in headers.get("connection", "").lower()
            self._parser = HttpResponseParser(self)
            exchange.finished = True
        elif coding is not None:
            if length is not None or coding.lower() != "chunked":
                self._refuse("the answer's length can be read in two ways")
        elif length is not None:
            if not (length.isascii() and length.isdigit()):
                self._refuse("the answer's length is not a number")
            if len(length) > 18 or int(length) > exchange.request.max_bytes:
                self._too_large()
        else:
            exchange.until_close = True
        exchange.status = status

    def on_body(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None or exchange.finished:
            raise ValueError("more bytes than the answer has")
        exchange.size += len(data)
        if exchange.size > exchange.request.max_bytes:
            self._too_large()
        exchange.buffered += len(data)
        exchange.parts.append(data)

    def on_message_complete(self) -> None:
        exchange = self.exchange
        if exchange is not None and exchange.status:
            exchange.finished = True

    # -- the end of an exchange

    def _refuse(self, message: str) -> None:
        assert self.exchange is not None
        self.exchange.error = network_failed(message, retryable=False)
        raise ValueError(message)

    def _too_large(self) -> None:
        assert self.exchange is not None
        limit = self.exchange.request.max_bytes
        self.exchange.error = Exhausted("output_too_large", f"the answer is larger than {limit} bytes")
        raise ValueError("too large")

    def _finish(self, exchange: Exchange) -> None:
        self.exchange = None
        self.served += 1
        if self._paused:
            self._paused = False
            self.transport.resume_reading()  # type: ignore[union-attr]  # bytes came through it
        # An answer that came before the request was sent whole leaves the rest of it in the way.
        if exchange.keep and not (exchange.unsent and self.transport.get_write_buffer_size()):  # type: ignore[union-attr]
            self.pool.release(self)
        else:
            self.abort()
        exchange.wake()

    def _fail(self, error: RemitError) -> None:
        exchange, self.exchange = self.exchange, None
        self.abort()
        if exchange is not None:
            exchange.error = error
            exchange.wake()

    # -- deadlines

    def _wake_before(self, when: float, exchange: Exchange) -> None:
        total = exchange.request.total_s
        if total is not None:
            when = min(when, exchange.started + total)
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer_at = when
        self._timer = self.loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        exchange, now = self.exchange, self.loop.time()
        if exchange is None:
            if now >= self.touched + self.pool.keepalive_s:
                self.abort()
            else:
                self._timer_at = self.touched + self.pool.keepalive_s
                self._timer = self.loop.call_at(self._timer_at, self._on_timer)
            return
        request, transport = exchange.request, self.transport
        if request.total_s is not None and now >= exchange.started + request.total_s:
            self._fail(deadline_exceeded("total", request.total_s))
            return
        phase, limit = ("idle", request.idle_s) if exchange.received else ("first_byte", request.first_byte_s)
        if exchange.unsent and transport is not None:
            # Still sending: bytes that left since the last look count as progress.
            left = transport.get_write_buffer_size()
            if left < exchange.unsent:
                exchange.unsent, self.touched = left, now
        if self._paused:
            self.touched = now  # the reader is slow, not the server
        if now >= self.touched + limit:
            self._fail(deadline_exceeded(phase, limit))
        else:
            self._wake_before(self.touched + limit, exchange)


def _header_name(name: bytes) -> str:
    text = name.decode("latin-1").lower()
    if len(_NAMES) < _MAX_NAMES and len(name) < 64:
        _NAMES[name] = text
    return text
