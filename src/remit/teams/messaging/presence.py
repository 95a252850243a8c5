"""Who is there: parties outside the team's own structure say so from time to time, and are counted by when they did.

alive until ttl_s, stale until twice that, dead then; forgotten at three times. A party that the team itself runs needs
no sign of life: it is alive until it ends (parties.py). The clock is the caller's, and nothing polls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from remit.errors import Invalid

TTL_S: Final = 30.0
STALE, DEAD = 2, 3  # times the ttl. Source: spec/teams.md 1
MAX_PARTIES: Final = 100_000


class Row(Struct, frozen=True):
    """One party as it is seen now."""

    name: str
    status: str
    """alive | stale | dead"""
    since_s: float
    """seconds since its last sign of life; 0 for a party that the team runs"""


class Presence:
    """Signs of life of parties.

    Args:
        now: seconds of a clock that only goes forward.
        ttl_s: how long one sign of life counts.
    """

    def __init__(self, now: Callable[[], float], ttl_s: float = TTL_S) -> None:
        if not 0 < ttl_s < 1e9:
            raise Invalid("value_invalid", f"ttl_s={ttl_s!r}; a number of seconds above 0")
        self._now, self.ttl_s = now, ttl_s
        self._seen: dict[str, float] = {}
        self.held: set[str] = set()
        """parties that the team runs"""

    def beat(self, name: str) -> None:
        """A sign of life; raises value_invalid for no name, or too many parties."""
        if not name or (name not in self._seen and len(self._seen) >= MAX_PARTIES):
            raise Invalid("value_invalid", f"party {name!r:.60}: a name, and at most {MAX_PARTIES} of them")
        self._seen[name] = self._now()

    def leave(self, name: str) -> None:
        """It has said that it goes."""
        self._seen.pop(name, None)
        self.held.discard(name)

    def status(self, name: str) -> str:
        """alive | stale | dead; dead for one that nobody knows."""
        if name in self.held:
            return "alive"
        at = self._seen.get(name)
        if at is None:
            return "dead"
        age = self._now() - at
        return "alive" if age <= self.ttl_s else "stale" if age <= STALE * self.ttl_s else "dead"

    def collect(self) -> list[str]:
        """Forget those that are long dead; returns their names."""
        now = self._now()
        gone = [name for name, at in self._seen.items() if now - at > DEAD * self.ttl_s and name not in self.held]
        for name in gone:
            del self._seen[name]
        return gone

    def rows(self) -> list[Row]:
        """All parties, by name."""
        self.collect()
        now = self._now()
        ages = {name: 0.0 if name in self.held else now - self._seen[name] for name in {*self._seen, *self.held}}
        return [Row(name, self.status(name), ages[name]) for name in sorted(ages)]
