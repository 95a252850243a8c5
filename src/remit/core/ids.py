"""Run and item ids: a prefix and 26 characters that sort by time (the layout of ULID).

48 bits of milliseconds, then 80 random bits, in Crockford's base 32.
Source: the ULID specification (canonical string representation).
"""

from __future__ import annotations

from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(a + b for a in _ALPHABET for b in _ALPHABET)  # ten bits a step


def new_id(prefix: str, now_ms: int, entropy: int) -> str:
    """`prefix_` + 26 characters from `now_ms` (48 bits) and `entropy` (80 bits)."""
    p, t, n = _PAIRS, now_ms & 0xFFFFFFFFFFFF, entropy  # written out: a run has at least one, and a loop costs twice
    return (
        f"{prefix}_{p[t >> 40]}{p[t >> 30 & 1023]}{p[t >> 20 & 1023]}{p[t >> 10 & 1023]}{p[t & 1023]}"
        f"{p[n >> 70 & 1023]}{p[n >> 60 & 1023]}{p[n >> 50 & 1023]}{p[n >> 40 & 1023]}"
        f"{p[n >> 30 & 1023]}{p[n >> 20 & 1023]}{p[n >> 10 & 1023]}{p[n & 1023]}"
    )
