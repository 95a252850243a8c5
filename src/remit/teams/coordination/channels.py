"""Typed, bounded channels between parties: a full one suspends its sender, an empty one its receiver.

    graph = WaitGraph(); work = Channel(Task, graph=graph, senders=["lead"], receivers=["ann", "bob"])
    await work.send(Task(...), party="lead", priority=200)          task = await work.receive(party="ann")

With a graph, and both ends named, waits are visible (who for whom, since when) and a deadlock is broken (waits.py). A
wait with a time limit, or at an end that is open to anybody, has a waker outside and is never one.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar

import msgspec

from remit.errors import Conflict, Exhausted, Invalid
from remit.teams.coordination.waits import PRIORITY, WaitGraph

T = TypeVar("T")
BOUND: Final = 64  # Source: spec/teams.md 2
MAX_BOUND: Final = 1_000_000
_Queue = deque[tuple[str, asyncio.Future[None]]]


class Channel(Generic[T]):
    """One channel.

    Args:
        kind: type of its values (anything msgspec checks), checked at both ends.
        bound: how many it holds.
        senders, receivers: the only parties of that end; () = open to anybody.

    Raises: value_invalid.
    """

    def __init__(
        self, kind: type[T], *, name: str = "channel", bound: int = BOUND, graph: WaitGraph | None = None,
        senders: Sequence[str] = (), receivers: Sequence[str] = (),
    ) -> None:  # fmt: skip
        if not 1 <= bound <= MAX_BOUND:
            raise Invalid("value_invalid", f"a channel's bound is {bound}; from 1 to {MAX_BOUND}")
        self.kind, self.name, self.bound, self.graph = kind, name, bound, graph or WaitGraph()
        self.senders, self.receivers = frozenset(senders), frozenset(receivers)
        self.closed = False
        self._items: list[tuple[int, int, T]] = []
        self._count = 0
        self._sending: _Queue = deque()
        self._receiving: _Queue = deque()
        for party in (*senders, *receivers):
            if party not in self.graph.parties:
                self.graph.add(party)

    def __len__(self) -> int:
        return len(self._items)

    def try_send(
        self, value: T, *, party: str = "", priority: int = PRIORITY, done: Callable[[T], None] | None = None
    ) -> bool:
        """Whether there was room; `done` is called in the moment in which it is in.

        Raises: channel_closed, value_invalid (type, party, priority).
        """
        if self.closed:
            raise self._shut()
        self._may(party, self.senders)
        if not 0 <= priority <= 255:
            raise Invalid("value_invalid", f"priority={priority}; from 0 to 255")
        checked = self._typed(value)
        if len(self._items) >= self.bound:
            return False
        if done is not None:
            done(checked)
        self._put(checked, priority)
        self._worked(party)
        self._settle()
        return True

    def restore(self, value: T, priority: int) -> None:
        """Put in what was in it in another process."""
        self._put(self._typed(value), priority)

    def _put(self, value: T, priority: int) -> None:
        heapq.heappush(self._items, (-priority, self._count, value))
        self._count += 1

    async def send(
        self, value: T, *, party: str = "", priority: int = PRIORITY, timeout_s: float | None = None,
        done: Callable[[T], None] | None = None,
    ) -> None:  # fmt: skip
        """Put a value, higher priorities first; waits for room.

        Raises: channel_closed, value_invalid, deadline_exceeded, DeadlockError.
        """
        until = _until(timeout_s)
        while not self.try_send(value, party=party, priority=priority, done=done):
            await _wait(party, [(self, self._sending, self.receivers)], f"sends on full {self.name}", until)

    def try_receive(self, *, party: str = "", done: Callable[[T], None] | None = None) -> tuple[T] | None:
        """The next value in a tuple; None = there is none now. Raises channel_closed once it is closed and empty."""
        self._may(party, self.receivers)
        if not self._items:
            if self.closed:
                raise self._shut()
            return None
        if done is not None:
            done(self._items[0][2])
        value = heapq.heappop(self._items)[2]
        self._worked(party)
        self._settle()
        return (self._typed(value),)

    async def receive(self, *, party: str = "", timeout_s: float | None = None) -> T:
        """Take the next value. Raises channel_closed, value_invalid, deadline_exceeded, DeadlockError."""
        until = _until(timeout_s)
        while (found := self.try_receive(party=party)) is None:
            await _wait(party, [(self, self._receiving, self.senders)], f"receives on empty {self.name}", until)
        return found[0]

    def close(self) -> None:
        """No more values; what is in it can still be received, and everybody who waits goes on."""
        self.closed = True
        for queue in (self._sending, self._receiving):
            while queue:
                self._wake(queue)

    def drain(self) -> list[T]:
        """Close it, and take all that is in it."""
        self.close()
        values = [heapq.heappop(self._items)[2] for _ in range(len(self._items))]
        return values

    def _settle(self) -> None:
        """Let go on who can: at most one of each end; each of them settles again."""
        if self._items and self._receiving:
            self._wake(self._receiving)
        if len(self._items) < self.bound and self._sending:
            self._wake(self._sending)

    def _wake(self, queue: _Queue) -> None:
        while queue:
            party, future = queue.popleft()
            if not future.done():
                self.graph.wake(party, future)  # live from now on, before its task runs
                if not future.done():  # a party that the graph does not know
                    future.set_result(None)
                return

    def _worked(self, party: str) -> None:
        if party in self.graph.parties:
            self.graph.parties[party].work += 1

    def _may(self, party: str, parties: frozenset[str]) -> None:
        if parties and party not in parties:
            raise Invalid("value_invalid", f"{party!r:.60} is no party of this end of {self.name}")

    def _typed(self, value: T) -> T:
        try:
            return msgspec.convert(value, self.kind)
        except msgspec.ValidationError as error:
            raise Invalid("value_invalid", f"channel {self.name}: {error}") from None

    def _shut(self) -> Conflict:
        return Conflict("channel_closed", f"channel {self.name} is closed")


_Ends = list[tuple[Channel[Any], _Queue, frozenset[str]]]


async def select(
    *channels: Channel[Any], party: str = "", timeout_s: float | None = None,
    done: Callable[[Channel[Any], Any], None] | None = None,
) -> tuple[Channel[Any], Any]:  # fmt: skip
    """(channel, value) of the first that has one, earlier ones before later ones.

    Raises: channel_closed when all are closed and empty; value_invalid; deadline_exceeded; DeadlockError.
    """
    until = _until(timeout_s)
    while True:
        for channel in channels:
            if not channel.closed or len(channel):
                found = channel.try_receive(party=party, done=None if done is None else partial(done, channel))
                if found is not None:
                    for other in channels:
                        other._settle()  # this party may have been woken for another one's value
                    return channel, found[0]
        still = [c for c in channels if not c.closed]
        if not still:
            raise Conflict("channel_closed", f"all of {len(channels)} channels are closed")
        names = ", ".join(c.name for c in still)
        await _wait(party, [(c, c._receiving, c.senders) for c in still], f"receives on empty {names}", until)


async def _wait(party: str, ends: _Ends, why: str, until: float | None) -> None:
    """Wait in the queues of these ends; visible in the graph when everybody who could end it is named."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    entry = (party, future)
    for _, queue, _ in ends:
        queue.append(entry)
    graph = ends[0][0].graph
    passed = True
    try:
        if party in graph.parties:
            await asyncio.wait_for(graph.wait(party, _wakers(ends, until), why=why, future=future), _left(until))
        else:
            await asyncio.wait_for(future, _left(until))
        passed = False
    except TimeoutError:
        raise Exhausted("deadline_exceeded", f"{party or 'somebody'} {why}: nothing came in time") from None
    finally:
        for channel, queue, _ in ends:
            if entry in queue:
                queue.remove(entry)
            if passed:
                channel._settle()  # the turn that this party had goes to the next


def _wakers(ends: _Ends, until: float | None) -> Callable[[], Collection[str]]:
    if until is not None or not all(parties for _, _, parties in ends):
        return lambda: ()
    named = frozenset().union(*(parties for _, _, parties in ends))
    return lambda: named


def _until(timeout_s: float | None) -> float | None:
    return None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s


def _left(until: float | None) -> float | None:
    return None if until is None else max(until - asyncio.get_running_loop().time(), 0.0)
