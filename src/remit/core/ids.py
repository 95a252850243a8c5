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
    n = ((now_ms & 0xFFFFFFFFFFFF) << 80) | (entropy & 0xFFFFFFFFFFFFFFFFFFFF)
    pairs = _PAIRS
    return f"{prefix}_" + "".join([pairs[(n >> shift) & 1023] for shift in range(120, -1, -10)])
