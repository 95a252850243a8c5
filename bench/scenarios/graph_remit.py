"""A graph of remit: a cycle of one node, a ring of many nodes; in memory and with the durable journal. JSON lines."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

import msgspec

from remit import Runtime
from remit.teams.graph import END, START, Graph


class State(msgspec.Struct):
    n: int = 0


async def add(state: State) -> dict[str, Any]:
    return {"n": state.n + 1}


def cycle(steps: int) -> Graph:
    """One node, `steps` times."""

    def more(state: State) -> bool:
        return state.n < steps

    return Graph(State, max_steps=steps + 1).edges((START, add), (add, more, {True: add, False: END}))


def chain(nodes: int) -> Graph:
    """`nodes` nodes, one after the other."""
    made = []
    for i in range(nodes):

        async def one(state: State) -> dict[str, Any]:
            return {"n": state.n + 1}

        one.__name__ = f"n{i}"
        made.append(one)
    return Graph(State, max_steps=nodes + 1).edges((START, *made, END))


async def measure(what: str, journal: str, make: Any, size: int) -> None:
    """One line: wall and CPU microseconds a step."""
    began = time.perf_counter()
    graph = make(size)
    build_s = time.perf_counter() - began
    async with Runtime(journal) as runtime:
        await graph.run({}) if size <= 10_000 else None
        wall, cpu = time.perf_counter(), time.process_time()
        run = await graph.run({})
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert run.output.n == size, run.error
        events = sum(1 for _ in runtime.journal.read(run.id))
        assert events == size + 3, events
    print(json.dumps({
        "system": "remit", "what": what, "steps": size, "wall_us": wall / size * 1e6, "cpu_us": cpu / size * 1e6,
        "build_s": build_s, "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }), flush=True)  # fmt: skip


async def main(steps: int, nodes: int) -> None:
    """All rows."""
    with tempfile.TemporaryDirectory() as folder:
        await measure("cycle, in memory", "memory:", cycle, steps)
        await measure("cycle, durable", f"sqlite:{folder}/a.db", cycle, steps)
        await measure("nodes, in memory", "memory:", chain, nodes)
        await measure("nodes, durable", f"sqlite:{folder}/b.db", chain, nodes)
        await measure("100,000 steps, in memory", "memory:", cycle, 100_000)
        await measure("100,000 steps, durable", f"sqlite:{folder}/c.db", cycle, 100_000)


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
