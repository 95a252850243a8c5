"""Port: the row of a rate limit that several processes share."""

from __future__ import annotations

from typing import Protocol


class LimitStore(Protocol):
    """Books slots of limits. Called from worker threads; blocks for one round trip."""

    def book(self, name: str, count: int, interval_us: int) -> tuple[int, int]:
        """Book the next `count` slots, `interval_us` microseconds apart; nobody else gets them.

        Returns (time of the first slot, now), microseconds of the store's own clock. Raises disk_failed.
        """
        ...

    def close(self) -> None:
        """Close connections."""
        ...
