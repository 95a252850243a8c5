"""HTTP suite: TLS, and the strictness that a default transport needs beyond being correct."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from remit.errors import Exhausted, RemitError, Unavailable
from remit.ports.conformance.http_harness import (
    NEVER_S,
    SOON_S,
    Factory,
    expect_failure,
    request_of,
    run_with,
    saying,
)
from remit.ports.conformance.http_server import Authority, LocalServer, Peer, Seen
from remit.ports.http import HttpClient, HttpReply, HttpRequest

# -- TLS


async def _tls(make: Factory, trusted: bool, proves: str, asks: str) -> tuple[HttpReply | None, list[str | None], int]:
    ours, names = Authority(), list[str | None]()
    client = make(ca_pem=ours.pem if trusted else Authority().pem)
    try:
        context = ours.server_context(proves, names)
        async with LocalServer(lambda peer, _: peer.answer(), context) as server, asyncio.timeout(NEVER_S):
            try:
                reply = await client.fetch(request_of(server, host=asks))
            except Unavailable as error:
                assert (error.code, error.retryable) == ("network_failed", False), error
                reply = None
            return reply, names, len(server.requests)
    finally:
        await client.aclose()


async def check_tls_proves_the_host(make: Factory) -> None:
    """TLS asks for and verifies the URL's host, though it connects to a pinned address."""
    reply, names, _ = await _tls(make, True, "model.invalid", "model.invalid")
    assert reply is not None and reply.body == b"ok"
    assert names == ["model.invalid"], names


async def check_tls_wrong_host_is_refused(make: Factory) -> None:
    """A certificate for another host is refused before a byte of the request is sent."""
    reply, _, requests = await _tls(make, True, "model.invalid", "other.invalid")
    assert (reply, requests) == (None, 0)


async def check_tls_unknown_authority_is_refused(make: Factory) -> None:
    """A certificate of an authority that is not trusted is refused before a byte of the request is sent."""
    reply, _, requests = await _tls(make, False, "model.invalid", "model.invalid")
    assert (reply, requests) == (None, 0)


async def check_tls_is_not_shared_between_hosts(make: Factory) -> None:
    """A connection that proved one host never carries a request for another on the same address."""
    ours, names = Authority(), list[str | None]()
    client = make(ca_pem=ours.pem)
    try:
        context = ours.server_context("model.invalid", names)
        async with LocalServer(lambda peer, _: peer.answer(), context) as server, asyncio.timeout(NEVER_S):
            assert (await client.fetch(request_of(server, host="model.invalid"))).body == b"ok"
            try:
                await client.fetch(request_of(server, host="other.invalid"))
            except Unavailable as error:
                assert error.code == "network_failed"
            else:
                raise AssertionError("the other host was answered")
            assert [seen.headers["host"] for seen in server.requests] == [f"model.invalid:{server.port}"]
    finally:
        await client.aclose()


# -- strictness: what only a default transport must refuse


async def check_two_lengths_are_refused(make: Factory) -> None:
    """Content-Length beside Transfer-Encoding, twice, or malformed: network_failed (RFC 9112 6.3)."""
    chunked = b"2\r\nok\r\n0\r\n\r\n"
    heads = [
        (b"content-length: 2\r\ntransfer-encoding: chunked", chunked),
        (b"transfer-encoding: chunked\r\ncontent-length: 2", chunked),
        (b"transfer-encoding: gzip, chunked", chunked),
        (b"transfer-encoding: chunked, identity", chunked),
        (b"transfer-encoding: identity", b"ok"),
        (b"content-length: 2\r\ncontent-length: 3", b"ok"),
        (b"content-length: 2\r\ncontent-length: 2", b"ok"),
        (b"content-length: 2, 2", b"ok"),
        (b"content-length: +2", b"ok"),
        (b"content-length: 0x2", b"ok"),
        (b"content-length: -2", b"ok"),
        (b"content-length : 2", b"ok"),
        (b"content-length: 99999999999999999999999", b"ok"),
    ]
    for head, body in heads:
        text = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body
        kind: type[RemitError] = Exhausted if b"9999" in head else Unavailable
        code = "output_too_large" if b"9999" in head else "network_failed"
        try:
            await expect_failure(make, saying(text, then_close=True), kind, code)
        except RemitError:  # the same refusal under the family's other name is a refusal too
            await expect_failure(make, saying(text, then_close=True), Unavailable, "network_failed")
        except AssertionError as error:
            raise AssertionError(f"{head!r}: {error}") from None


async def check_surplus_bytes_answer_nothing(make: Factory) -> None:
    """Bytes beyond an answer, with it or after it, never become the answer to the next request."""
    extra = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"

    for pause_s in (0.0, 0.05):

        async def script(peer: Peer, _: Seen, pause_s: float = pause_s) -> None:
            good = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood"
            if pause_s:
                await peer.send(good)
                await asyncio.sleep(pause_s)
                await peer.send(extra)
            else:
                await peer.send(good + extra)

        async def use(client: HttpClient, server: LocalServer, pause_s: float = pause_s) -> None:
            for _ in range(3):
                assert (await client.fetch(request_of(server, method="POST"))).body == b"good"
                await asyncio.sleep(pause_s * 3)
            assert server.connections == 3, server.connections

        await run_with(make, script, use)


async def check_interim_answers_are_bounded(make: Factory) -> None:
    """A server that sends 1xx answers for ever raises network_failed; so does a switch of protocols."""

    async def endless(peer: Peer, _: Seen) -> None:
        while True:
            await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            await asyncio.sleep(0)

    await expect_failure(make, endless, Unavailable, "network_failed", total_s=3.0)
    switch = saying(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
    await expect_failure(make, switch, Unavailable, "network_failed")


async def check_framing_is_bounded(make: Factory) -> None:
    """Chunk extensions and trailers without end raise network_failed."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

    for start in (b"2;x=", b"0\r\nx: "):

        async def script(peer: Peer, _: Seen, start: bytes = start) -> None:
            await peer.send(head + start)
            while True:
                await peer.send(b"a" * 65536)

        await expect_failure(make, script, Unavailable, "network_failed", total_s=5.0)


async def check_tls_handshake_has_a_deadline(make: Factory) -> None:
    """A server that accepts and never shakes hands raises deadline_exceeded in the phase of connecting."""

    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read(-1)
        writer.close()
        gone.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = make()
    try:
        await client.fetch(
            HttpRequest("GET", f"https://model.invalid:{port}/", address="127.0.0.1", connect_s=0.2, first_byte_s=0.2)
        )
    except Exhausted as error:
        assert (error.code, error.details["phase"]) == ("deadline_exceeded", "connect"), error.details
    else:
        raise AssertionError("a silent server answered")
    finally:
        await client.aclose()
        await asyncio.wait_for(gone.wait(), SOON_S)
        server.close()
