"""One limit: a bucket a dimension (calls, tokens, money), each with its own clock, and places for calls under way.

GCRA keeps one number a dimension, the theoretical arrival time (TAT): an amount may go when TAT stays at most a
burst ahead of now, and moves it on. So in any window w at most rate * w + burst goes. An amount above the
whole burst goes alone, when the bucket has drained, and is paid off before anything else goes.
Source: ITU-T I.371, generic cell rate algorithm (virtual scheduling form).

Giving back: tokens and money are reserved at their worst and settled on what was really used. What is given back
lowers TAT by no more than the bucket held at every arrival since the reservation; else time in which the bucket
stood empty would count twice, and the window's bound would break. (Level after a refund of x at
time t is lower by min(x, min of the level over the time since), because a level never goes below 0.)
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import Any, Final, NamedTuple

from remit.core.budget import Limit

NANO_PER_CENT: Final = 10_000_000
SLIP_S: Final = 1e-8  # what floating point may be off by; far below any interval that matters
MAX_MARKS: Final = 4096  # arrivals that a refund looks back on; older reservations get nothing back


class Amounts(NamedTuple):
    """What one call takes of each dimension."""

    calls: int = 1
    tokens: int = 0
    nano: int = 0


class Gcra:
    """One dimension. Times are seconds of one monotonic clock; amounts are calls, tokens or nano-dollars."""

    __slots__ = ("_first", "_levels", "_marks", "_refunds", "_seq", "_shift", "_window", "amount", "burst", "interval",
                 "tat")  # fmt: skip

    def __init__(self, amount: float, period_s: float, burst: float, *, refunds: bool = True) -> None:
        self.amount = amount
        self.interval = period_s / amount
        self.burst = burst
        self.tat = 0.0
        self._refunds = refunds
        self._marks: list[int] = []  # arrivals whose level is the least since, oldest first ...
        self._levels: list[float] = []  # ... and those levels, in seconds, `_shift` added
        self._seq = self._first = 0
        self._shift = 0.0
        self._window = _Window(period_s)

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until `amount` may go; 0 = now."""
        wait = self.tat - now - (self.burst - min(amount, self.burst)) * self.interval
        return wait if wait > SLIP_S else 0.0

    def take(self, amount: float, now: float) -> int:
        """Let `amount` go, whether or not it may; the mark is what `give_back` needs."""
        if self._refunds:
            self._mark(max(0.0, self.tat - now) + self._shift)
        self.tat = max(self.tat, now) + amount * self.interval
        self._window.add(amount, now)
        return self._seq

    def _mark(self, level: float) -> None:
        while self._levels and self._levels[-1] >= level:
            self._levels.pop()
            self._marks.pop()
        self._seq += 1
        self._marks.append(self._seq)
        self._levels.append(level)
        if len(self._marks) > MAX_MARKS:
            self._first = self._marks[0]
            del self._marks[0], self._levels[0]

    def give_back(self, mark: int, amount: float, now: float) -> None:
        """Take back `amount` of what arrived at `mark`: it was not used."""
        asked = amount * self.interval
        least = max(0.0, self.tat - now)
        if mark < self._first:
            least = 0.0
        later = bisect_right(self._marks, mark)
        if later < len(self._levels):
            least = min(least, max(0.0, self._levels[later] - self._shift))
        self.tat -= min(asked, least)
        self._shift += asked  # no older level was lowered by more than this
        self._window.add(-amount, now)

    def pause(self, seconds: float, now: float) -> None:
        """Nothing goes for `seconds`: the provider said so."""
        self.tat = max(self.tat, now + seconds + (self.burst - 1) * self.interval)

    def fill(self, left: float, now: float) -> None:
        """The provider counts only `left` as still free: never widens."""
        held = max(0.0, self.burst - left) * self.interval
        self.tat = max(self.tat, now + held)

    def used_percent(self, now: float) -> float:
        """Share of the period's amount used in the last period, in percent (two windows, weighted)."""
        return 100.0 * self._window.total(now) / self.amount


class _Window:
    """How much went in about the last period: this window's sum and a share of the one before."""

    __slots__ = ("before", "period_s", "started", "this")

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self.started = float("-inf")
        self.this = self.before = 0.0

    def add(self, amount: float, now: float) -> None:
        self._turn(now)
        self.this = max(0.0, self.this + amount)

    def total(self, now: float) -> float:
        self._turn(now)
        return self.this + self.before * max(0.0, 1.0 - (now - self.started) / self.period_s)

    def _turn(self, now: float) -> None:
        age = now - self.started
        if age >= self.period_s:
            self.before = self.this if age < 2 * self.period_s else 0.0
            self.this = 0.0
            self.started = now if age >= 2 * self.period_s else self.started + self.period_s


class Marks(NamedTuple):
    """What was taken of one bucket, for giving back."""

    tokens: int = 0
    nano: int = 0


class Usage(NamedTuple):
    """How far one limit is used, each in percent of its period's amount."""

    request_utilization: float
    token_utilization: float
    cost_utilization: float
    concurrent: int
    """calls under way"""
    queued: int
    critical: int
    """calls that passed the bucket by their priority"""


class Bucket:
    """One limit's state. Who waits stands in `heap`; admission.py moves it."""

    __slots__ = ("active", "calls", "claim", "critical", "heap", "limit", "name", "nano", "reported", "timer", "tokens",
                 "waiting")  # fmt: skip

    def __init__(self, name: str, limit: Limit) -> None:
        self.name = name
        self.limit = limit
        self.calls = _dimension(limit.calls, limit.period_s, limit.burst, refunds=False)
        self.tokens = _dimension(limit.tokens, limit.tokens_period_s, limit.token_burst)
        self.nano = _dimension(limit.cents * NANO_PER_CENT, limit.cents_period_s, limit.cent_burst * NANO_PER_CENT)
        self.active = 0
        self.critical = 0
        self.heap: list[Any] = []
        self.waiting = 0
        """waiters in the heap that are still there"""
        self.claim: object | None = None
        """a waiter that this bucket lets go and another one does not yet: nobody behind it may pass"""
        self.timer: asyncio.TimerHandle | None = None
        self.reported: set[str] = set()

    def wait_s(self, amounts: Amounts, now: float) -> float:
        """Seconds until such a call may go; infinite while all places are taken."""
        if self.limit.concurrent and self.active >= self.limit.concurrent:
            return float("inf")
        wait = 0.0
        if self.calls is not None:
            wait = self.calls.wait_s(amounts.calls, now)
        if self.tokens is not None and amounts.tokens:
            wait = max(wait, self.tokens.wait_s(amounts.tokens, now))
        if self.nano is not None and amounts.nano:
            wait = max(wait, self.nano.wait_s(amounts.nano, now))
        return wait

    def take(self, amounts: Amounts, now: float) -> Marks:
        """Let such a call go."""
        self.active += 1
        if self.calls is not None:
            self.calls.take(amounts.calls, now)
        tokens = self.tokens.take(amounts.tokens, now) if self.tokens is not None and amounts.tokens else 0
        nano = self.nano.take(amounts.nano, now) if self.nano is not None and amounts.nano else 0
        return Marks(tokens, nano)

    def settle(self, marks: Marks, held: Amounts, used: Amounts, now: float) -> None:
        """Replace what was reserved by what was used."""
        for dimension, mark, reserved, real in (
            (self.tokens, marks.tokens, held.tokens, used.tokens),
            (self.nano, marks.nano, held.nano, used.nano),
        ):
            if dimension is None:
                continue
            if real > reserved:
                dimension.take(real - reserved, now)
            elif reserved > real:
                dimension.give_back(mark, reserved - real, now)

    def usage(self, now: float) -> Usage:
        """How far the limit is used."""
        calls, tokens, nano = [0.0 if d is None else d.used_percent(now) for d in (self.calls, self.tokens, self.nano)]
        return Usage(calls, tokens, nano, self.active, self.waiting, self.critical)


def _dimension(amount: float, period_s: float, burst: float, *, refunds: bool = True) -> Gcra | None:
    """A tenth of the amount, at least 1, is the burst that nobody named. Source: spec/models.md 8."""
    return Gcra(amount, period_s, burst or max(1, amount // 10), refunds=refunds) if amount else None
