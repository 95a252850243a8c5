"""Several processes under one rate limit in Postgres, all of them wanting more than it gives.

    python tests/integration/shared_limit.py [SECONDS] [PROCESSES] [CALLS]

CALLS = the limit's calls in 60 s. Prints one JSON line: calls that went in SECONDS, and their share of what the limit
allows in that time (at most 1.02, at least 0.90).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from remit.adapters.clock import SystemClock  # noqa: E402
from remit.core.budget import Limit  # noqa: E402
from remit.guard.rate_shared import SharedBucket  # noqa: E402
from remit.journal.postgres_address import parse_address  # noqa: E402
from remit.journal.postgres_limits import PostgresLimits  # noqa: E402

MEMBERS = 20
"""tasks of a process that call as fast as they may"""


async def one_process(spec: str, calls: int, begin_s: float, seconds: float) -> int:
    """Calls that went between `begin_s` (wall clock) and `seconds` later."""
    store = PostgresLimits(parse_address(spec))
    bucket = SharedBucket("model:m", Limit(calls=calls, period_s=60.0), SystemClock(), store)
    await asyncio.sleep(max(0.0, begin_s - time.time()))
    end = time.monotonic() + seconds
    count = 0

    async def member() -> None:
        nonlocal count
        while True:
            await bucket.acquire("normal")
            if time.monotonic() >= end:
                return
            count += 1

    tasks = [asyncio.ensure_future(member()) for _ in range(MEMBERS)]
    await asyncio.sleep(seconds + max(0.0, end - seconds - time.monotonic()))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    store.close()
    return count


def measure(spec: str, seconds: float, processes: int, calls: int) -> dict[str, Any]:
    """Run the processes; returns what the JSON line says."""
    begin_s = time.time() + 3.0
    command = [sys.executable, str(Path(__file__)), "--one", spec, str(calls), str(begin_s), str(seconds)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    counts = [int(child.communicate(timeout=seconds + 60)[0]) for child in children]
    allowed = calls * seconds / 60
    return {"seconds": seconds, "counts": counts, "total": sum(counts), "share": round(sum(counts) / allowed, 4)}


def main() -> None:
    """The command line."""
    if sys.argv[1:2] == ["--one"]:
        spec, calls, begin_s, seconds = sys.argv[2:]
        print(asyncio.run(one_process(spec, int(calls), float(begin_s), float(seconds))))
        return
    from postgres_server import Server
    from remit.journal.open import open_journal

    numbers = [float(text) for text in sys.argv[1:]] + [60.0, 3.0, 6000.0][len(sys.argv) - 1 :]
    with Server() as server:
        spec = server.address()
        asyncio.run(open_journal(spec, SystemClock()).aclose())
        found = measure(spec, numbers[0], int(numbers[1]), int(numbers[2]))
    print(json.dumps(found))
    sys.exit(0 if 0.90 <= found["share"] <= 1.02 else 1)


if __name__ == "__main__":
    main()
