"""Whether an event loop may commit by itself: only where the disk has just been fast, several times.

A commit in the writer thread costs a lone run two changes of thread, which is more than a fast disk's sync; a commit
in the loop costs all other work of that loop the time of the sync. So the loop commits where few wait and commits take
less than LIMIT_S, as long as any callback may take. A slower one ends that until the thread has measured a number of
fast commits; the number doubles with each time that the loop was the one held up.
"""

from __future__ import annotations

from typing import Final

LIMIT_S: Final = 0.001
FEWEST: Final = 4
MOST: Final = 1024
EASED: Final = 64  # fast commits in the loop that halve the number again


class Pace:
    """What the last commits of a few rows took."""

    __slots__ = ("_fast", "_needed", "allowed")

    def __init__(self) -> None:
        self.allowed = False
        self._fast = 0
        self._needed = FEWEST

    def seen(self, seconds: float, *, here: bool) -> None:
        """A commit took this long, in a loop (`here`) or in the thread."""
        if seconds > LIMIT_S:
            self.allowed = False
            self._fast = 0
            if here:
                self._needed = min(self._needed * 2, MOST)
            return
        self._fast += 1
        if not self.allowed:
            self.allowed = self._fast >= self._needed
        elif self._fast % EASED == 0:
            self._needed = max(self._needed // 2, FEWEST)
