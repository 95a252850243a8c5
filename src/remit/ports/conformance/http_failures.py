"""HTTP suite: servers that fail, lie or stall, calls that are left early, connections that die."""

from __future__ import annotations

import asyncio
import gzip
import zlib

from remit.errors import Exhausted, Unavailable
from remit.ports.conformance.http_harness import (
    NEVER_S,
    SOON_S,
    Factory,
    expect_answer,
    expect_failure,
    request_of,
    run_with,
    saying,
)
from remit.ports.conformance.http_server import LocalServer, Peer, Seen
from remit.ports.http import HttpClient, HttpReply

# -- what goes wrong


async def check_refused_connection(make: Factory) -> None:
    """A closed port raises network_failed, in the phase of connecting."""
    client = make()
    async with LocalServer(lambda peer, _: peer.answer()) as server:
        request = request_of(server)
    try:
        await client.fetch(request)
    except Unavailable as error:
        assert (error.code, error.details.get("phase")) == ("network_failed", "connect"), error
    else:
        raise AssertionError("a closed port answered")
    finally:
        await client.aclose()


async def check_cut_answers(make: Factory) -> None:
    """An answer that ends early raises network_failed, wherever it was cut and however."""
    cuts = [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ]
    for cut in cuts:
        await expect_failure(make, saying(cut, then_close=True), Unavailable, "network_failed")
        await expect_failure(make, saying(cut, then_reset=True), Unavailable, "network_failed")


async def check_pieces_before_a_cut(make: Factory) -> None:
    """What arrived before a reset is handed out, then network_failed is raised."""
    script = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345", then_close=True, pause_s=0.05)

    async def use(client: HttpClient, server: LocalServer) -> None:
        got = b""
        try:
            async with client.stream(request_of(server)) as answer:
                async for piece in answer.chunks():
                    got += piece
        except Unavailable as error:
            assert error.code == "network_failed"
        else:
            raise AssertionError("a cut answer was whole")
        assert got == b"12345", got

    await run_with(make, script, use)


async def check_not_http(make: Factory) -> None:
    """Bytes that are not HTTP raise network_failed."""
    for text in (b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", b"\0" * 100):
        await expect_failure(make, saying(text, then_close=True), Unavailable, "network_failed")


async def check_deadlines(make: Factory) -> None:
    """A slow first byte, a slow next byte and a slow whole raise deadline_exceeded with their phase."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"

    async def silent(peer: Peer, _: Seen) -> None:
        await peer.gone()

    async def stuck(peer: Peer, _: Seen) -> None:
        await peer.send(head + b"x")
        await peer.gone()

    kind, code = Exhausted, "deadline_exceeded"
    await expect_failure(make, silent, kind, code, "first_byte", first_byte_s=0.1, connect_s=0.1)
    await expect_failure(make, stuck, kind, code, "idle", idle_s=0.1)
    await expect_failure(make, silent, kind, code, "total", total_s=0.1)
    await expect_failure(make, stuck, kind, code, "total", total_s=0.1)
    await expect_failure(make, saying(head, *[b"x"] * 50, pause_s=0.05), kind, code, "total", total_s=0.5, idle_s=1.0)


async def check_slow_but_within_idle(make: Factory) -> None:
    """Pauses shorter than idle_s add up without harm."""
    pieces = [b"%d" % number for number in range(6)]
    script = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n", *pieces, pause_s=0.1)
    await expect_answer(make, script, HttpReply(200, {"content-length": "6"}, b"012345"), idle_s=0.5, first_byte_s=0.5)


async def check_head_is_bounded(make: Factory) -> None:
    """An answer's head of a megabyte, of a thousand headers or without end raises network_failed."""

    async def endless(peer: Peer, _: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nx: ")
        while True:
            await peer.send(b"a" * 65536)

    many = b"".join(b"x-%d: a\r\n" % number for number in range(1000))
    for head in (b"x: " + b"a" * 1_000_000 + b"\r\n", many):
        script = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + head + b"\r\n")
        await expect_failure(make, script, Unavailable, "network_failed")
    await expect_failure(make, endless, Unavailable, "network_failed")


async def check_body_is_bounded(make: Factory) -> None:
    """A body beyond max_bytes raises output_too_large: declared, chunked, or until the close."""

    async def endless(peer: Peer, _: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.send(b"a" * 65536)

    large = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1000\r\n" + b"a" * 4096 + b"\r\n"
    for script in (saying(b"HTTP/1.1 200 OK\r\ncontent-length: 5000000000\r\n\r\n"), saying(large), endless):
        await expect_failure(make, script, Exhausted, "output_too_large", max_bytes=1000)


async def check_compressed_answers(make: Factory) -> None:
    """gzip and deflate are decoded though not asked for; headers that became untrue are gone."""
    text = b"hello " * 1000
    bare = zlib.compressobj(wbits=-15)
    codings = [("gzip", gzip.compress(text)), ("deflate", zlib.compress(text))]
    codings += [("deflate", bare.compress(text) + bare.flush()), ("gzip", gzip.compress(b"hello ") * 1000)]
    for coding, body in codings[:3]:
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\ncontent-encoding: {coding}\r\n\r\n".encode()
        await expect_answer(make, saying(head + body), HttpReply(200, {}, text))
    body = gzip.compress(text)
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\ncontent-encoding: gzip\r\n\r\n"
    await expect_failure(make, saying(head % 40 + body[:40]), Unavailable, "network_failed")
    await expect_failure(make, saying(head % 4 + b"oops"), Unavailable, "network_failed")
    unknown = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-encoding: zstd, gzip\r\n\r\nok"
    await expect_failure(make, saying(unknown), Unavailable, "network_failed")


async def check_gzip_bomb(make: Factory) -> None:
    """A small compressed body that decodes to more than max_bytes raises output_too_large."""
    bomb = gzip.compress(bytes(20_000_000))
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\ncontent-encoding: gzip\r\n\r\n" % len(bomb)
    await expect_failure(make, saying(head + bomb), Exhausted, "output_too_large", max_bytes=1_000_000)


# -- leaving early


async def check_cancelling_closes(make: Factory) -> None:
    """A cancelled call closes its socket at once, before the first byte and in the middle of a body."""
    for start in (b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx"):
        arrived, gone = asyncio.Event(), asyncio.Event()

        async def script(
            peer: Peer, _: Seen, start: bytes = start, arrived: asyncio.Event = arrived, gone: asyncio.Event = gone
        ) -> None:
            if start:
                await peer.send(start)
            arrived.set()
            await peer.gone()
            gone.set()

        async def use(
            client: HttpClient, server: LocalServer, arrived: asyncio.Event = arrived, gone: asyncio.Event = gone
        ) -> None:
            call = asyncio.ensure_future(client.fetch(request_of(server)))
            await arrived.wait()
            await asyncio.sleep(0.05)
            call.cancel()
            await asyncio.wait_for(gone.wait(), SOON_S)
            try:
                await call
            except asyncio.CancelledError:
                return
            raise AssertionError("a cancelled call returned")

        await run_with(make, script, use)


async def check_leaving_a_stream_closes(make: Factory) -> None:
    """Leaving the block of a stream early, by break or by error, closes its socket at once."""
    for leave_by_error in (False, True):
        gone = asyncio.Event()

        async def script(peer: Peer, _: Seen, gone: asyncio.Event = gone) -> None:
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx")
            await peer.gone()
            gone.set()

        async def use(
            client: HttpClient, server: LocalServer, gone: asyncio.Event = gone, fail: bool = leave_by_error
        ) -> None:
            try:
                async with client.stream(request_of(server)) as answer:
                    await anext(answer.chunks())
                    if fail:
                        raise KeyError("mine")
            except KeyError:
                assert fail
            await asyncio.wait_for(gone.wait(), SOON_S)

        await run_with(make, script, use)


async def check_closing_the_client_closes(make: Factory) -> None:
    """`aclose` closes what is kept open."""
    client = make()
    async with LocalServer(lambda peer, _: peer.answer()) as server, asyncio.timeout(NEVER_S):
        await asyncio.gather(*(client.fetch(request_of(server)) for _ in range(3)))
        await client.aclose()
        while server.open:
            await asyncio.sleep(0.01)


# -- kept connections that die


async def check_stale_connection(make: Factory) -> None:
    """A kept connection that the server has closed meanwhile costs no call, POST or GET."""

    async def script(peer: Peer, _: Seen) -> None:
        await peer.answer()
        peer.close()

    async def use(client: HttpClient, server: LocalServer) -> None:
        for method in ("POST", "GET", "POST", "POST", "GET"):
            assert (await client.fetch(request_of(server, method=method))).body == b"ok"
            while server.open:
                await asyncio.sleep(0.01)
        assert len(server.requests) == 5, server.requests

    await run_with(make, script, use)


async def check_post_is_not_repeated(make: Factory) -> None:
    """A POST whose connection dies after it was sent is never sent again."""

    async def script(peer: Peer, seen: Seen) -> None:
        if seen.target == "/first":
            await peer.answer()
        else:
            peer.close()

    async def use(client: HttpClient, server: LocalServer) -> None:
        await client.fetch(request_of(server, "/first"))
        try:
            await client.fetch(request_of(server, "/second", "POST", body=b"x"))
        except Unavailable as error:
            assert (error.code, error.retryable) == ("network_failed", True)
        else:
            raise AssertionError("a POST without an answer succeeded")
        assert [seen.target for seen in server.requests] == ["/first", "/second"]

    await run_with(make, script, use)
