"""Run one system in one mode and print one JSON line of raw measurements. Every scenario script calls `main`.

A scenario gives two things: `connect(base_url)`, an async context manager that yields `run_once() -> str` (one whole
agent run), and `idle(count)`, which returns `count` agents that have their own tool and wait for work. The tool's body
calls `count_tool_call()`; the orchestrator compares that count and the number of runs with the server's counters.

    SCRIPT MODE URL [COUNT] [ROUNDS] [WARM]

cold        one run; the line is printed as soon as it has finished
seq         COUNT runs one after another, WARM before the clock starts
calls       COUNT pairs of runs, one with 1 and one with 11 tool calls, alternating
concurrent  ROUNDS times COUNT runs at once, WARM at once before
waiting     COUNT runs at once against URL (which delays its answers)
growth      COUNT runs, fifty at a time, after WARM runs; memory and objects before and after
idle        COUNT agents made and kept

CPU seconds are user + system of the whole process with all its threads. Only the standard library is imported, and
late, so that a cold start measures the system and not this file.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

Run = Callable[[], Awaitable[str]]
Connect = Callable[[str], AbstractAsyncContextManager[Run]]
FINAL = "Rome has 2,800,000 people."
GROWTH_CONCURRENCY = 50
CALLS_MANY = 11

_tool_calls = 0


def count_tool_call() -> int:
    """Count one execution of the tool's body and return its result, the population of Rome."""
    global _tool_calls
    _tool_calls += 1
    return 2_800_000


def _memory_kb(field: str) -> int:
    """Return VmRSS or VmHWM of this process in KiB."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


def _reset_peak() -> None:
    """Set VmHWM to the present size (proc(5), clear_refs, value 5)."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as refs:
        refs.write("5")


async def _checked(run: Run) -> None:
    text = await run()
    if text != FINAL:
        raise SystemExit(f"wrong final text: {text!r}")


class Meter:
    """Wall clock, CPU and memory of one measured phase."""

    def __init__(self) -> None:
        import gc
        import time

        gc.collect()
        _reset_peak()
        self.time = time
        self.rss_kb = _memory_kb("VmRSS")
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def stop(self, runs: int) -> dict[str, Any]:
        """Return the phase's figures; times in seconds, memory in KiB."""
        wall, cpu = self.time.perf_counter() - self.wall, self.time.process_time() - self.cpu
        return {
            "runs": runs,
            "wall": wall,
            "cpu": cpu,
            "rss_before_kb": self.rss_kb,
            "rss_peak_kb": _memory_kb("VmHWM"),
        }


async def sequential(connect: Connect, url: str, count: int, rounds: int, warm: int) -> dict[str, Any]:
    """Time `count` runs one by one."""
    import time

    async with connect(url) as run:
        for _ in range(warm):
            await _checked(run)
        clock, times = time.perf_counter, []
        meter = Meter()
        for _ in range(count):
            start = clock()
            await _checked(run)
            times.append(clock() - start)
        result = meter.stop(count)
    times.sort()
    return result | {"p50": times[len(times) // 2], "p99": times[int(len(times) * 0.99)], "total": count + warm}


async def calls(connect: Connect, url: str, count: int, rounds: int, warm: int) -> dict[str, Any]:
    """Time runs with 1 and with 11 tool calls alternately; the difference is the cost of ten tool calls."""
    import time

    def many(root: str) -> str:
        return root.removesuffix("/v1") + f"/tools/{CALLS_MANY}/v1"

    clock = time.perf_counter
    few_times, many_times = [], []
    async with connect(url) as short, connect(many(url)) as long:
        meter = Meter()
        for index in range(warm + count):
            start = clock()
            await _checked(short)
            middle = clock()
            await _checked(long)
            if index >= warm:
                few_times.append(middle - start)
                many_times.append(clock() - middle)
        result = meter.stop(2 * count)
    few_s = sorted(few_times)[count // 2]
    extra_s = sorted(many - few for few, many in zip(few_times, many_times, strict=True))[count // 2]
    expected = (warm + count) * (1 + CALLS_MANY)
    return result | {
        "few": few_s,
        "tool": extra_s / (CALLS_MANY - 1),
        "total": 2 * (warm + count),
        "expected_tool_calls": expected,
    }


async def concurrent(connect: Connect, url: str, count: int, rounds: int, warm: int) -> dict[str, Any]:
    """Time `rounds` bursts of `count` runs that all start at once."""
    async with connect(url) as run:
        await asyncio.gather(*[_checked(run) for _ in range(warm)])
        meter = Meter()
        for _ in range(rounds):
            await asyncio.gather(*[_checked(run) for _ in range(count)])
        result = meter.stop(count * rounds)
    return result | {"total": count * rounds + warm}


async def growth(connect: Connect, url: str, count: int, rounds: int, warm: int) -> dict[str, Any]:
    """Compare memory and live objects before and after `count` runs."""
    import gc

    async def some(run: Run, runs: int) -> None:
        for _ in range(0, runs, GROWTH_CONCURRENCY):
            await asyncio.gather(*[_checked(run) for _ in range(GROWTH_CONCURRENCY)])

    async with connect(url) as run:
        await some(run, warm)
        meter = Meter()
        objects = len(gc.get_objects())
        await some(run, count)
        result = meter.stop(count)
        gc.collect()
        grown = {"grown_kb": _memory_kb("VmRSS") - meter.rss_kb, "grown_objects": len(gc.get_objects()) - objects}
    return result | grown | {"total": count + warm}


async def cold(connect: Connect, url: str, count: int, rounds: int, warm: int) -> dict[str, Any]:
    """Make one run."""
    async with connect(url) as run:
        await _checked(run)
        os.write(1, b"finished\n")
    return {"runs": 1, "total": 1}


MODES = {
    "seq": sequential,
    "calls": calls,
    "concurrent": concurrent,
    "waiting": concurrent,
    "growth": growth,
    "cold": cold,
}


def _measure_idle(idle: Callable[[int], object], count: int) -> dict[str, Any]:
    """Return the resident bytes of one idle agent."""
    kept = [idle(max(count // 10, 1))]  # first agents pay for imports and caches
    meter = Meter()
    kept.append(idle(count))
    result = meter.stop(0)
    grown_kb = _memory_kb("VmRSS") - meter.rss_kb
    return result | {"agents": count, "bytes_each": grown_kb * 1024 / count, "total": 0}


def _runner(mode: str) -> Callable[[Any], Any]:
    """Return uvloop's runner where it is installed; a cold start takes the loop that is already there."""
    if mode == "cold":
        return asyncio.run
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


def main(connect: Connect, idle: Callable[[int], object]) -> None:
    """Run the mode of the command line and print its JSON line."""
    mode, url = sys.argv[1:3]
    count, rounds, warm = ([int(number) for number in sys.argv[3:6]] + [1, 1, 0][len(sys.argv) - 3 :])[:3]
    if mode == "idle":
        result = _measure_idle(idle, count)
    else:
        if mode != "cold":
            import resource

            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        result = _runner(mode)(MODES[mode](connect, url, count, rounds, warm))
    import json

    print(json.dumps(result | {"mode": mode, "tool_calls": _tool_calls}), flush=True)
