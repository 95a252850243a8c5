"""Run and item ids: a prefix and 26 characters that sort by time (the layout of ULID).

48 bits of milliseconds, then 80 random bits, in Crockford's base 32.
Source: the ULID specification (canonical string representation).
"""

from __future__ import annotations

from hashlib import sha256
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


def child_id(run_id: str, key: str) -> str:
    """The id of the run that `run_id` starts at `key`: the same in every activation, another one in a fork."""
    digest = sha256(f"{run_id}\0{key}".encode()).digest()
    found = new_id("run", 0, int.from_bytes(digest[:10]))
    stamp = run_id[4:14] if run_id.startswith("run_") and len(run_id) == 30 else "0" * 10  # sorts beside its parent
    return f"run_{stamp}{found[14:]}"


def idempotency_key(run_id: str, key: str) -> str:
    """What a receiver tells a repeated effect by: 64 hex digits, same for every try of `key`, new after a fork.

    A child's run id follows from its parent's (`child_id`), and a fork has an id of its own, so that `run_id` holds
    root run and branch. Source: spec/teams.md 12.
    """
    return sha256(f"{run_id}\0{key.partition('/try/')[0]}".encode()).hexdigest()
