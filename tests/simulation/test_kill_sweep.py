"""A small count of the kill script."""

from __future__ import annotations

import pytest

from simulation.kill_sweep import sweep


@pytest.mark.slow
def test_kill_9_loses_nothing_and_does_nothing_twice() -> None:
    """Killed at random moments of its progress, a run ends as if nobody had killed it."""
    runs, kills, _, problems = sweep(6, first=4)
    assert problems == []
    assert runs >= 1
    assert kills >= 6
