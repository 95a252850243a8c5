"""One admission controller for calls, tokens, money and places, per model, provider, agent and tenant.

A call names its keys (`model:openai:gpt-4o`, `provider:openai`, `agent:coder`, `tenant:acme`, `tool:shell`); each key
that a limit's pattern matches has a bucket (rate_bucket.py). A call goes when all of its buckets let it go at
once, and takes from all of them in that instant; what it really used replaces the reservation afterwards.

Who may not go waits in the heap of the one bucket that holds it up, by rank: arrival plus `AGEING_S` a
level of priority, so that a level is worth so much of earlier arrival and low never starves. A bucket is looked at when
its time comes (timer) and when a call ends. Nobody passes the first of a heap.

A waiter that one bucket lets go and another does not moves over to that other one. Two busy buckets could
send it to and fro for ever; after `BOUNCES` moves it claims the bucket that lets it go, and whoever ranks
behind it waits there too. Claims cannot lock each other: a lower rank passes a claim of a higher one.

`critical` passes, takes from the buckets (the others wait the longer) and is counted apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from remit.core.budget import Limit
from remit.core.grants import name_match
from remit.guard.rate_bucket import Amounts, Bucket, Marks, Usage

if TYPE_CHECKING:
    from remit.ports.clock import Clock

PRIORITIES: Final[dict[str, int]] = {"critical": 0, "high": 1, "normal": 2, "low": 3}
AGEING_S: Final = 10.0
BOUNCES: Final = 3
MAX_KEYS: Final = 65_536  # buckets of one controller; names may come from outside
MIN_TIMER_S: Final = 1e-4
ONE_CALL: Final = Amounts()

Report = Callable[[str, str, float], None]
"""(rate_limited | queued | dequeued | limit_reached | usage_warning, key of the limit, seconds waited or percent)"""


class Ticket:
    """One admitted call: what it holds, and how it came to it."""

    __slots__ = ("amounts", "buckets", "marks", "wait_time", "was_queued")

    def __init__(self, buckets: tuple[Bucket, ...], amounts: Amounts, wait_time: float, was_queued: bool) -> None:
        self.buckets = buckets
        self.amounts = amounts
        self.marks: tuple[Marks, ...] = ()
        self.wait_time = wait_time
        """seconds"""
        self.was_queued = was_queued


class Full(NamedTuple):
    """The answer when too many wait already."""

    key: str
    queue: int


class _Waiter(Ticket):
    """A call that waits; once it goes, its ticket. One object, because a hundred thousand may wait."""

    __slots__ = ("bounces", "future", "rank", "seq", "since", "where")

    def __init__(self, buckets: tuple[Bucket, ...], amounts: Amounts, since: float, rank: float, seq: int) -> None:
        super().__init__(buckets, amounts, 0.0, True)
        self.since = since
        self.rank = rank
        self.seq = seq
        self.bounces = 0
        self.where = buckets[0]
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __lt__(self, other: _Waiter) -> bool:
        return self.rank < other.rank or (self.rank == other.rank and self.seq < other.seq)


class Admission:
    """All limits of one runtime.

    Args:
        limits: pattern -> limit; of the patterns that match a key, the first counts.
        clock: monotonic time; timers are the running loop's.
        report: told of queueing and of use above `warn_percent`.
    """

    def __init__(self, limits: Mapping[str, Limit], clock: Clock, report: Report | None = None) -> None:
        self.limits = dict(limits)
        self._clock = clock
        self._report = report or (lambda *_: None)
        self._buckets: dict[str, Bucket | None] = {}
        self._sets: dict[tuple[str, ...], tuple[Bucket, ...]] = {}
        self._seq = 0

    # --- admission -------------------------------------------------------------------------------

    def try_acquire(self, keys: tuple[str, ...], amounts: Amounts = ONE_CALL) -> Ticket | None:
        """A ticket when the call may go now; None = it would have to wait. Every ticket needs one `release`."""
        buckets = self.buckets(keys)
        now = self._clock.monotonic()
        if any(b.waiting or b.claim is not None or b.wait_s(amounts, now) for b in buckets):
            return None
        return self._taken(Ticket(buckets, amounts, 0.0, False), now)

    async def acquire(
        self, keys: tuple[str, ...], amounts: Amounts = ONE_CALL, priority: str = "normal"
    ) -> Ticket | Full:
        """A ticket, at once or after waiting by priority; Full when the queue is. Cancelling leaves the queue."""
        found = self._enter(keys, amounts, priority)
        if type(found) is not _Waiter:
            return found
        try:
            await found.future
        except asyncio.CancelledError:
            self._gave_up(found)
            raise
        found.wait_time = self._clock.monotonic() - found.since
        self._report("dequeued", found.where.name, found.wait_time)
        return found

    def _enter(self, keys: tuple[str, ...], amounts: Amounts, priority: str) -> Ticket | Full:
        """The ticket, the refusal, or a waiter that stands in a queue."""
        if priority == "critical":
            ticket = Ticket(self.buckets(keys), amounts, 0.0, False)
            for bucket in ticket.buckets:
                bucket.critical += 1
            return self._taken(ticket, self._clock.monotonic())
        found = self.try_acquire(keys, amounts)
        if found is not None:
            return found
        buckets = self.buckets(keys)
        now = self._clock.monotonic()
        self._seq += 1
        waiter = _Waiter(buckets, amounts, now, now + PRIORITIES[priority] * AGEING_S, self._seq)
        bucket = _blocker(waiter, now)[0] or next((b for b in buckets if b.waiting or b.claim is not None), buckets[0])
        if bucket.waiting >= bucket.limit.queue:
            self._report("rate_limited", bucket.name, 0.0)
            return Full(bucket.name, bucket.limit.queue)
        self._report("queued", bucket.name, 0.0)
        self._stand(waiter, bucket)
        self._wake(bucket)
        return waiter

    def _gave_up(self, waiter: _Waiter) -> None:
        granted = waiter.future.done() and not waiter.future.cancelled()
        waiter.future.cancel()
        if granted:  # the place was given in the same moment; pass it on
            self.release(waiter, Amounts(0))
        else:
            self._left(waiter)

    def settle(self, ticket: Ticket, used: Amounts) -> None:
        """What the call really used replaces what was reserved; `release` does it too."""
        now = self._clock.monotonic()
        for bucket, marks in zip(ticket.buckets, ticket.marks, strict=True):
            bucket.settle(marks, ticket.amounts, used, now)
            self._warn(bucket, now)
        ticket.amounts = used

    def release(self, ticket: Ticket, used: Amounts | None = None) -> None:
        """The call is over; `used` None = what was reserved."""
        if used is not None:
            self.settle(ticket, used)
        for bucket in ticket.buckets:
            bucket.active -= 1
        for bucket in ticket.buckets:
            if bucket.heap:
                self._wake(bucket)

    def record(self, keys: tuple[str, ...], amounts: Amounts) -> None:
        """Count what nobody reserved."""
        now = self._clock.monotonic()
        for bucket in self.buckets(keys):
            bucket.settle(Marks(), Amounts(0), amounts, now)
            self._warn(bucket, now)

    # --- what a provider says --------------------------------------------------------------------

    def pause(self, keys: tuple[str, ...], seconds: float) -> None:
        """The provider asked for a wait: nothing of these keys goes before."""
        now = self._clock.monotonic()
        for bucket in self.buckets(keys):
            if bucket.calls is not None:
                bucket.calls.pause(min(seconds, 3600.0), now)

    def left(self, keys: tuple[str, ...], *, calls: float | None = None, tokens: float | None = None) -> None:
        """What the provider says is left; it narrows the buckets, and never widens them."""
        now = self._clock.monotonic()
        for bucket in self.buckets(keys):
            if calls is not None and bucket.calls is not None:
                bucket.calls.fill(calls, now)
            if tokens is not None and bucket.tokens is not None:
                bucket.tokens.fill(tokens, now)

    def usage(self, key: str) -> Usage | None:
        """How far the limit of one key is used; None = it has none."""
        bucket = self._bucket(key)
        return None if bucket is None else bucket.usage(self._clock.monotonic())

    # --- buckets ---------------------------------------------------------------------------------

    def buckets(self, keys: tuple[str, ...]) -> tuple[Bucket, ...]:
        """The buckets of a call's keys, without the keys that no limit matches."""
        found = self._sets.get(keys)
        if found is None:
            if len(self._sets) >= MAX_KEYS:
                self._sets.clear()
            every = [self._bucket(key) for key in keys]
            found = self._sets[keys] = tuple([b for b in every if b is not None])
        return found

    def _bucket(self, key: str) -> Bucket | None:
        if key not in self._buckets:
            if len(self._buckets) >= MAX_KEYS:
                idle = [k for k, b in self._buckets.items() if b is None or not (b.active or b.waiting)]
                for each in idle:
                    del self._buckets[each]
                self._sets.clear()
            limit = next((v for k, v in self.limits.items() if name_match(k, key)), None)
            self._buckets[key] = None if limit is None else Bucket(key, limit)
        return self._buckets[key]

    def _taken(self, ticket: Ticket, now: float) -> Ticket:
        ticket.marks = tuple([bucket.take(ticket.amounts, now) for bucket in ticket.buckets])
        for bucket in ticket.buckets:
            self._warn(bucket, now)
        return ticket

    def _warn(self, bucket: Bucket, now: float) -> None:
        for name, dimension in (("calls", bucket.calls), ("tokens", bucket.tokens), ("money", bucket.nano)):
            if dimension is None:
                continue
            percent = dimension.used_percent(now)
            for kind, from_percent in (("usage_warning", bucket.limit.warn_percent), ("limit_reached", 100.0)):
                mark = f"{kind} {name}"
                if percent < from_percent:
                    bucket.reported.discard(mark)
                elif mark not in bucket.reported:
                    bucket.reported.add(mark)
                    self._report(kind, f"{bucket.name} {name}", percent)

    # --- waiting ---------------------------------------------------------------------------------

    def _stand(self, waiter: _Waiter, bucket: Bucket) -> None:
        waiter.where = bucket
        bucket.waiting += 1
        heappush(bucket.heap, waiter)

    def _wake(self, bucket: Bucket) -> None:
        """Let as many go as may, first by rank, and set a timer for the next."""
        now = self._clock.monotonic()
        while bucket.heap:
            waiter = bucket.heap[0]
            if waiter.future.done():
                heappop(bucket.heap)
                continue
            blocker, wait = _blocker(waiter, now)
            if blocker is bucket:
                self._time(bucket, wait)
                return
            heappop(bucket.heap)
            bucket.waiting -= 1
            if blocker is None:
                self._go(waiter, now)
                continue
            waiter.bounces += 1
            if waiter.bounces >= BOUNCES:
                bucket.claim = waiter
            self._stand(waiter, blocker)
            if blocker.heap[0] is waiter:
                self._time(blocker, wait)
        self._time(bucket, float("inf"))

    def _go(self, waiter: _Waiter, now: float) -> None:
        waiter.marks = tuple([bucket.take(waiter.amounts, now) for bucket in waiter.buckets])
        waiter.future.set_result(None)
        for bucket in waiter.buckets:
            self._warn(bucket, now)
        self._unclaim(waiter)

    def _unclaim(self, waiter: _Waiter) -> None:
        if waiter.bounces < BOUNCES:
            return
        for bucket in waiter.buckets:
            if bucket.claim is waiter:
                bucket.claim = None
                self._soon(bucket)

    def _left(self, waiter: _Waiter) -> None:
        """A waiter was cancelled: its place in the heap is dead, and swept with others of its kind."""
        bucket = waiter.where
        bucket.waiting -= 1
        if len(bucket.heap) > 32 and bucket.waiting * 2 < len(bucket.heap):
            bucket.heap = [each for each in bucket.heap if not each.future.done()]
            heapify(bucket.heap)
        self._unclaim(waiter)
        self._soon(bucket)

    def _soon(self, bucket: Bucket) -> None:
        if bucket.heap:
            self._time(bucket, 0.0)

    def _time(self, bucket: Bucket, delay_s: float) -> None:
        if bucket.timer is not None:
            bucket.timer.cancel()
            bucket.timer = None
        if delay_s != float("inf"):
            loop = asyncio.get_running_loop()
            bucket.timer = loop.call_later(max(delay_s, MIN_TIMER_S) if delay_s else 0.0, self._wake, bucket)


def _blocker(waiter: _Waiter, now: float) -> tuple[Bucket | None, float]:
    """The bucket that holds a waiter up, and for how many seconds; its own one first, else the slowest."""
    found: Bucket | None = None
    longest = 0.0
    for bucket in waiter.buckets:
        claim: Any = bucket.claim
        behind = claim is not None and claim is not waiter and claim.rank < waiter.rank
        wait = float("inf") if behind else bucket.wait_s(waiter.amounts, now)
        if not wait:
            continue
        if bucket is waiter.where and waiter.where.heap:
            return bucket, wait
        if found is None or wait > longest:
            found, longest = bucket, wait
    return found, longest
