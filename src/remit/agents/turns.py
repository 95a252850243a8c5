"""Runs begin in groups: the members of one group are at their models before the next group begins.

The idea: ten thousand runs that a program starts at once would all do their first step in one turn of
the event loop; no request leaves, no answer is read and no timer fires before the last of them has
done it. In groups, the first answers are awaited while the last runs still begin, and runs that are
already under way go on in between. Source: bench/run.py, `waiting`.

Invariants: first come, first served; whoever waits is woken by the loop itself, never by another run,
so that no run can hold up the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

GROUP: Final = 64  # runs that begin in one turn of the loop: about 5 ms


class Turns:
    """The beginnings of one event loop."""

    __slots__ = ("_due", "_left", "_waiting", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._left = GROUP
        self._due = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def busy(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    async def take(self) -> None:
        """Return when this run may begin."""
        if not self._due:
            self._due = True
            self.loop.call_soon(self._next)
        if self._left:
            self._left -= 1
            return
        future: asyncio.Future[None] = self.loop.create_future()
        self._waiting.append(future)
        await future

    def _next(self) -> None:
        self._left = GROUP
        waiting = self._waiting
        while waiting and self._left:
            future = waiting.popleft()
            if not future.done():
                self._left -= 1
                future.set_result(None)
        self._due = bool(waiting)
        if waiting:
            self._left = 0  # who comes now stands behind those who wait
            self.loop.call_soon(self._next)
