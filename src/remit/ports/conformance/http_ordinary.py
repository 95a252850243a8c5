"""HTTP suite: what a transport does when all goes well."""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from remit.errors import Invalid
from remit.ports.conformance.http_harness import SOON_S, Factory, expect_answer, request_of, run_with, saying
from remit.ports.conformance.http_server import LocalServer, Peer, Seen
from remit.ports.http import HttpClient, HttpReply, HttpRequest

# -- the ordinary


async def check_request_arrives_as_given(make: Factory) -> None:
    """Method, target, headers and body arrive as given, and the reply is whole."""

    async def script(peer: Peer, _: Seen) -> None:
        await peer.answer(b'{"a":1}', "Content-Type: application/json", "X-Two: 1", "X-Two: 2")

    async def use(client: HttpClient, server: LocalServer) -> None:
        request = request_of(server, "/v1/x?q=a%20b", "POST", headers=(("X-Key", "k 1"),), body=b'{"b":2}')
        reply = await client.fetch(request)
        headers = {"content-length": "7", "content-type": "application/json", "x-two": "1, 2"}
        assert reply == HttpReply(200, headers, b'{"a":1}'), reply
        seen = server.requests[0]
        assert (seen.method, seen.target, seen.body) == ("POST", "/v1/x?q=a%20b", b'{"b":2}'), seen
        wanted = {"host": f"127.0.0.1:{server.port}", "x-key": "k 1", "accept-encoding": "identity"}
        assert wanted.items() <= seen.headers.items(), seen.headers

    await run_with(make, script, use)


async def check_connection_is_reused(make: Factory) -> None:
    """Ten calls one after another, whole and streamed, use one connection."""

    async def use(client: HttpClient, server: LocalServer) -> None:
        for _ in range(5):
            await client.fetch(request_of(server, method="POST", body=b"x"))
            async with client.stream(request_of(server)) as answer:
                await answer.read()
        assert server.connections == 1, server.connections

    await run_with(make, lambda peer, _: peer.answer(), use)


async def check_no_reuse_after_close(make: Factory) -> None:
    """`Connection: close` is obeyed."""

    async def use(client: HttpClient, server: LocalServer) -> None:
        for _ in range(3):
            assert (await client.fetch(request_of(server))).body == b"ok"
        assert server.connections == 3, server.connections

    await run_with(make, lambda peer, _: peer.answer(b"ok", "connection: close"), use)


async def check_chunked(make: Factory) -> None:
    """A chunked body is joined; trailers are not headers."""
    script = saying(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"6;x=1\r\n world\r\n0\r\nx-late: 1\r\n\r\n",
    )
    await expect_answer(make, script, HttpReply(200, {"transfer-encoding": "chunked"}, b"hello world"))


async def check_until_close(make: Factory) -> None:
    """A body without length ends with the connection."""
    script = saying(b"HTTP/1.1 200 OK\r\n\r\nhello", b" world", then_close=True)
    await expect_answer(make, script, HttpReply(200, {}, b"hello world"))


async def check_bodiless_answers(make: Factory) -> None:
    """HEAD, 204 and 304 have no body whatever their headers say, and the next answer is read right."""

    async def script(peer: Peer, seen: Seen) -> None:
        if seen.method == "HEAD":
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        elif seen.target == "/304":
            await peer.send(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n")
        elif seen.target == "/204":
            await peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        else:
            await peer.answer(b"after")

    async def use(client: HttpClient, server: LocalServer) -> None:
        cases = [("/", "HEAD", 200, {"content-length": "5"}), ("/304", "GET", 304, {"content-length": "5"})]
        for path, method, status, headers in [*cases, ("/204", "GET", 204, {})]:
            assert await client.fetch(request_of(server, path, method)) == HttpReply(status, headers, b"")
            assert (await client.fetch(request_of(server))).body == b"after"

    await run_with(make, script, use)


async def check_interim_answers(make: Factory) -> None:
    """1xx answers are passed over, and their headers are not the answer's."""
    script = saying(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    )
    await expect_answer(make, script, HttpReply(200, {"content-length": "2"}, b"ok"))


async def check_redirect_is_returned(make: Factory) -> None:
    """A redirect is an answer like any other: one request, the 302 returned."""

    async def use(client: HttpClient, server: LocalServer) -> None:
        reply = await client.fetch(request_of(server))
        assert (reply.status, reply.headers["location"]) == (302, "/elsewhere"), reply
        assert len(server.requests) == 1, server.requests

    await run_with(make, lambda peer, _: peer.answer(b"", "location: /elsewhere", status="302 Found"), use)


async def check_no_cookies(make: Factory) -> None:
    """A cookie that a server sets is never sent back."""

    async def use(client: HttpClient, server: LocalServer) -> None:
        for _ in range(2):
            await client.fetch(request_of(server))
        assert "cookie" not in server.requests[1].headers

    await run_with(make, lambda peer, _: peer.answer(b"ok", "set-cookie: a=b; path=/"), use)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


async def check_proxy_environment_is_ignored(make: Factory) -> None:
    """Proxy variables change nothing: the request goes straight to the server."""
    proxies = {name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")}

    async def use(client: HttpClient, server: LocalServer) -> None:
        assert (await client.fetch(request_of(server))).body == b"ok"

    with _environment(**proxies, NO_PROXY="", no_proxy=""):
        await run_with(make, lambda peer, _: peer.answer(), use)


async def check_address_is_pinned(make: Factory) -> None:
    """It connects to `address` whatever the URL's host would resolve to; without an address it refuses."""

    async def use(client: HttpClient, server: LocalServer) -> None:
        request = request_of(server, host="model.invalid")
        assert (await client.fetch(request)).body == b"ok"
        assert server.requests[0].headers["host"] == f"model.invalid:{server.port}"
        for address in ("", "localhost"):
            try:
                await client.fetch(replace(request, address=address))
            except Invalid as error:
                assert error.code == "value_invalid"
            else:
                raise AssertionError(f"the address {address!r} was taken")
        assert server.connections == 1, "an address that is none was connected to"

    await run_with(make, lambda peer, _: peer.answer(), use)


async def check_headers_cannot_be_injected(make: Factory) -> None:
    """A header that ends a line or takes over framing or host is refused before anything is sent."""

    async def use(client: HttpClient, server: LocalServer) -> None:
        bad = [("x", "a\r\nb: c"), ("x\r\ny", "a"), ("x", "a\0"), ("Host", "other"), ("Content-Length", "0")]
        for header in [*bad, ("Transfer-Encoding", "chunked"), ("", "a"), ("x y", "a"), ("x", "é")]:
            try:
                await client.fetch(request_of(server, headers=(header,)))
            except Invalid as error:
                assert error.code == "value_invalid"
            else:
                raise AssertionError(f"the header {header!r} was sent")
        assert server.requests == []

    await run_with(make, lambda peer, _: peer.answer(), use)


async def check_many_at_once(make: Factory) -> None:
    """Two hundred calls at once each get their own answer."""

    async def script(peer: Peer, seen: Seen) -> None:
        await asyncio.sleep(0.01)
        await peer.answer(seen.target.encode() + seen.body)

    async def use(client: HttpClient, server: LocalServer) -> None:
        async def call(number: int) -> bytes:
            request = request_of(server, f"/{number}", "POST", body=b"b%d" % number)
            return (await client.fetch(request)).body

        got = await asyncio.gather(*(call(number) for number in range(200)))
        assert got == [b"/%db%d" % (number, number) for number in range(200)]

    await run_with(make, script, use)


async def check_large_upload(make: Factory) -> None:
    """A body of several megabytes arrives whole."""

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"%d %d" % (len(seen.body), zlib.crc32(seen.body)))

    async def use(client: HttpClient, server: LocalServer) -> None:
        body = bytes(range(256)) * 16384
        reply = await client.fetch(request_of(server, method="POST", body=body))
        assert reply.body == b"%d %d" % (len(body), zlib.crc32(body))

    await run_with(make, script, use)


async def check_loops_do_not_share(make: Factory) -> None:
    """A client that is used from a second event loop opens a connection there."""

    async def use(client: HttpClient, server: LocalServer) -> None:
        request = request_of(server)
        await client.fetch(request)
        for _ in range(2):
            assert (await asyncio.to_thread(lambda: asyncio.run(_fetch_and_close(client, request)))).body == b"ok"

    await run_with(make, lambda peer, _: peer.answer(), use)


async def _fetch_and_close(client: HttpClient, request: HttpRequest) -> HttpReply:
    try:
        async with asyncio.timeout(5 * SOON_S):  # a wake-up that went to the other loop would never come
            return await client.fetch(request)
    finally:
        await client.aclose()


# -- streams


async def check_first_chunk_at_once(make: Factory) -> None:
    """The first piece is handed out while the server still holds back the rest."""
    release = asyncio.Event()

    async def script(peer: Peer, _: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await release.wait()
        await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")

    async def use(client: HttpClient, server: LocalServer) -> None:
        async with client.stream(request_of(server)) as answer:
            assert (answer.status, answer.headers) == (200, {"transfer-encoding": "chunked"})
            chunks = answer.chunks()
            assert await asyncio.wait_for(anext(chunks), SOON_S) == b"one"
            release.set()
            assert [piece async for piece in chunks] == [b"two"]

    await run_with(make, script, use)


async def check_slow_reader_slows_the_server(make: Factory) -> None:
    """Bytes that nobody reads stay with the server: memory does not grow with the answer."""
    total, sent = 64 * 1024 * 1024, 0
    piece = b"10000\r\n" + bytes(65536) + b"\r\n"

    async def script(peer: Peer, _: Seen) -> None:
        nonlocal sent
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while sent < total:
            await peer.send(piece)
            sent += 65536
        await peer.send(b"0\r\n\r\n")

    async def use(client: HttpClient, server: LocalServer) -> None:
        async with client.stream(request_of(server, max_bytes=total)) as answer:
            chunks = answer.chunks()
            got = len(await anext(chunks))
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.2)
            assert sent < total // 2, f"{sent} bytes were taken from the server"
            async for chunk in chunks:
                got += len(chunk)
            assert got == total, got

    await run_with(make, script, use)
