"""Go calls: expressions are typed, a selection on a type names its method, one on an interface those of all
types whose method set covers it. Calls inside function literals belong to the function that holds them.

Packages are folders: an import path means the folder that it ends with. What is not in the code base is named by
its package and name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from remit.code.graph.calls import Call
from remit.code.graph.go import lowering as g

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
    """One package: its types, functions, methods and variables, made when one of them is first asked for."""

    def __init__(self, key: Key, facts: Mapping[str, list[Any]]) -> None:
        self.key = key
        self.files: list[str] = []
        self._facts = facts

    @cached_property
    def types(self) -> dict[str, Any]:
        """{name: (type, is an alias, path)}"""
        return {name: (kind, alias, path) for path in self.files
                for name, kind, alias, *_ in self._facts[path][g.G_TYPES]}  # fmt: skip

    @cached_property
    def functions(self) -> dict[str, Any]:
        """{name: (path, function)}, the first of its name."""
        made: dict[str, Any] = {}
        for path in self.files:
            for function in self._facts[path][g.G_FUNCS]:
                if function[g.N_RECV] is None:
                    made.setdefault(function[g.N_NAME], (path, function))
        return made

    @cached_property
    def methods(self) -> dict[str, dict[str, Any]]:
        """{type: {name: (path, function)}}"""
        made: dict[str, dict[str, Any]] = {}
        for path in self.files:
            for function in self._facts[path][g.G_FUNCS]:
                if function[g.N_RECV] is not None:
                    made.setdefault(receiver_of(function), {})[function[g.N_NAME]] = (path, function)
        return made

    @cached_property
    def variables(self) -> dict[str, Any]:
        """{name: (path, type, value, which of its results or -1)}"""
        made: dict[str, Any] = {}
        for path in self.files:
            for names, kind, values, _ in self._facts[path][g.G_VARS]:
                for at, name in enumerate(names):
                    value = values[at] if len(values) == len(names) else values[0] if values else None
                    made[name] = (path, kind, value, at if len(values) != len(names) else -1)
        return made


def receiver_of(function: list[Any]) -> str:
    """The name of the type of a method."""
    receiver = function[g.N_RECV]
    return str((receiver[1] if receiver[0] == "*" else receiver)[-1])


class GoCode:
    """All packages of a code base: `files` {path: package name}, `facts` of those that are looked at.

    What the file at work looked at is noted: names in `touched`, sets of methods in `asked`.
    """

    def __init__(
        self, files: Mapping[str, str], facts: Mapping[str, list[Any]], known: Mapping[str, list[list[str]]]
    ) -> None:
        self.facts = facts
        self.packages: dict[Key, Package] = {}
        self.folders: dict[str, list[Package]] = {}
        self.implementers = dict(known)
        """{set of methods: [[folder, package, type]]}"""
        self.touched: set[tuple[Key, str]] = set()
        self.asked: set[str] = set()
        self._imports: dict[str, Package | None] = {}
        self._names: dict[str, dict[str, Package | str]] = {}
        for path in sorted(files):
            key = (path.rpartition("/")[0], files[path])
            package = self.packages.get(key)
            if package is None:
                package = self.packages[key] = Package(key, facts)
                self.folders.setdefault(key[0], []).append(package)
            package.files.append(path)

    def imported(self, path: str) -> Package | None:
        """The package that an import path means: the longest folder that it ends with."""
        if path not in self._imports:
            self._imports[path] = self._imported(path)
        return self._imports[path]

    def imports_of(self, path: str) -> dict[str, Package | str]:
        """{name in a file: the package that it means, or the path of one outside}."""
        found = self._names.get(path)
        if found is None:
            found = self._names[path] = {}
            for alias, source, _ in self.facts[path][g.G_IMPORTS]:
                package = self.imported(source)
                name = alias or (package.key[1] if package is not None else source.rpartition("/")[2])
                found.setdefault(name, package or str(source))
        return found

    def _imported(self, path: str) -> Package | None:
        parts = path.split("/")
        for at in range(len(parts)):
            found = self.folders.get("/".join(parts[at:]))
            if found:
                return next((p for p in found if not p.key[1].endswith("_test")), found[0])
        return None

    def implementations(self, methods: Mapping[str, Any]) -> list[tuple[Package, str]]:
        """Types whose methods, promoted ones too, cover these names with as many parameters and results."""
        key = " ".join(sorted(f"{name}/{len(m[1])}/{len(m[2])}" for name, m in methods.items()))
        self.asked.add(key)
        found = self.implementers.get(key)
        if found is None:
            found = self.implementers[key] = self.covering(key)
        return [(self.packages[folder, name], kind) for folder, name, kind in found]

    def covering(self, key: str) -> list[list[str]]:
        """[folder, package, type] of every type that covers a set of methods."""
        wanted = [(name, int(params), int(results)) for name, params, results in
                  (one.split("/") for one in key.split(" "))] if key else []  # fmt: skip
        before = self.touched
        self.touched = set()  # whoever asks depends on the answer, not on every type of the code base
        found = [[*package.key, name] for package in self.packages.values() for name, row in package.types.items()
                 if row[0][0] != "iface" and self._covers(package, name, wanted)]  # fmt: skip
        self.touched = before
        return found[:MAX_IMPLEMENTATIONS]

    def _covers(self, package: Package, name: str, wanted: list[tuple[str, int, int]]) -> bool:
        for method, params, results in wanted:
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
        self.touched.add((package.key, name))
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
            self.touched.add((package.key, kind[1]))
            return (package, kind[1]) if kind[1] in package.types else None
        if kind[0] == "q":
            other = self.imports_of(path).get(kind[1])
            if isinstance(other, Package):
                self.touched.add((other.key, kind[2]))
                return (other, kind[2]) if kind[2] in other.types else None
        return None


def full_name(package: Package, *names: str) -> str:
    """`pkg.Func`, `pkg.Type.Method`."""
    return ".".join((package.key[1], *names))


def calls_in(code: GoCode, path: str, package: Package) -> list[Call]:
    """The calls of one file, in the order of lines."""
    from remit.code.graph.go.bodies import Body

    calls: dict[Call, None] = {}
    for function in code.facts[path][g.G_FUNCS]:
        names = (function[g.N_NAME],) if function[g.N_RECV] is None else (receiver_of(function), function[g.N_NAME])
        body = Body(code, package, path, full_name(package, *names))
        body.function(function)
        calls.update(body.calls)
    for names, kind, values, _ in code.facts[path][g.G_VARS]:
        body = Body(code, package, path, full_name(package, "init"))
        body.declare(names, kind, values)
        calls.update(body.calls)
    return sorted(calls, key=lambda c: (c.line, c.caller, c.callee))
