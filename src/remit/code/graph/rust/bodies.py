"""The inside of one Rust function: types of its variables, and what it calls.

Resolved types are ["N", module, name, arguments] for types of the tree, ["T", traits] for what is only known by its
traits, ["ref", functions] for functions as values; others stay as lowered.
"""

from __future__ import annotations

from typing import Any, Final

from remit.code.graph.rust import facts as r
from remit.code.graph.rust import standard
from remit.code.graph.rust.crates import Crates, Item
from remit.code.graph.rust.facts import UNKNOWN
from remit.code.graph.values import Edge

MAX_ALIASES: Final = 8
MAX_DISPATCH: Final = 60
Place = tuple[str, int]
"""(file, place in R_FUNCTIONS)"""
Passed = dict[tuple[str, int, int], dict[Place, None]]


class Body:
    """Walks one body; `passed` holds functions that were given to parameters, over all bodies."""

    def __init__(self, crates: Crates, path: str, at: int, passed: Passed) -> None:
        self.crates = crates
        self.path = path
        self.fact = crates.facts[path][r.R_FUNCTIONS][at]
        self.module = crates.join(crates.modules[path], self.fact[r.N_MODULE])
        self.caller = crates.name(path, at)
        self.passed = passed
        self.edges: dict[Edge, None] = {}
        self.scopes: list[dict[str, Any]] = [{}]
        self.own: Any = UNKNOWN
        self.bounds: dict[str, list[Any]] = dict(self.fact[r.N_GENERICS])
        self._receiver()
        for number, (pattern, kind) in enumerate(self.fact[r.N_PARAMS]):
            functions = passed.get((path, at, number))
            given = self.resolved(kind)
            self.bind(pattern, ["ref", list(functions), given] if functions else given)

    def _receiver(self) -> None:
        one = self.crates.facts[self.path]
        if self.fact[r.N_IMPL] >= 0:
            row = one[r.R_IMPLS][self.fact[r.N_IMPL]]
            self.bounds.update(row[3])
            self.own = self.resolved(row[1])
        elif self.fact[r.N_TRAIT] >= 0:
            row = one[r.R_TRAITS][self.fact[r.N_TRAIT]]
            self.own = ["T", [(self.crates.join(self.crates.modules[self.path], row[0]), row[1])]]
        self.scopes[0]["self"] = self.own

    def walk(self) -> None:
        """The whole body."""
        self.value(self.fact[r.N_BODY])

    def resolved(self, kind: Any, module: str = "") -> Any:
        """A type with its names resolved in a module."""
        module = module or self.module
        if kind[0] == "p":
            return self._named(kind, module)
        if kind[0] == "dyn":
            traits = [t for t in (self.crates.resolve(module, b[1], self.crates.traits) for b in kind[1]) if t]
            first = kind[1][0] if kind[1] else UNKNOWN
            if not traits and first[0] == "p" and first[1][-1] in ("Iterator", "IntoIterator", "DoubleEndedIterator"):
                return standard.path("Iter", *(self.resolved(a, module) for a in first[2]))
            return ["T", traits] if traits else UNKNOWN
        if kind[0] == "tuple":
            return ["tuple", [self.resolved(k, module) for k in kind[1]]]
        return ["[]", self.resolved(kind[1], module)] if kind[0] == "[]" else kind

    def _named(self, kind: Any, module: str) -> Any:
        path = kind[1]
        if path == ["Self"]:
            return self.own
        if len(path) == 1 and path[0] in self.bounds:
            return self.resolved(["dyn", self.bounds[path[0]]], module)
        arguments = [self.resolved(a, module) for a in kind[2]]
        if path[-1] in standard.WRAPPERS and arguments:
            return arguments[0]
        found = self.crates.resolve(module, path, self.crates.types)
        for _ in range(MAX_ALIASES):
            if found is None:
                return ["p", path[-1:], arguments]
            row = self.crates.types[found][1]
            if row[2] != "type_alias":
                return ["N", *found, arguments]
            goal = row[6][""]
            if goal[0] != "p":
                return self.resolved(goal, found[0])
            following = self.crates.resolve(found[0], goal[1], self.crates.types)
            if following is None or following == found:
                return self.resolved(goal, found[0]) if following is None else UNKNOWN
            found = following
        return UNKNOWN

    def lookup(self, name: str) -> Any:
        """The type of a variable, None where there is none."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None

    def edge(self, place: Place, line: int, choices: int = 1, reason: str = "call") -> None:
        """Note a call of a function of the tree."""
        fact = self.crates.facts[place[0]][r.R_FUNCTIONS][place[1]]
        sure = round(max(0.1, 1 / choices), 2)
        made = Edge(self.caller, self.crates.name(*place), self.path, line, place[0], fact[r.N_LINE], sure, reason)
        self.edges[made] = None

    def bind(self, pattern: Any, kind: Any) -> None:
        """The variables of a pattern."""
        method = getattr(self, "_p_" + pattern[0], None)
        if method is not None:
            method(pattern, kind)

    def _p_bind(self, pattern: Any, kind: Any) -> None:
        self.scopes[-1][pattern[1]] = kind

    def _p_tuple(self, pattern: Any, kind: Any) -> None:
        for at, one in enumerate(pattern[1]):
            self.bind(one, kind[1][at] if kind[0] == "tuple" and at < len(kind[1]) else UNKNOWN)

    def _p_slice(self, pattern: Any, kind: Any) -> None:
        for one in pattern[1]:
            self.bind(one, standard.item(kind))

    def _p_or(self, pattern: Any, kind: Any) -> None:
        for one in pattern[1]:
            self.bind(one, kind)

    def _p_ts(self, pattern: Any, kind: Any) -> None:
        last = pattern[1][-1] if pattern[1] else ""
        for at, one in enumerate(pattern[2]):
            if last in ("Some", "Ok", "Err"):
                self.bind(one, standard.item(kind) if last != "Err" else UNKNOWN)
            else:
                self.bind(one, self._field_of(pattern[1], kind, str(at)))

    def _p_struct(self, pattern: Any, kind: Any) -> None:
        for name, one in pattern[2].items():
            self.bind(one, self._field_of(pattern[1], kind, name))

    def _field_of(self, path: list[str], kind: Any, name: str) -> Any:
        """The type of a field of a struct, or of a variant that a path names."""
        if kind[0] != "N":
            found = self.crates.resolve(self.module, path, self.crates.types)
            found = found or self.crates.resolve(self.module, path[:-1], self.crates.types)
            kind = self.own if path[:1] == ["Self"] else ["N", *found, []] if found is not None else UNKNOWN
        if kind[0] != "N":
            return UNKNOWN
        row = self.crates.types[kind[1], kind[2]][1]
        return self.generic(row, (row[7].get(path[-1] if path else "") or row[6]).get(name, UNKNOWN), kind)

    def generic(self, row: Any, field: Any, kind: Any) -> Any:
        """A field's type with the arguments of its holder."""
        names = list(row[8])
        if field[0] == "p" and len(field[1]) == 1 and field[1][0] in names:
            at = names.index(field[1][0])
            return kind[3][at] if at < len(kind[3]) else self.resolved(["dyn", row[8][field[1][0]]], kind[1])
        if field[0] == "p" and field[2]:
            inner = [self.generic(row, a, kind) for a in field[2]]
            if field[1][-1] in standard.WRAPPERS:
                return inner[0]
            outer = self.resolved(["p", field[1], []], kind[1])
            return [*outer[:-1], inner] if outer[0] in ("N", "p") else outer
        return self.resolved(field, kind[1])

    def value(self, ir: Any) -> Any:
        """The type of an expression."""
        from remit.code.graph.rust.values_of import HANDLERS

        handler = HANDLERS.get(ir[0])
        return handler(self, ir) if handler is not None else UNKNOWN

    def call_function(self, place: Place, given: list[Any], line: int, choices: int = 1) -> Any:
        """A call of a known function; what it yields."""
        self.edge(place, line, choices)
        path, at = place
        fact = self.crates.facts[path][r.R_FUNCTIONS][at]
        offset = 1 if fact[r.N_SELF] and len(given) > len(fact[r.N_PARAMS]) else 0
        for number, one in enumerate(given[offset:]):
            if one[0] == "ref":
                self.passed.setdefault((path, at, number), {}).update(dict.fromkeys(one[1]))
        return self.result_of(place, given)

    def result_of(self, place: Place, given: list[Any]) -> Any:
        """What a function yields, with its type parameters taken from the arguments."""
        path, at = place
        fact = self.crates.facts[path][r.R_FUNCTIONS][at]
        inner = Body(self.crates, path, at, {})
        result = fact[r.N_RESULT]
        if result[0] == "p" and len(result[1]) == 1 and result[1][0] in fact[r.N_GENERICS]:
            for (_, kind), one in zip(fact[r.N_PARAMS], given, strict=False):
                if kind == result:
                    return one
        return inner.resolved(result)

    def method_of(self, kind: Any, name: str) -> tuple[list[Place], Item | None]:
        """The functions that a method call may reach."""
        if kind[0] == "N":
            found = self.crates.method((kind[1], kind[2]), name)
            return ([found] if found is not None else []), None
        if kind[0] == "T":
            for trait in kind[1]:
                places = self.crates.dispatch(trait, name)
                if places:
                    return places[:MAX_DISPATCH], trait
        if kind[0] == "p":
            found = self.crates.method(("std", kind[1][-1]), name)
            return ([found] if found is not None else []), None
        return [], None
