"""The system's clock and randomness. Tests use remit.testing's seeded one."""

from __future__ import annotations

import asyncio
import os
import time


class SystemClock:
    """Implements ports/clock.py."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    monotonic = staticmethod(time.monotonic)
    """Seconds that never go back."""

    def random_bits(self, bits: int) -> int:
        """An unpredictable number."""
        return int.from_bytes(os.urandom((bits + 7) // 8)) & ((1 << bits) - 1)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
