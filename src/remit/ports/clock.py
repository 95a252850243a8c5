"""Port: time and randomness, so that tests can own both."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall time, monotonic time and random bits."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 (UTC)."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def random_bits(self, bits: int) -> int:
        """An unpredictable number below 2**bits."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
