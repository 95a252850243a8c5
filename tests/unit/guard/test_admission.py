"""guard/admission.py and rate_bucket.py: no more than the rate, nobody lost, nobody starved."""

from __future__ import annotations

import asyncio
import importlib.util
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from remit.core.budget import PRESETS, Limit, lower_limit
from remit.errors import Exhausted, Invalid
from remit.guard.admission import Admission, Full
from remit.guard.rate_bucket import Gcra
from remit.guard.rate_limiter import RateLimiter
from remit.testing.clock import FakeClock

BENCH = Path(__file__).parents[3] / "bench/limits.py"


def bench() -> Any:
    """The load generator, under virtual time."""
    if "bench_limits" not in sys.modules:
        spec = importlib.util.spec_from_file_location("bench_limits", BENCH)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["bench_limits"] = module
        spec.loader.exec_module(module)
    return sys.modules["bench_limits"]


@pytest.mark.parametrize("seed", range(4))
def test_a_saturated_limit_is_kept_used_and_fair(seed: int) -> None:
    """Under any seed's load no window passes rate * w + burst, 97 % is used, no waiter is lost, low goes too."""
    load = bench()
    limit = Limit(calls=60, period_s=10.0, burst=(0, 1, 5)[seed % 3], concurrent=(0, 30)[seed % 2], tokens=36_000,
                  token_burst=2000, queue=1000)  # fmt: skip
    row = load.virtual(lambda clock: load.saturated(clock, limit, 300.0, seed, 40))
    assert load.problems(row) == [], row


def test_two_busy_limits_starve_nobody_who_needs_both() -> None:
    """Who needs both of two saturated limits gets its turn beside those who need one."""
    load = bench()
    row = load.virtual(lambda clock: load.shared(clock, 1))
    assert min(found["went"] for found in row.values()) > 50
    assert max(found["max_wait_s"] for found in row.values()) < 60


def test_a_crowd_waits_in_order_of_rank() -> None:
    """Two thousand waiters all go, high before normal before low."""
    load = bench()
    row = load.virtual(lambda clock: load.crowd(clock, 2000))
    assert (row["queued"], row["went"], row["in_order"]) == (2000, 2000, True)


def test_a_refund_never_breaks_the_bound() -> None:
    """Whatever is reserved and given back, what was really used stays within rate * w + burst."""
    load = bench()
    for seed in range(200):
        rng = random.Random(seed)
        bucket, now, held, used = Gcra(100, 10.0, 20), 0.0, [], []
        for _ in range(300):
            now += rng.expovariate(3.0)
            worst = rng.randint(1, 20)
            if not bucket.wait_s(worst, now):
                held.append((bucket.take(worst, now), worst, rng.randint(0, worst), now))
            while held and rng.random() < 0.5:
                mark, reserved, real, at = held.pop(rng.randrange(len(held)))
                bucket.give_back(mark, reserved - real, now)
                used.append((at, real))
        used += [(at, reserved) for _, reserved, _, at in held]
        assert load.excess(used, 10.0, 20.0) < 1e-6, seed


def test_critical_passes_and_is_counted() -> None:
    """Critical goes at once, takes from the bucket, and is counted apart."""

    async def main() -> Any:
        admission = Admission({"model:*": Limit(calls=1, period_s=3600.0, burst=1)}, FakeClock())
        for _ in range(3):
            assert not isinstance(await admission.acquire(("model:m",), priority="critical"), Full)
        return admission.usage("model:m"), admission.try_acquire(("model:m",))

    usage, ticket = asyncio.run(main())
    assert (usage.critical, usage.concurrent, usage.request_utilization, ticket) == (3, 3, 300.0, None)


def test_a_full_queue_refuses_and_a_cancelled_waiter_leaves_it() -> None:
    """One may wait: the second is refused; when the first gives up there is room, and its place goes to the next."""

    async def main() -> list[Any]:
        admission = Admission({"model:*": Limit(concurrent=1, queue=1)}, FakeClock())
        first = await admission.acquire(("model:m",))
        assert not isinstance(first, Full)
        waiting = asyncio.ensure_future(admission.acquire(("model:m",)))
        await asyncio.sleep(0)
        refused = await admission.acquire(("model:m",))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        another = asyncio.ensure_future(admission.acquire(("model:m",)))
        await asyncio.sleep(0)
        admission.release(first)
        got = await another
        return [refused, got.was_queued, admission.usage("model:m")]

    refused, queued, usage = asyncio.run(main())
    assert (refused, queued) == (Full("model:m", 1), True)
    assert (usage.concurrent, usage.queued) == (1, 0)


def test_use_is_reported_at_eighty_percent_and_at_the_limit() -> None:
    """Each threshold is told once, and again after use fell below it."""
    told: list[tuple[str, str]] = []
    clock = FakeClock()
    admission = Admission({"model:m": Limit(calls=10, burst=10)}, clock, lambda kind, key, _: told.append((kind, key)))
    for _ in range(10):
        assert admission.try_acquire(("model:m",)) is not None
    assert told == [("usage_warning", "model:m calls"), ("limit_reached", "model:m calls")]


def test_a_provider_may_narrow_a_bucket_and_never_widen_it() -> None:
    """A wait that the provider asks for holds calls back; a large number of calls left changes nothing."""
    clock = FakeClock()
    admission = Admission({"model:m": Limit(calls=60, burst=5)}, clock)
    admission.left(("model:m",), calls=1000)
    admission.left(("model:m",), calls=1)
    assert admission.try_acquire(("model:m",)) is not None
    assert admission.try_acquire(("model:m",)) is None
    admission.pause(("model:m",), 30.0)
    clock.advance(29.0)
    assert admission.try_acquire(("model:m",)) is None
    clock.advance(2.0)
    assert admission.try_acquire(("model:m",)) is not None


def test_the_rate_limiter_has_the_surface_of_the_spec() -> None:
    """try_acquire, acquire_with_priority with its wait, record_usage, utilization, and refusal without queueing."""

    async def main() -> Any:
        clock = FakeClock()
        limiter = RateLimiter({"dear": Limit(calls=20, burst=2, tokens=1000)}, clock=clock)
        ticket = limiter.try_acquire("dear", tokens=100)
        assert ticket is not None
        limiter.record_usage("dear", 40, ticket=ticket)
        limiter.release(ticket)
        got = await limiter.acquire_with_priority("dear", "high")
        strict = RateLimiter(default=Limit(calls=1), clock=clock, enable_queuing=False)
        strict.try_acquire("m")
        with pytest.raises(Exhausted) as refused:
            await strict.acquire_with_priority("m")
        return got, limiter.get_usage("dear"), refused.value.code

    got, usage, code = asyncio.run(main())
    assert (got.wait_time, got.was_queued, code) == (0.0, False, "queue_full")
    assert (usage.request_utilization, usage.token_utilization) == (10.0, 4.0)


def test_limits_are_checked_and_met() -> None:
    """A limit limits something; the stricter of two holds in each dimension; presets exist."""
    with pytest.raises(Invalid):
        Limit()
    with pytest.raises(Invalid):
        Limit(calls=1, period_s=0)
    met = lower_limit(Limit(calls=10, period_s=1.0), Limit(calls=60, period_s=60.0, tokens=5, concurrent=3))
    assert (met.calls, met.period_s, met.tokens, met.concurrent) == (60, 60.0, 5, 3)
    assert PRESETS["high"].calls < PRESETS["low"].calls
