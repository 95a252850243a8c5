"""Several keys of one provider: which one the next call uses, and which rest.

A key that met a rate limit rests an hour, one that the provider refused a day; a daily quota counts calls by the UTC
day. Only references and positions are kept here, never shown; the key itself is read when a call is made.
Source: spec/models.md 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from remit.ports.clock import Clock

Order = Literal["fill_first", "round_robin", "random", "least_used"]
LIMITED_S: Final = 3600.0
REFUSED_S: Final = 86_400.0
_DAY_MS: Final = 86_400_000


class CredentialPool:
    """The keys of one provider.

    Args:
        count: how many keys there are.
        clock: time, and chance for `random`.
        order: how the next one is chosen among those that do not rest.
        daily_quota: calls a key and day; 0 = any number.
    """

    def __init__(self, count: int, clock: Clock, order: Order = "fill_first", daily_quota: int = 0) -> None:
        self.order = order
        self.quota = daily_quota
        self._clock = clock
        self._rests = [float("-inf")] * count  # until, monotonic
        self._used = [0] * count
        self._today = [0] * count
        self._day = 0
        self._next = 0

    def take(self, without: Sequence[int] = ()) -> int | None:
        """The position of the key for a call, which is counted; None when all rest."""
        self._turn()
        free = [i for i in self.ready() if i not in without]
        if not free:
            return None
        if self.order == "round_robin":
            count = len(self._rests)
            chosen = min(free, key=lambda i: (i - self._next) % count)
            self._next = (chosen + 1) % count
        elif self.order == "random":
            chosen = free[self._clock.random_bits(32) % len(free)]
        elif self.order == "least_used":
            chosen = min(free, key=lambda i: (self._used[i], i))
        else:
            chosen = free[0]
        self._used[chosen] += 1
        self._today[chosen] += 1
        return chosen

    def ready(self) -> list[int]:
        """Positions of the keys that do not rest and have quota left."""
        self._turn()
        now = self._clock.monotonic()
        return [
            i
            for i, until in enumerate(self._rests)
            if until <= now and not (self.quota and self._today[i] >= self.quota)
        ]

    def failed(self, position: int, code: str, retry_after_s: float | None = None) -> bool:
        """A call with this key failed; True when the key rests now and another one should be tried."""
        if code not in ("model_rate_limited", "model_auth"):
            return False
        rest = REFUSED_S if code == "model_auth" else max(LIMITED_S, min(retry_after_s or 0.0, REFUSED_S))
        self._rests[position] = max(self._rests[position], self._clock.monotonic() + rest)
        return True

    def _turn(self) -> None:
        day = self._clock.now_ms() // _DAY_MS
        if day != self._day:
            self._day = day
            self._today = [0] * len(self._today)
