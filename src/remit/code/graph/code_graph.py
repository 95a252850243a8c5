"""The graph and its questions: find, references, callers, callees, dependencies, summary.

Calls that could not be resolved by flow are tied to functions by their name, with low confidence; only impact
uses those ("what may break" prefers too much to too little), `calls` never does.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from remit.code.graph.values import Dependency, Edge, Symbol, Unread
from remit.errors import Invalid

CALLS: Final = ("call", "raise", "interface", "callback", "getter", "guess")
MAX_NAMESAKES: Final = 8
"""Functions with the name of an unresolved call; a more frequent name says nothing."""


class Parts(NamedTuple):
    """What a graph consists of."""

    symbols: list[Symbol]
    edges: list[Edge]
    dependencies: list[Dependency]


class CodeGraph:
    """Symbols, edges and imports of a code base, indexed both ways; made when they are first asked for."""

    def __init__(self, load: Callable[[], Parts], unread: Sequence[Unread]) -> None:
        self._load = load
        self.unread = tuple(unread)

    @cached_property
    def _parts(self) -> Parts:
        return self._load()

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """All symbols, file by file."""
        return tuple(self._parts.symbols)

    @cached_property
    def dependencies(self) -> tuple[Dependency, ...]:
        """All imports."""
        return tuple(self._parts.dependencies)

    @cached_property
    def by_name(self) -> dict[str, Symbol]:
        """The first symbol of each name."""
        made: dict[str, Symbol] = {}
        for symbol in self.symbols:
            made.setdefault(symbol.name, symbol)
        return made

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, those that are guessed by name last."""
        edges = self._parts.edges
        return tuple(e for e in edges if e.reason != "unresolved") + self._guesses(edges)

    @cached_property
    def into(self) -> dict[str, list[Edge]]:
        """{callee: edges}."""
        made: dict[str, list[Edge]] = {}
        for edge in self.edges:
            made.setdefault(edge.callee, []).append(edge)
        return made

    @cached_property
    def out(self) -> dict[str, list[Edge]]:
        """{caller: edges}."""
        made: dict[str, list[Edge]] = {}
        for edge in self.edges:
            made.setdefault(edge.caller, []).append(edge)
        return made

    @cached_property
    def _files(self) -> dict[str, list[Symbol]]:
        made: dict[str, list[Symbol]] = {}
        for symbol in self.symbols:
            made.setdefault(symbol.file, []).append(symbol)
        return made

    def _guesses(self, edges: Sequence[Edge]) -> tuple[Edge, ...]:
        named: dict[str, list[Symbol]] = {}
        for symbol in self.symbols:
            if symbol.kind in ("function", "method"):
                named.setdefault(symbol.name.rpartition(".")[2], []).append(symbol)
        made = []
        for edge in edges:
            if edge.reason == "unresolved":
                found = named.get(edge.callee, [])
                for symbol in found if len(found) <= MAX_NAMESAKES else ():
                    made.append(Edge(edge.caller, symbol.name, edge.file, edge.line, symbol.file, symbol.line, 0.1,
                                     "name"))  # fmt: skip
        return tuple(made)

    def calls(self) -> list[Edge]:
        """Every call, in the order of files and lines."""
        made = [edge for edge in self.edges if edge.reason in CALLS]
        made.sort(key=lambda e: (e.file, e.line, e.caller, e.callee))
        return made

    def in_file(self, path: str) -> list[Symbol]:
        """The symbols of one file."""
        return self._files.get(path, [])

    def find(self, text: str) -> list[Symbol]:
        """Symbols whose name is, ends with or contains `text`; the closest first."""
        wanted = text.lower()
        ranked = []
        for symbol in self.symbols:
            name = symbol.name.lower()
            last = name.rpartition(".")[2]
            if wanted in name:
                rank = 0 if name == wanted else 1 if last == wanted or name.endswith("." + wanted) else \
                    2 if last.startswith(wanted) else 3 if wanted in last else 4  # fmt: skip
                ranked.append((rank, len(name), name, symbol))
        ranked.sort(key=lambda row: row[:3])
        return [row[3] for row in ranked]

    def one(self, text: str) -> Symbol:
        """The symbol that a name means; raises value_invalid when none or several have it."""
        if text in self.by_name:
            return self.by_name[text]
        found = [s for s in self.by_name.values() if s.name.endswith("." + text)]
        if len(found) == 1:
            return found[0]
        near = ", ".join(s.name for s in (found or self.find(text))[:5])
        why = "several symbols have" if found else "no symbol has"
        raise Invalid("value_invalid", f"{why} the name {text!r}" + (f": {near}" if near else ""))

    def references(self, name: str) -> list[Edge]:
        """Every place that calls, reads or hands over a symbol."""
        return sorted(self.into.get(name, ()), key=lambda e: (e.file, e.line))

    def reach(self, names: Sequence[str], *, back: bool, depth: int = 0) -> dict[str, tuple[int, str]]:
        """{name: (steps, the name before it)} of everything that calls (or is called); depth 0 = all the way."""
        found = {name: (0, "") for name in names}
        rest = deque(names)
        while rest:
            name = rest.popleft()
            steps = found[name][0] + 1
            if depth and steps > depth:
                continue
            for edge in (self.into if back else self.out).get(name, ()):
                other = edge.caller if back else edge.callee
                if other not in found:
                    found[other] = (steps, name)
                    rest.append(other)
        return {name: place for name, place in found.items() if place[0]}

    def summary(self) -> dict[str, Any]:
        """Counts of files, symbols by kind, edges, unread files."""
        kinds = Counter(symbol.kind for symbol in self.symbols)
        return {
            "files": len({symbol.file for symbol in self.symbols}),
            "symbols": dict(sorted(kinds.items())),
            "public": sum(symbol.visibility == "public" for symbol in self.symbols),
            "calls": len(self.calls()),
            "unread": len(self.unread),
        }
