"""What a node function writes and which ways it returns, read from its annotations, else from its own source.

The source is only read for functions that say nothing themselves; what cannot be told is None = unknown, and is
checked when the graph runs. `ast` reads the function with the grammar that it was compiled with.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
import typing
from typing import Any

import msgspec

from remit.teams.graph.nodes import Node


class Facts(msgspec.Struct):
    """What is known of a node."""

    writes: dict[str, Any] | None = None
    """field -> annotated type (None = no annotation); None = unknown"""
    routes: frozenset[Any] | None = None
    """the ways it can return; None = unknown"""
    state: Any = None
    """the annotation of its first parameter"""
    problem: str = ""
    """an annotation that cannot be resolved"""


def facts_of(node: Node, state_fields: dict[str, Any]) -> Facts:
    """Facts of one node; `state_fields` tells a full state in a return annotation from an update."""
    if node.kind in ("gate", "retry", "loop") and isinstance(node.inner, Node):
        inner = facts_of(node.inner, state_fields)
        return Facts(inner.writes, inner.routes if node.kind == "gate" else frozenset())
    if node.kind == "subgraph":
        return Facts(_subgraph_writes(node, state_fields), frozenset())
    if node.fn is None or node.kind != "function":
        return Facts(None if node.writes is None else dict.fromkeys(node.writes), frozenset())
    found = _annotated(node.fn)
    if node.writes is not None:
        found.writes = {n: (found.writes or {}).get(n) for n in node.writes}
    if found.writes is None or found.routes is None:
        writes, routes = _from_source(node.fn)
        found.writes = writes if found.writes is None else found.writes
        found.routes = routes if found.routes is None else found.routes
    return found


def _subgraph_writes(node: Node, state_fields: dict[str, Any]) -> dict[str, Any] | None:
    graph: Any = node.inner
    options, own = node.options, graph.state_type.fields
    if options["output"] is not None:
        return {outer: own[inner].kind if inner in own else None for outer, inner in options["output"].items()}
    if options["mode"] == "passthrough":
        return {}
    if options["mode"] == "prefix":
        return {options["prefix"] + n: f.kind for n, f in own.items()}
    return {n: f.kind for n, f in own.items() if n in state_fields}


def _annotated(fn: Any) -> Facts:
    target = getattr(fn, "func", fn)
    try:
        hints = typing.get_type_hints(target)
    except (NameError, TypeError):
        hints = {}  # types of a local scope: the source is read instead
    code = getattr(target, "__code__", None) or getattr(getattr(target, "__func__", None), "__code__", None)
    names = [n for n in (code.co_varnames[: code.co_argcount] if code else ()) if n not in ("self", "cls")]
    found = Facts(state=hints.get(names[0]) if names else None)
    for kind in _alternatives(hints.get("return")):
        if typing.get_origin(kind) is typing.Literal:
            found.routes = (found.routes or frozenset()) | frozenset(typing.get_args(kind))
        elif typing.is_typeddict(kind) and kind is not found.state:
            found.writes = (found.writes or {}) | typing.get_type_hints(kind)
        elif kind is bool:
            found.routes = (found.routes or frozenset()) | {True, False}
    return found


def _alternatives(kind: Any) -> tuple[Any, ...]:
    if kind is None:
        return ()
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)


def _from_source(fn: Any) -> tuple[dict[str, Any] | None, frozenset[Any] | None]:
    """(writes, routes) of the return statements, where every one of them is a literal."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(fn, "func", fn))))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None, None
    body = next((n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef)), None)
    if body is None:
        return None, None
    writes: dict[str, Any] | None = {}
    routes: set[Any] | None = set()
    for value in _returns(body):
        keys, way = _literal(value)
        if keys is None:
            writes = None
        elif writes is not None:
            writes |= dict.fromkeys(keys)
        if way is _UNKNOWN:
            routes = None
        elif way is not None and routes is not None:
            routes.add(way)
    return writes, None if routes is None else frozenset(routes)


_UNKNOWN = object()


def _returns(function: ast.AsyncFunctionDef) -> list[ast.expr]:
    found: list[ast.expr] = []
    stack: list[ast.AST] = list(function.body)
    while stack:
        each = stack.pop()
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(each, ast.Return) and each.value is not None:
            found.append(each.value)
        stack += [
            child
            for child in ast.iter_child_nodes(each)
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case)
        ]
    return found


def _literal(value: ast.expr) -> tuple[set[str] | None, Any]:
    """(fields written, way) of one returned expression; None = unknown fields, _UNKNOWN = an unknown way."""
    if isinstance(value, ast.IfExp):
        keys, way = _literal(value.body)
        others, second = _literal(value.orelse)
        same = way if way == second or second is None else _UNKNOWN
        return (None if keys is None or others is None else keys | others), same
    if isinstance(value, ast.Constant):
        return set(), value.value
    if isinstance(value, ast.Dict):
        names = [k.value if isinstance(k, ast.Constant) and isinstance(k.value, str) else None for k in value.keys]
        return (None if None in names else {n for n in names if n is not None}), None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("dict", "Go"):
        names = [k.arg for k in value.keywords]
        way = None
        if value.func.id == "Go":
            way = value.args[0].value if value.args and isinstance(value.args[0], ast.Constant) else _UNKNOWN
        return (None if None in names or (way is None and value.args) else {n for n in names if n}), way
    return None, _UNKNOWN
