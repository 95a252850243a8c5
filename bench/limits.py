"""What the admission controller promises, measured: python bench/limits.py [--seeds 5] [--waiters 100000]

Under virtual time (every seed another load) and on real time it prints: the largest excess over rate * w + burst in any
window, the share of the rate used under saturation, waiters lost, p99 wait by priority, and the memory of a queue of
100,000. Exits 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import resource
import selectors
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from remit.adapters.clock import SystemClock
from remit.core.budget import Limit
from remit.guard.admission import Admission, Full
from remit.guard.rate_bucket import Amounts

KEYS = ("model:m",)


class _Jump(selectors.DefaultSelector):  # type: ignore[misc,valid-type]  # a class of the platform
    """A selector that does not wait: it moves the loop's time."""

    loop: Any = None

    def select(self, timeout: float | None = None) -> Any:
        if timeout:
            self.loop.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes only when nothing is left to do."""

    def __init__(self) -> None:
        selector = _Jump()
        selector.loop = self
        self.now = 1000.0
        super().__init__(selector)

    def time(self) -> float:
        return self.now


class LoopClock:
    """`ports.clock.Clock` of the running loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        return self._loop.time()

    def now_ms(self) -> int:
        return round(self._loop.time() * 1000)

    def random_bits(self, bits: int) -> int:
        return random.getrandbits(bits)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def virtual(work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """Run `work(clock)` under virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work(LoopClock(loop)))
    finally:
        loop.close()


def excess(times: list[tuple[float, float]], rate: float, burst: float) -> float:
    """Most by which the amount in any window passed rate * w + burst: a leaky bucket's highest level, less burst."""
    level, last, most = 0.0, None, 0.0
    for at, amount in sorted(times):
        level = (level if last is None else max(0.0, level - (at - last) * rate)) + amount
        last = at
        most = max(most, level - burst)
    return most


def p99(values: list[float]) -> float:
    """The 99th percentile; 0 for none."""
    return sorted(values)[int(len(values) * 0.99)] if values else 0.0


async def saturated(clock: Any, limit: Limit, seconds: float, seed: int, clients: int) -> dict[str, Any]:  # noqa: C901  # the load and its counters
    """Clients of mixed priority that ask again and again; a few critical calls; some waiters give up."""
    rng = random.Random(seed)
    admission = Admission({"model:*": limit}, clock)
    calls: list[tuple[float, float]] = []
    tokens: list[tuple[float, float]] = []
    waits: dict[str, list[float]] = {"high": [], "normal": [], "low": []}
    counts = {"asked": 0, "went": 0, "refused": 0, "cancelled": 0, "critical": 0}
    end = clock.monotonic() + seconds

    async def client(priority: str) -> None:
        while clock.monotonic() < end:
            worst = rng.randint(200, 1000)
            counts["asked"] += 1
            asking = admission.acquire(("model:m",), Amounts(1, worst), priority)
            try:
                got = await (asyncio.wait_for(asking, rng.uniform(0.1, 5)) if rng.random() < 0.05 else asking)
            except TimeoutError:
                counts["cancelled"] += 1
                continue
            if isinstance(got, Full):
                counts["refused"] += 1
                await clock.sleep(1.0)
                continue
            now = clock.monotonic()
            used = rng.randint(worst // 2, worst)
            if now <= end:
                calls.append((now, 1))
                tokens.append((now, used))
            waits[priority].append(got.wait_time)
            counts["went"] += 1
            await clock.sleep(rng.uniform(0.0, 0.2))
            admission.release(got, Amounts(1, used))

    async def critical() -> None:
        while clock.monotonic() < end:
            got = await admission.acquire(("model:m",), Amounts(1, 10), "critical")
            counts["critical"] += 1
            await clock.sleep(seconds / 10)
            admission.release(got, Amounts(1, 10))

    started = clock.monotonic()
    async with asyncio.TaskGroup() as group:
        for i in range(clients):
            group.create_task(client(("high", "normal", "low")[i % 3]))
        if seed % 2:
            group.create_task(critical())
    usage = admission.usage("model:m")
    assert usage is not None
    passed = end - started
    bound = limit.calls / limit.period_s
    shares = [(len(calls) + counts["critical"]) / (bound * passed)]
    if limit.tokens:
        shares.append(sum(a for _, a in tokens) / (limit.tokens / limit.tokens_period_s * passed))
    over = excess(calls, bound, limit.burst or max(1, limit.calls // 10))
    over_tokens = excess(tokens, limit.tokens / limit.tokens_period_s, limit.token_burst) if limit.tokens else 0.0
    lost = counts["asked"] - counts["went"] - counts["refused"] - counts["cancelled"]
    return {
        "used_percent": round(100 * max(shares), 2), "excess_calls": round(over, 6),
        "excess_tokens": round(over_tokens, 3), "lost": lost, "left_under_way": usage.concurrent,
        "left_queued": usage.queued, **counts, "p99_wait_s": {k: round(p99(v), 3) for k, v in waits.items()},
    }  # fmt: skip


async def shared(clock: Any, seed: int) -> dict[str, Any]:
    """Two busy limits, and callers that need one, the other, or both: nobody starves."""
    rng = random.Random(seed)
    both = {"model:a": Limit(calls=60, burst=1), "provider:p": Limit(calls=rng.choice((60, 75, 50)), burst=1)}
    admission = Admission(both, clock)
    waits: dict[str, list[float]] = {"a": [], "p": [], "both": []}
    keys = {"a": ("model:a",), "p": ("provider:p",), "both": ("model:a", "provider:p")}
    end = clock.monotonic() + 600

    async def client(kind: str) -> None:
        while clock.monotonic() < end:
            got = await admission.acquire(keys[kind], Amounts(), "normal")
            waits[kind].append(got.wait_time)
            admission.release(got)

    async with asyncio.TaskGroup() as group:
        for kind in ("a", "a", "a", "p", "p", "p", "both"):
            group.create_task(client(kind))
    return {kind: {"went": len(found), "max_wait_s": round(max(found), 2)} for kind, found in waits.items()}


async def crowd(clock: Any, waiters: int) -> dict[str, Any]:
    """So many wait at once; then all go, in order of rank."""
    limit = Limit(calls=10_000_000, period_s=1.0, burst=1_000_000, concurrent=1, queue=waiters)
    admission = Admission({"model:*": limit}, clock)
    first = await admission.acquire(KEYS)
    assert not isinstance(first, Full)
    order: list[int] = []
    gc.collect()
    before = memory_mb()

    async def one(i: int) -> None:
        got = await admission.acquire(KEYS, priority=("high", "normal", "low")[i % 3])
        order.append(i % 3)
        admission.release(got)

    started = time.process_time()
    async with asyncio.TaskGroup() as group:
        for i in range(waiters):
            group.create_task(one(i))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        usage = admission.usage("model:m")
        assert usage is not None
        queued, held = usage.queued, memory_mb()
        admission.release(first)
    return {
        "queued": queued, "went": len(order), "in_order": order == sorted(order), "memory_mb": round(held, 1),
        "grown_mb": round(held - before, 1), "peak_mb": round(peak_mb(), 1),
        "cpu_us_each": round((time.process_time() - started) / waiters * 1e6, 1),
    }  # fmt: skip


def memory_mb() -> float:
    """Resident memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def peak_mb() -> float:
    """Most resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def problems(row: dict[str, Any]) -> list[str]:
    """What a row of `saturated` breaks."""
    found = []
    if row["excess_calls"] > 1e-6 or row["excess_tokens"] > 1e-3:
        found.append("more than rate * w + burst")
    if row["used_percent"] < 97:
        found.append(f"only {row['used_percent']} % used")
    if row["lost"] or row["left_under_way"] or row["left_queued"]:
        found.append("a waiter was lost")
    waits = row["p99_wait_s"]
    if waits["low"] > waits["high"] + 60:
        found.append("low starves")
    return found


def main() -> int:
    """All measurements, one JSON line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--waiters", type=int, default=100_000)
    parser.add_argument("--real-s", type=float, default=10.0, help="seconds of the run on real time; 0 = none")
    args = parser.parse_args()
    bad: list[str] = []

    def show(name: str, row: dict[str, Any], wrong: list[str]) -> None:
        print(json.dumps({"case": name, **row, "problems": wrong}))
        bad.extend(f"{name}: {each}" for each in wrong)

    row = virtual(lambda clock: crowd(clock, args.waiters))
    show("crowd", row, [] if row["went"] == row["queued"] == args.waiters and row["in_order"] and row["memory_mb"] < 200
         else ["a waiter was lost, out of order, or over 200 MB"])  # fmt: skip
    for seed in range(args.seeds):
        rng = random.Random(seed)
        calls = rng.choice((20, 60, 120, 600))
        limit = Limit(calls=calls, period_s=rng.choice((10.0, 60.0)), concurrent=rng.choice((0, 40)), queue=1000,
                      burst=rng.choice((0, 1, 5)), tokens=rng.choice((0, calls * 300, calls * 2000)), token_burst=2000,
                      tokens_period_s=60.0)  # fmt: skip
        row = virtual(lambda clock, limit=limit, seed=seed: saturated(clock, limit, 1200.0, seed, 60))
        show(f"virtual seed {seed} {limit.calls}/{limit.period_s:g}s tokens {limit.tokens}", row, problems(row))
        row = virtual(lambda clock, seed=seed: shared(clock, seed))
        starved = [k for k, v in row.items() if v["went"] < 30 or v["max_wait_s"] > 60]
        show(f"shared seed {seed}", row, [f"{k} starves" for k in starved])
    if args.real_s:
        limit = Limit(calls=100, period_s=1.0, burst=10, concurrent=50, queue=1000)
        row = asyncio.run(saturated(SystemClock(), limit, args.real_s, 0, 60))
        show("real time 100/1s", row, problems(row))
    print(json.dumps({"result": "ok" if not bad else "broken", "problems": bad}))
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
