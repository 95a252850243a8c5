"""What Ensemble and Swarm share: at least two members at the same task, side by side, and what measures agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remit.teams.patterns._shared import CLAIMS, Measure, TeamOptions, measure_of, named, refuse
from remit.teams.team import Team
from remit.teams.work import AT_ONCE

MAX_AT_ONCE = 10_000
MAX_MEASURED = 200  # members whose claims can be compared (coordination/claims.py)


class PeerOptions(TeamOptions, total=False):
    """Beside the options of every team."""

    agreement: Measure | str | None
    """a function that measures agreement on claims; `claims` = the room's own (default), None = nothing is measured"""
    at_once: int
    """members under way"""


class Peers(Team):
    """At least two members that are asked alike; `peers` holds them in order."""

    def __init__(
        self, kind: str, role: str, given: Sequence[Any], options: PeerOptions, *,
        others: Mapping[str, Any] | None = None, **defaults: Any,
    ) -> None:  # fmt: skip
        held, name = named(options, kind, **defaults)
        self.where = f"{kind} {name}"
        self.peers = one_list(given)
        self.agreement: Measure | None = measure_of(held.pop("agreement", CLAIMS))
        self.at_once: int = held.pop("at_once", AT_ONCE)
        if len(self.peers) < 2:
            raise refuse(self.where, f"{len(self.peers)} {role}s", "Give at least two.")
        if len(self.peers) > MAX_MEASURED and self.agreement is not None:
            raise refuse(
                self.where, f"{len(self.peers)} {role}s", f"Agreement is measured over {MAX_MEASURED} at most."
            )
        if not 1 <= self.at_once <= MAX_AT_ONCE:
            raise refuse(self.where, f"at_once={self.at_once!r:.40}", f"From 1 to {MAX_AT_ONCE}.")
        members = {f"{role} {i}": member for i, member in enumerate(self.peers, 1)} | dict(others or {})
        super().__init__(name, self._work, members=members, kind=kind, **held)

    async def _work(self, work: Any, task: Any) -> Any:
        raise AssertionError("each pattern has its own")


def one_list(given: Sequence[Any]) -> tuple[Any, ...]:
    """Members given one by one, or as one list."""
    alone = len(given) == 1 and isinstance(given[0], list | tuple)
    return tuple(given[0] if alone else given)
