"""The same cycle in LangGraph, as its users write it: without a checkpointer, and with its SQLite one. JSON lines."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    n: int


async def add(state: State) -> dict[str, int]:
    return {"n": state["n"] + 1}


def graph(steps: int) -> Any:
    """One node, `steps` times."""
    made = StateGraph(State)
    made.add_node("add", add)
    made.add_edge(START, "add")
    made.add_conditional_edges("add", lambda state: "add" if state["n"] < steps else END)
    return made


async def measure(what: str, compiled: Any, steps: int) -> None:
    """One line: wall and CPU microseconds a step."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = await compiled.ainvoke({"n": 0}, {"recursion_limit": steps + 5, "configurable": {"thread_id": what}})
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert found["n"] == steps
    row = {"system": "langgraph", "what": what, "steps": steps, "wall_us": wall / steps * 1e6}
    print(json.dumps({**row, "cpu_us": cpu / steps * 1e6}), flush=True)


async def main(steps: int) -> None:
    """Both rows."""
    await measure("cycle, in memory", graph(steps).compile(), steps)
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncSqliteSaver.from_conn_string(f"{folder}/a.db") as saver:
            await measure("cycle, durable", graph(steps).compile(checkpointer=saver), steps)


asyncio.run(main(int(sys.argv[1])))
