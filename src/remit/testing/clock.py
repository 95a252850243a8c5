"""A clock that a test owns: time moves only when something sleeps or the test says so."""

from __future__ import annotations

import asyncio
from hashlib import sha256


class FakeClock:
    """`ports.clock.Clock` without wall time. `sleep` moves time at once; random bits follow from `seed`."""

    def __init__(self, now_ms: int = 1_767_225_600_000, *, seed: int = 0) -> None:
        self._start_ms = now_ms
        self._passed_s = 0.0
        self._seed = seed
        self._drawn = 0
        self.slept: list[float] = []
        """seconds of every sleep, in order"""

    def now_ms(self) -> int:
        """Milliseconds since 1970 (UTC)."""
        return self._start_ms + round(self._passed_s * 1000)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._passed_s

    def random_bits(self, bits: int) -> int:
        """The next number below 2**bits; the same sequence for the same seed."""
        self._drawn += 1
        found = b""
        while len(found) * 8 < bits:
            found += sha256(f"{self._seed}:{self._drawn}:{len(found)}".encode()).digest()
        return int.from_bytes(found) >> (len(found) * 8 - bits)

    async def sleep(self, seconds: float) -> None:
        """Move time, and let others run."""
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move time by hand."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._passed_s += seconds
