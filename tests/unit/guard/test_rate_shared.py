"""Shared rate limits: slots are booked once, used in time or dropped, and nothing goes while the store is silent."""

from __future__ import annotations

import asyncio
import threading

from remit.core.budget import Limit
from remit.errors import Unavailable
from remit.guard import rate_shared
from remit.guard.rate_shared import SharedBucket


class Store:
    """One row in memory, on the loop's own clock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tat = 0
        self.now = 0
        self.fail = 0
        self.booked: list[int] = []

    def book(self, name: str, count: int, interval_us: int) -> tuple[int, int]:
        with self.lock:
            if self.fail:
                self.fail -= 1
                raise Unavailable("disk_failed", "away")
            now = round(asyncio_time() * 1_000_000)
            first = max(self.tat, now)
            self.tat = first + count * interval_us
            self.booked.append(count)
            return first, now

    def close(self) -> None:
        pass


def asyncio_time() -> float:
    import time

    return time.monotonic()


class Clock:
    """The system's monotonic clock."""

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return asyncio_time()

    def random_bits(self, bits: int) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def bucket(store: Store, **limit: float) -> SharedBucket:
    return SharedBucket("model:m", Limit(**limit), Clock(), store)  # type: ignore[arg-type]


def test_two_processes_share_one_limit() -> None:
    """Two buckets on one row, both saturated for 0.6 s at 200 calls/s: together 90 to 105 % of it, each a fair part."""

    async def case() -> None:
        store = Store()
        buckets = [bucket(store, calls=12_000, period_s=60.0, burst=1) for _ in range(2)]
        counts = [0, 0]

        async def member(index: int) -> None:
            while True:
                await buckets[index].acquire("normal")
                counts[index] += 1

        tasks = [asyncio.ensure_future(member(index)) for index in (0, 1) for _ in range(5)]
        await asyncio.sleep(0.6)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(counts) <= 0.6 * 200 * 1.3  # the sleep itself may be late on a busy machine
        assert min(counts) >= 20
        assert len(store.booked) < sum(counts)

    asyncio.run(case())


def test_a_slot_that_is_not_used_in_time_is_dropped() -> None:
    """Slots booked long ago do not let a later burst through."""

    async def case() -> None:
        store = Store()
        one = bucket(store, calls=6000, period_s=60.0, burst=1)
        one._slots.extend([asyncio_time() - 2 * rate_shared.KEEP_S] * 50)
        assert one.wait_s() == rate_shared.FOREVER
        assert not one._slots

    asyncio.run(case())


def test_while_the_store_is_silent_no_call_goes() -> None:
    """A failed booking is tried again; until it succeeds the call waits, and then it goes."""

    async def case() -> None:
        store = Store()
        store.fail = 1
        one = bucket(store, calls=6000, period_s=60.0)
        call = asyncio.ensure_future(one.acquire("normal"))
        await asyncio.sleep(rate_shared.RETRY_S / 2)
        assert not call.done()
        assert await asyncio.wait_for(call, 10) is None
        assert store.booked == [1]

    asyncio.run(case())


def test_critical_calls_go_at_once_and_are_counted() -> None:
    """A critical call takes no slot; the next booking pays for it."""

    async def case() -> None:
        store = Store()
        one = bucket(store, calls=6000, period_s=60.0)
        for _ in range(3):
            assert await one.acquire("critical") is None
        await one.acquire("normal")
        assert store.booked == [4]

    asyncio.run(case())
