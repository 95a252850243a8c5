"""Graphs of workflow files: state from named types, nodes from members, edges from lists of names."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from remit.errors import Invalid
from remit.teams.files.schema import GraphSpec, NodeSpec, StateField, WaySpec
from remit.teams.graph import END, OTHERWISE, START, Graph, each, gate, node, retry

_TYPES: Final[dict[str, Any]] = {
    "str": str, "int": int, "float": float, "bool": bool, "list[str]": list[str], "list[int]": list[int],
    "list[float]": list[float], "list[object]": list[dict[str, Any]], "object": dict[str, Any], "any": Any,
}  # fmt: skip
_EMPTY: Final[dict[str, Any]] = {"str": "", "int": 0, "float": 0.0, "bool": False, "object": {}, "any": None}


def _append(old: Any, new: Any) -> Any:
    return [*old, new] if not isinstance(new, list) else [*old, *new]


def _merge(old: Any, new: Any) -> Any:
    return {**old, **new}


def _union(old: Any, new: Any) -> Any:
    return [*old, *(item for item in new if item not in old)]


def _last(old: Any, new: Any) -> Any:
    return new


REDUCERS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "append": _append, "add": operator.add, "last": _last, "min": min, "max": max, "merge": _merge, "union": _union,
}  # fmt: skip


def state_struct(name: str, fields: dict[str, Any]) -> type:
    """A struct of named types, each with a default."""
    made: list[tuple[str, Any, Any]] = []
    for field, given in fields.items():
        spec = given if isinstance(given, StateField) else StateField(given)
        default = spec.default if spec.default is not None else _EMPTY.get(spec.type, [])
        if isinstance(default, list | dict):
            default = msgspec.field(default_factory=partial(msgspec.json.decode, msgspec.json.encode(default)))
        made.append((field, _TYPES[spec.type], default))
    try:
        return msgspec.defstruct(name, made, kw_only=True, forbid_unknown_fields=True)
    except (TypeError, ValueError) as e:
        raise Invalid("team_invalid", f"{name}: {e}", hint="Fields are named like variables.") from None


def graph_of(spec: GraphSpec, options: dict[str, Any], member: Callable[[str, str], Any], where: str) -> Graph:
    """The graph; raises team_invalid or graph_invalid with the place."""
    reducers = {n: REDUCERS[f.reducer] for n, f in spec.state.items() if isinstance(f, StateField) and f.reducer}
    state = state_struct("State", dict(spec.state))
    known = {k: v for k, v in options.items() if k in ("name", "remit", "budget", "timeout_s")}
    other = ", ".join(sorted(set(options) - set(known)))
    if other:
        raise Invalid("team_invalid", f"{where}: a graph has no {other}", hint="Use a node's own retries.")
    graph = Graph(state, reducers=reducers, max_steps=spec.max_steps, pause_before=spec.pause_before, **known)
    nodes = {name: _node(name, n, member, f"{where}.nodes.{name}") for name, n in spec.nodes.items()}

    def at(name: str, place: str) -> Any:
        if name in ("START", "END"):
            return START if name == "START" else END
        if name not in nodes:
            raise Invalid("team_invalid", f"{place}: there is no node {name!r:.60}", hint=f"Nodes: {', '.join(nodes)}")
        return nodes[name]

    edges: list[Any] = []
    for i, edge in enumerate(spec.edges):
        place = f"{where}.edges[{i}]"
        if isinstance(edge, WaySpec):
            table: dict[Any, Any] = {way: _targets(to, at, place) for way, to in edge.ways.items()}
            if edge.otherwise is not None:
                table[OTHERWISE] = _targets(edge.otherwise, at, place)
            edges.append((at(edge.source, place), edge.field, table))
        else:
            edges.append(tuple(_targets(step, at, place) for step in edge))
    return graph.edges(*edges)


def _targets(given: str | list[str], at: Callable[[str, str], Any], place: str) -> Any:
    return at(given, place) if isinstance(given, str) else [at(name, place) for name in given]


def _node(name: str, spec: NodeSpec, member: Callable[[str, str], Any], where: str) -> Any:
    who = member(spec.member, f"{where}.member")
    if spec.over:
        made = each(who, over=spec.over, into=spec.writes or name, name=name, at_once=spec.at_once)
    else:
        made = node(who, name=name, prompt=spec.prompt, writes=spec.writes or name, timeout_s=spec.timeout_s)
    if spec.retries:
        made = retry(made, name=name, times=spec.retries)
    return gate(made, spec.gate, name=name) if spec.gate else made
