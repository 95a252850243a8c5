"""Edges as tuples, read into a plan: nodes by name, where each leads, and what waits for what.

(START, draft, review)                     a chain
(plan, [search, read], merge)              both at once; merge waits for both
(review, {"redo": draft, "ok": END})       review's own return value (or Go) names the way
(review, decide, {True: END, False: fix})  a plain function of the state decides
(review, "verdict", {...})                 the value of a state field decides
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from remit.agents.agent import Agent
from remit.errors import Invalid
from remit.teams.graph.marks import END, OTHERWISE, START, Mark
from remit.teams.graph.nodes import Node, is_async, node

BEGIN: Final = ""  # the name under which START's edges stand


class Routes(Struct):
    """A conditional edge."""

    table: dict[Any, tuple[str, ...]]
    """route -> names of nodes; none = the end"""
    decide: Callable[[Any], Any] | None = None
    """a function of the state; None = the node's own return value"""
    field: str = ""
    """the state field that decides"""
    otherwise: tuple[str, ...] | None = None


class Join(Struct):
    """A node that waits for several others."""

    sources: tuple[str, ...]
    target: str


class Plan(Struct):
    """A graph, ready to run."""

    nodes: dict[str, Node] = {}
    follow: dict[str, list[str]] = {}
    """plain edges; a node that is missing here and in the others leads to the end"""
    routes: dict[str, Routes] = {}
    joins: list[Join] = []
    waits: dict[str, list[int]] = {}
    """node -> indexes of the joins that wait for it"""
    ends: set[str] = set()
    """nodes with a plain edge to END"""

    def targets(self, name: str) -> list[str]:
        """All nodes that may come directly after `name`."""
        found = list(self.follow.get(name, ()))
        routes = self.routes.get(name)
        if routes is not None:
            for targets in (*routes.table.values(), routes.otherwise or ()):
                found += targets
        found += [self.joins[i].target for i in self.waits.get(name, ())]
        return found

    def may_end(self, name: str) -> bool:
        """Whether the graph may end after `name`."""
        routes = self.routes.get(name)
        if name in self.ends:
            return True
        if routes is None:
            return name not in self.follow and name not in self.waits
        return not all(routes.table.values()) or routes.otherwise == ()


class Reader:
    """Reads edges into a plan."""

    def __init__(self) -> None:
        self.plan = Plan()
        self._names: dict[int, str] = {}
        self._kept: list[Any] = []  # ids stay those of living objects

    def add(self, edge: Any) -> None:
        """One edge; raises graph_invalid with the edge."""
        where = f"edge {shown(edge)}"
        if not isinstance(edge, tuple) or len(edge) < 2:
            raise Invalid("graph_invalid", f"{where} is no edge", hint="Write (a, b) or (a, b, c, ...).")
        before: tuple[str, ...] = ()
        joined = False
        i = 0
        while i < len(edge):
            item = edge[i]
            if isinstance(item, Mapping):
                self._route(before, joined, item, None, "", where)
                if i != len(edge) - 1:
                    raise Invalid("graph_invalid", f"{where}: something stands after the mapping",
                                  hint="A mapping ends its edge; write what follows in another one.")  # fmt: skip
                return
            router = self._router(edge, i, where)
            if router is not None:
                self._route(before, joined, edge[i + 1], *router, where)
                return
            names = self._group(item, where, first=i == 0, last=i == len(edge) - 1)
            if i:
                self._link(before, joined, names, item, where)
            before, joined = names, isinstance(item, list | tuple | set | frozenset) and len(names) > 1
            i += 1

    def _router(self, edge: tuple[Any, ...], i: int, where: str) -> tuple[Any, str] | None:
        if i == 0 or i + 1 >= len(edge) or not isinstance(edge[i + 1], Mapping):
            return None
        item = edge[i]
        if isinstance(item, str):
            return None, item
        if (
            callable(item)
            and not isinstance(item, Node | Agent)
            and not hasattr(item, "carry_out")
            and not is_async(item)
        ):
            return item, ""
        return None

    def _group(self, item: Any, where: str, *, first: bool, last: bool) -> tuple[str, ...]:
        if isinstance(item, list | tuple | set | frozenset):
            if not item:
                raise Invalid("graph_invalid", f"{where}: an empty group", hint="Name at least one node.")
            return tuple(self.name(each, where) for each in item)
        if item is START:
            if not first:
                raise Invalid("graph_invalid", f"{where}: START stands only at the beginning")
            return (BEGIN,)
        if item is END:
            if not last or first:
                raise Invalid("graph_invalid", f"{where}: END stands only at the end")
            return ()
        return (self.name(item, where),)

    def name(self, item: Any, where: str) -> str:
        """The name of a node, which is added when it is new."""
        known = self._names.get(id(item))
        if known is not None:
            return known
        if isinstance(item, Mark | str):
            raise Invalid("graph_invalid", f"{where}: {item!r} is no node here",
                          hint="Give the function or agent itself; START begins an edge, END ends one.")  # fmt: skip
        if hasattr(item, "state_type"):
            raise Invalid("graph_invalid", f"{where}: a graph as a node needs its mappings",
                          hint="Write subgraph(graph, input=..., output=...).")  # fmt: skip
        if not isinstance(item, Node | Agent) and not hasattr(item, "carry_out") and not callable(item):
            raise Invalid("graph_invalid", f"{where}: {type(item).__name__} is no node",
                          hint="A node is an async function, an Agent, a team, or what node(...) returns.")  # fmt: skip
        made = node(item)
        if made.name in self.plan.nodes:
            raise Invalid("graph_invalid", f"{where}: two nodes are named {made.name}",
                          hint='Give one another name: node(fn, name="...").')  # fmt: skip
        self.plan.nodes[made.name] = made
        self._names[id(item)] = made.name
        self._kept.append(item)
        return made.name

    def _link(self, before: tuple[str, ...], joined: bool, names: tuple[str, ...], item: Any, where: str) -> None:
        if joined:
            if item is END:
                self.plan.ends.update(before)
            for target in names:
                index = len(self.plan.joins)
                self.plan.joins.append(Join(before, target))
                for source in before:
                    self.plan.waits.setdefault(source, []).append(index)
            return
        source = before[0]
        if item is END:
            if source == BEGIN:
                raise Invalid("graph_invalid", f"{where}: a graph without a node")
            self.plan.ends.add(source)
        for target in names:
            follow = self.plan.follow.setdefault(source, [])
            if target not in follow:
                follow.append(target)

    def _route(
        self, before: tuple[str, ...], joined: bool, table: Mapping[Any, Any], decide: Any, field: str, where: str
    ) -> None:  # fmt: skip
        if not before or joined or not table:
            why = "an empty mapping" if not table else "a mapping after a group, END or nothing"
            raise Invalid("graph_invalid", f"{where}: {why}", hint="Write (node, {route: target, ...}).")
        source = before[0]
        if source in self.plan.routes:
            raise Invalid("graph_invalid", f"{where}: {source or 'START'} has two mappings", hint="Make them one.")
        routes = Routes({}, decide, field)
        for route, target in table.items():
            group = target if isinstance(target, list | tuple | set | frozenset) else [target]
            names = tuple(self.name(each, where) for each in group if each is not END)
            if route is OTHERWISE:
                routes.otherwise = names
            else:
                routes.table[plain_route(route)] = names
        self.plan.routes[source] = routes


def read_edges(edges: Iterable[Any]) -> Plan:
    """The plan of these edges; raises graph_invalid for what no edge can be."""
    reader = Reader()
    for edge in edges:
        reader.add(edge)
    return reader.plan


def plain_route(route: Any) -> Any:
    """A route as the journal keeps it: an enum member is its value."""
    return route.value if isinstance(route, enum.Enum) else route


def shown(edge: Any) -> str:
    """An edge for people: `draft -> review -> END`."""
    if not isinstance(edge, tuple):
        return repr(edge)[:80]
    return " -> ".join(_label(item) for item in edge[:6]) + (" ..." if len(edge) > 6 else "")


def _label(item: Any) -> str:
    if isinstance(item, Mapping):
        return "{" + ", ".join(f"{k}: {_label(v)}" for k, v in list(item.items())[:6]) + "}"
    if isinstance(item, list | tuple | set | frozenset):
        return "[" + ", ".join(_label(each) for each in list(item)[:6]) + "]"
    return str(getattr(item, "name", None) or getattr(item, "__name__", None) or repr(item)[:40])
