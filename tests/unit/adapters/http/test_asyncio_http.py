"""asyncio_http: the pool, its waiting line, and what only this transport promises."""

from __future__ import annotations

import asyncio
import gc
import ssl
from typing import Any

import pytest

from remit.adapters.http.asyncio_http import AsyncioHttp
from remit.errors import Denied, Exhausted, Invalid, RemitError, Unavailable
from remit.ports.conformance.http_server import Authority, LocalServer, Peer, Seen
from remit.ports.http import HttpRequest


def request_to(server: LocalServer, path: str = "/", method: str = "GET", **fields: object) -> HttpRequest:
    return HttpRequest(method, server.url(path), address="127.0.0.1", **fields)  # type: ignore[arg-type]


async def slow(peer: Peer, seen: Seen) -> None:
    await asyncio.sleep(0.02)
    await peer.answer(seen.target.encode())


def test_limit_bounds_connections() -> None:
    """Fifty calls through a limit of three use three connections, and all are answered."""

    async def main() -> None:
        client = AsyncioHttp(limit=3)
        async with LocalServer(slow) as server:
            replies = await asyncio.gather(*(client.fetch(request_to(server, f"/{n}")) for n in range(50)))
            assert [reply.body for reply in replies] == [b"/%d" % n for n in range(50)]
            assert server.connections == 3
            await client.aclose()

    asyncio.run(main())


def test_a_crowd_is_written_together_and_a_call_given_up_before_is_never_sent() -> None:
    """Of thirty calls on warm connections, those cancelled in the turn in which they began never reach the server."""

    async def main() -> None:
        client = AsyncioHttp()
        seen: list[str] = []

        async def note(peer: Peer, request: Seen) -> None:
            seen.append(request.target)
            await slow(peer, request)

        async with LocalServer(note) as server:
            await asyncio.gather(*(client.fetch(request_to(server, "/warm")) for _ in range(30)))
            seen.clear()
            calls = [asyncio.ensure_future(client.fetch(request_to(server, f"/{n}"))) for n in range(30)]
            # Called in the turn in which the calls begin, and before that turn's requests are written.
            asyncio.get_running_loop().call_soon(lambda: [call.cancel() for call in calls[20:]])
            done = await asyncio.gather(*calls, return_exceptions=True)
            assert [reply.body for reply in done[:20]] == [b"/%d" % n for n in range(20)]  # type: ignore[union-attr]
            assert all(isinstance(found, asyncio.CancelledError) for found in done[20:])
            assert sorted(seen, key=lambda target: int(target[1:])) == [f"/{n}" for n in range(20)]
            await client.aclose()

    asyncio.run(main())


def test_full_pool_serves_another_host() -> None:
    """With every place taken by idle connections to one server, another server is still reached, and so on."""

    async def main() -> None:
        client = AsyncioHttp(limit=2)
        async with LocalServer(slow) as one, LocalServer(slow) as two:
            for server in (one, two, one, two):
                await asyncio.gather(*(client.fetch(request_to(server)) for _ in range(4)))
            calls = [client.fetch(request_to(server)) for server in (one, two) * 5]
            assert len(await asyncio.gather(*calls)) == 10
            await client.aclose()

    asyncio.run(main())


def test_cancelled_waiters_lose_no_place() -> None:
    """Calls that are cancelled while they wait, also in the moment of being served, leave the pool whole."""

    async def main() -> None:
        client = AsyncioHttp(limit=2)
        async with LocalServer(slow) as server:
            for rest_s in (0.0, 0.02, 0.0201, 0.03):
                calls = [asyncio.ensure_future(client.fetch(request_to(server))) for _ in range(12)]
                await asyncio.sleep(rest_s)
                for call in calls[::2]:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)
            async with asyncio.timeout(5):
                assert len(await asyncio.gather(*(client.fetch(request_to(server)) for _ in range(6)))) == 6
            await client.aclose()

    asyncio.run(main())


def test_failed_connections_give_their_place_back() -> None:
    """Refused connections and failed handshakes do not use up the limit."""

    async def main() -> None:
        client = AsyncioHttp(limit=1, ca_pem=Authority().pem)
        async with LocalServer(slow) as server:
            dead = request_to(server)
        for _ in range(3):
            with pytest.raises(Unavailable):
                await client.fetch(dead)
        context = Authority().server_context("model.invalid", [])
        async with LocalServer(slow, context) as server:
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await client.fetch(request_to(server))
        async with LocalServer(slow) as server, asyncio.timeout(5):
            assert (await client.fetch(request_to(server))).status == 200
        await client.aclose()

    asyncio.run(main())


def test_waiting_counts_towards_the_total() -> None:
    """A call that gets no place within total_s raises deadline_exceeded, phase total."""

    async def silent(peer: Peer, _: Seen) -> None:
        await peer.gone()

    async def main() -> None:
        client = AsyncioHttp(limit=1)
        async with LocalServer(silent) as server:
            first = asyncio.ensure_future(client.fetch(request_to(server)))
            await asyncio.sleep(0.02)
            with pytest.raises(Exhausted) as caught:
                await client.fetch(request_to(server, total_s=0.05))
            assert caught.value.details == {"phase": "total"}
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await client.aclose()

    asyncio.run(main())


def test_get_is_repeated_once() -> None:
    """A GET on a kept connection that dies without a byte is sent once more, on a fresh one, and not twice."""

    server: LocalServer

    async def script(peer: Peer, seen: Seen) -> None:
        if seen.target == "/first" or (seen.target == "/flaky" and len(server.requests) > 2):
            await peer.answer(b"well")
        else:
            peer.close()

    async def main() -> None:
        nonlocal server
        client = AsyncioHttp()
        async with LocalServer(script) as server:
            await client.fetch(request_to(server, "/first"))
            assert (await client.fetch(request_to(server, "/flaky"))).body == b"well"
            with pytest.raises(Unavailable):
                await client.fetch(request_to(server, "/never"))
            assert [seen.target for seen in server.requests] == ["/first", "/flaky", "/flaky", "/never", "/never"]
            with pytest.raises(Unavailable):
                await client.fetch(request_to(server, "/never"))
            assert len(server.requests) == 6, "a fresh connection that dies is not tried again"
            await client.aclose()

    asyncio.run(main())


def test_no_get_is_repeated_after_a_byte() -> None:
    """Once a byte of the answer came, nothing is sent again."""

    async def script(peer: Peer, seen: Seen) -> None:
        if seen.target == "/first":
            await peer.answer()
        else:
            await peer.send(b"HTTP/1.1 2")
            await asyncio.sleep(0.02)
            peer.close()

    async def main() -> None:
        client = AsyncioHttp()
        async with LocalServer(script) as server:
            await client.fetch(request_to(server, "/first"))
            with pytest.raises(Unavailable):
                await client.fetch(request_to(server, "/second"))
            assert len(server.requests) == 2
            await client.aclose()

    asyncio.run(main())


def test_idle_connections_expire() -> None:
    """An unused connection is closed after keepalive_s, although its timer was set for a longer deadline."""

    async def main() -> None:
        client = AsyncioHttp(keepalive_s=0.05)
        async with LocalServer(slow) as server:
            await client.fetch(request_to(server, first_byte_s=0.1))
            async with asyncio.timeout(5):
                while server.open:
                    await asyncio.sleep(0.01)
            assert len(server.requests) == 1
            await client.aclose()

    asyncio.run(main())


def test_a_loop_that_ends_closes_its_connections() -> None:
    """Without aclose(), asyncio.run() leaves no open socket behind, and the next loop starts afresh."""
    client = AsyncioHttp()

    async def main() -> int:
        async with LocalServer(slow) as server:
            await client.fetch(request_to(server, first_byte_s=5.0))
            (pool,) = [p for p in client._pools.values() if p.loop is asyncio.get_running_loop()]
            pools.append(pool)
            return len(pool._open)

    pools: list[Any] = []
    for _ in range(2):
        assert asyncio.run(main()) == 1
        assert not pools[-1]._open


def test_early_answer_to_a_large_upload() -> None:
    """An answer that comes before the request was read is returned, and its connection is not used again."""

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        try:
            await asyncio.sleep(0.1)
            while await reader.read(1 << 20):
                pass
        except ConnectionError:
            pass
        writer.close()
        ended.set()

    connections, ended = 0, asyncio.Event()

    async def main() -> None:
        client = AsyncioHttp()
        listening = await asyncio.start_server(early, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        request = HttpRequest("POST", f"http://127.0.0.1:{port}/", body=bytes(20_000_000), address="127.0.0.1")
        for _ in range(2):
            reply = await client.fetch(request)
            assert (reply.status, reply.body) == (413, b"no")
            await asyncio.wait_for(ended.wait(), 5)
            ended.clear()
        assert connections == 2
        await client.aclose()
        listening.close()
        await asyncio.sleep(0)

    asyncio.run(main())


def test_session_keys_are_not_written(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """SSLKEYLOGFILE, which would let others read the traffic, has no effect."""
    path = f"{tmp_path}/keys"
    monkeypatch.setenv("SSLKEYLOGFILE", path)
    context = AsyncioHttp()._tls()
    assert (context.keylog_filename, context.verify_mode, context.check_hostname) == (None, ssl.CERT_REQUIRED, True)


def test_exchanges_leave_no_cycles() -> None:
    """Exchanges are freed without the cycle collector once their calls are over."""

    async def main() -> int:
        client = AsyncioHttp()
        async with LocalServer(slow) as server:
            await asyncio.gather(*(client.fetch(request_to(server)) for _ in range(20)))
            await client.aclose()
            await asyncio.sleep(0.01)
        from remit.adapters.http.asyncio_connection import Exchange

        return sum(isinstance(thing, Exchange) for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(main()) == 0
    finally:
        gc.enable()


def test_limit_must_be_positive() -> None:
    """A limit of nothing is a mistake, said at once."""
    with pytest.raises(Invalid):
        AsyncioHttp(limit=0)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "GET\r\n", "", "G T"])
def test_methods_are_checked(method: str) -> None:
    """A method that is none, or that would open a tunnel, is refused."""

    async def main() -> None:
        with pytest.raises(RemitError) as caught:
            await AsyncioHttp().fetch(HttpRequest(method, "http://a.example/", address="127.0.0.1"))
        assert caught.value.code == "value_invalid"

    asyncio.run(main())


@pytest.mark.parametrize(("interim", "passes"), [(16, True), (17, False)])
def test_interim_answers_are_counted(interim: int, passes: bool) -> None:
    """Sixteen 1xx answers before the real one are borne, seventeen are refused."""

    async def script(peer: Peer, _: Seen) -> None:
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n" * interim)
        await peer.answer()

    async def main() -> None:
        client = AsyncioHttp()
        async with LocalServer(script) as server:
            if passes:
                assert (await client.fetch(request_to(server))).body == b"ok"
            else:
                with pytest.raises(Unavailable):
                    await client.fetch(request_to(server))
            await client.aclose()

    asyncio.run(main())


def test_each_loop_has_its_own_sockets() -> None:
    """An idle connection of one event loop is never taken by another: each opens its own."""

    async def main() -> None:
        client = AsyncioHttp()
        async with LocalServer(slow) as server:
            request = request_to(server)

            async def elsewhere() -> None:
                async with asyncio.timeout(5):
                    await client.fetch(request)
                await client.aclose()

            await client.fetch(request)
            await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
            assert server.connections == 2
            await client.aclose()

    asyncio.run(main())


def test_peer_must_be_the_pinned_address() -> None:
    """A connection that ends up at another address than the pinned one is refused before anything is sent."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        connect = loop.create_connection

        async def astray(factory: object, host: str, port: int, **options: object) -> object:
            return await connect(factory, "127.0.0.1", port, **options)  # type: ignore[call-overload]

        loop.create_connection = astray  # type: ignore[method-assign, assignment]
        client = AsyncioHttp()
        async with LocalServer(slow) as server:
            with pytest.raises(Denied) as caught:
                await client.fetch(HttpRequest("GET", server.url(), address="127.0.0.2"))
            assert (caught.value.code, server.requests) == ("address_denied", [])
            await client.aclose()

    asyncio.run(main())
