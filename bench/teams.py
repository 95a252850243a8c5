"""Teams at once in one process: 1,000 teams of 5 agents. `python bench/teams.py [TEAMS] [WAIT_S]` (1,000, 1.0 s).

Each team is a crew of five tasks: three side by side, one that joins them, one last. Every agent makes one model call,
and the model (FunctionModel) answers after WAIT_S, so the ideal is three waits. The journal is in memory, gate and
budgets are on. Asserted: every call was made, and wall time is at most 1.5 times the ideal.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from remit import Agent, Budget, Runtime
from remit.teams.crew import Crew, Task
from remit.testing import FunctionModel

RATIO = 1.5  # Source: issue 6
AGENTS = 5
LAYERS = 3


def team(model: FunctionModel) -> Crew:
    """Five agents in three layers."""
    made = [Agent(f"agent{i}", model, instructions=f"You are {i}.") for i in range(AGENTS)]
    tasks = [Task(f"t{i}", "Do it.", made[i]) for i in range(3)]
    tasks += [Task("join", "Join.", made[3], ("t0", "t1", "t2")), Task("end", "End.", made[4], ("join",))]
    return Crew(tasks, budget=Budget(model_calls=AGENTS))


async def main(teams: int, wait_s: float) -> int:
    """Run them all, print wall time, ratio and memory."""
    calls = 0

    async def answer(request: Any) -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(wait_s)
        return "done"

    model = FunctionModel(answer, name="function:wait")
    async with Runtime() as runtime:
        await team(model).run("warm up")
        calls, model.requests = 0, []
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        wall, cpu = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as group:
            work = [group.create_task(team(model).run(f"task {i}")) for i in range(teams)]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert all(task.result().status == "ok" for task in work)
        assert calls == teams * AGENTS, calls
        assert len(runtime.journal.runs(teams * 10)) == (teams + 1) * (AGENTS + 1)
    ideal, peak = LAYERS * wait_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ratio = wall / ideal
    print(f"{teams:,} teams of {AGENTS} agents: wall {wall:.2f} s, ideal {ideal:.2f} s, ratio {ratio:.2f} "
          f"(at most {RATIO}: {'pass' if ratio <= RATIO else 'FAIL'})")  # fmt: skip
    print(f"CPU {cpu:.2f} s, {cpu / teams / AGENTS * 1e6:.0f} us an agent's run with its share of the team's")
    print(f"memory: peak {peak / 1024:.0f} MB, {(peak - before) / teams:.0f} KB a team")
    return int(ratio > RATIO)


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    raise SystemExit(asyncio.run(main(int(given.get(0, "1000")), float(given.get(1, "1.0")))))
