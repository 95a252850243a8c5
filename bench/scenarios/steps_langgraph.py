"""Durable steps in LangGraph: a node in a cycle, its SQLite checkpointer. `steps_langgraph.py PATH RUNS STEPS`.

`durability="sync"`: a checkpoint is written before the next step begins, which is what the others here do, too.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    n: int


async def add(state: State) -> dict[str, int]:
    return {"n": state["n"] + 1}


async def main(path: str, runs: int, steps: int) -> dict[str, Any]:
    """Run them side by side; the checkpoints are counted in the file."""
    made = StateGraph(State)
    made.add_node("add", add)
    made.add_edge(START, "add")
    made.add_conditional_edges("add", lambda state: "add" if state["n"] < steps else END)
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        graph = made.compile(checkpointer=saver)

        async def one(thread: str, begin: int = 0) -> int:
            given = {"recursion_limit": steps + 5, "configurable": {"thread_id": thread}}
            found = await graph.ainvoke({"n": begin}, given, durability="sync")
            return int(found["n"])

        await one("warm", steps - 1)
        wall, cpu = time.perf_counter(), time.process_time()
        found = await asyncio.gather(*[one(f"t{number}") for number in range(runs)])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert set(found) == {steps}
    rows = sqlite3.connect(path).execute("SELECT count(*) FROM checkpoints WHERE thread_id <> 'warm'").fetchone()[0]
    assert rows == runs * (steps + 2), f"{rows} checkpoints"  # two more: the input, and the start
    return {"steps": runs * steps, "wall": wall, "cpu": cpu}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
