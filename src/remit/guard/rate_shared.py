"""A rate limit that all processes of a store share: one row in it, and booked slots here.

GCRA's one number (the theoretical arrival time, TAT) stands in the row. A process books a chunk of the next slots in
one statement, which moves TAT by as many intervals, and lets one call go at each slot (a burst's worth earlier, as in
GCRA). A chunk holds what waits here and, while slots are used up quickly, what AHEAD_S will need; a slot that is not
used within KEEP_S is dropped, so slots that were booked long ago cannot be added to those of now.

Over any 60 s: at most the limit, its burst (a hundredth of the calls, where none is set) and the slots of KEEP_S.
Clocks: a slot's time is the store's; here only the difference to the store's now counts.

Places, tokens and money of a limit stay a process's own (admission.py, which is asked first, and also keeps the rate).
While the store does not answer no call goes (fail closed).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from remit.core.budget import Limit
from remit.core.effects import Deny
from remit.core.grants import name_match
from remit.guard.admission import AGEING_S, PRIORITIES

if TYPE_CHECKING:
    from remit.ports.clock import Clock
    from remit.ports.limits import LimitStore

KEEP_S: Final = 0.5
AHEAD_S: Final = 0.1
RETRY_S: Final = 0.5
BURST_SHARE: Final = 100
FOREVER: Final = float("inf")


class SharedLimits:
    """The call rates of all processes of a store. Keys are `model:NAME` or `tool:NAME` patterns; the first counts."""

    def __init__(self, limits: Mapping[str, Limit], clock: Clock, store: LimitStore) -> None:
        self._limits = {pattern: limit for pattern, limit in limits.items() if limit.calls}
        self._clock = clock
        self._store = store
        self._buckets: dict[str, SharedBucket | None] = {}

    async def acquire(self, name: str, priority: str) -> Deny | None:
        """Wait for the call's slot, or say why it does not get one."""
        if name not in self._buckets:
            limit = next((v for k, v in self._limits.items() if name_match(k, name)), None)
            bucket = None if limit is None else SharedBucket(name, limit, self._clock, self._store)
            self._buckets[name] = bucket
        found = self._buckets[name]
        return None if found is None else await found.acquire(priority)


class SharedBucket:
    """One shared limit's state in this process."""

    def __init__(self, name: str, limit: Limit, clock: Clock, store: LimitStore) -> None:
        self._name = name
        self._limit = limit
        self._clock = clock
        self._store = store
        self.interval = limit.period_s / limit.calls
        self.slack = (max(1, limit.burst or limit.calls // BURST_SHARE) - 1) * self.interval
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0
        self._slots: deque[float] = deque()
        """when booked calls may go, monotonic seconds here"""
        self._booking = False
        self._booked_at = -FOREVER
        self._ahead = 0
        self._debt = 0
        """critical calls that went without a slot; booked and thrown away later"""

    def wait_s(self) -> float:
        """Seconds until the next call may go; infinite while a booking is needed."""
        now = self._clock.monotonic()
        while self._slots and self._slots[0] < now - KEEP_S:
            self._slots.popleft()
        return max(0.0, self._slots[0] - self.slack - now) if self._slots else FOREVER

    async def acquire(self, priority: str) -> Deny | None:
        """Wait for a slot. `critical` goes at once and is paid for by the next booking."""
        if priority == "critical":
            self._debt += 1
            return None
        if not self._waiting and self.wait_s() == 0.0:
            self._slots.popleft()
            return None
        if len(self._waiting) >= self._limit.queue:
            return Deny("queue_full", "rate", f"{len(self._waiting)} calls already wait for this limit: {self._name}")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heappush(self._waiting, (self._clock.monotonic() + PRIORITIES[priority] * AGEING_S, self._count, future))
        self._wake()
        try:
            await future
        except asyncio.CancelledError:
            if not future.done() or future.cancelled():
                self._waiting = [each for each in self._waiting if each[2] is not future]
                heapify(self._waiting)
            raise
        return None

    def _wake(self) -> None:
        """Let as many waiters go as may; set a timer for the next one, or book slots for them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            delay = self.wait_s()
            if delay == FOREVER:
                if not self._booking:
                    self._book()
                return
            if delay > 0.0:
                self._timer = asyncio.get_running_loop().call_later(delay, self._wake)
                return
            _, _, future = heappop(self._waiting)
            if not future.done():
                self._slots.popleft()
                future.set_result(None)

    def _book(self) -> None:
        now = self._clock.monotonic()
        quickly = now - self._booked_at < 2 * AHEAD_S
        self._ahead = min(max(1, 2 * self._ahead), int(AHEAD_S / self.interval)) if quickly else 0
        self._booked_at = now
        count = len(self._waiting) + self._ahead
        self._booking = True
        debt, self._debt = self._debt, 0
        interval_us = max(1, round(self.interval * 1_000_000))
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(None, self._store.book, self._name, count + debt, interval_us)
        future.add_done_callback(lambda done: self._booked(done, count, debt))

    def _booked(self, done: asyncio.Future[Any], count: int, debt: int) -> None:
        self._booking = False
        if done.cancelled() or done.exception() is not None:
            self._debt += debt
            asyncio.get_running_loop().call_later(RETRY_S, self._wake)
            return
        first_us, now_us = done.result()
        first = self._clock.monotonic() + (first_us - now_us) / 1_000_000 + debt * self.interval
        self._slots.extend([first + index * self.interval for index in range(count)])
        self._wake()
