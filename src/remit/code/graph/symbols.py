"""Symbols of a file, from its facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from remit.code.graph.go import lowering as g
from remit.code.graph.python import lowering as f
from remit.code.graph.values import Symbol


def symbols_of(path: str, module: str, facts: list[Any]) -> Iterator[Symbol]:
    """The module itself, its classes, functions (nested ones too) and constants."""
    yield Symbol(module, "module", path, 1, facts[f.F_END], _visibility(module), doc=facts[f.F_DOC])
    for one in _in(path, module, facts[f.F_BODY], "module", module):
        line = facts[f.M_LINES].get("=" + one.name.rpartition(".")[2], [0])[0] if one.kind == "constant" else one.line
        yield replace(one, line=line, end=line) if line != one.line else one


def go_symbols(path: str, facts: list[Any]) -> Iterator[Symbol]:
    """Types, functions and methods of a Go file; names that begin in upper case are public."""
    package = facts[g.G_PACKAGE]
    kinds = {"struct": "struct", "iface": "interface"}
    for name, kind, _, line, end in facts[g.G_TYPES]:
        yield Symbol(f"{package}.{name}", kinds.get(kind[0], "type_alias"), path, line, end, _exported(name), "go",
                     parent=package)  # fmt: skip
    for one in facts[g.G_FUNCS]:
        receiver = one[g.N_RECV]
        holder = package
        if receiver is not None:
            holder = f"{package}.{(receiver[1] if receiver[0] == '*' else receiver)[-1]}"
        yield Symbol(f"{holder}.{one[g.N_NAME]}", "function" if receiver is None else "method", path, one[g.N_LINE],
                     one[g.N_STOP], _exported(one[g.N_NAME]), "go", one[g.N_HEAD], holder)  # fmt: skip
    for names, _, _, line in facts[g.G_VARS]:
        for name in names:
            yield Symbol(f"{package}.{name}", "constant", path, line, line, _exported(name), "go", parent=package)


def _exported(name: str) -> str:
    return "public" if name[:1].isupper() else "private"


def _in(path: str, module: str, body: list[Any], kind: str, parent: str) -> Iterator[Symbol]:
    for statement in body:
        operation = statement[0]
        if operation == "def":
            yield from _function(path, module, statement[1], kind, parent)
        elif operation == "class":
            one = statement[1]
            name = _join(module, one[f.C_QUAL])
            yield Symbol(name, "class", path, _first(one[f.C_DECOR], one[f.C_LINE]), one[f.C_END],
                         _visibility(one[f.C_QUAL]), signature=f"class {one[f.C_NAME]}", parent=parent,
                         doc=one[f.C_DOC])  # fmt: skip
            yield from _in(path, module, one[f.C_BODY], "class", name)
        elif operation == "=" and kind == "module":
            for target in statement[1]:
                if target[0] == "n" and target[1].isupper():
                    yield Symbol(_join(module, target[1]), "constant", path, 0, 0, _visibility(target[1]),
                                 parent=parent)  # fmt: skip
        else:
            for block in _blocks(statement):
                yield from _in(path, module, block, kind, parent)


def _function(path: str, module: str, one: list[Any], kind: str, parent: str) -> Iterator[Symbol]:
    name = _join(module, one[f.F_QUAL])
    yield Symbol(
        name, "method" if kind == "class" else "function", path, _first(one[f.F_DECOR], one[f.F_LINE]), one[f.F_END],
        _visibility(one[f.F_QUAL]), signature=one[f.F_HEAD], parent=parent, doc=one[f.F_DOC],
        parameters=tuple(p[0] for p in one[f.F_PARAMS]),
        marks=tuple(_last(d[0]) for d in one[f.F_DECOR]),
    )  # fmt: skip
    yield from _in(path, module, one[f.F_BODY], "function", name)


def _first(marks: list[Any], line: int) -> int:
    return min([line, *(int(mark[1]) for mark in marks)])


def _last(decorator: list[Any]) -> str:
    while decorator[0] == "c":
        decorator = decorator[1]
    return str(decorator[2]) if decorator[0] == "a" else str(decorator[1]) if decorator[0] == "n" else ""


def _blocks(statement: list[Any]) -> list[list[Any]]:
    operation = statement[0]
    if operation == "if":
        return [arm[1] for arm in statement[1]] + ([statement[2]] if statement[2] else [])
    if operation == "match":
        return [arm[1] for arm in statement[2]]
    if operation == "loop":
        return [statement[3], statement[4]]
    if operation == "try":
        return [statement[1], *(handler[2] for handler in statement[2]), statement[3], statement[4]]
    return [statement[2]] if operation == "with" else []


def _join(module: str, qual: str) -> str:
    return f"{module}.{qual}" if module else qual


def _visibility(name: str) -> str:
    parts = name.split(".")
    return "private" if any(p.startswith("_") and not p.endswith("__") for p in parts) else "public"
