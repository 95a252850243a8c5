"""The journal in memory: bounded, and with the rules that the port's suite does not reach."""

from __future__ import annotations

import asyncio

import pytest

from remit.core.events import Reflected, RunStarted, WaitOpened
from remit.errors import RemitError
from remit.journal.memory import MemoryJournal
from remit.ports.conformance.journal import CountingClock


def test_only_the_oldest_finished_runs_are_forgotten() -> None:
    """Beyond max_runs the oldest finished run goes with its inbox items; running and parked runs stay."""

    async def case() -> None:
        journal = MemoryJournal(CountingClock(), max_runs=3)
        running = journal.create("run_running", RunStarted("a", "t"))
        parked = journal.create("run_parked", RunStarted("a", "t"))
        await parked.release("waiting")
        for number in range(5):
            log = journal.create(f"run_{number}", RunStarted("a", "t"))
            log.append(WaitOpened("k", f"item_{number}", "t", "d", "q"))
            await log.release("ok")
        assert {row.run_id for row in journal.runs()} == {"run_running", "run_parked", "run_4"}
        assert set(journal._items) == {"item_4"}
        with pytest.raises(RemitError, match="run_unknown"):
            journal.read("run_3")
        running.append(Reflected(1, "still here", "none"))
        assert (await journal.activate("run_parked")).epoch == 2

    asyncio.run(case())


def test_memory_is_bounded_only_by_unfinished_runs() -> None:
    """When nothing has finished, nothing is forgotten."""
    journal = MemoryJournal(CountingClock(), max_runs=2)
    for number in range(10):
        journal.create(f"run_{number}", RunStarted("a", "t"))
    assert len(journal.runs()) == 10
