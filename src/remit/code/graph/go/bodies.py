"""The inside of one Go function: types of its variables, statement by statement, and what it calls."""

from __future__ import annotations

from typing import Any, Final

from remit.code.graph.calls import Call
from remit.code.graph.go import lowering as g
from remit.code.graph.go.resolve import BASIC, BUILTINS, MAX_EMBEDDED, UNKNOWN, GoCode, Package, full_name


class Body:
    """Walks one body. Resolved types are `N package name`, others as lowered; `ref` is a function as a value."""

    def __init__(self, code: GoCode, package: Package, path: str, caller: str) -> None:
        self.code = code
        self.package = package
        self.path = path
        self.caller = caller
        self.scopes: list[dict[str, Any]] = [{}]
        self.calls: dict[Call, None] = {}
        self.globals: set[tuple[Any, str]] = set()

    def function(self, one: list[Any]) -> None:
        """A declared function."""
        for name, kind in one[g.N_GENERIC]:
            self.scopes[0]["type " + name] = self.resolved(kind)
        if one[g.N_RECV] is not None:
            self.scopes[0][one[g.N_RECV_NAME]] = self.resolved(one[g.N_RECV])
        for name, kind, _ in one[g.N_PARAMS]:
            self.scopes[0][name] = self.resolved(kind)
        self.block(one[g.N_BODY])

    def block(self, body: list[Any]) -> None:
        """Statements in a scope of their own."""
        self.scopes.append({})
        for statement in body:
            _STATEMENTS[statement[0]](self, statement)
        self.scopes.pop()

    def resolved(self, kind: Any, package: Package | None = None, path: str = "") -> Any:
        """A type with its names resolved where it was written."""
        package, path = package or self.package, path or self.path
        if kind[0] == "*":
            return ["*", self.resolved(kind[1], package, path)]
        if kind[0] in ("id", "q"):
            if kind[0] == "id":
                for scope in reversed(self.scopes):
                    if "type " + kind[1] in scope:
                        return scope["type " + kind[1]]
            named = self.code.named(package, path, kind)
            if named is not None:
                return ["N", *named]
            return ["ext", f"{self._package_name(kind[1], path)}.{kind[2]}"] if kind[0] == "q" else kind
        if kind[0] in ("[]", "map"):
            return [kind[0], *(self.resolved(k, package, path) for k in kind[1:])]
        if kind[0] == "func":
            return ["func", kind[1], [self.resolved(k, package, path) for k in kind[2]]]
        if kind[0] in ("struct", "iface"):
            return [*kind[:3], package, path] if len(kind) > 2 else [kind[0], kind[1], None, package, path]
        return kind

    def _package_name(self, alias: str, path: str) -> str:
        for name, source, _ in self.code.facts[path][g.G_IMPORTS]:
            if name == alias or (not name and source.rpartition("/")[2] == alias):
                return str(source)
        return alias

    def under(self, kind: Any) -> Any:
        """The type that a named type stands for, resolved."""
        for _ in range(MAX_EMBEDDED):
            if kind[0] == "*":
                kind = kind[1]
            elif kind[0] == "N":
                self.code.touched.add((kind[1].key, kind[2]))
                row = kind[1].types[kind[2]]
                kind = self.resolved(row[0], kind[1], row[2])
            else:
                break
        return kind

    def lookup(self, name: str) -> Any:
        """The type of a variable, or a function as a value."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return self.of_package(self.package, name)

    def of_package(self, package: Package, name: str) -> Any:
        """A package's function, variable or type by its name."""
        self.code.touched.add((package.key, name))
        if name in package.functions:
            path, one = package.functions[name]
            results = [self.resolved(k, package, path) for k in one[g.N_RESULTS]]
            return ["ref", full_name(package, name), path, results]
        if name in package.types:
            return ["type", ["N", package, name]]
        row = package.variables.get(name)
        if row is None or (package, name) in self.globals:
            return UNKNOWN
        path, kind, value, at = row
        if kind is not None:
            return self.resolved(kind, package, path)
        if value is None:
            return UNKNOWN
        inner = Body(self.code, package, path, self.caller)
        inner.globals = self.globals | {(package, name)}
        found = inner.value(value)
        return _nth(found, at) if at >= 0 else found

    def _s_def(self, ir: Any) -> None:
        self.declare(ir[1], ir[2], ir[3])

    def _s_many(self, ir: Any) -> None:
        for one in ir[1]:
            self._s_def(one)

    def declare(self, names: list[str], kind: Any, values: list[Any]) -> None:
        """`names := values`, `var names kind = values`."""
        found = [self.value(v) for v in values]
        if len(found) == 1 and len(names) > 1:
            found = [_nth(found[0], at) for at in range(len(names))]
        for at, name in enumerate(names):
            got = self.resolved(kind) if kind is not None else found[at] if at < len(found) else UNKNOWN
            if name != "_" and not (got == UNKNOWN and name in self.scopes[-1]):
                self.scopes[-1][name] = got

    def _s_set(self, ir: Any) -> None:
        found = [self.value(v) for v in ir[2]]
        for at, target in enumerate(ir[1]):
            if target[0] != "n":
                self.value(target)
            elif len(found) == len(ir[1]) and self.lookup(target[1]) == UNKNOWN:
                self.scopes[-1][target[1]] = found[at]

    def _s_range(self, ir: Any) -> None:
        kind = self.under(self.value(ir[2]))
        pair = [["id", "int"], kind[1]] if kind[0] == "[]" else [kind[1], kind[2]] if kind[0] == "map" else []
        if kind[0] == "[]" and len(ir[1]) == 1 and kind[1][0] == "N":
            pair = [["id", "int"]]
        for at, name in enumerate(ir[1]):
            if name != "_":
                self.scopes[-1][name] = pair[at] if at < len(pair) else UNKNOWN

    def _s_e(self, ir: Any) -> None:
        for one in ir[1]:
            self.value(one)

    def _s_scope(self, ir: Any) -> None:
        self.block(ir[1])

    def _s_types(self, ir: Any) -> None:
        for name, kind, *_ in ir[1]:
            self.scopes[-1]["type " + name] = self.resolved(kind)

    def _s_switch(self, ir: Any) -> None:
        kind = self.value(ir[2])
        for kinds, body in ir[3]:
            self.scopes.append({})
            if ir[1]:
                self.scopes[-1][ir[1]] = self.resolved(kinds[0]) if len(kinds) == 1 else kind
            self.block(body)
            self.scopes.pop()

    def value(self, ir: Any) -> Any:
        """The type of an expression."""
        return _VALUES[ir[0]](self, ir)

    def _v_n(self, ir: Any) -> Any:
        return self.lookup(ir[1])

    def _v_k(self, ir: Any) -> Any:
        return ["id", ir[1]]

    def _v_type(self, ir: Any) -> Any:
        return ["type", self.resolved(ir[1])]

    def _v_o(self, ir: Any) -> Any:
        for one in ir[1]:
            self.value(one)
        return ["id", "bool"]

    def _v_sum(self, ir: Any) -> Any:
        found = [self.value(one) for one in ir[1]]
        return next((f for f in found if f[0] == "N"), found[0] if found else UNKNOWN)

    def _v_same(self, ir: Any) -> Any:
        for one in ir[2:]:
            self.value(one)
        return self.value(ir[1])

    def _v_address(self, ir: Any) -> Any:
        return ["*", self.value(ir[1])]

    def _v_pointed(self, ir: Any) -> Any:
        kind = self.value(ir[1])
        if kind[0] == "type":
            return ["type", ["*", kind[1]]]
        return kind[1] if kind[0] == "*" else kind

    def _v_received(self, ir: Any) -> Any:
        kind = self.under(self.value(ir[1]))
        return kind[1] if kind[0] == "[]" else UNKNOWN

    def _v_i(self, ir: Any) -> Any:
        base = self.value(ir[1])
        self.value(ir[2])
        if base[0] in ("ref", "type"):
            return base  # a generic function or type with its arguments
        kind = self.under(base)
        return kind[1] if kind[0] == "[]" else kind[2] if kind[0] == "map" else UNKNOWN

    def _v_ta(self, ir: Any) -> Any:
        self.value(ir[1])
        return self.resolved(ir[2])

    def _v_lit(self, ir: Any) -> Any:
        return self._literal(ir, self.resolved(ir[1]))

    def _literal(self, ir: Any, kind: Any) -> Any:
        inner = self.under(kind)
        for key, value in ir[2]:
            if key is not None and inner[0] != "struct":
                self._element(key, inner[1] if inner[0] == "map" else UNKNOWN)
            self._element(value, inner[-1] if inner[0] in ("[]", "map") else UNKNOWN)
        return kind

    def _element(self, ir: Any, kind: Any) -> None:
        if ir[0] == "lit" and ir[1] == ["elem"]:
            self._literal(ir, kind)
        else:
            self.value(ir)

    def _v_fn(self, ir: Any) -> Any:
        self.scopes.append({name: self.resolved(kind) for name, kind, _ in ir[1]})
        self.block(ir[3])
        self.scopes.pop()
        return ["func", [], [self.resolved(k) for k in ir[2]]]

    def _v_a(self, ir: Any) -> Any:
        package = self._imported(ir[1])
        if package is not None:
            if isinstance(package, str):
                return ["extref", f"{package}.{ir[2]}"]
            return self.of_package(package, ir[2])
        base = self.value(ir[1])
        if base[0] == "type":
            base = base[1]
        return self.select(base, ir[2], 0)

    def _imported(self, ir: Any) -> Package | str | None:
        if ir[0] != "n":
            return None
        found = self.code.imports_of(self.path).get(ir[1])
        return None if found is None or any(ir[1] in scope for scope in self.scopes) else found

    def select(self, base: Any, name: str, depth: int) -> Any:
        """`base.name`: a field, a method, one of an embedded type, or those of an interface."""
        kind = base[1] if base[0] == "*" else base
        if depth > MAX_EMBEDDED:
            return UNKNOWN
        if kind[0] == "ext":
            return ["extref", f"{kind[1]}.{name}"]
        if kind[0] == "N":
            self.code.touched.add((kind[1].key, kind[2]))
            found = kind[1].methods.get(kind[2], {}).get(name)
            if found is not None:
                return self._method(kind[1], kind[2], found[0], found[1])
        inner = self.under(kind)
        if inner[0] == "iface":
            return self._dispatch(inner, name, kind)
        if inner[0] == "struct":
            return self._field(inner, name, depth)
        return ["extref", f"{inner[1]}.{name}"] if inner[0] == "ext" else UNKNOWN

    def _field(self, inner: Any, name: str, depth: int) -> Any:
        """A field of a struct, or what an embedded one has."""
        for field in inner[1]:
            if field[0] == name:
                return self.resolved(field[1], inner[3], inner[4])
        for field in inner[1]:
            if field[2]:
                got = self.select(self.resolved(field[1], inner[3], inner[4]), name, depth + 1)
                if got != UNKNOWN:
                    return got
        return UNKNOWN

    def _method(self, package: Package, kind: str, path: str, one: Any) -> Any:
        results = [self.resolved(k, package, path) for k in one[g.N_RESULTS]]
        return ["ref", full_name(package, kind, one[g.N_NAME]), path, results]

    def methods_of(self, kind: Any, depth: int = 0) -> dict[str, Any]:
        """{name: (method, package, path)} of an interface, embedded ones included."""
        made = {one[0]: one for one in kind[1]}
        for other in kind[2] or ():
            inner = self.under(self.resolved(other, kind[3], kind[4]))
            if inner[0] == "iface" and depth < MAX_EMBEDDED:
                made.update(self.methods_of(inner, depth + 1))
        return made

    def _dispatch(self, kind: Any, name: str, named: Any) -> Any:
        methods = self.methods_of(kind)
        if name not in methods:
            return UNKNOWN
        targets = []
        for package, type_name in self.code.implementations(methods):
            found = self.code.method(package, type_name, name, 0)
            if found is not None and found[3]:
                targets.append(self._method(found[0], found[1], found[3], found[2]))
        results = [self.resolved(k, kind[3], kind[4]) for k in methods[name][2]]
        if not targets and named[0] == "N":
            row = named[1].types[named[2]]
            targets = [["ref", full_name(named[1], named[2], name), row[2], results]]
        return ["refs", targets, results]

    def _v_c(self, ir: Any) -> Any:
        function = ir[1]
        if function[0] == "n" and function[1] in BUILTINS and self.lookup(function[1]) == UNKNOWN:
            return self._builtin(ir)
        callee = self.value(function)
        for one in ir[2]:
            self.value(one)
        if callee[0] == "ref":
            self._edge(callee, ir[3], 1)
            return _results(callee[3])
        if callee[0] == "refs":
            unique = {target[1]: target for target in callee[1]}
            for target in unique.values():
                self._edge(target, ir[3], len(unique))
            return _results(callee[2])
        if callee[0] == "type":
            return callee[1]
        if callee[0] == "extref":
            self.calls[Call(self.caller, callee[1], ir[3])] = None
            return UNKNOWN
        if function[0] == "n" and function[1] in BASIC:
            return ["id", function[1]]
        kind = self.under(callee)
        return _results(kind[2]) if kind[0] == "func" else UNKNOWN

    def _builtin(self, ir: Any) -> Any:
        self.calls[Call(self.caller, f"<builtin>.{ir[1][1]}", ir[3])] = None
        found = [self.value(one) for one in ir[2]]
        first = found[0] if found else UNKNOWN
        if ir[1][1] in ("make", "new"):
            kind = first[1] if first[0] == "type" else first
            return kind if ir[1][1] == "make" else ["*", kind]
        return first if ir[1][1] in ("append", "min", "max") else ["id", "int"]

    def _edge(self, callee: Any, line: int, choices: int) -> None:
        reason = "call" if choices == 1 else "interface"
        self.calls[Call(self.caller, callee[1], line, callee[2], callee[1], 0, reason, choices)] = None


_STATEMENTS: Final[dict[str, Any]] = {
    name.removeprefix("_s_"): method for name, method in vars(Body).items() if name.startswith("_s_")
}
_VALUES: Final[dict[str, Any]] = {
    "&": Body._v_address, "v": Body._v_pointed, "<-": Body._v_received,
    **{name.removeprefix("_v_"): method for name, method in vars(Body).items() if name.startswith("_v_")},
}  # fmt: skip


def _results(kinds: list[Any]) -> Any:
    return kinds[0] if len(kinds) == 1 else ["many", kinds] if kinds else UNKNOWN


def _nth(kind: Any, at: int) -> Any:
    """The type of the at-th of several results; a comma-ok form gives the value first."""
    if kind[0] == "many":
        return kind[1][at] if at < len(kind[1]) else UNKNOWN
    return kind if at == 0 else ["id", "bool"]
