"""Locks between parties, in the graph of waits: whoever waits for one waits for the party that holds it.

    async with lock.held("ann"): ...

A lock lives as long as its process: after a crash nobody holds it. What it guards is done by steps or tools, which are
not repeated. The next in line is the one that has waited longest.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from remit.errors import Exhausted, Invalid
from remit.teams.coordination.waits import WaitGraph


class Lock:
    """One lock; `holder` is the party that has it, "" = nobody."""

    def __init__(self, graph: WaitGraph, name: str = "lock") -> None:
        self.graph, self.name = graph, name
        self.holder = ""
        self._queue: deque[tuple[str, asyncio.Future[None]]] = deque()

    async def take(self, party: str, *, timeout_s: float | None = None) -> None:
        """Have it; waits while another party does. Taking what one holds already is a deadlock with oneself.

        Raises: DeadlockError, deadline_exceeded, value_invalid (no party).
        """
        if party not in self.graph.parties:
            raise Invalid("value_invalid", f"{party!r:.60} is no party")
        if not self.holder:
            self.holder = party
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (party, future)
        self._queue.append(entry)
        got = False
        try:
            wait = self.graph.wait(party, lambda: () if timeout_s is not None else (self.holder,),
                                   why=f"waits for {self.name}", future=future)  # fmt: skip
            await (wait if timeout_s is None else asyncio.wait_for(wait, timeout_s))
            got = True
        except TimeoutError:
            raise Exhausted("deadline_exceeded", f"{party} waits for {self.name}: it was not free in time") from None
        finally:
            if entry in self._queue:
                self._queue.remove(entry)
            elif not got and self.holder == party:
                self.release(party)  # it was given in the moment in which the wait ended

    def release(self, party: str) -> None:
        """Give it to whoever has waited longest; raises value_invalid when another party holds it."""
        if self.holder != party:
            raise Invalid("value_invalid", f"{party!r:.60} does not hold {self.name}")
        self.holder = ""
        while self._queue and not self.holder:
            next_party, future = self._queue.popleft()
            if not future.done():
                self.holder = next_party
                self.graph.wake(next_party, future)

    @asynccontextmanager
    async def held(self, party: str, *, timeout_s: float | None = None) -> AsyncIterator[None]:
        """Have it inside the block."""
        await self.take(party, timeout_s=timeout_s)
        try:
            yield
        finally:
            self.release(party)
