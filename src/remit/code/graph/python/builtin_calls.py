"""Built-in functions and the methods of built-in containers: how values flow through them.

Methods that only move values in and out of containers are flow, not calls; others are edges `<**PyStr**>.join`.
"""

from __future__ import annotations

import builtins
from typing import Any, Final

from remit.code.graph.python import objects as o
from remit.code.graph.python.attributes import attribute
from remit.code.graph.python.calls import Given, call, container_elements, elements, hand_over
from remit.code.graph.python.objects import ANY, NOTHING, Obj, Values
from remit.code.graph.python.scope import Scope

NAMES: Final = frozenset(dir(builtins)) | {"unicode", "basestring", "xrange", "raw_input", "reduce", "long"}
_COPYING: Final = {
    "list": "List", "tuple": "Tuple", "set": "Set", "frozenset": "Set", "sorted": "List", "reversed": "Iter",
    "iter": "Iter", "aiter": "Iter",
}  # fmt: skip
_APPLYING: Final = {"map", "filter", "reduce"}
_KEYED: Final = {"sorted", "min", "max"}
_MOVERS: Final = {
    "append", "extend", "insert", "add", "update", "setdefault", "appendleft", "extendleft", "pop", "popitem",
    "popleft", "remove", "discard", "clear", "sort", "reverse",
}  # fmt: skip
_TEXTS: Final = {
    "join", "format", "strip", "lstrip", "rstrip", "replace", "lower", "upper", "title", "capitalize", "removeprefix",
    "removesuffix", "zfill", "center", "ljust", "rjust", "translate", "expandtabs", "casefold", "swapcase",
}  # fmt: skip


def call_builtin(scope: Scope, callee: Obj, given: Given, line: int, site: Any) -> Values:
    """Call a built-in function or class."""
    name = callee.name
    if "." in name:  # a method taken from a built-in class
        return NOTHING
    scope.edge(f"<builtin>.{name}", None, line, "call")
    first = scope.concrete(given[0][2]) if given else NOTHING
    if name in _APPLYING:
        return _apply(scope, name, given, line, site)
    if name in _KEYED:
        for kind, word, values in given:
            if kind == 1 and word == "key":
                items = elements(scope, first, line) | (first if len(given) > 2 else NOTHING)
                call(scope, values, [(0, "", items)], line, site)
    method = _FLOWS.get(name)
    if method is not None:
        return method(scope, name, given, line, site)  # type: ignore[no-any-return]  # the table's values are untyped
    if name in _COPYING:
        return _copied(scope, _COPYING[name], elements(scope, first, line), site)
    if name == "dict":
        return _dict(scope, given, line, site)
    if name in ("str", "repr", "input", "format", "chr", "hex"):
        return frozenset((scope.cells.make.get(o.LIT, "Str"),))
    hand_over(scope, given, line)
    return NOTHING


def _copied(scope: Scope, kind: str, items: Values, site: Any) -> Values:
    made = scope.element_of(kind, site)
    scope.set_slot(made, ANY, items, True)
    return frozenset((made,))


def _apply(scope: Scope, name: str, given: Given, line: int, site: Any) -> Values:
    callables: set[Obj] = set()
    items: Values = NOTHING
    for _, _, values in given:
        for value in scope.concrete(values):
            if value.kind in (o.FUNC, o.BOUND, o.CLASS, o.PARTIAL):
                callables.add(value)
            else:
                items |= elements(scope, frozenset((value,)), line)
    rest = max(1, len(given) - 1) if name != "reduce" else 2
    results = call(scope, frozenset(callables), [(0, "", items)] * rest, line, site)
    if name == "reduce":
        call(scope, frozenset(callables), [(0, "", results), (0, "", items)], line, site)
        return results | items
    return _copied(scope, "Iter", items if name == "filter" else results, site)


def _super(scope: Scope, name: str, given: Given, line: int, site: Any) -> Values:
    function: Any = scope.owner
    cls = function.cls
    for outer in (function, *function.outer):
        if outer.kind == o.FUNC and outer.cls is not None:
            function, cls = outer, outer.cls
            break
    make = scope.cells.make
    if len(given) >= 2:
        pairs = [(c, r) for c in scope.concrete(given[0][2]) for r in scope.concrete(given[1][2])]
        return frozenset(make.get(o.SUPER, "super", c, r) for c, r in pairs
                         if c.kind == o.CLASS and r.kind in (o.INST, o.CLASS))  # fmt: skip
    if cls is None or not function.ir[4]:
        return NOTHING
    receivers = scope.cells.read(function, "p:" + function.ir[4][0][0])
    return frozenset(make.get(o.SUPER, "super", cls, r) for r in receivers if r.kind in (o.INST, o.CLASS))


def _next(scope: Scope, name: str, given: Given, line: int, site: Any) -> Values:
    found = given[1][2] if len(given) > 1 else NOTHING
    for value in scope.concrete(given[0][2]) if given else ():
        if value.kind == o.CONT:
            found |= container_elements(scope, value)
        elif value.kind == o.INST:
            method = attribute(scope, frozenset((value,)), "__next__", line)
            found |= call(scope, frozenset(m for m in method if m.kind == o.BOUND), [], line, site)
    return found


def _enumerate(scope: Scope, name: str, given: Given, line: int, site: Any) -> Values:
    pair = scope.element_of("Tuple", (site, "pair"))
    first = 0 if name == "zip" else 1
    for at, (_, _, values) in enumerate(given[: 1 if first else 16]):
        scope.set_slot(pair, at + first, elements(scope, values, line), True)
    return _copied(scope, "Iter", frozenset((pair,)), site)


def _getattr(scope: Scope, name: str, given: Given, line: int, site: Any) -> Values:
    found = given[2][2] if len(given) > 2 else NOTHING
    for key in scope.concrete(given[1][2]) if len(given) > 1 else ():
        if key.kind == o.CONST and isinstance(key.a, str):
            found |= attribute(scope, given[0][2], key.a, line)
    return found


def _setattr(scope: Scope, name: str, given: Given, line: int, site: Any) -> Values:
    if len(given) > 2:
        for key in scope.concrete(given[1][2]):
            if key.kind == o.CONST and isinstance(key.a, str):
                for base in scope.concrete(given[0][2]):
                    if base.kind == o.MODULE:
                        scope.cells.write_foreign(base, key.a, "=" + key.a, scope.concrete(given[2][2]))
                    else:
                        scope.cells.write(base, key.a, scope.concrete(given[2][2]))
    return NOTHING


def _type(scope: Scope, name: str, given: Given, line: int, site: Any) -> Values:
    values = scope.concrete(given[0][2]) if len(given) == 1 else NOTHING
    return frozenset(value.a for value in values if value.kind == o.INST)


def _wrapped(scope: Scope, name: str, given: Given, line: int, site: Any) -> Values:
    """property(f), staticmethod(f), classmethod(f) as functions keep their function."""
    return given[0][2] if given else NOTHING


def _one_of(scope: Scope, name: str, given: Given, line: int, site: Any) -> Values:
    values = [v for kind, _, v in given if kind != 1]
    found = elements(scope, values[0], line) if len(values) == 1 else NOTHING
    for value in values if len(values) > 1 else ():
        found |= value
    return found


def _dict(scope: Scope, given: Given, line: int, site: Any) -> Values:
    made = scope.element_of("Dict", site)
    for kind, name, values in given:
        if kind == 1:
            scope.set_slot(made, name, values, True)
        else:
            merge_into(scope, made, values)
    return frozenset((made,))


def merge_into(scope: Scope, made: Obj, values: Values) -> None:
    """The entries of other dictionaries (or of pairs) into this one, replacing equal keys."""
    for other in scope.concrete(values):
        if other.kind != o.CONT:
            continue
        if other.name == "Dict":
            for key in scope.keys(other):
                scope.set_slot(made, key, scope.slot(other, key), True)
            rest = scope._one_slot(other, ANY)
            if rest:
                scope.set_slot(made, ANY, rest, False)
        else:
            for pair in container_elements(scope, other):
                if pair.kind == o.CONT:
                    put(scope, made, scope.slot(pair, 0), scope.slot(pair, 1), False)


def put(scope: Scope, made: Obj, keys: Values, values: Values, strong: bool) -> None:
    """`made[key] = values` for every key it may be."""
    constants = [k.a for k in scope.concrete(keys) if k.kind == o.CONST]
    if not constants:
        scope.set_slot(made, ANY, values, False)
    for key in constants:
        scope.set_slot(made, key, values, strong and len(constants) == 1)


def call_method(scope: Scope, callee: Obj, given: Given, line: int, site: Any) -> Values:
    """A method of a container, a text or a number."""
    box, name = callee.a, callee.name
    kind = box.name if box.kind in (o.CONT, o.LIT) else ("Str" if isinstance(box.a, str) else "Num")
    if kind in ("None", "Iter"):
        return NOTHING
    if name not in _MOVERS:
        scope.edge(f"<**Py{kind}**>.{name}", None, line, "call")
    if box.kind != o.CONT:
        return frozenset((scope.cells.make.get(o.LIT, "Str"),)) if kind == "Str" and name in _TEXTS else NOTHING
    values = [scope.concrete(v) for k, _, v in given if k == 0]
    if name == "sort":
        for _, _, function in [g for g in given if g[1] == "key"]:
            call(scope, function, [(0, "", scope.slot(box, ANY))], line, site)
        return NOTHING
    method = (_OF_DICT if kind == "Dict" else _OF_LIST).get(name)
    return NOTHING if method is None else method(scope, box, given, values, site)


def _get(scope: Scope, box: Obj, given: Given, values: list[Values], site: Any) -> Values:
    if not values:
        return NOTHING
    found = values[1] if len(values) > 1 else NOTHING
    constants = [k.a for k in values[0] if k.kind == o.CONST]
    for key in constants or [ANY]:
        found |= scope.slot(box, key)
    return found


def _setdefault(scope: Scope, box: Obj, given: Given, values: list[Values], site: Any) -> Values:
    if len(values) > 1:
        put(scope, box, values[0], values[1], False)
    return _get(scope, box, given, values, site)


def _update(scope: Scope, box: Obj, given: Given, values: list[Values], site: Any) -> Values:
    for kind, name, value in given:
        if kind == 1:
            scope.set_slot(box, name, value, True)
        else:
            merge_into(scope, box, value)
    return NOTHING


def _values(scope: Scope, box: Obj, given: Given, values: list[Values], site: Any) -> Values:
    return _copied(scope, "Iter", scope.slot(box, ANY), site)


def _items(scope: Scope, box: Obj, given: Given, values: list[Values], site: Any) -> Values:
    pair = scope.element_of("Tuple", (site, "pair"))
    scope.set_slot(pair, 0, container_elements(scope, box), True)
    scope.set_slot(pair, 1, scope.slot(box, ANY), True)
    return _copied(scope, "Iter", frozenset((pair,)), site)


def _keys(scope: Scope, box: Obj, given: Given, values: list[Values], site: Any) -> Values:
    return _copied(scope, "Iter", container_elements(scope, box), site)


def _same(scope: Scope, box: Obj, given: Given, values: list[Values], site: Any) -> Values:
    return frozenset((box,))


def _append(scope: Scope, box: Obj, given: Given, values: list[Values], site: Any) -> Values:
    if values:
        scope.set_slot(box, ANY, values[-1], False)
    return NOTHING


def _extend(scope: Scope, box: Obj, given: Given, values: list[Values], site: Any) -> Values:
    for value in values:
        scope.set_slot(box, ANY, elements(scope, value, 0), False)
    return NOTHING


def _take(scope: Scope, box: Obj, given: Given, values: list[Values], site: Any) -> Values:
    return scope.slot(box, ANY)


_FLOWS: Final[dict[str, Any]] = {
    "super": _super, "next": _next, "anext": _next, "enumerate": _enumerate, "zip": _enumerate, "getattr": _getattr,
    "setattr": _setattr, "type": _type, "property": _wrapped, "staticmethod": _wrapped, "classmethod": _wrapped,
    "min": _one_of, "max": _one_of,
}  # fmt: skip
_OF_DICT: Final[dict[str, Any]] = {
    "get": _get, "pop": _get, "setdefault": _setdefault, "update": _update, "values": _values, "items": _items,
    "keys": _keys, "copy": _same, "popitem": _items,
}  # fmt: skip
_OF_LIST: Final[dict[str, Any]] = {
    "append": _append, "add": _append, "insert": _append, "appendleft": _append, "extend": _extend, "update": _extend,
    "pop": _take, "popleft": _take, "copy": _same, "union": _same,
}  # fmt: skip
