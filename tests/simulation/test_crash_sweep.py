"""A small count of the crash sweep; the script of the same name runs the whole one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from remit.agents import reopened, snapshots
from remit.journal import takeover
from remit.testing.crashes import sweep
from simulation.crash_sweep import opener, postgres_opener, sweeps


@pytest.mark.parametrize(("kind", "first", "runs"), [("memory", 3, 3), ("sqlite", 50, 1)])
def test_a_crash_at_any_append_changes_nothing(kind: str, first: int, runs: int, tmp_path: Path) -> None:
    """Crashed at each of its appends, a generated run ends as without a crash: nothing lost, nothing done twice."""
    found = asyncio.run(sweeps(first, runs, opener(kind, tmp_path)))
    assert [problem for each in found for problem in each.problems] == []
    assert sum(each.crashes for each in found) > 20


def test_a_crash_at_any_append_changes_nothing_where_loops_begin_at_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with a snapshot at each turn of the agents among them, which resumed runs do begin at."""
    begun: list[Any] = []
    monkeypatch.setattr(snapshots, "EVERY", 1)
    monkeypatch.setattr(takeover, "FEWEST", 1)
    monkeypatch.setattr(reopened, "find", lambda *given: begun.append(snapshots.find(*given)) or begun[-1])
    found = asyncio.run(sweeps(50, 1, opener("sqlite", tmp_path)))
    assert [problem for each in found for problem in each.problems] == []
    assert sum(each is not None for each in begun) > 2


@pytest.mark.slow
def test_a_crash_at_any_append_changes_nothing_in_postgres(postgres: Any, tmp_path: Path) -> None:
    """The same on a journal in Postgres, where what was appended before is kept."""
    found = asyncio.run(sweep(11, postgres_opener(postgres, tmp_path)))
    assert list(found.problems) == []
    assert (found.crashes, found.doubts) == (11, 1)
