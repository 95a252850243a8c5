"""One rate limit: GCRA, concurrency, and a queue by priority.

GCRA keeps one number a limit, the theoretical arrival time (TAT): a call may go when TAT is at
most `burst` intervals ahead of now, and moves it one interval on. Whoever may not go waits in a
heap by priority, then by arrival; waiting raises the priority one level every `AGEING_S`, so that
low never starves. `critical` passes the bucket but is counted.
Source: ITU-T I.371, generic cell rate algorithm (virtual scheduling form).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from remit.core.budget import Limit
from remit.core.effects import Deny

if TYPE_CHECKING:
    from remit.ports.clock import Clock

PRIORITIES: Final[dict[str, int]] = {"critical": 0, "high": 1, "normal": 2, "low": 3}
MAX_QUEUE: Final = 100  # Source: spec/models.md 8
AGEING_S: Final = 10.0


class Bucket:
    """One limit's state: its TAT, the calls under way, and who waits."""

    __slots__ = ("active", "clock", "interval", "limit", "slack", "tat", "timer", "waiting")

    def __init__(self, limit: Limit, clock: Clock) -> None:
        self.limit = limit
        self.clock = clock
        self.interval = limit.period_s / limit.calls
        self.slack = (max(1, limit.burst or limit.calls // 10) - 1) * self.interval
        self.tat = 0.0
        self.active = 0
        self.waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self.timer: asyncio.TimerHandle | None = None

    def wait_s(self) -> float:
        """Seconds until the next call may go; 0 = now; infinite while all places are taken."""
        if self.limit.concurrent and self.active >= self.limit.concurrent:
            return float("inf")
        return max(0.0, self.tat - self.slack - self.clock.monotonic())

    def take(self) -> None:
        """Let one call go."""
        self.tat = max(self.tat, self.clock.monotonic()) + self.interval
        self.active += 1

    async def acquire(self, priority: str) -> Deny | None:
        if priority == "critical" or (not self.waiting and self.wait_s() == 0.0):
            self.take()
            return None
        if len(self.waiting) >= MAX_QUEUE:
            return Deny("queue_full", "rate", f"{MAX_QUEUE} calls already wait for this limit")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Ageing as a fixed rank: a level is worth AGEING_S of earlier arrival.
        rank = self.clock.monotonic() + PRIORITIES[priority] * AGEING_S
        self.waiting.append((rank, id(future), future))
        self.waiting.sort()
        self.wake()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.release()  # the place was given in the same moment; pass it on
            else:
                self.waiting = [w for w in self.waiting if w[2] is not future]
            raise
        return None

    def wake(self) -> None:
        """Let as many waiters go as may, and set a timer for the next."""
        while self.waiting:
            delay = self.wait_s()
            if delay > 0.0:
                if self.timer is not None:
                    self.timer.cancel()
                    self.timer = None
                if delay != float("inf"):
                    self.timer = asyncio.get_running_loop().call_later(delay, self.wake)
                return
            _, _, future = self.waiting.pop(0)
            if not future.done():
                self.take()
                future.set_result(None)

    def release(self) -> None:
        self.active -= 1
        if self.waiting:
            self.wake()
