"""Block 4, rate: requests and concurrency per model and tool; guard/rate_bucket.py keeps each limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from remit.core.budget import Limit
from remit.core.effects import Deny
from remit.core.grants import name_match
from remit.guard.rate_bucket import Bucket

if TYPE_CHECKING:
    from remit.ports.clock import Clock


class Rates:
    """All limits of one runtime. Keys are `model:NAME` or `tool:NAME` patterns; the first match counts."""

    def __init__(self, limits: Mapping[str, Limit], clock: Clock) -> None:
        self._limits = dict(limits)
        self.limited = bool(limits)
        """whether there is anything to wait for"""
        self._clock = clock
        self._buckets: dict[str, Bucket | None] = {}

    async def acquire(self, name: str, priority: str) -> Deny | None:
        """Wait for a place (or refuse when the queue is full); every success needs one `release`."""
        bucket = self._bucket(name)
        return None if bucket is None else await bucket.acquire(priority)

    def release(self, name: str) -> None:
        """The call is over."""
        bucket = self._bucket(name)
        if bucket is not None:
            bucket.release()

    def _bucket(self, name: str) -> Bucket | None:
        if name not in self._buckets:
            limit = next((v for k, v in self._limits.items() if name_match(k, name)), None)
            self._buckets[name] = None if limit is None else Bucket(limit, self._clock)
        return self._buckets[name]
