"""Crashes at every moment of a run, on any journal: what is lost, what is done twice, and what a person must be told.

    found = await sweep(seed, open_journal)     crash at every append, resume, compare

`CrashingJournal` wraps a journal. At its n-th append it dies: that append and everything after it fail, as if the
process had been killed; in the mode `lost` what was not flushed before is gone, as if it had not reached the disk.
Then the journal is opened again, doubts are settled by looking at the world, as a person would, and the run goes on.

Used by tests/simulation/crash_sweep.py; `open_journal` may open any store that keeps the journal port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from msgspec import Struct

from remit.core.events import Event, RunStarted
from remit.core.ids import new_id
from remit.core.tools import tool
from remit.errors import RemitError
from remit.ports.clock import Clock
from remit.ports.journal import Entry, InboxRow, Journal, RunLog
from remit.ports.runtime import reset_current, set_current
from remit.ports.tool import Context
from remit.runtime import Runtime
from remit.testing.clock import FakeClock
from remit.testing.workloads import Workload, World, generate

MAX_ROUNDS: Final = 200
"""activations of one run before it counts as one that does not end"""
Open = Callable[[Clock, str], Journal]
"""(clock, name) -> the journal of that name: the same store for the same name, as the next process finds it"""


class Crash(BaseException):
    """The process is gone."""


class CrashingJournal:
    """A journal whose process dies at its n-th append.

    Args:
        journal: the real one.
        at: number of the append that is not made; 0 = never.
        lost: whether appends that nobody flushed are lost with it.
    """

    def __init__(self, journal: Journal, at: int = 0, *, lost: bool = False) -> None:
        self._journal = journal
        self._at = at
        self.lost = lost
        self.appends = 0
        self.dead = False

    def count(self) -> None:
        """One more append; raises Crash at the chosen one and ever after."""
        self.appends += 1
        if self.appends == self._at:
            self.dead = True
        self.check()

    def check(self) -> None:
        """Raises Crash when the process is dead."""
        if self.dead:
            raise Crash

    def create(self, run_id: str, event: RunStarted) -> RunLog:
        """See ports.journal.Journal."""
        self.count()
        return _Log(self, self._journal.create(run_id, event))

    async def activate(self, run_id: str) -> RunLog:
        """See ports.journal.Journal."""
        self.check()
        return _Log(self, await self._journal.activate(run_id))

    async def answer(self, item: str, make: Any) -> str:
        """See ports.journal.Journal."""
        self.count()
        return await self._journal.answer(item, make)

    async def transact(self, *given: Any) -> Any:
        """See journal/transactions.py."""
        self.check()
        return await self._journal.transact(*given)  # type: ignore[attr-defined]  # of journals that have it

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


class _Log:
    """The writing end: counts, and holds back what is not flushed where that is to be lost."""

    def __init__(self, journal: CrashingJournal, log: RunLog) -> None:
        self._journal = journal
        self._log = log
        self._held: list[Event] = []
        self.run_id = log.run_id
        self.epoch = log.epoch

    @property
    def place(self) -> Any:
        """See journal/sqlite.py: a run keeps snapshots; not where its last events may be lost, which have no hash."""
        return None if self._journal.lost else getattr(self._log, "place", None)

    @property
    def seal(self) -> Any:
        """What seals the run's contents."""
        return getattr(self._log, "seal", None)

    def append(self, event: Event) -> Entry:
        self._journal.count()
        self._write()
        return self._log.append(event)

    def note(self, event: Event) -> None:
        self._journal.count()
        if self._journal.lost:
            self._held.append(event)
        else:
            self._log.note(event)

    async def flush(self) -> None:
        self._journal.check()
        self._write()
        await self._log.flush()
        self._journal.check()

    async def release(self, status: str) -> None:
        self._journal.check()
        self._write()
        await self._log.release(status)

    def _write(self) -> None:
        for event in self._held:
            self._log.note(event)
        self._held.clear()


class Found(Struct, frozen=True):
    """How a run ended, and the world after it."""

    status: str
    output: Any
    world: dict[str, Any]
    appends: int
    doubts: int


class Sweep(Struct, frozen=True):
    """All crashes of one workload."""

    seed: int
    crashes: int
    doubts: int
    """effects in doubt that were shown"""
    problems: tuple[str, ...]


async def sweep(seed: int, open_journal: Open, *, lost: bool = False) -> Sweep:
    """Crash at every append of the seed's workload; what differs from the run without a crash is a problem."""
    whole = await _run(seed, open_journal, 0, lost=lost)
    problems: list[str] = []
    doubts = 0
    for at in range(1, whole.appends + 1):
        try:
            found = await _run(seed, open_journal, at, lost=lost)
        except RemitError as e:
            problems.append(f"seed {seed} at {at}: {e}")
            continue
        doubts += found.doubts
        if (found.status, found.output, found.world) != (whole.status, whole.output, whole.world):
            problems.append(f"seed {seed} at {at}: {_difference(whole, found)}")
    return Sweep(seed, whole.appends, doubts, tuple(problems))


class _Life:
    """One run of a workload over all its processes."""

    def __init__(self, seed: int, open_journal: Open, at: int, *, lost: bool) -> None:
        self.world, self.clock = World(), FakeClock(seed=seed)
        self._name = f"{seed}-{at}-{'lost' if lost else 'kept'}"
        self._open = open_journal
        self._lost = lost
        self.load = generate(seed, self.world)
        self.journal = open_journal(self.clock, self._name)
        self.crashing = CrashingJournal(self.journal, at, lost=lost)
        self.appends = 0
        self.doubts = 0
        self._run_id = new_id("run", self.clock.now_ms(), self.clock.random_bits(80))

    async def activation(self) -> Any:
        """One activation: its Run, or None when the process died; what waits is answered afterwards."""
        work = _activation(self.crashing, self.clock, self.load, self._run_id)
        found: Any = await asyncio.gather(work, return_exceptions=True)
        run = found[0]
        if isinstance(run, BaseException):
            if not _is_crash(run):
                raise run
            run = None
            await self.journal.aclose()
            self.journal = self._open(self.clock, self._name)
        self.appends = max(self.appends, self.crashing.appends)
        if self.crashing.dead:
            self.crashing = CrashingJournal(self.journal, lost=self._lost)
        if run is None or run.status == "waiting":
            self.doubts += await settle(self.journal, self.world, self.clock)
            due_ms = 0 if run is None else run.due_ms
            self.clock.advance(max(0, due_ms - self.clock.now_ms()) / 1000)
        return run


async def _run(seed: int, open_journal: Open, at: int, *, lost: bool) -> Found:
    """One run of the workload with one crash, to its end."""
    life = _Life(seed, open_journal, at, lost=lost)
    run: Any = None
    for _ in range(MAX_ROUNDS):
        run = await life.activation()
        if run is not None and run.status != "waiting":
            break
    problems = list(life.journal.verify())
    state = life.world.state() | {"transactional": await rows_of(life.journal)}
    await life.journal.aclose()
    if run is None or run.status == "waiting" or problems:
        return Found("lost", problems, state, life.appends, life.doubts)
    return Found(run.status, run.output, state, life.appends, life.doubts)


async def _activation(journal: Any, clock: FakeClock, load: Workload, run_id: str) -> Any:
    runtime = Runtime(journal, clock=clock, tune_gc=False)
    token = set_current(runtime)
    try:
        if runtime._exists(run_id):
            return await runtime.resume(run_id, load.root)
        return await runtime.run(load.root, load.task, run_id=run_id)
    finally:
        reset_current(token)
        await runtime.outside.aclose()


async def _reopened(journal: Journal, open_journal: Open, clock: Clock, name: str) -> Journal:
    await journal.aclose()
    return open_journal(clock, name)


async def settle(journal: Journal, world: World, clock: Clock) -> int:
    """Answer everything that waits, as a person who looks at the world does; returns how many doubts there were."""
    runtime = Runtime(journal, clock=clock, tune_gc=False)
    doubts = 0
    for row in journal.inbox():
        doubts += row.kind == "in_doubt"
        await reply(runtime, row, world)
    return doubts


async def reply(runtime: Runtime, row: InboxRow, world: World) -> None:
    """Answer one item as a person who looks at the world does."""
    if row.kind == "in_doubt":
        await runtime.answer(row.id, decision=_verdict(row, world), by="a person", reason="looked at the world")
    elif row.kind == "approval":
        await runtime.answer(row.id, by="a person")
    else:
        await runtime.answer(row.id, len(row.tool) if row.kind == "signal" else len(row.question), by="a person")


def _verdict(row: InboxRow, world: World) -> str:
    return "done" if (row.run_id, row.key) in world.acted else "not-done"


async def rows_of(journal: Any) -> dict[str, int]:
    """What transactional effects of workloads wrote: what for -> how often."""
    found: list[tuple[Any, ...]] = []

    @tool(effect="transactional")
    def count(ctx: Context[Any]) -> None:
        """Read the table."""
        ctx.transaction.execute("CREATE TABLE IF NOT EXISTS app_written (what TEXT)")
        found.extend(ctx.transaction.execute("SELECT what, count(*) FROM app_written GROUP BY what ORDER BY what"))

    lent = Context[Any](None, run_id="", agent="", key="", idempotency_key="", now_ms=0, handles=SimpleNamespace())
    await journal.transact(f"count {id(found)}", count, {"ctx": lent}, lent)
    return {str(what): int(number) for what, number in found}


def _is_crash(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_crash(e) for e in error.exceptions)
    return isinstance(error, Crash | asyncio.CancelledError)


def _difference(whole: Found, found: Found) -> str:
    pairs = [(name, getattr(whole, name), getattr(found, name)) for name in ("status", "output")]
    pairs += [(name, whole.world[name], found.world[name]) for name in whole.world]
    return "; ".join(f"{name}: {a!r:.300} without a crash, {b!r:.300} with it" for name, a, b in pairs if a != b)
