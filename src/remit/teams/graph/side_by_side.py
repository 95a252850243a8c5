"""What may run side by side in a graph, and what it may then write: fields of two writers without a reducer.

From every fan-out the ways are followed pair by pair and step by step, until they end or join.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from remit.teams.graph.infer import Facts
from remit.teams.graph.plan import Plan
from remit.teams.graph.problem import Problem

if TYPE_CHECKING:
    from remit.teams.graph.state import StateType

MAX_PAIRS: Final = 200_000


def conflicts(plan: Plan, facts: dict[str, Facts], state: StateType) -> list[Problem]:
    """Fields that two nodes may write in one step without a reducer."""
    reducers = state.reducers
    writes = {
        n: frozenset(f for f in facts[n].writes or () if f not in reducers) for n in plan.nodes
    }  # fmt: skip
    found: dict[str, Problem] = {}
    seen: set[tuple[str, str]] = set()
    for group in _fan_outs(plan):
        _clash_at_once(group, writes, found)
        if len(group) * len(group) > MAX_PAIRS:
            continue
        stack = [(a, b) for i, a in enumerate(group) for b in group[i + 1 :]]
        while stack and len(seen) < MAX_PAIRS:
            a, b = stack.pop()
            pair = (a, b) if a < b else (b, a)
            if a == b or pair in seen:
                continue
            seen.add(pair)
            _clash_at_once((a, b), writes, found)
            stack += [(c, d) for c in _alone(plan, a) for d in _alone(plan, b)]
    return list(found.values())


def _fan_outs(plan: Plan) -> list[tuple[str, ...]]:
    groups = [tuple(dict.fromkeys(targets)) for targets in plan.follow.values()]
    for name in plan.waits:
        groups.append(
            tuple(dict.fromkeys([*plan.follow.get(name, ()), *(plan.joins[i].target for i in plan.waits[name])]))
        )
    for routes in plan.routes.values():
        groups += [*routes.table.values(), routes.otherwise or ()]
    return [group for group in groups if len(group) > 1]


def _alone(plan: Plan, name: str) -> list[str]:
    """Where one branch goes by itself: a join is reached together with the others."""
    found = list(plan.follow.get(name, ()))
    routes = plan.routes.get(name)
    if routes is not None:
        for targets in (*routes.table.values(), routes.otherwise or ()):
            found += targets
    return found


def _clash_at_once(group: Iterable[str], writes: dict[str, frozenset[str]], found: dict[str, Problem]) -> None:
    writer: dict[str, str] = {}
    for name in group:
        for field in writes[name]:
            other = writer.setdefault(field, name)
            if other != name and field not in found:
                why = f"{other} and {name} may write {field} in one step, and it has no reducer"
                found[field] = Problem(f"node {name}", why, f"Annotate {field} with a reducer, or order the nodes.")
