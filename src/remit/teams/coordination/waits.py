"""Who waits for whom, and the deadlocks in it: exact, named, and broken by one victim.

A party is one line of work. While it waits, it names who could wake it. It is live when it does not wait, when somebody
outside could wake it (a person, a timer, an event: it names nobody), or when one of those whom it names is live (with
`every`, as in a join: all of them). Parties that are not live can never go on: that is a deadlock, nothing else is. The
graph is looked at when a wait begins and when a party leaves: there is nothing to poll and no slow peer to suspect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Final

from msgspec import Struct

from remit.errors import Conflict, Invalid

MAX_PARTIES: Final = 100_000
PRIORITY: Final = 128  # Source: spec/teams.md 1
Wakers = Callable[[], Collection[str]]
"""who could end the wait as things stand; nobody = somebody outside"""


class DeadlockError(Conflict):
    """The party was chosen to break a deadlock; `cycle` names its members, each waits for the next."""

    def __init__(self, victim: str, cycle: tuple[str, ...], details: tuple[str, ...]) -> None:
        super().__init__("deadlock", f"{' -> '.join((*cycle, cycle[0]))}; {victim} gives way",
                         details={"cycle": list(cycle), "waits": list(details)})  # fmt: skip
        self.victim, self.cycle = victim, cycle


class Party(Struct):
    """One line of work."""

    priority: int = PRIORITY
    """0 to 255; the lowest gives way"""
    work: int = 0
    """steps done; of equal priorities the least gives way"""


class Wait(Struct):
    """One wait under way."""

    wakers: Wakers
    future: asyncio.Future[None]
    why: str
    since_s: float
    every: bool = False


class WaitGraph:
    """All waits of one team."""

    def __init__(self, *, on_deadlock: Callable[[DeadlockError], None] | None = None) -> None:
        self.parties: dict[str, Party] = {}
        self.waits: dict[str, Wait] = {}
        self.found: list[DeadlockError] = []
        """the last 100 deadlocks, broken"""
        self._on_deadlock = on_deadlock

    def add(self, name: str, priority: int = PRIORITY) -> Party:
        """Make a party known; raises value_invalid."""
        if not name or not 0 <= priority <= 255 or len(self.parties) >= MAX_PARTIES:
            raise Invalid("value_invalid", f"party {name!r:.60} with priority {priority}: a name, and from 0 to 255")
        party = self.parties.setdefault(name, Party(priority))
        party.priority = priority
        return party

    def leave(self, name: str) -> None:
        """A party has ended: nobody can wait for it any more."""
        self.parties.pop(name, None)
        self.waits.pop(name, None)
        self.check(list(self.waits))

    async def wait(
        self, name: str, wakers: Wakers | Iterable[str], *, why: str = "", every: bool = False,
        future: asyncio.Future[None] | None = None,
    ) -> None:  # fmt: skip
        """Wait until `wake` (or the future's own end).

        Args:
            wakers: who could end it; nobody = somebody outside. With `every` all of them are needed.
            why: for the report.

        Raises: DeadlockError when this party was chosen to give way; value_invalid for a second wait at once.
        """
        if name not in self.parties or name in self.waits:
            raise Invalid("value_invalid", f"{name!r:.60} is no party, or waits already: a party is one line of work")
        loop = asyncio.get_running_loop()
        fixed = wakers if callable(wakers) else None
        known = frozenset() if callable(wakers) else frozenset(wakers)
        mine = Wait(fixed or (lambda: known), future or loop.create_future(), why, loop.time(), every)
        self.waits[name] = mine
        self.check([name])
        try:
            await mine.future
        finally:
            if self.waits.get(name) is mine:
                del self.waits[name]

    def wake(self, name: str) -> None:
        """End a party's wait; from now on it counts as live, before its task runs."""
        wait = self.waits.pop(name, None)
        if wait is not None and not wait.future.done():
            wait.future.set_result(None)

    def check(self, around: Iterable[str]) -> None:
        """Break every deadlock among those whom these parties wait for."""
        around = list(around)
        while stuck := self._stuck(around):
            cycle = self._cycle(stuck)
            victim = min(cycle, key=lambda n: (self.parties[n].priority, self.parties[n].work, n))
            details = tuple(f"{n}: {self.waits[n].why or 'waits'}" for n in cycle)
            error = DeadlockError(victim, cycle, details)
            self.found = [*self.found[-99:], error]
            future = self.waits.pop(victim).future
            if not future.done():
                future.set_exception(error)
            if self._on_deadlock is not None:
                self._on_deadlock(error)

    def _stuck(self, around: Iterable[str]) -> dict[str, list[str]]:
        """Party -> whom it waits for, of those that can never go on; found from what `around` reaches."""
        edges: dict[str, list[str]] = {}
        ahead = [name for name in around if name in self.waits]
        while ahead:
            name = ahead.pop()
            if name in edges or name not in self.waits or self.waits[name].future.done():
                continue
            edges[name] = [each for each in self.waits[name].wakers() if each in self.parties]
            ahead += edges[name]
        waiters: dict[str, list[str]] = {}
        needed: dict[str, int] = {}
        for name, wakers in edges.items():
            needed[name] = len(wakers) if self.waits[name].every else min(len(wakers), 1)
            for each in wakers:
                waiters.setdefault(each, []).append(name)
        live = [name for name, count in needed.items() if not count] + [n for n in waiters if n not in edges]
        while live:
            for name in waiters.get(live.pop(), ()):
                needed[name] -= 1
                if not needed[name]:
                    live.append(name)
        return {name: edges[name] for name, count in needed.items() if count > 0}

    def _cycle(self, stuck: dict[str, list[str]]) -> tuple[str, ...]:
        """One cycle; there is one, for each that is stuck waits for another that is."""
        path: list[str] = []
        at = min(stuck)
        while at not in path:
            path.append(at)
            at = min(each for each in stuck[at] if each in stuck)
        return tuple(path[path.index(at) :])
