"""A small count of the fork script."""

from __future__ import annotations

import asyncio

import pytest

from simulation.fork_points import one


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_fork_runs_nothing_of_its_past_again(seed: int) -> None:
    """A fork at a random moment of a generated run repeats no earlier effect, and asks before unsafe ones."""
    assert asyncio.run(one(seed)) == []
