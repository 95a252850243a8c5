"""A server as a program in tier T3, one JSON message a line on its input and output.

One process serves many calls at a time. A call that is cancelled, or passes its deadline, ends the process: the
protocol's own cancellation is a request that a server may ignore, so it is sent, new calls go to a new process, and
the old one is killed with everything it started once the other calls on it are over, at the latest after `DRAIN_S`.

Invariants: no byte of a server reaches anybody but the session's strict reader; what breaks the protocol costs the
process its life; every waiting call learns of the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final

from remit.adapters.mcp.connection import OPEN_S, PROBE_S
from remit.errors import RemitError, Unavailable
from remit.ports.sandbox import SandboxJob, Servant, Served
from remit.wire.mcp.lines import LineReader
from remit.wire.mcp.messages import Fault, Result
from remit.wire.mcp.session import Answer, Changed, Reply, Session

DRAIN_S: Final = 5.0


class StdioConnection:
    """One process of a server. `open` it first; lives on one event loop."""

    def __init__(self, session: Session, changed: Callable[[], None]) -> None:
        self._session = session
        self._changed = changed
        self._lines = LineReader()
        self._waiting: dict[int, asyncio.Future[Result | Fault]] = {}
        self._served: Served | None = None
        self._end_timer: asyncio.TimerHandle | None = None
        self.held = AsyncExitStack()
        """what lives as long as the process: its way out, its folder"""
        self.over = ""
        """why it has ended, or takes no new calls"""
        self.loop = asyncio.get_running_loop()

    @property
    def revision(self) -> str:
        """The revision that both sides speak."""
        return self._session.revision

    @property
    def idle(self) -> bool:
        """Whether nobody waits for it any more."""
        return not self._waiting

    async def open(self, sandbox: Servant, job: SandboxJob) -> None:
        """Start the program and agree on a revision; raises mcp_failed and what the sandbox raises."""
        try:
            self._served = await sandbox.serve(job, self._received, self._ended)
            async with asyncio.timeout(OPEN_S):
                await self._agree()
        except TimeoutError:
            await self.aclose()
            raise Unavailable("mcp_failed", f"the MCP server said nothing useful for {OPEN_S:g} s") from None
        except BaseException:
            await self.aclose()
            raise

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result of one request."""
        answer = await self._answer(*self._session.request(method, params))
        if isinstance(answer, Fault):
            raise Unavailable("mcp_failed", f"the MCP server says {answer.code}: {answer.message[:1000]}")
        return answer.result

    async def aclose(self) -> None:
        """End the process; nothing of it is left on return."""
        self.over = self.over or "closed"
        if self._end_timer is not None:
            self._end_timer.cancel()
        try:
            if self._served is not None:
                await self._served.aclose()
        finally:
            await self.held.aclose()

    async def _agree(self) -> None:
        """Find out the revision. A server that is slow to start and one of an older revision look the same at first.

        So the older question follows after `PROBE_S` without the newer one being given up: what is answered counts.
        """
        if self._session.revision:
            return
        asked = self._put(*self._session.discover())
        await asyncio.wait((asked,), timeout=PROBE_S)
        if asked.done() and self._session.discovered(asked.result()):
            return
        opening = self._put(*self._session.initialize())
        waiting = {opening} if asked.done() else {asked, opening}
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if asked in done and self._session.discovered(asked.result()):
                return
            if opening in done and (isinstance(opening.result(), Result) or not waiting):
                self._send(self._session.initialized(opening.result()))
                return

    def _put(self, identity: int, data: bytes) -> asyncio.Future[Result | Fault]:
        """Send a request; its answer to come."""
        future: asyncio.Future[Result | Fault] = self.loop.create_future()
        future.add_done_callback(lambda _: self._waiting.pop(identity, None))
        self._waiting[identity] = future
        self._send(data)
        return future

    async def _answer(self, identity: int, data: bytes) -> Result | Fault:
        future = self._put(identity, data)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not self.over:
                self._abandon(identity)
            future.cancel()
            raise

    def _abandon(self, identity: int) -> None:
        """The server is told, and ends with its last other call."""
        self.over = "a call was cancelled"
        try:
            self._send(self._session.abandon(identity, "cancelled"))
        except RemitError:
            pass  # it does not even read; it ends in any case
        others = len([f for f in self._waiting.values() if not f.done()]) > 1
        self._end_timer = self.loop.call_later(DRAIN_S if others else 0.0, self._stop)

    def _stop(self) -> None:
        if self._served is not None:
            self._served.stop()

    def _send(self, data: bytes) -> None:
        if self._served is None:
            raise Unavailable("mcp_failed", "the MCP server has ended")
        try:
            self._served.send(data + b"\n")
        except RemitError as error:
            raise Unavailable("mcp_failed", f"the MCP server cannot be asked: {self.over or error.message}") from None

    def _received(self, data: bytes) -> None:
        try:
            for line in self._lines.feed(data):
                for event in self._session.receive(line):
                    self._act(event)
        except RemitError as error:
            self._fail(error)
            self._stop()

    def _act(self, event: Answer | Reply | Changed) -> None:
        if isinstance(event, Reply):
            self._send(event.data)
        elif isinstance(event, Changed):
            self._changed()
        else:
            future = self._waiting.get(int(event.id))
            if future is not None and not future.done():
                future.set_result(event.message)
        if self.over and not any(not f.done() for f in self._waiting.values()):
            self._stop()  # the last call of a server that is to end

    def _ended(self, why: str) -> None:
        self._fail(Unavailable("mcp_failed", f"the MCP server has ended: {why}"))

    def _fail(self, error: RemitError) -> None:
        self.over = self.over or error.message
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
