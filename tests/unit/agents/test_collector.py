"""The collector's threshold follows the runs under way and is given back."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from remit.agents.collector import YOUNG, Collector


@pytest.fixture(autouse=True)
def own() -> Iterator[tuple[int, int, int]]:
    """The thresholds of this process, put back whatever a test does."""
    before = gc.get_threshold()
    yield before
    gc.set_threshold(*before)
    gc.unfreeze()


def test_it_grows_with_a_burst_shrinks_after_it_and_is_given_back(own: tuple[int, int, int]) -> None:
    """10,000 waiting runs are not walked through for nothing; afterwards garbage is looked for as before."""
    collector = Collector(tune=True)
    seen = []
    for runs in (1, 4_000, 4_001, 10_000, 9_000, 3_000, 100, 0):
        collector.watch(runs)
        seen.append(gc.get_threshold()[0] // YOUNG)
    collector.close()
    assert seen == [1, 1, 2, 3, 3, 1, 1, 1]
    assert gc.get_threshold() == own


def test_a_steady_load_at_a_step_does_not_swing() -> None:
    """Around a step the threshold is set once, not with every run."""
    collector = Collector(tune=True)
    collector.watch(4_001)
    before = gc.get_threshold()
    for runs in (4_000, 4_001) * 100:
        collector.watch(runs)
        assert gc.get_threshold() == before
    collector.close()


def test_a_program_that_wants_its_own_settings_keeps_them(own: tuple[int, int, int]) -> None:
    """tune_gc=False changes nothing."""
    collector = Collector(tune=False)
    collector.watch(100_000)
    assert gc.get_threshold() == own
    collector.close()
    assert gc.get_threshold() == own
