"""Forks at random moments of generated runs: nothing of the shared past runs again, and unsafe effects ask first.

python tests/simulation/fork_points.py [FORKS]
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from remit.core.events import EffectDone, EffectIntent, WaitClosed, WaitOpened
from remit.journal.chain import decode_event
from remit.journal.fork import fork, lineage
from remit.journal.memory import MemoryJournal
from remit.ports.runtime import reset_current, set_current
from remit.runtime import Runtime
from remit.testing.clock import FakeClock
from remit.testing.crashes import settle
from remit.testing.workloads import Dice, World, generate


async def finished(runtime: Runtime, clock: FakeClock, world: World, run_id: str, root: Any) -> Any:
    """The run at its end, with everything answered."""
    for _ in range(200):
        run = await runtime.resume(run_id, root)
        if run.status != "waiting":
            return run
        await settle(runtime.journal, world, clock)
        clock.advance(max(0, run.due_ms - clock.now_ms()) / 1000)
    raise AssertionError("the run does not end")


async def one(seed: int) -> list[str]:
    """One fork of the seed's run, at a random moment; returns what is wrong."""
    world, clock, dice = World(), FakeClock(seed=seed), Dice(f"fork {seed}")
    journal = MemoryJournal(clock)
    runtime = Runtime(journal, clock=clock, tune_gc=False)
    token = set_current(runtime)
    try:
        load = generate(seed, world)
        run = await runtime.run(load.root, load.task)
        await settle(journal, world, clock)
        clock.advance(max(0, run.due_ms - clock.now_ms()) / 1000)
        done = await finished(runtime, clock, world, run.id, load.root)
        entries = journal.read(run.id)
        seq = 1 + dice.below(len(entries) - 1)
        past = [decode_event(entry.body) for entry in entries[:seq]]
        new = await fork(journal, clock, run.id, seq, {})
        again = await finished(runtime, clock, world, new, load.root)
    finally:
        reset_current(token)
    own = [decode_event(entry.body) for entry in journal.read(new)[2:]]
    settled = {event.key for event in past if isinstance(event, EffectDone)}
    intents = [event for event in own if isinstance(event, EffectIntent)]
    problems = [f"seed {seed}@{seq}: {event.key} ran again" for event in intents if event.key in settled]
    asked = {event.key for event in [*past, *own] if isinstance(event, WaitOpened | WaitClosed)}
    problems += [
        f"seed {seed}@{seq}: {event.key} did not ask"
        for event in intents
        if event.tier == "unsafe" and event.key not in asked
    ]
    if (again.status, again.output) != (done.status, done.output):
        problems.append(f"seed {seed}@{seq}: {again.status} {again.output!r:.200}, not {done.output!r:.200}")
    if len(lineage(journal, new)) != 1 + (seq - 1) + len(journal.read(new)) - 1:
        problems.append(f"seed {seed}@{seq}: the past is not shared whole")
    return problems + list(journal.verify())


def main() -> int:
    """Fork and report."""
    forks = int(sys.argv[1]) if sys.argv[1:] else 20

    async def every() -> list[str]:
        return [problem for seed in range(1, forks + 1) for problem in await one(seed)]

    problems = asyncio.run(every())
    for problem in problems:
        print(problem)
    print(f"{forks} forks at random moments, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
