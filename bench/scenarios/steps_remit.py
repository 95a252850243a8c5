"""Durable steps in remit: workflows whose step is `unsafe`, the strictest kind. `steps_remit.py PATH RUNS STEPS`.

Before each step its intent is on disk, and with it the result of the step before: one sync a step of a run alone.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from remit import Flow, Runtime, tool, workflow
from remit.core.events import EffectDone
from remit.journal.chain import decode_event


@tool(effect="unsafe")
async def add(n: int) -> int:
    """One more."""
    return n + 1


@workflow(version=1)
async def count(flow: Flow, steps: int) -> int:
    """`steps` steps, one after the other."""
    n = 0
    for _ in range(steps):
        n = await flow.step(add, n)
    return n


async def main(path: str, runs: int, steps: int) -> dict[str, Any]:
    """Run them side by side; the results are counted in the file."""
    async with Runtime(f"sqlite:{path}") as runtime:
        await count.run(1)
        wall, cpu = time.perf_counter(), time.process_time()
        found = await asyncio.gather(*[count.run(steps) for _ in range(runs)])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert all(run.output == steps for run in found), found[0].error
        stored = sum(
            isinstance(decode_event(entry.body), EffectDone) for run in found for entry in runtime.journal.read(run.id)
        )
    assert stored == runs * steps, f"{stored} of {runs * steps} steps stored"
    return {"steps": stored, "wall": wall, "cpu": cpu}


if __name__ == "__main__":
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    print(json.dumps(run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
