"""What the checks of the HTTP suite share: the factory's type and a few ways to ask and to expect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from remit.errors import RemitError
from remit.ports.conformance.http_server import LocalServer, Peer, Script, Seen
from remit.ports.http import HttpClient, HttpReply, HttpRequest

SOON_S: Final = 1.0  # "at once"; a close takes less than 50 ms where the machine is not busy
NEVER_S: Final = 20.0


class Factory(Protocol):
    """Makes a client that trusts `ca_pem` besides or instead of the system's authorities."""

    def __call__(self, ca_pem: str = "") -> HttpClient: ...


Check = Callable[[Factory], Awaitable[None]]


def request_of(server: LocalServer, path: str = "/", method: str = "GET", **fields: Any) -> HttpRequest:
    """A request to `server`, pinned to loopback."""
    host = fields.pop("host", "127.0.0.1")
    return HttpRequest(method, server.url(path, host), address="127.0.0.1", **fields)


async def run_with(make: Factory, script: Script, use: Callable[[HttpClient, LocalServer], Awaitable[None]]) -> None:
    """`use(client, server)` against a server that plays `script`; client and server are closed whatever happens."""
    client = make()
    try:
        async with LocalServer(script) as server, asyncio.timeout(NEVER_S):
            await use(client, server)
    finally:
        await client.aclose()


def saying(*pieces: bytes, then_close: bool = False, then_reset: bool = False, pause_s: float = 0.0) -> Script:
    """A script that sends `pieces`, whatever was asked."""

    async def script(peer: Peer, _: Seen) -> None:
        for piece in pieces:
            await peer.send(piece)
            await asyncio.sleep(pause_s)
        if then_reset:
            peer.reset()
        elif then_close:
            peer.close()

    return script


async def expect_failure(
    make: Factory, script: Script, kind: type[RemitError], code: str, phase: str = "", **fields: Any
) -> None:
    """Both `fetch` and `stream` + `read` raise `code`."""

    async def use(client: HttpClient, server: LocalServer) -> None:
        request = request_of(server, **fields)
        for name in ("fetch", "stream"):
            try:
                if name == "fetch":
                    await client.fetch(request)
                else:
                    async with client.stream(request) as answer:
                        await answer.read()
            except kind as error:
                assert error.code == code, f"{name} raised {error}"
                assert not phase or error.details.get("phase") == phase, f"{name}: {error.details}"
            else:
                raise AssertionError(f"{name} did not raise {code}")

    await run_with(make, script, use)


async def expect_answer(make: Factory, script: Script, expected: HttpReply, **fields: Any) -> None:
    """Both `fetch` and `stream` + `read` give `expected`, twice each."""

    async def use(client: HttpClient, server: LocalServer) -> None:
        request = request_of(server, **fields)
        for _ in range(2):
            assert await client.fetch(request) == expected
            async with client.stream(request) as answer:
                got = HttpReply(answer.status, answer.headers, await answer.read())
            assert got == expected, got

    await run_with(make, script, use)
