"""Partial results: what each agent of a run had when the run ended early.

Source: spec/teams.md 8: one an agent, the last one counts; at most 100, incomplete ones are left out first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

MAX_PARTIALS: Final = 100


class PartialResult(Struct, frozen=True, omit_defaults=True):
    """What one agent or branch had when its run ended early."""

    agent: str
    """its name; of one that another run started also where, as `analyst:wf/analyst`"""
    data: Any
    completion: float = 0.0
    """0 to 1"""
    is_complete: bool = False


class Partials:
    """The partial results of a run and of all that it started.

    Args:
        limit: how many are kept. Beyond it the least complete ones go first, the oldest among equals; complete ones
            only when there are no others.
    """

    def __init__(self, limit: int = MAX_PARTIALS) -> None:
        self._limit = limit
        self._held: dict[str, PartialResult] = {}
        self.trimmed = 0
        """how many were left out"""

    def put(self, *results: PartialResult) -> None:
        """Keep results; one of the same agent is replaced."""
        for result in results:
            self._held.pop(result.agent, None)  # it is the newest now
            self._held[result.agent] = result
            if len(self._held) > self._limit:
                least = min(self._held.values(), key=lambda each: (each.is_complete, each.completion))
                del self._held[least.agent]
                self.trimmed += 1

    def all(self) -> tuple[PartialResult, ...]:
        """In the order in which they were given."""
        return tuple(self._held.values())


def as_json(results: Iterable[PartialResult], convert: Any) -> tuple[dict[str, Any], ...]:
    """The results as JSON values, for the journal; data that is none is shown as text."""
    found = []
    for each in results:
        try:
            data = convert(each.data)
        except (TypeError, ValueError, RecursionError):
            data = repr(each.data)[:500]
        found.append(
            {"agent": each.agent, "data": data, "completion": each.completion, "is_complete": each.is_complete}
        )
    return tuple(found)
