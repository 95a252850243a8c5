"""What it costs to go on with a long run: replayed from its first event, and from its last snapshot.

    python bench/resume.py [--events 1000,10000,100000] [--rounds 3] [--calls 20]

A run of an agent (turns of one model call and CALLS tool calls, four small events a call) and one of a workflow (steps,
two events each) come to a question that nobody has answered, and wait; then each is resumed, in a new runtime, up to
that question again. Printed: milliseconds of wall and CPU time, medians; that no effect was done again is asserted.
A workflow's code must run again, so it has no snapshots; its line shows what its replay costs.
Ends with 1 when a bar is missed (issue 4): 10,000 events replayed within 1 s; resumed within 100 ms with snapshots.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from remit import Agent, Context, Flow, Runtime, tool, workflow
from remit.core.messages import Text, ToolCall
from remit.core.model import ModelRequest, Reply

REPLAY_S = 1.0
RESUME_S = 0.1
BAR_EVENTS = 10_000
DONE = [0]


@tool(effect="read")
async def look(at: int) -> str:
    """Look at something."""
    DONE[0] += 1
    return f"number {at} is in order, as those before it were; nothing needs to be done about it"


@tool(effect="read")
async def confirm(ctx: Context[Any]) -> str:
    """Ask a person."""
    return str(await ctx.ask("Go on?", choices=["yes", "no"]))


@tool(effect="read")
async def add(n: int) -> int:
    """One more."""
    DONE[0] += 1
    return n + 1


@workflow
async def count(flow: Flow, steps: int) -> int:
    """Steps, then a question."""
    n = 0
    for _ in range(steps):
        n = await flow.step(add, n)
    await flow.ask("Go on?", choices=["yes", "no"])
    return n


class Model:
    """Asks for `calls` calls a turn, `turns` times, and then for a person."""

    url = ""
    name = "bench:model"

    def __init__(self, turns: int, calls: int) -> None:
        self._turns, self._calls = turns, calls

    async def request(self, request: ModelRequest) -> Reply:
        """One reply."""
        turn = len(request.messages) // 2
        if turn > self._turns:
            return Reply((ToolCall("c", "confirm", {}),), "tool_use")
        calls = [ToolCall(f"c{n}", "look", {"at": turn * self._calls + n}) for n in range(self._calls)]
        return Reply((Text("I look at the next ones."), *calls), "tool_use")

    async def stream(self, request: ModelRequest) -> Any:
        """Never asked for."""
        raise NotImplementedError
        yield


def definitions(events: int, calls: int) -> dict[str, tuple[Any, Any]]:
    """name -> (definition, task) of runs with about that many events."""
    turns = max(events // (2 + 2 * calls), 1)
    agent = Agent("bench", Model(turns, calls), tools=[look, confirm], max_turns=10**9, max_parallel=calls)
    return {"agent": (agent, "Look at everything."), "workflow": (count, events // 2)}


async def resumed(spec: str, run_id: str, definition: Any) -> tuple[float, float]:
    """(wall, CPU) seconds of going on up to the question."""
    async with Runtime(spec) as runtime:
        wall, cpu = time.perf_counter(), time.process_time()
        run = await runtime.resume(run_id, definition)
        found = time.perf_counter() - wall, time.process_time() - cpu
    assert run.status == "waiting", run
    return found


async def measure(home: Path, events: int, rounds: int, calls: int) -> bool:
    """Both kinds of runs with about `events` events."""
    good = True
    for name, (definition, task) in definitions(events, calls).items():
        spec = f"sqlite:{home}/{name}-{events}.db"
        async with Runtime(spec) as runtime:
            run = await runtime.run(definition, task)
            assert run.status == "waiting", run.error
            held = len(runtime.journal.read(run.id))
        before = DONE[0]
        shown = f"{name:9} {held:8,} events:"
        for what in ("with snapshots", "without") if name == "agent" else ("without",):
            cache = Path(f"{home}/{name}-{events}.db-snapshots")
            size = cache.stat().st_size if cache.exists() else 0
            times = []
            for _ in range(rounds):
                if what == "without":
                    cache.unlink(missing_ok=True)
                times.append(await resumed(spec, run.id, definition))
            wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
            bar = (RESUME_S if what == "with snapshots" else REPLAY_S) if events == BAR_EVENTS else None
            good &= bar is None or wall <= bar
            each = f"{wall * 1e6 / held:5.1f} us an event" + (f", {size / 1e6:.1f} MB" if size else "")
            verdict = "" if bar is None else f"  {'pass' if wall <= bar else 'FAIL'}  at most {bar * 1e3:,.0f} ms"
            print(f"{shown} {what:14} {wall * 1e3:8.1f} ms, CPU {cpu * 1e3:8.1f} ms, {each}{verdict}", flush=True)
        assert DONE[0] == before, "an effect was done again"
    return good


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", default="1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=20)
    given = parser.parse_args()
    folder = Path(__file__).resolve().parent / "results"
    folder.mkdir(exist_ok=True)
    good = True
    with tempfile.TemporaryDirectory(prefix="work-", dir=folder) as name:
        os.environ["REMIT_STATE_DIR"] = name
        for events in given.events.split(","):
            good &= asyncio.run(measure(Path(name), int(events), given.rounds, given.calls))
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
