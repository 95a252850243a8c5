"""The static check of a graph: everything that can be known before it runs, each problem with place and hint.

Reachability and exits are exact. What may run side by side is followed from every fan-out, pair by pair and step by
step, until ways end or join; beyond side_by_side.MAX_PAIRS pairs the rest is checked when the graph runs.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from remit.teams.graph.infer import Facts, facts_of
from remit.teams.graph.nodes import Node, fields_of
from remit.teams.graph.plan import BEGIN, Plan, Routes
from remit.teams.graph.problem import Problem
from remit.teams.graph.side_by_side import conflicts

if TYPE_CHECKING:
    from remit.teams.graph.state import StateType


def check(plan: Plan, state: StateType) -> list[Problem]:
    """All problems; empty = the graph may run."""
    problems: list[Problem] = []
    if BEGIN not in plan.follow and BEGIN not in plan.routes:
        return [Problem("graph", "nothing follows START", "Begin one edge with START.")]
    problems += _unreachable(plan)
    problems += _without_exit(plan)
    facts = {name: facts_of(node, state.fields) for name, node in plan.nodes.items()}
    for name, node in plan.nodes.items():
        problems += _node(name, node, facts[name], state)
        problems += _ways(name, plan, facts[name], state)
    problems += _ways(BEGIN, plan, Facts(), state)
    if not problems and not state.open:
        problems += conflicts(plan, facts, state)
    return problems


def _unreachable(plan: Plan) -> list[Problem]:
    seen = _reach([BEGIN], plan.targets)
    return [
        Problem(f"node {name}", "no way leads to it from START", "Add an edge to it, or leave it out.")
        for name in plan.nodes if name not in seen
    ]  # fmt: skip


def _without_exit(plan: Plan) -> list[Problem]:
    before: dict[str, list[str]] = {}
    for name in (BEGIN, *plan.nodes):
        for target in plan.targets(name):
            before.setdefault(target, []).append(name)
    ending = _reach([n for n in plan.nodes if plan.may_end(n)], lambda n: before.get(n, []))
    ending.update(n for n in plan.nodes if plan.may_end(n))
    stuck = [n for n in plan.nodes if n not in ending]
    if not stuck:
        return []
    ring = " -> ".join(stuck[:6])
    return [Problem(f"node {stuck[0]}", f"no way leads from it to END (cycle without exit: {ring})",
                    "Give one node of the cycle a mapping with END or a way out.")]  # fmt: skip


def _reach(first: Iterable[str], follow: Any) -> set[str]:
    stack, seen = list(first), set()
    while stack:
        for target in follow(stack.pop()):
            if target not in seen:
                seen.add(target)
                stack.append(target)
    return seen


# --- single nodes ------------------------------------------------------------------------------------


def _node(name: str, node: Node, facts: Facts, state: StateType) -> list[Problem]:
    where, known = f"node {name}", f"Fields of {state.name}: {', '.join(state.fields)}"
    if state.open:
        return []
    found = []
    for field, kind in (facts.writes or {}).items():
        if field not in state.fields:
            found.append(Problem(where, f"it writes {field}, which {state.name} has not", known))
        elif kind is not None and not _fits(kind, state.fields[field].kind):
            why = f"it writes {field} as {_shown(kind)}, which is {_shown(state.fields[field].kind)} in {state.name}"
            found.append(Problem(where, why, "Make the types the same."))
    found += _reads(where, node, state, known)
    if facts.state is not None and not _takes(facts.state, state):
        found.append(Problem(where, f"it takes {_shown(facts.state)}, the graph's state is {state.name}",
                             f"Annotate its parameter as {state.name}."))  # fmt: skip
    return found


def _reads(where: str, node: Node, state: StateType, known: str) -> list[Problem]:
    missing = [f for f in fields_of(node.options.get("prompt")) if f not in state.fields]
    found = [Problem(where, f"its prompt names {f}, which {state.name} has not", known) for f in missing]
    if node.kind == "agent" and node.writes and node.writes[0] in state.fields:
        output, kind = getattr(node.member, "output", None), state.fields[node.writes[0]].kind
        if isinstance(output, type) and not _fits(output, kind):
            why = f"the agent answers {_shown(output)}, the field {node.writes[0]} is {_shown(kind)}"
            found.append(Problem(where, why, "Make the types the same, or write another field."))
    if node.kind == "each" and node.options["over"] not in state.fields:
        found.append(Problem(where, f"it goes over {node.options['over']}, which {state.name} has not", known))
    if node.kind == "subgraph":
        found += _mapping(where, node, state, known)
    if isinstance(node.inner, Node):
        found += _reads(where, node.inner, state, known)
    return found


def _mapping(where: str, node: Node, state: StateType, known: str) -> list[Problem]:
    inner: Any = node.inner
    own = inner.state_type.fields
    found = []
    for inside, outside in (node.options["input"] or {}).items():
        if inside not in own or outside not in state.fields:
            found.append(
                Problem(where, f"its input maps {inside} from {outside}, and one of them does not exist", known)
            )
        elif not _fits(state.fields[outside].kind, own[inside].kind):
            found.append(
                Problem(where, f"its input maps {outside} to {inside} of another type", "Make the types the same.")
            )
    for outside, inside in (node.options["output"] or {}).items():
        if inside not in own:
            found.append(Problem(where, f"its output maps {outside} from {inside}, which {inner.name} has not", known))
    return found


def _takes(kind: Any, state: StateType) -> bool:
    if kind in (state.kind, Any, dict) or typing.get_origin(kind) is dict or not isinstance(kind, type):
        return True
    return not typing.is_typeddict(kind) and issubclass(state.kind, kind)


def _fits(given: Any, wanted: Any) -> bool:
    """Whether a value of one annotated type may be written where the other stands; unsure = yes."""
    given, wanted = _bare(given), _bare(wanted)
    if given == wanted or Any in (given, wanted):
        return True
    options = typing.get_args(wanted) if typing.get_origin(wanted) in (typing.Union, types.UnionType) else ()
    if options:
        return any(_fits(given, option) for option in options)
    if isinstance(given, type) and isinstance(wanted, type):
        return issubclass(given, wanted) or (given is int and wanted is float)
    first, second = typing.get_origin(given) or given, typing.get_origin(wanted) or wanted
    if isinstance(first, type) and isinstance(second, type):
        return issubclass(first, second)
    return True


def _bare(kind: Any) -> Any:
    while typing.get_origin(kind) in (typing.Annotated, typing.Required, typing.NotRequired):
        kind = typing.get_args(kind)[0]
    return kind


def _shown(kind: Any) -> str:
    return getattr(kind, "__name__", None) if isinstance(kind, type) else str(kind)  # type: ignore[return-value]  # types have names


# --- ways ----------------------------------------------------------------------------------------------


def _ways(name: str, plan: Plan, facts: Facts, state: StateType) -> list[Problem]:
    routes, where = plan.routes.get(name), f"node {name}" if name else "START"
    if routes is None:
        ways = [w for w in facts.routes or () if w is not None]
        if ways and not facts.writes and plan.nodes[name].kind == "function":
            return [Problem(where, f"it returns the ways {_list(ways)}, and no mapping follows it",
                            "Add (node, {way: target, ...}), or return a mapping of fields.")]  # fmt: skip
        return []
    found = []
    if routes.field and not state.open and routes.field not in state.fields:
        found.append(Problem(where, f"its way is the field {routes.field}, which {state.name} has not",
                             f"Fields: {', '.join(state.fields)}"))  # fmt: skip
    if name == BEGIN and routes.decide is None and not routes.field:
        found.append(Problem(where, "nothing decides its way", "Write (START, function or field, {...})."))
    if name in plan.follow or name in plan.ends or name in plan.waits:
        found.append(Problem(where, "a mapping and plain edges both follow it", "Use one of the two."))
    return found + _covered(where, routes, _possible(routes, facts, state))


def _possible(routes: Routes, facts: Facts, state: StateType) -> frozenset[Any] | None:
    """The ways that can come out; None = unknown."""
    if routes.decide is not None:
        try:
            kind = typing.get_type_hints(routes.decide).get("return")
        except (NameError, TypeError):
            return None
    elif routes.field:
        kind = state.fields[routes.field].kind if routes.field in state.fields else None
    else:
        return facts.routes
    if kind is bool:
        return frozenset((True, False))
    return frozenset(typing.get_args(kind)) if typing.get_origin(kind) is typing.Literal else None


def _covered(where: str, routes: Routes, ways: frozenset[Any] | None) -> list[Problem]:
    if ways is None:
        return []
    found = []
    left = [w for w in ways if w not in routes.table and w is not None]
    if left and routes.otherwise is None:
        found.append(Problem(where, f"the way {_list(left)} leads nowhere", "Add it to the mapping, or add OTHERWISE."))
    never = [w for w in routes.table if w not in ways]
    if never and ways - {None}:
        found.append(
            Problem(where, f"the way {_list(never)} is never taken", "Leave it out, or let the node return it.")
        )
    if not ways - {None} and routes.otherwise is None and routes.decide is None and not routes.field:
        found.append(Problem(where, "it never returns a way for its mapping", "Return a way, or Go(way, field=value)."))
    return found


def _list(ways: Iterable[Any]) -> str:
    return ", ".join(sorted(map(repr, ways)))
