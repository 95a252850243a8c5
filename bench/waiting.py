"""Ten thousand live agents and ten thousand waiting runs in one process; and what replaying a long run costs.

    python bench/waiting.py [RUNS] [EVENTS]

Prints: memory of the process with all of them, the share of a core that it uses while all wait, how long after an
answer the run's code goes on (p50, p99), the time of a replay of a run of EVENTS events and of one a quarter as long
(their ratio shows whether the cost is linear), and the time of resuming it.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from remit import Agent, Flow, Runtime, tool, workflow
from remit.core.model import ModelRequest
from remit.journal.fork import lineage
from remit.journal.replay import Recorded
from remit.testing import FunctionModel

ANSWERS = 200
WOKEN: dict[str, float] = {}
GO = asyncio.Event()
HELD: list[ModelRequest] = []


def memory_mb() -> float:
    """Resident memory of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@tool(effect="read")
def step(number: int) -> int:
    """A step."""
    return number


@workflow
async def waits(flow: Flow, number: int) -> str:
    """Does a step, then waits for a person."""
    await flow.step(step, number)
    answer: str = await flow.ask("Go on?")
    WOKEN[flow.run_id] = time.perf_counter()
    return answer


@workflow
async def long(flow: Flow, steps: int) -> int:
    """Many steps, then a wait."""
    total = 0
    for number in range(steps):
        total += await flow.step(step, number)
    await flow.ask("Go on?")
    return total


async def hold(request: ModelRequest) -> str:
    """A model that answers when it is told."""
    HELD.append(request)
    await GO.wait()
    return "done"


async def crowd(folder: Path, runs: int) -> None:
    """Live agents and waiting runs in one process."""
    before = memory_mb()
    agent = Agent("live", FunctionModel(hold))
    async with Runtime(f"sqlite:{folder}/waiting.db") as runtime, runtime.host(waits) as host:
        ids = [await host.start(waits, number) for number in range(runs)]
        while len(runtime.journal.inbox()) < runs or host._live:
            await asyncio.sleep(0.2)
        waiting = memory_mb()
        async with asyncio.TaskGroup() as group:
            live = [group.create_task(agent.run(f"task {number}")) for number in range(runs)]
            while len(HELD) < runs:  # all of them have asked their model, and what they wrote is durable
                await asyncio.sleep(0.05)
            await asyncio.sleep(2)
            print(
                f"{runs} waiting runs: {waiting - before:.0f} MB; with {runs} live agents: {memory_mb():.0f} MB in all"
            )
            begun, cpu = time.perf_counter(), time.process_time()
            await asyncio.sleep(10)
            share = (time.process_time() - cpu) / (time.perf_counter() - begun)
            print(f"all of them waiting: {share * 100:.2f} % of a core, {len(asyncio.all_tasks())} tasks, "
                  f"{len(os.listdir('/proc/self/task'))} threads")  # fmt: skip
            took = []
            items = {row.run_id: row.id for row in runtime.journal.inbox()}
            for run_id in ids[:ANSWERS]:
                await runtime.answer(items[run_id], "yes")
                answered = time.perf_counter()
                await host.ended(run_id)
                took.append((WOKEN[run_id] - answered) * 1000)
            took.sort()
            print(f"from the answer to the code: p50 {statistics.median(took):.1f} ms, p99 {took[-3]:.1f} ms")
            GO.set()
        assert {task.result().status for task in live} == {"ok"}


async def replay(folder: Path, events: int) -> float:
    """Seconds to read and resume a waiting run of so many events."""
    async with Runtime(f"sqlite:{folder}/long{events}.db") as runtime:
        run = await long.run(events // 2)
        await runtime.answer(run.waiting_for[0], "yes")
        begun = time.process_time()
        count = len(Recorded(lineage(runtime.journal, run.id)))
        read_s = time.process_time() - begun
        begun = time.process_time()
        done = await runtime.resume(run.id)
        whole_s = time.process_time() - begun
        assert done.status == "ok", done
        assert count == events // 2 + 1
    print(f"{events} events: read {read_s:.2f} s, resumed to the end {whole_s:.2f} s of CPU")
    return whole_s


def main() -> None:
    """Measure and print."""
    numbers = [int(text) for text in sys.argv[1:]]
    runs, events = [*numbers, *(10_000, 10_000)[len(numbers) :]]
    with tempfile.TemporaryDirectory(prefix="remit-waiting-") as name:
        os.environ["REMIT_STATE_DIR"] = name
        short = asyncio.run(replay(Path(name), events // 4))
        whole = asyncio.run(replay(Path(name), events))
        print(f"four times the events: {whole / short:.1f} times the cost")
        asyncio.run(crowd(Path(name), runs))


if __name__ == "__main__":
    main()
