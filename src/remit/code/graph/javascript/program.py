"""All JavaScript and TypeScript files together: operations to constraints, the flow solved, the calls found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from remit.code.graph.javascript import facts as j
from remit.code.graph.javascript import flow as f
from remit.code.graph.javascript.calls import Caller, Site
from remit.code.graph.javascript.flow import Token
from remit.code.graph.javascript.modules import Modules, stem
from remit.code.graph.javascript.native_callbacks import add_parent, load_at, store_at
from remit.code.graph.values import Dependency, Edge

MAX_STEPS_PER_OP: Final = 400
"""Steps of the solver for each operation; a code base that needs more is cut there and says so."""
MAX_CALLEES: Final = 24
"""Callees of one place; more than that are kept for impact, not told as calls."""
MAX_BY_NAME: Final = 3
"""Functions stored under one property name; a more frequent name says nothing."""


class Solution(NamedTuple):
    """Calls and imports, and whether the flow was cut."""

    edges: list[Edge]
    dependencies: list[Dependency]
    cut: bool


def solve(facts: Mapping[str, list[Any]], manifests: Mapping[str, dict[str, Any]]) -> Solution:
    """The calls of files `{path: facts}`; `manifests` are package.json and tsconfig.json files."""
    program = Program(facts, Modules(facts, manifests))
    whole = program.flow.run()
    for step in (program.seed_receivers, program.seed_types, program.guess_by_name):
        if whole:
            step()
            whole = program.flow.run()
    return Solution(program.edges(), program.dependencies(), not whole)


class Program:
    """One solution at work."""

    def __init__(self, facts: Mapping[str, list[Any]], modules: Modules) -> None:
        self.facts = facts
        self.modules = modules
        self.flow = Caller(200_000 + MAX_STEPS_PER_OP * sum(len(one[j.J_OPS]) for one in facts.values()))
        self.base: dict[str, int] = {}
        self.functions: dict[tuple[str, int], Token] = {}
        self.typed: list[tuple[int, int]] = []
        self.methods: list[tuple[Site, int, str, list[list[int]], int]] = []
        self.accessors = {op[2].partition(" ")[2] for one in facts.values() for op in one[j.J_OPS]
                          if op[0] == j.ACCESSOR}  # fmt: skip
        for path in sorted(facts):
            self._add(path, facts[path])
        for path in sorted(facts):
            for at, op in enumerate(facts[path][j.J_OPS]):
                _OPS[op[0]](self, path, self.base[path], at, op)

    def _add(self, path: str, one: list[Any]) -> None:
        flow = self.flow
        base = self.base[path] = len(flow.values)
        for _ in range(one[j.J_NODES]):
            flow.node()
        exports, module = flow.token(f.MODULE, path), flow.token(f.OBJECT, path, "module")
        flow.add(base + j.EXPORTS_NODE, exports)
        flow.add(base + j.MODULE_NODE, module)
        flow.add(flow.field(module, "exports"), exports)
        for index, fact in enumerate(one[j.J_FUNCTIONS]):
            token = self.functions[path, index] = flow.token(f.FUNC, path, index)
            token.file, token.fact, token.base = path, fact, base
            if (index and not fact[j.N_FLAGS] & (j.ARROW | j.METHOD_FLAG)) or fact[j.N_FLAGS] & j.CLASS:
                prototype = flow.token(f.OBJECT, token, "prototype")
                flow.add(flow.field(token, "prototype"), prototype)
                flow.add(flow.field(prototype, "constructor"), token)
            if fact[j.N_FLAGS] & j.CLASS:
                flow.add(base + fact[j.N_THIS], self._instance(token))

    def _instance(self, function: Token) -> Token:
        made = self.flow.token(f.INST, function)
        made.made_from = function
        return made

    def exports(self, path: str) -> int:
        """The node of what a file exports as a whole."""
        return self.flow.field(self.flow.token(f.OBJECT, path, "module"), "exports")

    def seed_receivers(self) -> None:
        """Methods that nobody calls here run on instances of their class."""
        for token in self.functions.values():
            owner = token.fact[j.N_OWNER]
            node = token.base + token.fact[j.N_THIS]
            if owner >= 0 and not self.flow.values[node]:
                self.flow.add(node, self._instance(self.functions[token.file, owner]))

    def seed_types(self) -> None:
        """A parameter that nobody fills is what its annotation says."""
        for node, kind in self.typed:
            if not self.flow.values[node]:
                self.flow.each(kind, self._of_type, node)

    def _of_type(self, token: Token, node: int) -> None:
        if token.kind == f.FUNC:
            self.flow.add(node, self._instance(token))
        elif token.kind == f.INTERFACE:
            self.flow.each(self.flow.field(token, "\0implemented"), self._of_type, node)

    def guess_by_name(self) -> None:
        """A method call on something unknown: the few functions that are stored under its name."""
        named: dict[str, set[Token]] = {}
        for token in list(self.flow.tokens.values()):
            for name, node in token.fields.items():
                found = [t for t in self.flow.values[node] if t.kind == f.FUNC]
                if found and len(named.setdefault(name, set())) <= MAX_BY_NAME:
                    named[name].update(found)
        for site, base, name, args, dst in self.methods:
            if not self.flow.values[base]:
                found_here = named.get(name, set())
                for token in sorted(found_here) if len(found_here) <= MAX_BY_NAME else ():
                    self.flow.invoke(token, -1, args, dst, site, "guess")

    def edges(self) -> list[Edge]:
        """The calls found, in the order of files and lines."""
        made: dict[Edge, None] = {}
        for site, callees in self.flow.edges.items():
            caller = self._name(self.functions[site.file, site.function])
            inside = sum(isinstance(callee, Token) for callee, _ in callees)
            sure = round(max(0.1, 1 / max(1, inside)), 2)
            for callee, found in callees:
                reason = "wide" if inside > MAX_CALLEES and isinstance(callee, Token) else found
                confidence = 0.3 if reason == "guess" else sure
                if isinstance(callee, Token):
                    made[Edge(caller, self._name(callee), site.file, site.line, callee.file, callee.fact[j.N_LINE],
                              confidence, reason)] = None  # fmt: skip
                else:
                    made[Edge(caller, callee, site.file, site.line, None, None, 1.0, reason)] = None
        return sorted(made, key=lambda e: (e.file, e.line, e.caller, e.callee, e.reason))

    @staticmethod
    def _name(function: Token) -> str:
        qual = function.fact[j.N_QUAL]
        return f"{stem(function.file)}.{qual}" if qual else stem(function.file)

    def dependencies(self) -> list[Dependency]:
        """The imports of all files."""
        return [Dependency(path, specifier, tuple(n for n in names if n), line, self.modules.resolve(path, specifier))
                for path in sorted(self.facts) for specifier, names, line in self.facts[path][j.J_IMPORTS]]  # fmt: skip

    def args(self, base: int, given: list[list[int]]) -> list[list[int]]:
        """Arguments with the nodes of the whole."""
        return [[spread, base + node] for spread, node in given]

    def bring(self, path: str, specifier: str, name: str, dst: int) -> None:
        """An import of one name, `*` or the default."""
        flow, target = self.flow, self.modules.resolve(path, specifier)
        if target is None:
            outside = specifier.removeprefix("node:")
            if not outside.startswith("."):
                flow.add(dst, flow.token(f.EXT, outside if name in ("*", "=", "default") else f"{outside}.{name}"))
            return
        exports = self.exports(target)
        if name in ("*", "="):
            flow.copy(dst, exports)
            return
        flow.each(exports, flow.load, name, dst)
        if name == "default" and not self.facts[target][j.J_ESM]:
            flow.copy(dst, exports)


def _copy(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.copy(b + op[1], b + op[2])


def _func(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.add(b + op[1], p.functions[path, op[2]])


def _object(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.add(b + op[1], p.flow.token(op[2], path, at))


def _const(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.add(b + op[1], p.flow.token(f.TEXT, op[2]))


def _load(p: Program, path: str, b: int, at: int, op: Any) -> None:
    _, dst, base, name, line, function = op
    p.flow.each(b + base, p.flow.load, name, b + dst)
    if name in p.accessors:
        p.flow.each(b + base, _accessed, p, f"get {name}", [], b + dst, Site(path, function, line, at))


def _accessed(token: Token, p: Program, name: str, args: Any, dst: int, site: Site) -> None:
    if token.kind in (f.INST, f.OBJECT, f.FUNC, f.MODULE):
        p.flow.each(p.flow.lookup(token, name), p.flow.invoke, p.flow.single(token), args, dst, site, "getter")


def _load_at(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.each(b + op[2], load_at, p.flow, b + op[3], b + op[1])


def _store(p: Program, path: str, b: int, at: int, op: Any) -> None:
    _, base, name, src, line, function = op
    p.flow.each(b + base, p.flow.store, name, b + src)
    if name in p.accessors:
        site = Site(path, function, line, at)
        p.flow.each(b + base, _accessed, p, f"set {name}", [[0, b + src]], p.flow.node(), site)


def _store_at(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.each(b + op[1], store_at, p.flow, b + op[2], b + op[3])


def _accessor(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.each(b + op[1], p.flow.store, op[2], b + op[3])


def _proto(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.each(b + op[1], add_parent, p.flow, b + op[2])


def _call(p: Program, path: str, b: int, at: int, op: Any) -> None:
    _, dst, callee, this, args, line, function = op
    site = Site(path, function, line, at)
    p.flow.each(b + callee, _called, p, b + this if this >= 0 else -1, p.args(b, args), b + dst, site)


def _called(token: Token, p: Program, this: int, args: Any, dst: int, site: Site) -> None:
    if token.kind == f.NATIVE and token.name == "require":
        for _, node in args[:1]:
            p.flow.each(node, _required, p, site.file, dst)
    else:
        p.flow.invoke(token, this, args, dst, site)


def _required(token: Token, p: Program, path: str, dst: int) -> None:
    if token.kind == f.TEXT:
        p.bring(path, token.name, "=", dst)


def _method(p: Program, path: str, b: int, at: int, op: Any) -> None:
    _, dst, base, name, args, line, function = op
    site, given = Site(path, function, line, at), p.args(b, args)
    p.methods.append((site, b + base, name, given, b + dst))
    p.flow.each(b + base, _on, p, name, given, b + dst, site)


def _on(token: Token, p: Program, name: str, args: Any, dst: int, site: Site) -> None:
    p.flow.each(p.flow.lookup(token, name), p.flow.invoke, p.flow.single(token), args, dst, site)
    if name in p.accessors:
        got = p.flow.node()
        _accessed(token, p, f"get {name}", [], got, site)
        p.flow.each(got, p.flow.invoke, p.flow.single(token), args, dst, site)


def _method_at(p: Program, path: str, b: int, at: int, op: Any) -> None:
    _, dst, base, key, args, line, function = op
    p.flow.each(b + base, _on_key, p, b + key, p.args(b, args), b + dst, Site(path, function, line, at))


def _on_key(token: Token, p: Program, key: int, args: Any, dst: int, site: Site) -> None:
    found = p.flow.node()
    load_at(token, p.flow, key, found)
    p.flow.each(found, p.flow.invoke, p.flow.single(token), args, dst, site)


def _new(p: Program, path: str, b: int, at: int, op: Any) -> None:
    _, dst, callee, args, line, function = op
    p.flow.each(b + callee, p.flow.construct, p.args(b, args), b + dst, Site(path, function, line, at))


def _iterate(p: Program, path: str, b: int, at: int, op: Any) -> None:
    _, dst, src, kind, line, function = op
    p.flow.each(b + src, p.flow.iterate, kind, b + dst, Site(path, function, line, at))


def _await(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.awaited(b + op[2], b + op[1])


def _yield(p: Program, path: str, b: int, at: int, op: Any) -> None:
    function = p.functions[path, op[1]]
    p.flow.copy(p.flow.field(p.flow.token(f.GENERATOR, function), f.YIELDED), b + op[2])


def _import(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.bring(path, op[2], op[3], b + op[1])


def _star(p: Program, path: str, b: int, at: int, op: Any) -> None:
    target = p.modules.resolve(path, op[1])
    if target is not None:
        p.flow.copy(p.flow.parent(p.flow.token(f.MODULE, path)), p.exports(target))


def _global(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.copy(b + op[1], p.flow.global_node(op[2]))


def _set_global(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.copy(p.flow.global_node(op[1]), b + op[2])


def _typed(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.typed.append((b + op[1], b + op[2]))


def _implements(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.each(b + op[1], p.flow.store, "\0implemented", b + op[2])


def _used(p: Program, path: str, b: int, at: int, op: Any) -> None:
    p.flow.each(b + op[1], _is_used, p, Site(path, op[3], op[2], at))


def _is_used(token: Token, p: Program, site: Site) -> None:
    if token.kind == f.FUNC:
        p.flow.edge(site, token, "reference")


_OPS: Final = (
    _copy, _func, _object, _const, _load, _load_at, _store, _store_at, _accessor, _proto, _call, _method, _method_at,
    _new, _iterate, _await, _yield, _import, _star, _global, _set_global, _typed, _implements, _used,
)  # fmt: skip
