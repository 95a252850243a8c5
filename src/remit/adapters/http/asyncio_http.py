"""The HTTP port on asyncio.Protocol, httptools and ssl: HTTP/1.1, pooled, without threads.

The idea: an agent's model call is one small request and one small answer on a warm connection, so
that path is one write, one parse where the bytes arrive, and one wake-up. Everything else (connect,
TLS, waiting for a free connection, streams, decoding) may cost more.

Invariants: it connects to `request.address` and to nothing else; the URL's host is only what TLS
must prove and what the Host header says; redirects, cookies, proxies and environment variables do
not exist here; whatever leaves a call early (cancellation, an error, leaving the block of a stream)
closes its socket at once; a socket belongs to the event loop that opened it.
Rejected: asyncio.Streams (a buffer, a Future and two copies more per read), one timer per request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Final

from remit.adapters.http.asyncio_connection import Connection
from remit.adapters.http.asyncio_pool import Pool
from remit.adapters.http.body_decoding import body_decoder, decode_body
from remit.adapters.http.exchange import Exchange, deadline_exceeded, network_failed
from remit.adapters.http.request_head import request_head
from remit.core.urls import canonical_address
from remit.errors import Invalid
from remit.ports.http import HttpReply, HttpRequest, HttpStream

DEFAULT_LIMIT: Final = 4096  # open connections per client and loop
DEFAULT_KEEPALIVE_S: Final = 60.0  # servers close idle connections after 5 s (node) to 75 s (nginx)


class AsyncioHttp:
    """`ports.http.HttpClient` on asyncio. One object serves any number of event loops and tasks.

    Args:
        limit: open connections per event loop; a call beyond waits for a place (within total_s).
        keepalive_s: how long an unused connection stays open.
        ca_pem: certificate authorities to trust instead of the system's.
    """

    def __init__(
        self, *, limit: int = DEFAULT_LIMIT, keepalive_s: float = DEFAULT_KEEPALIVE_S, ca_pem: str = ""
    ) -> None:
        if limit < 1:
            raise Invalid("value_invalid", "the limit of connections is at least 1")
        self._limit = limit
        self._keepalive_s = keepalive_s
        self._ca_pem = ca_pem
        self._context: ssl.SSLContext | None = None
        self._pools: dict[int, Pool] = {}
        self._last: Pool | None = None

    async def fetch(self, request: HttpRequest) -> HttpReply:
        """Send and read the whole answer; see `ports.http.HttpClient`."""
        pool, exchange = self._begin(request, False)
        connection = pool.take(exchange.key)
        if connection is not None:  # the warm path: one write, one wake-up, no further coroutine
            connection.send(exchange)
            try:
                await exchange.future
            except BaseException:
                connection.give_up(exchange)
                raise
        if connection is None or exchange.error is not None:
            exchange, _ = await self._send(pool, exchange, connection)
        parts = exchange.parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if "content-encoding" in exchange.headers and body:
            decoder = body_decoder(exchange.headers, request.max_bytes)
            if decoder is not None:
                body = decode_body(body, decoder)
        return HttpReply(exchange.status, exchange.headers, body)

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        """Send, and hand out the answer once its headers are there; leaving the block closes it."""
        return _Streaming(self, request)

    async def aclose(self) -> None:
        """Close every connection of every loop."""
        loop = asyncio.get_running_loop()
        pools, self._pools, self._last = list(self._pools.values()), {}, None
        for pool in pools:
            if pool.loop is loop:
                pool.close()
                await pool.closing()
            elif not pool.loop.is_closed():
                pool.loop.call_soon_threadsafe(pool.close)

    def _begin(self, request: HttpRequest, stream: bool) -> tuple[Pool, Exchange]:
        if not request.address:
            raise Invalid("value_invalid", "a request names the address to connect to; Egress fills it in")
        head = request_head(request.method, request.url, request.headers)
        pool = self._last
        loop = asyncio.get_running_loop()
        if pool is None or pool.loop is not loop:
            pool = self._pool(loop)
        return pool, Exchange(request, head, stream, loop)

    async def _send(self, pool: Pool, exchange: Exchange, tried: Connection | None) -> tuple[Exchange, Connection]:
        """The answered exchange and its connection; `tried` = a kept connection on which it has failed."""
        request, head = exchange.request, exchange.head
        connection, repeated = tried, False
        while True:
            if connection is None:
                connection = await self._open(pool, exchange)
                await self._answered(connection, exchange)
            if exchange.error is None or (exchange.stream and exchange.status):
                return exchange, connection
            if repeated or exchange.received or not connection.served or not head.idempotent:
                raise exchange.error
            if exchange.error.code != "network_failed":
                raise exchange.error
            # A kept connection that the server had just closed: nothing of an answer came, and the
            # method may be repeated; once.
            repeated = True
            started, exchange = exchange.started, Exchange(request, head, exchange.stream, pool.loop)
            exchange.started = started
            connection = None

    async def _answered(self, connection: Connection, exchange: Exchange) -> None:
        connection.send(exchange)
        try:
            await exchange.future
        except BaseException:
            connection.give_up(exchange)
            raise

    async def _open(self, pool: Pool, exchange: Exchange) -> Connection:
        request = exchange.request
        canonical_address(request.address)  # a name would be resolved by the loop: refuse it
        key = exchange.key
        tls = self._tls() if key[2] else None
        if request.total_s is None:
            return await pool.open(key, request.connect_s, tls)
        try:
            async with asyncio.timeout_at(exchange.started + request.total_s):
                return await pool.open(key, request.connect_s, tls)
        except TimeoutError:
            raise deadline_exceeded("total", request.total_s) from None

    def _pool(self, loop: asyncio.AbstractEventLoop) -> Pool:
        pool = self._pools.get(id(loop))
        if pool is None or pool.loop is not loop:
            for key in [key for key, old in self._pools.items() if old.loop.is_closed()]:
                del self._pools[key]
            pool = self._pools[id(loop)] = Pool(loop, self._limit, self._keepalive_s)
        self._last = pool
        return pool

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            # Not create_default_context: that one writes session keys to a file that SSLKEYLOGFILE names.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and host name
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_alpn_protocols(["http/1.1"])
            if self._ca_pem:
                context.load_verify_locations(cadata=self._ca_pem)
            else:
                context.load_default_certs()
            self._context = context
        return self._context


class _Streaming:
    """The block of a stream."""

    def __init__(self, client: AsyncioHttp, request: HttpRequest) -> None:
        self._client = client
        self._request = request

    async def __aenter__(self) -> HttpStream:
        client = self._client
        pool, exchange = client._begin(self._request, True)
        connection = pool.take(exchange.key)
        if connection is not None:
            await client._answered(connection, exchange)
        self._exchange, self._connection = await client._send(pool, exchange, connection)
        try:
            return _Stream(self._exchange, self._connection)
        except BaseException:
            self._connection.give_up(self._exchange)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._connection.give_up(self._exchange)


class _Stream:
    """An answer whose body arrives piece by piece; one reader."""

    def __init__(self, exchange: Exchange, connection: Connection) -> None:
        self.status = exchange.status
        self.headers = exchange.headers
        self._exchange = exchange
        self._connection = connection
        self._decoder = None if exchange.head.bodiless else body_decoder(exchange.headers, exchange.request.max_bytes)
        self._pieces: Iterator[bytes] = iter(())

    def chunks(self) -> AsyncIterator[bytes]:
        """The decoded body as it arrives; raises network_failed when it ends before its length."""
        return self

    async def read(self) -> bytes:
        """The rest of the body."""
        return b"".join([piece async for piece in self])

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while True:
            for piece in self._pieces:
                return piece
            data = await self._arrived()
            if not data:
                if self._decoder is not None:
                    self._decoder.finish()
                raise StopAsyncIteration
            if self._decoder is None:
                return data
            self._pieces = self._decoder.feed(data)

    async def _arrived(self) -> bytes:
        exchange = self._exchange
        while not exchange.parts:
            if exchange.error is not None:
                raise exchange.error
            if exchange.finished:
                return b""
            if exchange is not self._connection.exchange:
                raise network_failed("the stream is closed", retryable=False)
            exchange.future = self._connection.loop.create_future()
            await exchange.future
        data = exchange.parts[0] if len(exchange.parts) == 1 else b"".join(exchange.parts)
        exchange.parts.clear()
        exchange.buffered = 0
        self._connection.resume()
        return data
