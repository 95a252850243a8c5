"""A simulation: several hosts of one journal, generated workloads, faults everywhere, and what must always hold.

    found = simulate(seed)      found.problems == (), found.trace is the same bytes for the same seed

Faults, each by the seed: a host dies at any append, before or after any effect, at any timer; a person answers late,
twice, or through another host; the scheduler runs callbacks in any order. Invariants, looked at when all have ended:

    every run has ended well, and its output is that of the run without faults
    no unsafe effect happened twice; each doubtful one was shown
    idempotent and transactional effects happened exactly once
    every chain holds; epochs of a run only rise; no run had two activations at once
"""

from __future__ import annotations

import asyncio
from collections import Counter
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct

from remit.agents.host import Host
from remit.core.events import RunDone
from remit.core.ids import new_id
from remit.errors import RemitError
from remit.journal.chain import decode_event
from remit.journal.memory import MemoryJournal
from remit.ports.runtime import set_current
from remit.runtime import Runtime
from remit.testing.clock import FakeClock
from remit.testing.crashes import CrashingJournal, reply, rows_of, settle
from remit.testing.sim_loop import SimClock, SimLoop
from remit.testing.workloads import Dice, World, generate

RUNS: Final = 3  # runs of one simulation
LIVES: Final = 12  # processes that may die, one after the other; the last one lives
SPAN_S: Final = 60 * 86_400.0  # virtual time after which a run counts as lost


class Simulated(Struct, frozen=True):
    """One simulation."""

    seed: int
    problems: tuple[str, ...]
    trace: str
    """SHA-256 (hex) over all entries of all runs"""
    deaths: int
    doubts: int
    steps: int
    """callbacks of the loop"""
    span_s: float
    """virtual time"""


class _Faults:
    """When the present process dies: at its n-th chance (an append, the middle of an effect, a timer)."""

    def __init__(self, dice: Dice, journal: CrashingJournal, last: bool) -> None:
        self._left = 0 if last else 1 + dice.below(60)
        self._dice = dice
        self._journal = journal

    async def middle(self) -> None:
        """The middle of an effect: others run, time passes, or the process dies."""
        for _ in range(self._dice.below(3)):
            await asyncio.sleep(self._dice.below(100) / 1000)
        self.chance()

    def chance(self) -> None:
        """Die, if it is the moment."""
        if self._left:
            self._left -= 1
            if not self._left:
                self._journal.dead = True
        self._journal.check()


def simulate(seed: int) -> Simulated:
    """Run one simulation; the same seed gives the same result, to the byte."""
    loop = SimLoop(seed)
    found: Simulated = loop.run(_simulation(seed, loop))
    return found


async def _simulation(seed: int, loop: SimLoop) -> Simulated:
    dice, clock, world = Dice(f"faults {seed}"), SimClock(loop), World()
    journal = MemoryJournal(clock)
    loads = {
        new_id("run", clock.now_ms(), clock.random_bits(80)): generate(seed * RUNS + i, world) for i in range(RUNS)
    }
    deaths = doubts = 0
    for life in range(LIVES + 1):
        crashing = CrashingJournal(journal, lost=False)
        faults = _Faults(dice, crashing, life == LIVES)
        world.pause = faults.middle
        died = await _life((crashing, clock, world), loads, faults)
        deaths += died
        await journal.aclose()
        await settle(journal, world, FakeClock(clock.now_ms()))
        if not died and await _all_ended(journal, loads):
            break
    steps, span_s = loop.steps, loop.time()
    problems = [*journal.verify(), *await _wrong(seed, journal, world, loads)]
    trace = sha256()
    for row in sorted(journal.runs(), key=lambda row: row.run_id):
        for entry in journal.read(row.run_id):
            trace.update(entry.hash)
            doubts += entry.body.startswith(b'{"type":"effect_in_doubt"')
    return Simulated(seed, tuple(problems), trace.hexdigest(), deaths, doubts, steps, span_s)


async def _life(outside: tuple[CrashingJournal, SimClock, World], loads: dict[str, Any], faults: _Faults) -> bool:
    """One process, until all its runs have ended or it dies; returns whether it died."""
    (error,) = await asyncio.gather(_process(outside, loads, faults), return_exceptions=True)
    if error is not None and not outside[0].dead:
        raise error
    return outside[0].dead


async def _process(outside: tuple[CrashingJournal, SimClock, World], loads: dict[str, Any], faults: _Faults) -> None:
    crashing, clock, world = outside
    runtime = Runtime(crashing, clock=clock, tune_gc=False)
    set_current(runtime)
    begun = {row.run_id for row in crashing.runs(1000)}
    async with Host(runtime, [load.root for load in loads.values()]) as host:
        for run_id, load in loads.items():
            if run_id not in begun:
                await host.start(load.root, load.task, run_id=run_id)
        async with asyncio.TaskGroup() as group:
            person = group.create_task(_person(runtime, world, faults))
            for run_id in loads:
                await host.ended(run_id)
            person.cancel()


async def _person(runtime: Runtime, world: World, faults: _Faults) -> None:
    """Answers what waits, sooner or later, sometimes twice."""
    dice = faults._dice
    while True:
        await asyncio.sleep(1 + dice.below(7200))
        faults.chance()
        for row in runtime.journal.inbox():
            for _ in range(1 + dice.below(2)):
                try:
                    await reply(runtime, row, world)
                except RemitError as e:
                    if e.code not in ("approval_used", "run_active"):
                        raise


async def _all_ended(journal: MemoryJournal, loads: dict[str, Any]) -> bool:
    return all(_done(journal, run_id) is not None for run_id in loads)


def _done(journal: MemoryJournal, run_id: str) -> RunDone | None:
    try:
        event = decode_event(journal.read(run_id)[-1].body)
    except RemitError:
        return None
    return event if isinstance(event, RunDone) else None


async def _wrong(seed: int, journal: MemoryJournal, world: World, loads: dict[str, Any]) -> list[str]:
    """What does not hold."""
    problems = []
    expected: dict[str, Counter[str]] = {name: Counter() for name in ("unsafe", "idempotent", "transactional")}
    for run_id, load in loads.items():
        done, (status, output, effects) = _done(journal, run_id), await _alone(load.seed)
        if done is None or (done.status, done.output) != (status, output):
            problems.append(f"seed {seed} run {run_id}: {done!r:.300}, without faults {status} {output!r:.300}")
        for name, counts in expected.items():
            counts.update(effects[name])
    found = world.state() | {"transactional": await rows_of(journal)}
    for name, counts in expected.items():
        wrong = {what: (counts[what], found[name].get(what, 0)) for what in counts.keys() | found[name].keys()
                 if counts[what] != found[name].get(what, 0)}  # fmt: skip
        if wrong:
            problems.append(f"seed {seed}: {name} (right, found): {wrong!r:.500}")
    return problems


_KNOWN: Final[dict[int, tuple[str, Any, dict[str, Any]]]] = {}


async def _alone(seed: int) -> tuple[str, Any, dict[str, Any]]:
    """How the workload ends when nothing goes wrong, and what it has done then."""
    if seed not in _KNOWN:
        clock, world = FakeClock(seed=seed), World()
        journal = MemoryJournal(clock)
        runtime = Runtime(journal, clock=clock, tune_gc=False)
        set_current(runtime)
        load = generate(seed, world)
        run = await runtime.run(load.root, load.task)
        while run.status == "waiting":
            await settle(journal, world, clock)
            clock.advance(max(0, run.due_ms - clock.now_ms()) / 1000)
            run = await runtime.resume(run.id, load.root)
        event = decode_event(journal.read(run.id)[-1].body)
        assert isinstance(event, RunDone)
        effects = world.state() | {"transactional": await rows_of(journal)}
        _KNOWN[seed] = (event.status, event.output, effects)
    return _KNOWN[seed]
