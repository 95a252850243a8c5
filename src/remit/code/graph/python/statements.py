"""Statements in their order; branches apart, loops twice, ends noted."""

from __future__ import annotations

from typing import Any, Final

from remit.code.graph.python import objects as o
from remit.code.graph.python.attributes import attribute
from remit.code.graph.python.calls import call, elements, instantiate
from remit.code.graph.python.definitions import define_class, define_function, instances
from remit.code.graph.python.expressions import assign, value_of
from remit.code.graph.python.imports import import_from, import_modules
from remit.code.graph.python.objects import NOTHING, RETURN, Obj, Values
from remit.code.graph.python.scope import Scope, Store


def walk(scope: Scope, body: Any) -> None:
    """The statements of a block, up to the first that leaves it."""
    for statement in body:
        if scope.dead:
            return
        _STATEMENT[statement[0]](scope, statement)


def _expression(scope: Scope, ir: Any) -> None:
    value_of(scope, ir[1])


def _assignment(scope: Scope, ir: Any) -> None:
    values = value_of(scope, ir[2]) if ir[2] is not None else NOTHING
    if ir[3] is not None:
        values |= instances(scope, ir[3])
        if ir[2] is None and not values:
            return
    for target in ir[1]:
        assign(scope, target, values)


def _augmented(scope: Scope, ir: Any) -> None:
    value = value_of(scope, ir[2])
    if ir[1][0] == "n":
        for box in scope.concrete(value_of(scope, ir[1])):
            if box.kind == o.CONT and box.name == "List":
                scope.set_slot(box, o.ANY, elements(scope, value, 0), False)


def _return(scope: Scope, ir: Any) -> None:
    if ir[1] is not None:
        values = value_of(scope, ir[1])
        own = frozenset(v for v in values if v.kind == o.TOKEN and v.a is scope.owner)
        scope.publish()
        scope.cells.write(scope.owner, RETURN, own | scope.concrete(values - own))
    scope.dead = True


def _if(scope: Scope, ir: Any) -> None:
    ways: list[Store] = []
    for test, body in ir[1]:
        value_of(scope, test)
        scope.settle()
        before = scope.save()
        scope.paths.clear()
        _way(scope, body, ways)
        scope.restore(before)
    _way(scope, ir[2] or [], ways)
    scope.join(ways)


def _way(scope: Scope, body: Any, ways: list[Store]) -> None:
    walk(scope, body)
    scope.settle()
    if not scope.dead:
        ways.append((scope.env, scope.slots))


def _loop(scope: Scope, ir: Any) -> None:
    _, target, source, body, other, line = ir
    before = scope.save()
    ways: list[Store] = [before]
    scope.exits.append([])
    # An outer loop's second pass is the second pass of the loops in it too.
    for _ in range(2 if len(scope.exits) == 1 else 1):
        values = value_of(scope, source)
        if target is not None:
            assign(scope, target, elements(scope, values, line))
        scope.settle()
        scope.paths.clear()
        _way(scope, body, ways)
        scope.join(ways + scope.exits[-1])
        ways = [scope.save()]
        if scope.settled(before):
            break
    scope.exits.pop()
    walk(scope, other)


def _stop(scope: Scope, ir: Any) -> None:
    scope.settle()
    if scope.exits:
        scope.exits[-1].append(scope.save())
    scope.dead = True


def _try(scope: Scope, ir: Any) -> None:
    _, body, handlers, other, last = ir
    scope.settle()
    before = scope.save()
    ways: list[Store] = []
    walk(scope, body)
    scope.settle()
    after = scope.save()
    if not scope.dead:
        walk(scope, other)
        _way(scope, [], ways)
    for kind, name, handler in handlers:
        scope.join([before, after])
        values = scope.concrete(value_of(scope, kind)) if kind is not None else NOTHING
        if name:
            scope.bind(name, _raised(scope, values))
            scope.open.add(name)
        _way(scope, handler, ways)
    left = not ways
    scope.join(ways or [before, after])
    walk(scope, last)
    scope.dead = scope.dead or left


def _raised(scope: Scope, kinds: Values) -> Values:
    found: set[Obj] = set()
    for kind in kinds | elements(scope, kinds, 0):
        if kind.kind == o.CLASS:
            found.add(scope.cells.make.instance(kind))
    return frozenset(found)


def _with(scope: Scope, ir: Any) -> None:
    for value, target in ir[1]:
        entered = _entered(scope, scope.concrete(value_of(scope, value)), ir[3])
        if target is not None:
            assign(scope, target, entered)
    walk(scope, ir[2])


def _entered(scope: Scope, values: Values, line: int) -> Values:
    """What `with` binds: `__enter__` of an instance, what a generator yields, else the thing itself."""
    found: Values = NOTHING
    for value in values:
        if value.kind == o.INST:
            one = frozenset((value,))
            own = [frozenset(m for m in attribute(scope, one, name, line) if m.kind == o.BOUND)
                   for name in ("__enter__", "__aenter__", "__exit__", "__aexit__")]  # fmt: skip
            found |= call(scope, own[0] | own[1], [], line, None) or (NOTHING if own[0] | own[1] else one)
            call(scope, own[2] | own[3], [], line, None)
        elif value.kind == o.CONT and value.b == "yield":
            found |= elements(scope, frozenset((value,)), line)
        else:
            found |= {value}
    return found


def _raise(scope: Scope, ir: Any) -> None:
    for expression in ir[1]:
        for value in scope.concrete(value_of(scope, expression)):
            if value.kind == o.CLASS:
                instantiate(scope, value, [], ir[2], "raise")
    scope.settle()
    scope.dead = True


def _global(scope: Scope, ir: Any) -> None:
    for name in ir[1]:
        scope.declared[name] = scope.module


def _nonlocal(scope: Scope, ir: Any) -> None:
    for name in ir[1]:
        for outer in scope.owner.outer:
            if outer.kind == o.FUNC and name in outer.names:
                scope.declared[name] = outer
                break


def _match(scope: Scope, ir: Any) -> None:
    for one in ir[1]:
        value_of(scope, one)
    _if(scope, ["if", ir[2], []])


_STATEMENT: Final[dict[str, Any]] = {
    "e": _expression, "=": _assignment, "+=": _augmented, "ret": _return, "if": _if, "loop": _loop, "try": _try,
    "with": _with, "raise": _raise, "global": _global, "nonlocal": _nonlocal, "match": _match, "stop": _stop,
    "def": lambda scope, ir: define_function(scope, ir[1]), "class": lambda scope, ir: define_class(scope, ir[1]),
    "import": import_modules, "from": import_from,
}  # fmt: skip
