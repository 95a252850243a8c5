"""The broker: plain requests rebuilt, tunnels held to their host, caps, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from remit.adapters.http.asyncio_http import AsyncioHttp
from remit.adapters.http.broker import Broker, BrokerLimits
from remit.adapters.http.egress import Egress
from remit.errors import Denied
from remit.ports.conformance.http_server import Authority, LocalServer, Peer, Seen
from remit.ports.http import HttpRequest

HOST = "api.test"


async def echo(peer: Peer, seen: Seen) -> None:
    await peer.answer(f"{seen.method} {seen.target} ".encode() + seen.body, "x-kept: 1", "keep-alive: timeout=5")


class World:
    """A plain and a TLS server on loopback, and a broker before them. `allowed` lists the URLs' beginnings."""

    def __init__(self, stack: AsyncExitStack, limits: BrokerLimits | None = None, script: Any = echo) -> None:
        self.stack = stack
        self.limits = limits
        self.script = script
        self.notes: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.names: list[str | None] = []
        self.authority = Authority()
        self.answers: list[str] = ["127.0.0.1"]

    async def open(self) -> World:
        context = self.authority.server_context(HOST, self.names)
        self.plain = await self.stack.enter_async_context(LocalServer(self.script))
        self.tls = await self.stack.enter_async_context(LocalServer(self.script, context))
        egress = Egress(AsyncioHttp(ca_pem=self.authority.pem), resolve=self.resolve)
        self.stack.push_async_callback(egress.aclose)
        self.broker = Broker(egress, self.admit, self.notes.append, self.limits)
        self.path = await self.stack.enter_async_context(self.broker)
        return self

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return self.answers

    def admit(self, request: HttpRequest) -> tuple[HttpRequest, frozenset[tuple[str, int]]]:
        self.asked.append((request.method, request.url))
        if "forbidden" in request.url:
            raise Denied("not_granted", f"{request.method} is not covered")
        return request, frozenset({("127.0.0.1", self.plain.port), (HOST, self.tls.port), (HOST, self.plain.port)})

    async def raw(self, data: bytes) -> bytes:
        """All that comes back for `data`."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(data)
        try:
            async with asyncio.timeout(5):
                found = await reader.read()
        except ConnectionResetError:
            found = b""
        writer.close()
        return found

    async def tunnel(self, name: str, port: int | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TLS connection through the broker that asks for `name`."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(f"CONNECT {HOST}:{port or self.tls.port} HTTP/1.1\r\n\r\n".encode())
        async with asyncio.timeout(5):
            assert b"200" in await reader.readuntil(b"\r\n\r\n")
            context = ssl.create_default_context(cadata=self.authority.pem)
            await writer.start_tls(context, server_hostname=name)
        return reader, writer


def run(work: Callable[[World], Awaitable[Any]], limits: BrokerLimits | None = None, script: Any = echo) -> World:
    async def main() -> World:
        async with AsyncExitStack() as stack:
            world = await World(stack, limits, script).open()
            await work(world)
        return world

    return asyncio.run(main())


def test_a_plain_request_is_built_anew() -> None:
    """Origin form, absolute form, lengths and chunks reach the server as one clean request; the answer comes whole."""

    async def work(world: World) -> None:
        port = world.plain.port
        one = await world.raw(f"GET /a HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Own: 1\r\n\r\n".encode())
        assert one.startswith(b"HTTP/1.1 200 OK\r\n") and b"x-kept: 1" in one and b"keep-alive" not in one
        assert one.endswith(b"\r\n\r\n7\r\nGET /a \r\n0\r\n\r\n")
        start = f"POST http://127.0.0.1:{port}/b?q HTTP/1.0\r\nContent-Length: 5\r\n\r\n".encode()
        assert (await world.raw(start + b"helloGET /smuggled HTTP/1.1\r\n\r\n")).endswith(b"\r\n\r\nPOST /b?q hello")
        start = f"PUT http://127.0.0.1:{port}/c HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        two = await world.raw(start.encode() + b"3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n")
        assert two.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK") and b"PUT /c abcde" in two

    world = run(work)
    assert [(s.method, s.target, s.body) for s in world.plain.requests] == [
        ("GET", "/a", b""),
        ("POST", "/b?q", b"hello"),
        ("PUT", "/c", b"abcde"),
    ]
    assert world.plain.requests[0].headers["x-own"] == "1"
    assert [note.split(" up=")[0].split(":", 2)[0] for note in world.notes] == ["GET http", "POST http", "PUT http"]


def test_https_by_absolute_url_is_judged_whole() -> None:
    """An https URL given to the proxy is judged with its method and path; TLS is the broker's own, and verified."""

    async def work(world: World) -> None:
        found = await world.raw(f"DELETE https://{HOST}:{world.tls.port}/x HTTP/1.1\r\n\r\n".encode())
        assert b"DELETE /x" in found

    world = run(work)
    assert world.asked == [("DELETE", f"https://{HOST}:{world.tls.port}/x")]
    assert world.names == [HOST]


def test_a_refusal_says_why() -> None:
    """What is not admitted is a 403 with code and hint, a broken head a 400; neither reaches a server."""

    async def work(world: World) -> None:
        found = await world.raw(b"GET http://forbidden.test/ HTTP/1.1\r\n\r\n")
        assert found.startswith(b"HTTP/1.1 403 ") and b"not_granted: GET is not covered\nGrant it" in found
        assert (await world.raw(b"CONNECT forbidden.test:443 HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 403 ")
        assert (await world.raw(b"GET nowhere HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        chunks = f"POST http://127.0.0.1:{world.plain.port}/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        assert (await world.raw(chunks.encode())).startswith(b"HTTP/1.1 400 ")

    world = run(work)
    assert (world.plain.connections, world.tls.connections) == (0, 0)
    assert all(note.startswith("refused: ") for note in world.notes) and len(world.notes) == 4


def test_a_tunnel_carries_tls_for_its_host() -> None:
    """A client that asks for the host of CONNECT talks to it, end to end; bytes are counted for the journal."""

    async def work(world: World) -> None:
        reader, writer = await world.tunnel(HOST)
        writer.write(f"GET /t HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        async with asyncio.timeout(5):
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(7) == b"GET /t "
        writer.close()
        while not world.notes:
            await asyncio.sleep(0.01)

    world = run(work)
    assert world.asked == [("CONNECT", f"https://{HOST}:{world.tls.port}/")]
    assert world.notes[0].startswith(f"CONNECT {HOST}:{world.tls.port} up=")
    assert world.names == [HOST]


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\3\1\0\2\2\0", b"\0" * 64])
def test_a_tunnel_carries_nothing_but_tls(first: bytes) -> None:
    """What is no ClientHello is answered with an alert; not one byte of it reaches the server."""

    async def work(world: World) -> None:
        start = f"CONNECT {HOST}:{world.plain.port} HTTP/1.1\r\n\r\n".encode()
        found = await world.raw(start + first)
        assert found.endswith(bytes((21, 3, 1, 0, 2, 2, 112)))

    world = run(work)
    assert world.plain.requests == []
    assert world.notes[0].startswith(f"refused CONNECT {HOST}: not a TLS ClientHello")


def test_the_caps_hold() -> None:
    """Bytes, connections, exchanges and the size of a body are bounded for all connections together."""

    async def big(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"x" * 50_000)

    async def work(world: World) -> None:
        url = f"http://127.0.0.1:{world.plain.port}/"
        assert len(await world.raw(f"GET {url} HTTP/1.1\r\n\r\n".encode())) > 50_000
        cut = await world.raw(f"GET {url} HTTP/1.1\r\n\r\n".encode())
        assert not cut.endswith(b"0\r\n\r\n") and len(cut) < 50_000
        long = f"POST {url} HTTP/1.1\r\nContent-Length: 2000\r\n\r\n".encode()
        assert (await world.raw(long)).startswith(b"HTTP/1.1 429 ")
        assert (await world.raw(f"GET {url} HTTP/1.1\r\n\r\n".encode())).startswith(b"HTTP/1.1 429 ")

    world = run(work, BrokerLimits(max_bytes=80_000, max_body_bytes=1000, exchanges=3), big)
    assert any(note.startswith("cut http://") for note in world.notes)


def test_silence_ends_a_tunnel() -> None:
    """A tunnel on which neither side says anything is closed."""

    async def work(world: World) -> None:
        reader, _ = await world.tunnel(HOST)
        async with asyncio.timeout(5):
            assert await reader.read() == b""

    assert run(work, BrokerLimits(idle_s=0.2)).notes


def test_leaving_closes_everything() -> None:
    """When the sandbox has ended, open connections are cut on both sides, and the socket and its folder are gone."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = await World(stack).open()
            _, tunnel = await world.tunnel(HOST)
            waiting, writer = await asyncio.open_unix_connection(world.path)
            writer.write(b"GET /")
            await asyncio.sleep(0.05)  # it is accepted
            folder = os.path.dirname(world.path)
            assert os.stat(folder).st_mode & 0o777 == 0o700
            await world.broker.__aexit__(None, None, None)
            async with asyncio.timeout(5):
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await waiting.readexactly(1)
                while world.tls.open:
                    await asyncio.sleep(0.01)
            assert not os.path.exists(folder)
            tunnel.close()
            writer.close()
            world.stack.pop_all()  # the broker was left above
            await world.plain.__aexit__()
            await world.tls.__aexit__()

    asyncio.run(main())


def test_a_host_without_a_connection_is_a_502() -> None:
    """When no judged address answers, the program is told; a name that leads inside is refused like any other."""

    async def work(world: World) -> None:
        world.answers = ["127.0.0.1"]
        refused = await world.raw(b"CONNECT inside.test:443 HTTP/1.1\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 403 ") and b"address_denied" in refused
        free = world.plain.port
        await world.plain.__aexit__()
        gone = await world.raw(f"CONNECT {HOST}:{free} HTTP/1.1\r\n\r\n".encode())
        assert gone.startswith(b"HTTP/1.1 502 ") and b"network_failed" in gone

    assert len(run(work).notes) == 2
