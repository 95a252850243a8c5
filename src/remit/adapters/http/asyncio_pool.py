"""The connections of one client on one event loop: kept, counted, waited for.

Invariants: every place of the limit is free, held by a connection that is open or being opened, or
already given to one who waits; nobody who waits is overtaken, and a place is never lost, also when
the one it was given to is cancelled in that moment.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator
from functools import partial
from typing import Final

from remit.adapters.http.asyncio_connection import Connection
from remit.adapters.http.exchange import Exchange, deadline_exceeded, network_failed
from remit.core.urls import canonical_address
from remit.errors import Denied
from remit.ports.deadline import Deadline

Key = tuple[str, int, str]  # address, port, host that TLS proves ("" = no TLS)
_FEW: Final = 8  # connections in use up to which a request is written at once


class Pool:
    """The connections of one client on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int, keepalive_s: float) -> None:
        self.loop = loop
        self.keepalive_s = keepalive_s
        self._limit = limit
        self._slots = limit  # free places, each for one connection that is open or being opened
        self._idle: dict[Key, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._guard: AsyncGenerator[None, None] | None = None
        self._waiting: deque[tuple[Key, asyncio.Future[Connection | None]]] = deque()
        self._unwritten: list[tuple[Connection, Exchange, bytes]] = []

    def write(self, connection: Connection, exchange: Exchange, data: bytes) -> None:
        """Write a request: at once where few are under way, else together with the others of this turn of the loop.

        A write to a peer that sleeps wakes it, and that costs the writer most of the write: a crowd's requests, one
        after another, took 5 us each and 11 us between other work (1,000 runs at once, loopback).
        """
        if len(self._open) - len(self._idle.get(connection.key, ())) <= _FEW:
            connection.transport.write(data)  # type: ignore[union-attr]  # the caller has just looked
            return
        if not self._unwritten:
            self.loop.call_soon(self._write_all)
        self._unwritten.append((connection, exchange, data))

    def _write_all(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        for connection, exchange, data in unwritten:
            transport = connection.transport
            # Of a call that was given up or has failed meanwhile, nothing leaves.
            if not exchange.future.done() and transport is not None and not transport.is_closing():
                transport.write(data)

    def take(self, key: Key) -> Connection | None:
        """An idle connection that was used last, or None."""
        idle = self._idle.get(key)
        while idle:
            connection = idle.pop()
            if connection.usable():
                return connection
            connection.abort()
        return None

    async def open(self, key: Key, connect_s: float, tls: ssl.SSLContext | None) -> Connection:
        """A new connection, or one that comes free while waiting for a place."""
        if self._slots > 0:
            self._slots -= 1
        else:
            connection = await self._wait(key)
            if connection is not None:
                return connection
        if self._guard is None:
            self._guard = self._until_the_loop_ends()
            await anext(self._guard)
        connection = Connection(self, key)
        try:
            await self._connect(connection, connect_s, tls)
        except BaseException:
            if connection.transport is None:
                self._free_place()
            else:
                connection.abort()
            raise
        return connection

    def release(self, connection: Connection) -> None:
        """Take back a connection whose answer is complete."""
        while self._waiting:
            key, future = self._waiting.popleft()
            if future.done():
                continue
            if key == connection.key:
                future.set_result(connection)
            else:
                self._waiting.appendleft((key, future))
                connection.abort()  # its place goes to the one who waits, see closed()
            return
        self._idle.setdefault(connection.key, []).append(connection)

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        idle = self._idle.get(connection.key)
        if idle is not None:
            if connection in idle:
                idle.remove(connection)
            if not idle:
                del self._idle[connection.key]
        self._free_place()

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        """Closes the pool when its loop ends: asyncio.run() finishes every generator that was begun, then the loop.

        Without it, a program that calls asyncio.run() more than once leaves sockets to the collector.
        """
        try:
            yield
        finally:
            self.close()
            await self.closing()

    def close(self) -> None:
        """Close every connection; calls under way fail with network_failed."""
        for connection in list(self._open):
            connection.abort()
        self._idle.clear()

    async def closing(self) -> None:
        """Wait (a few turns of the loop) until the sockets are really closed."""
        for _ in range(20):
            if not self._open:
                return
            await asyncio.sleep(0)

    async def _wait(self, key: Key) -> Connection | None:
        for idle in self._idle.values():
            if idle:
                idle.pop(0).abort()  # somebody else's: its place is worth more than its warmth
                break
        future: asyncio.Future[Connection | None] = self.loop.create_future()
        self._waiting.append((key, future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                given = future.result()
                if given is None:
                    self._free_place()
                else:
                    self.release(given)
            raise

    def _free_place(self) -> None:
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                return
        self._slots += 1

    async def _connect(self, connection: Connection, connect_s: float, tls: ssl.SSLContext | None) -> None:
        address, port, host = connection.key
        try:
            with Deadline(connect_s):
                await self.loop.create_connection(
                    partial(_same, connection), address, port, ssl=tls, server_hostname=host if tls else None
                )
        except TimeoutError:
            raise deadline_exceeded("connect", connect_s) from None
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason or "handshake failed"
            raise network_failed(f"TLS with {host} failed: {reason}", retryable=False) from None
        except OSError as error:
            failed = network_failed(f"cannot connect to {address} port {port}: {error.strerror or error}")
            failed.details["phase"] = "connect"
            raise failed from None
        self._open.add(connection)
        peer = connection.transport.get_extra_info("peername") if connection.transport else None
        if peer is None:
            raise network_failed("the connection ended before the request")
        if canonical_address(peer[0]) != canonical_address(address):
            raise Denied("address_denied", f"connected to {peer[0]} instead of {address}")


def _same(connection: Connection) -> Connection:
    return connection
