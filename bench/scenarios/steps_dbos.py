"""Durable steps in DBOS on SQLite, its system database by default. `steps_dbos.py PATH RUNS STEPS`."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import sys
import time
from typing import Any

from dbos import DBOS


@DBOS.step()
async def add(n: int) -> int:
    return n + 1


@DBOS.workflow()
async def count(steps: int) -> int:
    n = 0
    for _ in range(steps):
        n = await add(n)
    return n


async def main(path: str, runs: int, steps: int) -> dict[str, Any]:
    """Run them side by side; the outputs of steps are counted in the file."""
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{path}", "log_level": "ERROR"})
    DBOS.launch()
    await count(1)
    wall, cpu = time.perf_counter(), time.process_time()
    found = await asyncio.gather(*[count(steps) for _ in range(runs)])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert set(found) == {steps}
    DBOS.destroy()
    rows = sqlite3.connect(path).execute("SELECT count(*) FROM operation_outputs").fetchone()[0]
    assert rows == runs * steps + 1, f"{rows} outputs"
    return {"steps": runs * steps, "wall": wall, "cpu": cpu}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
