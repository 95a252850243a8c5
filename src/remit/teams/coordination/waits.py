"""Who waits for whom, and the deadlocks in it: exact, named, and broken by one victim.

A party is one line of work. While it waits, it names who could wake it. It is live when it does not wait, when somebody
outside could wake it (a person, a timer, an event: it names nobody), or when one of those whom it names is live (with
`every`, as in a join: all of them). Parties that are not live can never go on: that is a deadlock, nothing else is. The
graph is looked at when a wait begins and when a party leaves: there is nothing to poll and no slow peer to suspect.

What a party starts and waits for (an agent, its tools, the agents that those ask) is still that party: `line_of` finds
it, wherever it is called. Where several of these wait at once, as delegates of one turn do, the party goes on when all
of them have gone on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from msgspec import Struct

from remit.errors import Conflict, Invalid

MAX_PARTIES: Final = 100_000
KEPT: Final = 100  # deadlocks that are remembered
_line: ContextVar[tuple[WaitGraph, str] | None] = ContextVar("remit_line", default=None)
PRIORITY: Final = 128  # Source: spec/teams.md 1
Wakers = Callable[[], Collection[str]]
"""who could end the wait as things stand; nobody = somebody outside"""


class DeadlockError(Conflict):
    """The party was chosen to break a deadlock; `cycle` names its members, each waits for the next."""

    def __init__(self, victim: str, cycle: tuple[str, ...], details: tuple[str, ...]) -> None:
        super().__init__("deadlock", f"{' -> '.join((*cycle, cycle[0]))}; {victim} gives way",
                         details={"cycle": list(cycle), "waits": list(details)})  # fmt: skip
        self.victim, self.cycle = victim, cycle

    @classmethod
    def again(cls, message: str) -> DeadlockError:
        """The error as a journal kept its message."""
        ring, _, rest = message.partition("; ")
        return cls(rest.removesuffix(" gives way"), tuple(ring.split(" -> ")[:-1]), ())


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
        self.waits: dict[str, list[Wait]] = {}
        """of each party that waits: one, or those of what it started side by side"""
        self.found: list[DeadlockError] = []
        """the last deadlocks, broken"""
        self._on_deadlock = on_deadlock

    def add(self, name: str, priority: int = PRIORITY) -> Party:
        """Make a party known; raises value_invalid."""
        if not name or " -> " in name or not 0 <= priority <= 255 or len(self.parties) >= MAX_PARTIES:
            raise Invalid("value_invalid", f"party {name!r:.60} with priority {priority}: a name, and from 0 to 255")
        party = self.parties.setdefault(name, Party(priority))
        party.priority = priority
        return party

    def leave(self, name: str) -> None:
        """A party has ended: nobody can wait for it any more."""
        self.parties.pop(name, None)
        self.waits.pop(name, None)
        self.check(list(self.waits))

    @contextmanager
    def line(self, name: str, priority: int = PRIORITY) -> Iterator[Party]:
        """What runs inside is the party `name`, with all that it starts; it leaves at the end."""
        party = self.add(name, priority)
        token = _line.set((self, name))
        try:
            yield party
        finally:
            _line.reset(token)
            self.leave(name)

    def line_of(self) -> str:
        """The party that the calling code belongs to; "" = none of this graph."""
        here = _line.get()
        return here[1] if here is not None and here[0] is self else ""

    async def wait(
        self, name: str, wakers: Wakers | Iterable[str], *, why: str = "", every: bool = False,
        future: asyncio.Future[None] | None = None,
    ) -> None:  # fmt: skip
        """Wait until `wake` (or the future's own end).

        Args:
            wakers: who could end it; nobody = somebody outside. With `every` all of them are needed.
            why: for the report.

        Raises: DeadlockError when this party was chosen to give way; value_invalid for an unknown party.
        """
        if name not in self.parties:
            raise Invalid("value_invalid", f"{name!r:.60} is no party")
        loop = asyncio.get_running_loop()
        fixed = wakers if callable(wakers) else None
        known = frozenset() if callable(wakers) else frozenset(wakers)
        mine = Wait(fixed or (lambda: known), future or loop.create_future(), why, loop.time(), every)
        self.waits.setdefault(name, []).append(mine)
        self.check([name])
        try:
            await mine.future
        finally:
            self._end(name, mine)

    def _end(self, name: str, wait: Wait) -> None:
        left = [each for each in self.waits.get(name, ()) if each is not wait]
        if left:
            self.waits[name] = left
        else:
            self.waits.pop(name, None)

    def wake(self, name: str, future: asyncio.Future[None] | None = None) -> None:
        """End a party's wait (all of them, or that of `future`); it counts as live from now, before its task runs."""
        for wait in self.waits.get(name, [])[:]:
            if future is None or wait.future is future:
                self._end(name, wait)
                if not wait.future.done():
                    wait.future.set_result(None)

    def check(self, around: Iterable[str]) -> None:
        """Break every deadlock among those whom these parties wait for."""
        around = list(around)
        while stuck := self._stuck(around):
            cycle = self._cycle(stuck)
            victim = min(cycle, key=lambda n: (self.parties[n].priority, self.parties[n].work, n))
            details = tuple(f"{n}: {stuck[n][0].why or 'waits'}" for n in cycle)
            error = DeadlockError(victim, cycle, details)
            self.found = [*self.found[1 - KEPT :], error]
            for wait in stuck[victim]:
                self._end(victim, wait)
                if not wait.future.done():
                    wait.future.set_exception(error)
            if self._on_deadlock is not None:
                self._on_deadlock(error)

    def _stuck(self, around: Iterable[str]) -> dict[str, list[Wait]]:
        """Party -> its waits that can never end, of those that can never go on; found from what `around` reaches.

        A party needs all of its waits to be over; a wait needs one of its wakers to be live, or every one.
        """
        edges: _Edges = {}
        ahead = list(around)
        while ahead:
            name = ahead.pop()
            held = [wait for wait in self.waits.get(name, ()) if not wait.future.done()]
            if name in edges or not held:
                continue
            edges[name] = [(wait, [each for each in wait.wakers() if each in self.parties]) for wait in held]
            ahead += [each for _, wakers in edges[name] for each in wakers]
        waiters: dict[str, list[str]] = {}
        for name, held_by in edges.items():
            for _, wakers in held_by:
                for each in wakers:
                    waiters.setdefault(each, []).append(name)
        live = _live(edges, waiters)
        return {
            name: [wait for wait, wakers in held_by if not _over(wait, wakers, edges, live)]
            for name, held_by in edges.items() if name not in live
        }  # fmt: skip

    def _cycle(self, stuck: dict[str, list[Wait]]) -> tuple[str, ...]:
        """One cycle; there is one, for each that is stuck waits for another that is."""
        path: list[str] = []
        at = min(stuck)
        while at not in path:
            path.append(at)
            at = min(each for wait in stuck[at] for each in wait.wakers() if each in stuck)
        return tuple(path[path.index(at) :])


_Edges = dict[str, list[tuple[Wait, list[str]]]]


def _over(wait: Wait, wakers: list[str], edges: _Edges, live: set[str]) -> bool:
    """Whether the wait will end, as far as is known."""
    up = [each in live or each not in edges for each in wakers]
    return not up or (all(up) if wait.every else any(up))


def _live(edges: _Edges, waiters: dict[str, list[str]]) -> set[str]:
    """The parties that will go on: those whose waits all end, and then whom they wake."""
    live: set[str] = set()
    ahead = list(edges)
    while ahead:
        name = ahead.pop()
        if name not in live and all(_over(wait, wakers, edges, live) for wait, wakers in edges[name]):
            live.add(name)
            ahead += waiters.get(name, ())
    return live
