"""Floor over a hand-written HTTP/1.1 client: asyncio.Protocol + httptools, one keep-alive pool, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import drive
import floor_loop
import httptools


class Connection(asyncio.Protocol):
    """One connection with at most one request on it."""

    __slots__ = ("body", "parser", "transport", "waiter")

    def __init__(self) -> None:
        self.waiter: asyncio.Future[bytes] | None = None
        self.body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        waiter, self.waiter = self.waiter, None
        body, self.body = b"".join(self.body), []
        if waiter is None or waiter.done():
            return
        if self.parser.get_status_code() == 200:
            waiter.set_result(body)
        else:
            waiter.set_exception(RuntimeError(f"status {self.parser.get_status_code()}"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(exc or ConnectionResetError())


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[drive.Run]:
    """Yield the run over a pool of raw connections."""
    loop = asyncio.get_running_loop()
    parts = urlsplit(url)
    head = (
        f"POST {parts.path}/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer k\r\n"
        "content-type: application/json\r\ncontent-length: "
    ).encode()
    idle: list[Connection] = []
    opened: list[Connection] = []

    async def post(body: bytes) -> bytes:
        if idle:
            connection = idle.pop()
        else:
            _, connection = await loop.create_connection(Connection, parts.hostname, parts.port)
            opened.append(connection)
        connection.waiter = loop.create_future()
        connection.transport.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        reply = await connection.waiter
        idle.append(connection)
        return reply

    yield lambda: floor_loop.run(post, "How many people live in Rome?")
    for connection in opened:
        connection.transport.close()


if __name__ == "__main__":
    drive.main(connect, floor_loop.idle)
