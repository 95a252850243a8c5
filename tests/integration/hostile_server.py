"""Hostile providers over HTTP: a server that answers with any bytes, and one call through gate and journal."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

import remit
from integration.hostile_frames import FAMILIES
from remit.core.model import Reply, StreamEnd, StreamReset, TextDelta
from remit.errors import ModelError
from remit.runtime import Runtime
from remit.testing import FakeClock

KEY = "sk-live-9f8e7d6c5b4a/0123456789+ab"
CODECS: dict[str, Any] = {wire: import_module(f"remit.wire.{wire.replace('-', '_')}").CODEC for wire in FAMILIES}


def head(status: str = "200 OK", **headers: str) -> bytes:
    """A response head; the body ends with the connection."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode()


class Hostile:
    """A server on loopback that answers every request with prepared bytes, then with `then` again and again."""

    def __init__(self, answer: bytes, then: bytes = b"", pause_s: float = 0.0, times: int = 10**9) -> None:
        self.requests: list[bytes] = []
        self._answer, self._then, self._pause_s, self._times = answer, then, pause_s, times

    async def __aenter__(self) -> Hostile:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self._answer)
            await writer.drain()
            for _ in range(self._times if self._then else 0):
                await asyncio.sleep(self._pause_s)
                writer.write(self._then)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()


class Seen:
    """What came of a call."""

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.error: ModelError | None = None
        self.shown = ""
        self.requests: list[bytes] = []
        self.waits: list[float] = []
        self.events: list[Any] = []


def ask(wire: str, server: Hostile, *, stream: bool, key: str = KEY, journal: str = "memory:") -> Seen:
    """One call through gate and journal."""
    seen = Seen()

    async def run() -> None:
        clock = FakeClock()
        async with server, Runtime(journal, clock=clock):
            url = f"http://127.0.0.1:{server.port}{CODECS[wire].version_path}"
            model = remit.model(f"{wire}:m", base_url=url, api_key=key)
            try:
                if stream:
                    async with model.stream("hi") as events:
                        async for event in events:
                            seen.events.append(event)
                            if type(event) is TextDelta:
                                seen.shown += event.text
                            elif type(event) is StreamReset:
                                seen.shown = ""
                            elif type(event) is StreamEnd:
                                seen.reply = event.reply
                else:
                    seen.reply = await model.request("hi")
            except ModelError as error:
                seen.error = error
            seen.requests, seen.waits = server.requests, clock.slept

    asyncio.run(asyncio.wait_for(run(), 60))
    return seen
