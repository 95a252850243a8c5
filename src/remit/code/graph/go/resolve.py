"""Go calls: expressions are typed, a selection on a type names its method, one on an interface those of all
types whose method set covers it. Calls inside function literals belong to the function that holds them.

Packages are folders: an import path means the folder that it ends with. What is not in the code base is named by
its package and name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from remit.code.graph.go import lowering as g
from remit.code.graph.values import Edge

MAX_EMBEDDED: Final = 12
MAX_IMPLEMENTATIONS: Final = 200
UNKNOWN: Final[list[Any]] = ["?"]
BUILTINS: Final = frozenset([
    "append", "cap", "clear", "close", "complex", "copy", "delete", "imag", "len", "make", "max", "min", "new",
    "panic", "print", "println", "real", "recover",
])  # fmt: skip
BASIC: Final = frozenset([
    "bool", "string", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64",
    "uintptr", "byte", "rune", "float32", "float64", "complex64", "complex128", "error", "any", "comparable",
])  # fmt: skip
Key = tuple[str, str]
"""(folder, package name)"""


class Package:
    """One package: its types, functions, methods and variables."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.types: dict[str, Any] = {}
        self.functions: dict[str, Any] = {}
        self.methods: dict[str, dict[str, Any]] = {}
        self.variables: dict[str, Any] = {}
        self.files: list[str] = []


class GoCode:
    """All packages of a code base."""

    def __init__(self, facts: Mapping[str, list[Any]]) -> None:
        self.facts = facts
        self.packages: dict[Key, Package] = {}
        self.folders: dict[str, list[Package]] = {}
        self.found_implementations: dict[tuple[Any, ...], list[tuple[Package, str]]] = {}
        for path in sorted(facts):
            self._add(path, facts[path])

    def _add(self, path: str, one: list[Any]) -> None:
        key = (path.rpartition("/")[0], one[g.G_PACKAGE])
        package = self.packages.get(key)
        if package is None:
            package = self.packages[key] = Package(key)
            self.folders.setdefault(key[0], []).append(package)
        package.files.append(path)
        for name, kind, alias, line, _ in one[g.G_TYPES]:
            package.types[name] = (kind, alias, path, line)
        for function in one[g.G_FUNCS]:
            receiver = function[g.N_RECV]
            if receiver is None:
                package.functions.setdefault(function[g.N_NAME], (path, function))
            else:
                kind = receiver[1] if receiver[0] == "*" else receiver
                package.methods.setdefault(kind[-1], {})[function[g.N_NAME]] = (path, function)
        for names, kind, values, _ in one[g.G_VARS]:
            for at, name in enumerate(names):
                value = values[at] if len(values) == len(names) else values[0] if values else None
                package.variables[name] = (path, kind, value, at if len(values) != len(names) else -1)

    def imported(self, path: str) -> Package | None:
        """The package that an import path means: the longest folder that it ends with."""
        parts = path.split("/")
        for at in range(len(parts)):
            found = self.folders.get("/".join(parts[at:]))
            if found:
                return next((p for p in found if not p.key[1].endswith("_test")), found[0])
        return None

    def implementations(self, methods: Mapping[str, Any]) -> list[tuple[Package, str]]:
        """Types whose methods, promoted ones too, cover these names with as many parameters and results."""
        key = tuple(sorted((name, len(m[1]), len(m[2])) for name, m in methods.items()))
        known = self.found_implementations.get(key)
        if known is None:
            known = [(package, name) for package in self.packages.values() for name, row in package.types.items()
                     if row[0][0] != "iface" and self._covers(package, name, key)]  # fmt: skip
            self.found_implementations[key] = known[:MAX_IMPLEMENTATIONS]
        return known[:MAX_IMPLEMENTATIONS]

    def _covers(self, package: Package, name: str, key: tuple[Any, ...]) -> bool:
        for method, params, results in key:
            found = self.method(package, name, method, 0)
            if found is None:
                return False
            one, declared = found[2], bool(found[3])
            given = one[g.N_COUNT] if declared else len(one[1])
            if given != params or len(one[g.N_RESULTS] if declared else one[2]) != results:
                return False
        return True

    def method(self, package: Package, name: str, method: str, depth: int) -> tuple[Package, str, Any, str] | None:
        """(package, type, function, path) of a method, also of an embedded type."""
        found = package.methods.get(name, {}).get(method)
        if found is not None:
            return package, name, found[1], found[0]
        row = package.types.get(name)
        if row is None or depth > MAX_EMBEDDED:
            return None
        kind, alias = row[0], row[1]
        if kind[0] == "iface":
            return next(((package, name, one, "") for one in kind[1] if one[0] == method), None)
        inner = [kind] if alias else [f[1] for f in kind[1] if f[2]] if kind[0] == "struct" else []
        return self._promoted(package, row[2], inner, method, depth)

    def _promoted(
        self, package: Package, path: str, kinds: list[Any], method: str, depth: int
    ) -> tuple[Package, str, Any, str] | None:
        """The method of the first of these types that has it."""
        for kind in kinds:
            other = self.named(package, path, kind)
            found = self.method(other[0], other[1], method, depth + 1) if other is not None else None
            if found is not None:
                return found
        return None

    def named(self, package: Package, path: str, kind: Any) -> tuple[Package, str] | None:
        """The named type that a type expression in a file means."""
        if kind[0] == "*":
            return self.named(package, path, kind[1])
        if kind[0] == "N":
            return kind[1], kind[2]
        if kind[0] == "id":
            return (package, kind[1]) if kind[1] in package.types else None
        if kind[0] == "q":
            for alias, source, _ in self.facts[path][g.G_IMPORTS]:
                other = self.imported(source)
                if other is not None and (alias or other.key[1]) == kind[1]:
                    return (other, kind[2]) if kind[2] in other.types else None
        return None


def full_name(package: Package, *names: str) -> str:
    """`pkg.Func`, `pkg.Type.Method`."""
    return ".".join((package.key[1], *names))


def solve(facts: Mapping[str, list[Any]]) -> list[Edge]:
    """The calls of Go files `{path: facts}`, in the order of files and lines."""
    from remit.code.graph.go.bodies import Body

    code = GoCode(facts)
    edges: dict[Edge, None] = {}
    for package in code.packages.values():
        for path in package.files:
            for function in facts[path][g.G_FUNCS]:
                receiver = function[g.N_RECV]
                kind = receiver[1] if receiver is not None and receiver[0] == "*" else receiver
                names = (kind[-1], function[g.N_NAME]) if kind is not None else (function[g.N_NAME],)
                body = Body(code, package, path, full_name(package, *names))
                body.function(function)
                edges.update(body.edges)
            for names, kind, values, _ in facts[path][g.G_VARS]:
                body = Body(code, package, path, full_name(package, "init"))
                body.declare(names, kind, values)
                edges.update(body.edges)
    return sorted(edges, key=lambda e: (e.file, e.line, e.caller, e.callee))
