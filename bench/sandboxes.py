"""What a warm call of each sandbox tier costs, and whether bombs end in time.

    python bench/sandboxes.py [--bombs N] [--tiers T1,T2,T3]

Prints one JSON line a figure: p50 of warm calls (T1, T2, T3) in ms; the slowest of N bombs beyond its deadline in ms,
how many were later than 250 ms, and by how much this process has grown in MiB. A tier that is not installed is named
with its reason. N bombs of T1 take 0.11 N seconds, of T2 0.14 N, of T3 0.2 N.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

from remit.config import state_folder
from remit.errors import RemitError
from remit.ports.code_sandbox import CodeJob
from remit.ports.sandbox import SandboxJob

CALLS = {"T1": 500, "T2": 300, "T3": 60}
DEADLINE_S = 0.15
BOMBS = {
    "T1": (
        "while True: pass",
        "import time\ntime.sleep(99)",
        "x = [0]\nwhile True: x = x + x",
        "import re\nwhile True: re.match('(a+)+$', 'a' * 64 + 'b')",
        "while True: print('x' * 4096)",
    ),
    "T2": (
        "while True: pass",
        "import time\ntime.sleep(99)",
        "x = []\nwhile True: x.append(bytearray(1 << 20))",
        "import re\nre.match('(a+)+$', 'a' * 64 + 'b')",
        "while True: print('x' * 4096)",
    ),
    "T3": (
        "while :; do :; done",
        "sleep 99",
        "exec python3 -c 'x = []\nwhile True: x.append(bytearray(1 << 20))'",
        'exec python3 -c \'import re; re.match("(a+)+$", "a" * 64 + "b")\'',
        "exec yes",
    ),
}


def say(**figures: Any) -> None:
    print(json.dumps(figures), flush=True)


def resident_mib() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def warm(tier: str, call: Callable[[], Awaitable[Any]]) -> None:
    try:
        for _ in range(3):
            await call()
        times = []
        for _ in range(CALLS[tier]):
            started = time.perf_counter()
            await call()
            times.append((time.perf_counter() - started) * 1000)
    except RemitError as error:
        say(figure="warm call", tier=tier, error=str(error))
        return
    p99 = sorted(times)[int(len(times) * 0.99) - 1]
    say(
        figure="warm call", tier=tier, p50_ms=round(statistics.median(times), 2), p99_ms=round(p99, 2), calls=len(times)
    )


async def bombs(tier: str, explode: Callable[[str], Awaitable[Any]], count: int) -> None:
    try:
        await explode(BOMBS[tier][1])
    except RemitError as error:
        say(figure="bombs", tier=tier, error=str(error))
        return
    before, latest, slow = resident_mib(), 0.0, 0
    for number in range(count):
        started = time.perf_counter()
        await explode(BOMBS[tier][number % len(BOMBS[tier])])
        late = (time.perf_counter() - started - DEADLINE_S) * 1000
        latest, slow = max(latest, late), slow + (late > 250)
    grown = round(resident_mib() - before, 1)
    say(figure="bombs", tier=tier, count=count, latest_ms=round(latest, 1), over_250_ms=slow, host_growth_mib=grown)


async def main(count: int, tiers: list[str]) -> None:
    from remit.adapters.sandboxes.bubblewrap import Bubblewrap
    from remit.adapters.sandboxes.monty import Monty
    from remit.adapters.sandboxes.wasm import Wasm

    t1, t2, t3 = Monty(), Wasm(str(state_folder() / "sandbox")), Bubblewrap()
    with tempfile.TemporaryDirectory() as folder:
        calls = {
            "T1": lambda: t1.run(CodeJob("sum(range(100))")),
            "T2": lambda: t2.run(CodeJob("sum(range(100))")),
            "T3": lambda: t3.run(SandboxJob(("true",), folder)),
        }
        explosions: dict[str, Callable[[str], Awaitable[Any]]] = {
            "T1": lambda code: t1.run(CodeJob(code, timeout_s=DEADLINE_S)),
            "T2": lambda code: t2.run(CodeJob(code, timeout_s=DEADLINE_S)),
            "T3": lambda code: t3.run(SandboxJob(("sh", "-c", code), folder, timeout_s=DEADLINE_S)),
        }
        for tier in tiers:
            await warm(tier, calls[tier])
        for tier in tiers if count else ():
            await bombs(tier, explosions[tier], count)
    await t1.aclose()
    await t2.aclose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bombs", type=int, default=0)
    parser.add_argument("--tiers", default="T1,T2,T3")
    asked = parser.parse_args()
    asyncio.run(main(asked.bombs, asked.tiers.split(",")))
