"""Projection: what caches and routing saved.

Routing: each routed call's cost against the estimated cost of the ablest model that it could have taken. Caches: the
tokens and the money that the kept reply took when it was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from remit.core.events import EffectDone, ModelNote, Routed
from remit.journal.chain import decode_event
from remit.ports.journal import Entry


class Savings(Struct, frozen=True):
    """Sums over runs; money in nano-dollars."""

    routed: int = 0
    """calls with a choice whose baseline is priced"""
    ablest_nano: int = 0
    spent_nano: int = 0
    """all attempts of those calls, escalations too"""
    hits: int = 0
    cached_tokens: int = 0
    cached_nano: int = 0

    @property
    def percent(self) -> float:
        """Share of the baseline that routing saved."""
        return 100.0 * (1 - self.spent_nano / self.ablest_nano) if self.ablest_nano else 0.0


EMPTY: Final = Savings()


def fold(state: Savings, entries: Iterable[Entry]) -> Savings:
    """`state` after the entries of one run."""
    routed, ablest, spent = state.routed, state.ablest_nano, state.spent_nano
    hits, tokens, nano = state.hits, state.cached_tokens, state.cached_nano
    open_keys: set[str] = set()
    for entry in entries:
        event = decode_event(entry.body)
        if isinstance(event, Routed) and event.ablest_nano is not None:
            open_keys.add(event.key)
            routed, ablest = routed + 1, ablest + event.ablest_nano
        elif isinstance(event, EffectDone) and event.key.partition("#")[0] in open_keys:
            spent += event.cost_nano or 0
        elif isinstance(event, ModelNote) and event.kind == "cached":
            hits, tokens = hits + 1, tokens + int(event.data.get("tokens") or 0)
            nano += int(event.data.get("nano") or 0)
    return Savings(routed, ablest, spent, hits, tokens, nano)
