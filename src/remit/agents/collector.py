"""How often Python looks for garbage cycles while agents run.

The idea: a run that waits for its model holds about 75 objects that the collector looks at, and none
of them is garbage. Ten thousand waiting runs would make it walk through all of them for nothing, so
the threshold of a young collection grows with the runs under way and shrinks with them again.
Source: bench/run.py (`concurrent`, 10-20 % of a short run; `waiting`, 8 %).

Invariants: `close` gives the process its own thresholds back.
"""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 400_000  # allocations before a young collection while few runs are under way
_PER_RUN: Final = 100  # allocations that a run under way adds to it
_STEP: Final = YOUNG // _PER_RUN  # runs


class Collector:
    """The collector of one process, as one runtime sets it; `tune` False leaves it alone."""

    __slots__ = ("_high", "_low", "_own")

    def __init__(self, tune: bool) -> None:
        self._own = gc.get_threshold() if tune else None
        self._low, self._high = 0, _STEP
        if tune:
            gc.freeze()
            gc.set_threshold(YOUNG, 20, 50)

    def watch(self, runs: int) -> None:
        """Say how many runs are under way."""
        if self._low <= runs <= self._high or self._own is None:
            return
        step = max(1, -(-runs // _STEP))
        self._low, self._high = (step - 1) * _STEP // 2, step * _STEP  # far enough apart not to swing
        gc.set_threshold(step * YOUNG, 20, 50)

    def close(self) -> None:
        """Give the process its thresholds back."""
        if self._own is not None:
            gc.set_threshold(*self._own)
            gc.unfreeze()
            self._own = None
