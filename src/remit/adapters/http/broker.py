"""The egress broker of a sandbox: a proxy on a unix socket, the only way out for a confined program.

The idea: the program's namespace has no network; one socket of ours is bound into it. A plain request is read,
judged (`Admit`: grants of the run, secrets, leak guard), built anew and sent by the same `Egress` that tools and
models use, so name, address, pinning, secrets and masks are its. A TLS tunnel is judged by host and port, its name
resolved once and pinned; its first message must ask for exactly that host before any byte of it is forwarded.

Invariants: no redirect is followed; no byte leaves before `Admit` said yes; the caps hold for all connections of one
sandbox together; what ends is closed on both sides; leaving the block closes every connection and removes the
socket. What a tunnel carries afterwards cannot be seen: a grant for CONNECT trusts the whole host.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import Struct

from remit.adapters.http.broker_body import read_body
from remit.adapters.http.broker_head import MAX_HEAD_BYTES, ProxyHead, read_head
from remit.adapters.http.broker_hello import MAX_HELLO_BYTES, read_hello
from remit.adapters.http.egress import Egress, Granted
from remit.core.urls import parse_url
from remit.errors import Exhausted, Invalid, RemitError, Unavailable
from remit.ports.http import HttpRequest

SOCKET_NAME: Final = "egress.sock"
_PIECE: Final = 64 * 1024
_CONNECT_S: Final = 10.0
_HEAD_S: Final = 20.0
_LINGER_S: Final = 1.0  # after a refusal, for a client that is still sending
_LINGER_PIECES: Final = 64
# Source: RFC 8446 6: fatal alert, unrecognized_name.
_ALERT: Final = bytes((21, 3, 1, 0, 2, 2, 112))
_STATUS: Final = {"Denied": "403 Forbidden", "Invalid": "400 Bad Request", "Exhausted": "429 Too Many Requests"}
_UNSENT: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "proxy-connection"})


class Admit(Protocol):
    """Judges one request of the program; raises Denied."""

    def __call__(self, request: HttpRequest) -> tuple[HttpRequest, Granted]:
        """The request as it may be sent, and the private hosts and ports that it may reach."""
        ...


class BrokerLimits(Struct, frozen=True):
    """What one sandbox may take of the network, all connections together."""

    max_bytes: int = 256 * 1024 * 1024
    """both directions"""
    max_body_bytes: int = 32 * 1024 * 1024
    """of one plain request"""
    connections: int = 32
    """at a time"""
    exchanges: int = 2000
    """in all"""
    idle_s: float = 60.0
    """longest silence of a connection"""


class _Counted:
    """Bytes of one tunnel, and when the last of them came."""

    def __init__(self) -> None:
        self.up = 0
        self.down = 0
        self.last = 0.0


class Broker:
    """`async with Broker(...) as path`: serves on the unix socket `path` until the block ends.

    Args:
        egress: the only way out.
        admit: judges each request.
        note: gets one line for each exchange, for the journal.
        limits: caps.
    """

    def __init__(
        self, egress: Egress, admit: Admit, note: Callable[[str], None], limits: BrokerLimits | None = None
    ) -> None:
        self._egress = egress
        self._admit = admit
        self._note = note
        self._limits = limits or BrokerLimits()
        self._left = self._limits.max_bytes
        self._exchanges = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def __aenter__(self) -> str:
        self._folder = tempfile.mkdtemp(prefix="remit-egress-")  # mode 0700: nobody else connects
        path = os.path.join(self._folder, SOCKET_NAME)
        try:
            self._server = await asyncio.start_unix_server(self._serve, path, limit=_PIECE)
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise Unavailable("sandbox_failed", f"the egress socket cannot be made: {error.strerror}") from error
        return path

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        self._server.close()
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(set(self._tasks))
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._closed:  # accepted in the very moment of the end
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            await self._exchange(reader, writer)
        except RemitError as error:
            await self._answer_error(reader, writer, error)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # one side went away; the other is closed below
        except asyncio.CancelledError:
            pass  # the sandbox has ended; this task belongs to nobody who waits for its cancellation
        finally:
            if task.cancelling():
                writer.transport.abort()
            else:
                writer.close()
            self._tasks.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._exchanges += 1
        full = len(self._tasks) > self._limits.connections or self._exchanges > self._limits.exchanges
        async with asyncio.timeout(_HEAD_S):
            head, rest = await _head(reader)
        if full:
            raise Exhausted("queue_full", "this sandbox has used up its connections")
        if head.method == "CONNECT":
            await self._tunnel(head, rest, reader, writer)
            return
        if head.expects_continue:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await read_body(reader, rest, head.length, self._limits.max_body_bytes, self._limits.idle_s)
        self._spend(len(body))
        await self._plain(head, body, writer)

    # -- plain requests: read, judged, built anew

    async def _plain(self, head: ProxyHead, body: bytes, writer: asyncio.StreamWriter) -> None:
        asked = HttpRequest(head.method, head.url, head.headers, body, idle_s=self._limits.idle_s)
        request, granted = self._admit(asked)
        got = 0
        async with self._egress.stream(request, granted) as reply:
            writer.write(_reply_head(head, reply.status, reply.headers))
            try:
                async for chunk in reply.chunks():
                    self._spend(len(chunk))
                    got += len(chunk)
                    writer.write(chunk if head.old else b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    await self._drained(writer)
            except RemitError as error:
                # The answer has begun: it can only be cut, so that nobody takes it for whole.
                self._note(f"cut {_shown(head.url)}: {error.code}")
                writer.transport.abort()
                return
        if not head.old and head.method != "HEAD":
            writer.write(b"0\r\n\r\n")
        await self._drained(writer)
        self._note(f"{head.method} {_shown(head.url)} {reply.status} up={len(request.body)} down={got}")

    # -- tunnels: judged by host and port, held to their host by the first message

    async def _tunnel(
        self, head: ProxyHead, rest: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request, granted = self._admit(HttpRequest("CONNECT", head.url, connect_s=_CONNECT_S))
        url = parse_url(request.url)
        upstream, out = await self._open(request, granted)
        counted = _Counted()
        try:
            writer.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
            hello = await self._hello(url.host, rest, reader, writer)
            out.write(hello)
            self._spend(len(hello))
            counted.up = len(hello)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, out, counted, True))
                group.create_task(self._pump(upstream, writer, counted, False))
        except* (ConnectionError, TimeoutError):
            pass  # either side may end a tunnel when it likes
        except* Exhausted:
            self._note(f"CONNECT {url.netloc} ended: the cap on bytes was reached")
        finally:
            out.transport.abort()
            self._note(f"CONNECT {url.netloc} up={counted.up} down={counted.down}")

    async def _open(self, request: HttpRequest, granted: Granted) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to one of the judged addresses of the host."""
        for attempt in await self._egress.attempts(request, granted):
            try:
                async with asyncio.timeout(attempt.connect_s):
                    return await asyncio.open_connection(attempt.address, parse_url(request.url).port, limit=_PIECE)
            except (OSError, TimeoutError):
                self._egress.demote(attempt)
        raise Unavailable("network_failed", f"cannot connect to {parse_url(request.url).netloc}", retryable=True)

    async def _hello(self, host: str, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The client's first message, once it asks for `host`; raises ConnectionError after refusing it."""
        why = ""
        try:
            async with asyncio.timeout(_HEAD_S):
                while (hello := read_hello(data)) is None:
                    piece = await reader.read(MAX_HELLO_BYTES)
                    if not piece:
                        raise ConnectionResetError
                    data += piece
            wanted = "" if _is_address(host) else host  # RFC 6066 3: an address is not named
            if hello.server_name != wanted:
                why = f"TLS asks for {hello.server_name or 'no host'}"
        except Invalid as error:
            why = error.message
        if not why:
            return data
        self._note(f"refused CONNECT {host}: {why}")
        writer.write(_ALERT)
        await self._drained(writer)
        raise ConnectionResetError

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, counted: _Counted, up: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        counted.last = loop.time()
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_s):
                    piece = await source.read(_PIECE)
            except TimeoutError:
                if loop.time() - counted.last < self._limits.idle_s:
                    continue  # the other direction is at work
                raise
            if not piece:
                break
            self._spend(len(piece))
            counted.last = loop.time()
            if up:
                counted.up += len(piece)
            else:
                counted.down += len(piece)
            sink.write(piece)
            await self._drained(sink)
        if sink.can_write_eof():
            sink.write_eof()

    # -- both

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Exhausted("output_too_large", f"this sandbox has moved {self._limits.max_bytes} bytes")

    async def _drained(self, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(self._limits.idle_s):
            await writer.drain()

    async def _answer_error(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, error: RemitError
    ) -> None:
        """The refusal as an answer that the program can show: code, message and hint."""
        self._note(f"refused: {error.code}: {error.message[:200]}")
        status = _STATUS.get(error.family, "502 Bad Gateway")
        body = f"{error.code}: {error.message}\n{error.hint}\n".encode("ascii", "replace")
        lines = [f"HTTP/1.1 {status}", "content-type: text/plain", f"content-length: {len(body)}"]
        writer.write("\r\n".join([*lines, "connection: close\r\n\r\n"]).encode() + body)
        try:
            await self._drained(writer)
            writer.write_eof()
            # Closing while something is unread would reset the connection, and the refusal with it.
            async with asyncio.timeout(_LINGER_S):
                for _ in range(_LINGER_PIECES):
                    if not await reader.read(_PIECE):
                        break
        except (ConnectionError, TimeoutError):
            pass  # it does not read its refusal


async def _head(reader: asyncio.StreamReader) -> tuple[ProxyHead, bytes]:
    data = b""
    while (found := read_head(data)) is None:
        piece = await reader.read(MAX_HEAD_BYTES)
        if not piece:
            raise ConnectionResetError
        data += piece
    return found


def _reply_head(head: ProxyHead, status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {'OK' if status < 400 else 'Error'}"]
    # A length is true only of a body that comes as it was: chunks frame this one, and HEAD has none.
    dropped = _UNSENT if head.method == "HEAD" else _UNSENT | {"content-length"}
    lines += [f"{name}: {value}" for name, value in headers.items() if name not in dropped]
    if not head.old and head.method != "HEAD":
        lines.append("transfer-encoding: chunked")
    return "\r\n".join([*lines, "connection: close\r\n\r\n"]).encode("latin-1", "replace")


def _shown(url: str) -> str:
    """Origin and path: a query may hold what the journal should not."""
    parsed = parse_url(url)
    return f"{parsed.origin}{parsed.path}"[:300]


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
