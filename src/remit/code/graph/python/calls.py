"""Calls: arguments to parameters, what comes back, and the edge that remains."""

from __future__ import annotations

from typing import Any, Final

from remit.code.graph.python import objects as o
from remit.code.graph.python.attributes import attribute, class_attribute, order_of
from remit.code.graph.python.lowering import C_FIELDS, F_FLAGS, F_PARAMS, GENERATOR
from remit.code.graph.python.objects import ANY, NOTHING, RETURN, YIELD, Obj, Values
from remit.code.graph.python.scope import Scope

MAX_POSITIONS: Final = 64
_CASTS: Final = ("typing.cast", "typing_extensions.cast")
"""Their second argument is what they give back."""
Given = list[tuple[int, str, Values]]
"""(kind, name, values): kind 0 positional, 1 keyword, 2 *, 3 **"""


def call(scope: Scope, callees: Values, given: Given, line: int, site: Any) -> Values:
    """Call everything that may stand there."""
    found: Values = NOTHING
    callees = scope.concrete(callees)
    choices = len(callees)
    for callee in callees:
        scope.choices = choices
        method = _CALL.get(callee.kind)
        if method is not None:
            found |= method(scope, callee, given, line, site)
    return found


def _function(scope: Scope, callee: Obj, given: Given, line: int, site: Any) -> Values:
    scope.edge(callee.name, callee, line, "call")
    return enter(scope, callee, given, None)


def _bound(scope: Scope, callee: Obj, given: Given, line: int, site: Any) -> Values:
    scope.edge(callee.name, callee.a, line, "call")
    return enter(scope, callee.a, given, callee.b)


def enter(scope: Scope, function: Obj, given: Given, receiver: Obj | None) -> Values:
    """Hand arguments to a function and take what it returns."""
    scope.publish()
    if receiver is not None:
        given = [(0, "", frozenset((receiver,))), *given]
    passed = bind(scope, function, given)
    cells = scope.cells
    if function.ir[F_FLAGS] & GENERATOR:
        return frozenset((cells.make.get(o.CONT, "Iter", function, "yield"),))
    found: set[Obj] = set()
    for value in cells.read(function, RETURN):
        if value.kind == o.TOKEN:
            values = passed.get(value.name)
            found |= values if values is not None else cells.read(function, "p:" + value.name)
        else:
            found.add(value)
    return frozenset(found)


def bind(scope: Scope, function: Obj, given: Given) -> dict[str, Values]:
    """Write arguments into parameters; what was given under each name, where that is certain."""
    params = function.ir[F_PARAMS]
    if function.made is None:
        function.made = _shape(params)
    plain, rest, extra = function.made
    passed: dict[str, Values] = {}
    at = 0
    certain = True
    if not params and not given:
        return passed
    for kind, name, values in given:
        if kind == 0:
            _positional(scope, function, (plain, rest), at, values, passed)
            at += 1
        elif kind == 1:
            _keyword(scope, function, name, values, extra, passed)
        elif kind == 2:
            _spread(scope, function, (plain, rest), at, scope.concrete(values))
            passed.clear()
        else:
            _spread_names(scope, function, scope.concrete(values), extra)
        certain = certain and kind < 2
    if not certain:
        return {}
    for parameter in params:
        # A default that was not overridden is in the cell; a given one is exact.
        if parameter[0] not in passed and parameter[1] < 2:
            passed[parameter[0]] = scope.cells.read(function, "d:" + parameter[0])
    return passed


def _shape(params: Any) -> tuple[Any, Any, Any]:
    """(by position, the one that takes further positions, the one that takes further names)."""
    plain = [p for p in params if p[1] == 0]
    rest = next((p for p in params if p[1] == 2), None)
    return plain, rest, next((p for p in params if p[1] == 3), None)


def _positional(  # one argument and where it goes
    scope: Scope, function: Obj, shape: Any, at: int, values: Values, passed: dict[str, Values]
) -> None:
    plain, rest = shape
    if at < len(plain):
        name = plain[at][0]
        scope.cells.write(function, "p:" + name, scope.concrete(values))
        passed[name] = values
    elif rest is not None:
        box = scope.cells.make.get(o.CONT, "Tuple", function, "*" + rest[0])
        key = at - len(plain)
        scope.set_slot(box, key if key < MAX_POSITIONS else ANY, values, False)


def _keyword(  # one argument and where it goes
    scope: Scope, function: Obj, name: str, values: Values, extra: Any, passed: dict[str, Values]
) -> None:
    if any(p[0] == name and p[1] < 2 for p in function.ir[F_PARAMS]):
        scope.cells.write(function, "p:" + name, scope.concrete(values))
        passed[name] = values
    elif extra is not None:
        box = scope.cells.make.get(o.CONT, "Dict", function, "*" + extra[0])
        scope.set_slot(box, name, values, False)


def _spread(scope: Scope, function: Obj, shape: Any, at: int, values: Values) -> None:
    """`*values`: known positions where they are constant."""
    plain, rest = shape
    for box in values:
        if box.kind != o.CONT or box.name == "Dict":
            continue
        for key in scope.keys(box):
            if isinstance(key, int) and key >= 0:
                _positional(scope, function, shape, at + key, scope.slot(box, key), {})
        others = scope._one_slot(box, ANY)
        if others:
            for position in range(at, len(plain)):
                _positional(scope, function, shape, position, others, {})
            if rest is not None:
                scope.set_slot(scope.cells.make.get(o.CONT, "Tuple", function, "*" + rest[0]), ANY, others, False)


def _spread_names(scope: Scope, function: Obj, values: Values, extra: Any) -> None:
    for box in values:
        if box.kind == o.CONT and box.name == "Dict":
            for key in scope.keys(box):
                if isinstance(key, str):
                    _keyword(scope, function, key, scope.slot(box, key), extra, {})


def instantiate(scope: Scope, cls: Obj, given: Given, line: int, reason: str = "call") -> Values:
    """Make an instance: `__new__` and `__init__` of the resolution order, or an outside base's."""
    made = scope.cells.make.instance(cls)
    order = order_of(scope, cls)
    for name in ("__new__", "__init__"):
        values, holder = class_attribute(scope, order, name)
        if holder is not None and holder.kind == o.EXT:
            if name == "__init__":
                scope.edge(f"{holder.name}.__init__", None, line, reason)
            continue
        for value in values:
            if value.kind == o.FUNC:
                scope.edge(value.name, value, line, reason)
                enter(scope, value, given, cls if name == "__new__" else made)
        if not values and name == "__init__":
            _fields(scope, cls, made, given)
    return frozenset((made,))


def _fields(scope: Scope, cls: Obj, made: Obj, given: Given) -> None:
    """A class without __init__ and with annotated fields is a record: arguments are its fields."""
    fields = cls.ir[C_FIELDS]
    at = 0
    for kind, name, values in given:
        if kind == 0 and at < len(fields):
            scope.cells.write(made, fields[at], scope.concrete(values))
            at += 1
        elif kind == 1 and name in fields:
            scope.cells.write(made, name, scope.concrete(values))


def _class(scope: Scope, callee: Obj, given: Given, line: int, site: Any) -> Values:
    return instantiate(scope, callee, given, line)


def _instance(scope: Scope, callee: Obj, given: Given, line: int, site: Any) -> Values:
    found = attribute(scope, frozenset((callee,)), "__call__", line)
    return call(scope, frozenset(f for f in found if f.kind != o.EXT_MEMBER), given, line, site)


def _ext(scope: Scope, callee: Obj, given: Given, line: int, site: Any) -> Values:
    scope.edge(callee.name, None, line, "call")
    if callee.name in _CASTS and len(given) > 1:
        return given[1][2]
    scope.publish()
    hand_over(scope, given, line)
    if callee.name in ("functools.partial", "functools.partialmethod") and given:
        made = scope.cells.make.get(o.PARTIAL, "partial", scope.owner, site)
        scope.cells.write(made, "function", scope.concrete(given[0][2]))
        for at, (kind, name, values) in enumerate(given[1:]):
            scope.cells.write(made, (kind, at if kind != 1 else 0, name), scope.concrete(values))
        made.ir = [(kind, at if kind != 1 else 0, name) for at, (kind, name, _) in enumerate(given[1:])]
        return frozenset((made,))
    if callee.name in ("copy.copy", "copy.deepcopy") and given:
        return scope.concrete(given[0][2])
    return frozenset((scope.cells.make.get(o.EXT_INST, callee.name),))


def hand_over(scope: Scope, given: Given, line: int) -> None:
    """Functions given to something outside may be called by it: not a call that stands here, but a reference."""
    for _, _, values in given:
        for value in scope.concrete(values):
            if value.kind in (o.FUNC, o.BOUND):
                scope.edge(value.name, value.a if value.kind == o.BOUND else value, line, "reference")


def _ext_member(scope: Scope, callee: Obj, given: Given, line: int, site: Any) -> Values:
    scope.edge(callee.name, None, line, "call")
    hand_over(scope, given, line)
    return NOTHING


def _partial(scope: Scope, callee: Obj, given: Given, line: int, site: Any) -> Values:
    stored = [(kind, name, scope.cells.read(callee, (kind, at, name))) for kind, at, name in callee.ir or ()]
    return call(scope, scope.cells.read(callee, "function"), [*stored, *given], line, site)


def _builtin(scope: Scope, callee: Obj, given: Given, line: int, site: Any) -> Values:
    from remit.code.graph.python.builtin_calls import call_builtin

    return call_builtin(scope, callee, given, line, site)


def _method(scope: Scope, callee: Obj, given: Given, line: int, site: Any) -> Values:
    from remit.code.graph.python.builtin_calls import call_method

    return call_method(scope, callee, given, line, site)


def elements(scope: Scope, values: Values, line: int) -> Values:
    """What iterating over these yields; instances answer by `__iter__` and `__next__`."""
    found: Values = NOTHING
    for value in scope.concrete(values):
        if value.kind == o.CONT:
            found |= container_elements(scope, value)
        elif value.kind == o.INST:
            found |= _protocol(scope, value, line)
    return found


def container_elements(scope: Scope, value: Obj) -> Values:
    """Elements of one container; a dictionary yields its keys."""
    if value.b == "yield":
        return scope.cells.read(value.a, YIELD)
    if value.name == "Dict":
        return frozenset(scope.cells.make.get(o.CONST, "", key) for key in scope.keys(value))
    return scope.slot(value, ANY)


def _protocol(scope: Scope, value: Obj, line: int) -> Values:
    found: Values = NOTHING
    for first, following in (("__iter__", "__next__"), ("__aiter__", "__anext__")):
        method = _own(scope, value, first, line)
        if not method:
            continue
        for iterator in scope.concrete(call(scope, method, [], line, None)):
            if iterator.kind == o.INST:
                found |= call(scope, _own(scope, iterator, following, line), [], line, None)
            elif iterator.kind == o.CONT:
                found |= container_elements(scope, iterator)
    return found


def _own(scope: Scope, value: Obj, name: str, line: int) -> Values:
    """A protocol method that a class of the project defines."""
    found = attribute(scope, frozenset((value,)), name, line)
    return frozenset(f for f in found if f.kind in (o.BOUND, o.FUNC))


_CALL: Final[dict[str, Any]] = {
    o.FUNC: _function, o.BOUND: _bound, o.CLASS: _class, o.INST: _instance, o.EXT: _ext, o.EXT_MEMBER: _ext_member,
    o.PARTIAL: _partial, o.BUILTIN: _builtin, o.METHOD: _method,
}  # fmt: skip
