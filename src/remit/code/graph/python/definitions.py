"""Functions and classes as a scope defines them: defaults, receivers, decorators, bases, annotations."""

from __future__ import annotations

from typing import Any

from remit.code.graph.python import objects as o
from remit.code.graph.python.attributes import order_of
from remit.code.graph.python.calls import call
from remit.code.graph.python.expressions import value_of
from remit.code.graph.python.lowering import (
    C_BASES,
    C_BODY,
    C_DECOR,
    C_KEY,
    C_NAME,
    C_QUAL,
    F_DECOR,
    F_FREE,
    F_KEY,
    F_LOCALS,
    F_NAME,
    F_PARAMS,
    F_QUAL,
    F_RETURNS,
)  # fmt: skip
from remit.code.graph.python.objects import NOTHING, OVERRIDING, RETURN, Obj, Values
from remit.code.graph.python.scope import Scope

_CLASS_RECEIVERS = {"__new__", "__init_subclass__", "__class_getitem__"}
_MARKS = {"staticmethod": "static", "classmethod": "class", "property": "property", "cached_property": "property"}


def _named(scope: Scope, qual: str) -> str:
    return f"{scope.module.name}.{qual}" if scope.module.name else qual


def _outer(scope: Scope) -> tuple[Obj, ...]:
    """Scopes that a definition here sees, inner first; a class body is not seen from its methods."""
    owner = scope.owner
    return (owner, *owner.outer) if owner.kind == o.FUNC else owner.outer


def function_of(scope: Scope, ir: Any, marks: frozenset[str] = frozenset()) -> Obj:
    """The function that a definition or a lambda makes."""
    made = scope.cells.make.get(o.FUNC, _named(scope, ir[F_QUAL]), scope.module, (ir[F_KEY], ir[F_QUAL]))
    if made.ir is not ir:
        made.ir = ir
        made.module = scope.module
        made.outer = _outer(scope)
        made.seen = frozenset(ir[F_FREE])
        made.names = frozenset(ir[F_LOCALS])
        made.marks = marks
        made.cls = scope.owner if scope.owner.kind == o.CLASS else None
        scope.cells.ask(made)
    for name, kind, default, annotation in ir[F_PARAMS]:
        values = value_of(scope, default) if default is not None else NOTHING
        if values:
            values = scope.concrete(values)
            scope.cells.write(made, "d:" + name, values)
        if annotation is not None and kind < 2:
            values |= instances(scope, annotation)
        scope.cells.write(made, "p:" + name, values)
    if ir[F_RETURNS] is not None:
        scope.cells.write(made, RETURN, instances(scope, ir[F_RETURNS]))
    return made


def instances(scope: Scope, annotation: Any) -> Values:
    """Instances of the project's classes that an annotation names, through unions and Optional."""
    kind = annotation[0]
    make = scope.cells.make
    if kind in ("n", "a"):
        edges = dict(scope.edges)
        values = scope.concrete(value_of(scope, annotation))
        scope.edges = edges
        return frozenset(make.instance(v) for v in values if v.kind == o.CLASS)
    if kind == "k" and isinstance(annotation[1], str):
        return _forward(scope, annotation[1])
    found: Values = NOTHING
    if kind == "o":
        for one in annotation[1]:
            found |= instances(scope, one)
    elif kind == "s" and annotation[1][-1 if annotation[1][0] == "n" else 2] in ("Optional", "Union"):
        inner = annotation[2]
        for one in inner[1] if inner[0] == "o" else [inner]:
            found |= instances(scope, one)
    return found


def _forward(scope: Scope, name: str) -> Values:
    parts = name.strip().split(".")
    if not all(part.isidentifier() for part in parts):
        return NOTHING
    ir: Any = ["n", parts[0]]
    for part in parts[1:]:
        ir = ["a", ir, part, 0]
    return instances(scope, ir)


def define_function(scope: Scope, ir: Any) -> None:
    """`def`, with its decorators from the inside out."""
    marks = frozenset(_MARKS[name] for name in map(_last_name, ir[F_DECOR]) if name in _MARKS)
    if ir[F_NAME] in _CLASS_RECEIVERS:
        marks |= {"class" if ir[F_NAME] != "__new__" else "static"}
    setter = any(d[0][0] == "a" and d[0][2] in ("setter", "deleter") for d in ir[F_DECOR])
    made = function_of(scope, ir, marks | {"property"} if setter else marks)
    if scope.owner.kind == o.CLASS:
        _receive(scope, made)
    if setter:
        if ir[F_DECOR][-1][0][2] == "setter":
            scope.cells.write(scope.owner, "=" + ir[F_NAME], frozenset((made,)))
        return
    values: Values = frozenset((made,))
    for decorator, line in reversed(ir[F_DECOR]):
        if _last_name([decorator, line]) not in _MARKS or decorator[0] != "n":
            values = decorated(scope, decorator, values, line)
    scope.bind(ir[F_NAME], values)


def _last_name(mark: Any) -> str:
    decorator = mark[0]
    return str(decorator[1] if decorator[0] == "n" else decorator[2] if decorator[0] == "a" else "")


def _receive(scope: Scope, function: Obj) -> None:
    """A method's first parameter is an instance of its class, also where nobody calls it."""
    params = function.ir[F_PARAMS]
    if not params or ("static" in function.marks and function.ir[F_NAME] != "__new__"):
        return
    by_class = "class" in function.marks or function.ir[F_NAME] == "__new__"
    receiver = scope.owner if by_class else scope.cells.make.instance(scope.owner)
    scope.cells.write(function, "p:" + params[0][0], frozenset((receiver,)))


def decorated(scope: Scope, decorator: Any, values: Values, line: int) -> Values:
    """What a decorator makes of a definition; one from outside is taken to keep it."""
    callees = scope.concrete(value_of(scope, decorator))
    if not callees:
        return values
    inside = frozenset(c for c in callees if c.kind not in (o.EXT, o.EXT_INST, o.EXT_MEMBER, o.BUILTIN))
    found = call(scope, inside, [(0, "", values)], line, None)
    for callee in callees - inside:
        if callee.kind in (o.EXT, o.EXT_MEMBER):
            scope.edge(callee.name, None, line, "call")
        found |= values
    return found


def define_class(scope: Scope, ir: Any) -> None:
    """`class`: its bases in order, its body as a scope of its own, its decorators."""
    cells = scope.cells
    made = cells.make.get(o.CLASS, _named(scope, ir[C_QUAL]), scope.module, (ir[C_KEY], ir[C_QUAL]))
    made.ir, made.module = ir, scope.module
    made.outer = _outer(scope)
    at = 0
    for kind, _, value in ir[C_BASES]:
        values = scope.concrete(value_of(scope, value))
        if kind == 1:
            continue
        for base in values:
            inside = base.kind == o.CLASS and base is not made
            if inside or (base.kind == o.EXT and not base.name.startswith(("typing.", "abc.", "typing_extensions."))):
                cells.add_base(made, cells.make.get("base", base.name, at, base))
        at += 1
    _body(scope, made, ir)
    values = frozenset((made,))
    for decorator, line in reversed(ir[C_DECOR]):
        values = decorated(scope, decorator, values, line) or values
    scope.bind(ir[C_NAME], values)


def _body(scope: Scope, made: Obj, ir: Any) -> None:
    """Walk the body now: it runs when the class is defined, and sees the scopes around it."""
    from remit.code.graph.python.statements import walk

    scope.publish(forget=False)
    inner = Scope(scope.cells, made)
    inner.around = scope
    walk(inner, ir[C_BODY])
    inner.publish()
    above = [cls for cls in order_of(scope, made)[1:] if cls.kind == o.CLASS]
    for name, values in inner.env.items():
        values = inner.concrete(values)
        scope.cells.write(made, name, values)
        functions = frozenset(v for v in values if v.kind == o.FUNC) if above and name[:2] != "__" else NOTHING
        for cls in above if functions else ():
            scope.cells.write(cls, OVERRIDING + name, functions)
    scope.classes[made] = inner.edges
    scope.classes.update(inner.classes)
