"""A small count of the crash sweep; the script of the same name runs the whole one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from simulation.crash_sweep import opener, sweeps


@pytest.mark.parametrize(("kind", "first", "runs"), [("memory", 3, 3), ("sqlite", 50, 1)])
def test_a_crash_at_any_append_changes_nothing(kind: str, first: int, runs: int, tmp_path: Path) -> None:
    """Crashed at each of its appends, a generated run ends as without a crash: nothing lost, nothing done twice."""
    found = asyncio.run(sweeps(first, runs, opener(kind, tmp_path)))
    assert [problem for each in found for problem in each.problems] == []
    assert sum(each.crashes for each in found) > 20
