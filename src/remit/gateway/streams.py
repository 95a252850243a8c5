"""A run's journal as server-sent events. The id of an event is its sequence number, so a reader that comes back with
Last-Event-ID misses nothing and gets nothing twice.

Nothing is kept for a reader but its place: the next page is read from the journal once the last one has left. A reader
that does not take a message within SLOW_S is dropped, connection and all; it may come back where it was.
Source: WHATWG HTML, server-sent events (id, event, data, retry, comments).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.types import Receive, Scope, Send

from remit.errors import Exhausted, RemitError
from remit.gateway.principals import Principal
from remit.journal.chain import decode_event
from remit.ports.journal import Entry

if TYPE_CHECKING:
    from remit.gateway.gateway import Gateway

SLOW_S: Final = 10.0
LOOK_S: Final = 0.1  # between looks at the journal while nothing comes
BEAT_S: Final = 15.0  # between comments that keep the connection open
CHECK_S: Final = 1.0  # between looks whether the credential still counts
MAX_STREAMS: Final = 256
MAX_STREAMS_EACH: Final = 16
RUN_DONE: Final = "run_done"
_SLOW: Final = "slow"
_HEADERS: Final = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"),
                   (b"x-content-type-options", b"nosniff")]  # fmt: skip


class EventStream:
    """One open stream, as an ASGI response. Raises too_many_requests when it is made and too many are open."""

    slow_s = SLOW_S

    def __init__(self, gateway: Gateway, principal: Principal, run_id: str, after: int) -> None:
        held = gateway.streams.get(principal.name, 0)
        if held >= MAX_STREAMS_EACH or sum(gateway.streams.values()) >= MAX_STREAMS:
            raise Exhausted("too_many_requests", f"{held} event streams are open", retryable=True)
        self._gateway = gateway
        self._principal = principal
        self._run_id = run_id
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the run ends, the reader goes or is too slow, the credential ends, or the server does."""
        streams, name = self._gateway.streams, self._principal.name
        streams[name] = streams.get(name, 0) + 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            async with asyncio.TaskGroup() as group:
                gone = group.create_task(_gone(receive))
                why = await self._until_slow(send, gone)
                gone.cancel()
            if why == _SLOW:
                raise TimeoutError
            if why:
                await self._send(send, f"event: end\ndata: {why}\n\n".encode(), more=False)
        except TimeoutError:
            scope.get("remit.abort", lambda: None)()
        finally:
            streams[name] -= 1
            if not streams[name]:
                del streams[name]

    async def _until_slow(self, send: Send, gone: asyncio.Task[None]) -> str:
        try:
            return await self._send_all(send, gone)
        except TimeoutError:
            return _SLOW

    async def _send_all(self, send: Send, gone: asyncio.Task[None]) -> str:
        """Why there is no more; "" = nobody reads."""
        now = self._gateway.runtime.clock.monotonic
        beat = checked = now()
        await self._send(send, b"retry: 1000\n\n")
        if self._after and await self._ended():
            return RUN_DONE
        while not gone.done():
            entries = await self._next()
            for entry in entries or ():
                await self._send(send, as_event(entry))
                self._after, beat = entry.seq, now()
            why = self._why_not(entries, now() - checked >= CHECK_S)
            if why:
                return why
            checked = now() if now() - checked >= CHECK_S else checked
            if not entries:
                if now() - beat >= BEAT_S:
                    beat = now()
                    await self._send(send, b":\n\n")
                await asyncio.wait({gone}, timeout=LOOK_S)
        return ""

    def _why_not(self, entries: list[Entry] | None, check: bool) -> str:
        """Why the stream ends after these events; "" = it goes on."""
        if entries is None:
            return "unavailable"
        if entries and _is_end(entries[-1]):
            return RUN_DONE
        if self._gateway.draining:
            return "shutting_down"
        if check and not self._gateway.principals.still(self._principal):
            return "unauthenticated"
        return ""

    async def _next(self) -> list[Entry] | None:
        try:
            return await self._gateway.records.entries(self._run_id, self._after)
        except RemitError:
            return None  # it was rotated away, or the journal cannot be read now: the reader comes back and is told

    async def _ended(self) -> bool:
        """Whether the event that the reader had last is the run's end."""
        try:
            last = await self._gateway.records.entries(self._run_id, self._after - 1)
        except RemitError:
            return False
        return bool(last) and _is_end(last[0])

    async def _send(self, send: Send, data: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(self.slow_s):
            await send({"type": "http.response.body", "body": data, "more_body": more})


def as_event(entry: Entry) -> bytes:
    """One journal event, in the form of `remit watch --json`."""
    kind = type(decode_event(entry.body)).__struct_config__.tag
    head = b'{"run_id":"%s","seq":%d,"at_ms":%d,' % (entry.run_id.encode(), entry.seq, entry.at_ms)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (entry.seq, str(kind).encode(), head + entry.body[1:])


def _is_end(entry: Entry) -> bool:
    return entry.body.startswith(b'{"type":"run_done"')


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
