"""Attributes: instances through the resolution order of their class, classes, modules, what stands outside.

`self.x` of an instance is looked up in what any class of its order stored on an instance, then in the first class
that has it. Properties yield what their function returns and count as accesses, not as calls.
"""

from __future__ import annotations

from typing import Any, Final

from remit.code.graph.python import objects as o
from remit.code.graph.python.objects import BASES, NOTHING, RETURN, Obj, Values
from remit.code.graph.python.scope import Scope

MAX_PARTS: Final = 8
"""Dots in the name of something outside; longer ones come from loops."""
MAX_ORDER: Final = 64
"""Classes in a resolution order."""


def order_of(scope: Scope, cls: Obj) -> list[Obj]:
    """The method resolution order: C3, or depth first where C3 has no answer."""
    cells = scope.cells
    if cells.reader is not None:
        cells.order_readers.setdefault(cls, set()).add(cells.reader)
    found = cells.orders.get(cls)
    if found is None:
        found = cells.orders[cls] = _linear(scope, cls, frozenset())
    return found


def _linear(scope: Scope, cls: Obj, above: frozenset[Obj]) -> list[Obj]:
    if cls in above or len(above) > MAX_ORDER:
        return [cls]
    bases = bases_of(scope, cls)
    if not bases:
        return [cls]
    lists = [_linear(scope, base, above | {cls}) if base.kind == o.CLASS else [base] for base in bases]
    return [cls, *_merged([*lists, list(bases)])][:MAX_ORDER]


def _merged(lists: list[list[Obj]]) -> list[Obj]:
    made: list[Obj] = []
    lists = [list(one) for one in lists if one]
    while lists:
        for one in lists:
            head = one[0]
            if not any(head in other[1:] for other in lists):
                break
        else:
            head = lists[0][0]  # no consistent order: Python would refuse the class
        made.append(head)
        lists = [rest for rest in ([x for x in one if x is not head] for one in lists) if rest]
    return made


def bases_of(scope: Scope, cls: Obj) -> list[Obj]:
    """The bases in the order of their places; one place may hold several classes."""
    cells = scope.cells
    found = cells.read(cls, BASES) if cls.remote else cells.held(cls, BASES)
    return [pair.b for pair in sorted(found, key=lambda pair: (pair.a, pair.b.name))]


def attribute(scope: Scope, bases: Values, name: str, line: int) -> Values:
    """What `.name` of any of these may be."""
    bases = scope.concrete(bases)
    if len(bases) == 1:
        (base,) = bases
        return _ONE[base.kind](scope, base, name, line)  # type: ignore[no-any-return]  # the table's values are untyped
    found: set[Obj] = set()
    for base in bases:
        found |= _ONE[base.kind](scope, base, name, line)
    return frozenset(found)


def class_attribute(scope: Scope, order: list[Obj], name: str) -> tuple[Values, Obj | None]:
    """The first class of an order that has a name: its values and the class; an outside base ends the search."""
    for cls in order:
        if cls.kind == o.CLASS:
            values = scope.cells.read(cls, name)
            if values:
                return values, cls
        elif cls.kind == o.EXT:
            return NOTHING, cls
    return NOTHING, None


def bound(scope: Scope, values: Values, receiver: Obj, line: int) -> Values:
    """Class attributes as an instance gives them."""
    if not values:
        return NOTHING
    made: set[Obj] = set()
    for value in values:
        if value.kind != o.FUNC or "static" in value.marks:
            made.add(value)
        elif "class" in value.marks:
            cls = receiver.a if receiver.kind == o.INST else receiver
            made.add(scope.cells.make.get(o.BOUND, value.name, value, cls))
        elif "property" in value.marks and receiver.kind == o.INST:
            scope.edge(value.name, value, line, "access")
            made |= scope.concrete(scope.cells.read(value, RETURN))
        elif receiver.kind == o.INST:
            made.add(scope.cells.make.get(o.BOUND, value.name, value, receiver))
        else:
            made.add(value)
    return frozenset(made)


def _instance(scope: Scope, base: Obj, name: str, line: int) -> Values:
    order = order_of(scope, base.a)
    found: Values = NOTHING
    cells = scope.cells
    make = cells.make
    for cls in order:
        if cls.kind == o.CLASS:
            values = cells.read(make.instance(cls), name)
            if values:
                found = found | values if found else values
    values, holder = class_attribute(scope, order, name)
    if holder is not None and holder.kind == o.EXT:
        return found or frozenset((make.get(o.EXT_MEMBER, f"{holder.name}.{name}"),))
    if name == "__class__":
        return frozenset((base.a,))
    return found | bound(scope, values, base, line)


def _class(scope: Scope, base: Obj, name: str, line: int) -> Values:
    values, holder = class_attribute(scope, order_of(scope, base), name)
    if holder is not None and holder.kind == o.EXT:
        return frozenset((scope.cells.make.get(o.EXT, f"{holder.name}.{name}"),))
    return bound(scope, values, base, line)


def _super(scope: Scope, base: Obj, name: str, line: int) -> Values:
    receiver = base.b
    cls = receiver.a if receiver.kind == o.INST else receiver
    order = order_of(scope, cls)
    after = order[order.index(base.a) + 1 :] if base.a in order else []
    values, holder = class_attribute(scope, after, name)
    if holder is not None and holder.kind == o.EXT:
        return frozenset((scope.cells.make.get(o.EXT, f"{holder.name}.{name}"),))
    return bound(scope, values, receiver, line)


def module_attribute(scope: Scope, module: Obj, name: str, seen: frozenset[Obj] = frozenset()) -> Values:
    """A name of a module of the project: a variable, a submodule, or what a star import brought."""
    cells = scope.cells
    if module is scope.owner:
        found = scope.env.get(name, NOTHING) | cells.read(module, "=" + name)
    else:
        found = cells.read_name(module, name)
    if found:
        return scope.concrete(found)
    if module not in seen and not name.startswith("_"):
        for other in cells.read(module, "*"):
            found |= module_attribute(scope, other, name, seen | {module})
    child = None if found else cells.module(f"{module.name}.{name}" if module.name else name)
    return found if child is None else frozenset((child,))


def _module(scope: Scope, base: Obj, name: str, line: int) -> Values:
    return module_attribute(scope, base, name)


def _ext(scope: Scope, base: Obj, name: str, line: int) -> Values:
    if base.name.count(".") >= MAX_PARTS:
        return NOTHING
    return frozenset((scope.cells.make.get(o.EXT, f"{base.name}.{name}"),))


def _ext_instance(scope: Scope, base: Obj, name: str, line: int) -> Values:
    # What an outside function returns is unknown; what an outside class makes is named by the class.
    if not base.name.rpartition(".")[2][:1].isupper():
        return NOTHING
    return frozenset((scope.cells.make.get(o.EXT_MEMBER, f"{base.name}.{name}"),))


def _stored(scope: Scope, base: Obj, name: str, line: int) -> Values:
    target = base.a if base.kind == o.BOUND else base
    if name == "__func__" and base.kind == o.BOUND:
        return frozenset((target,))
    if name == "__self__" and base.kind == o.BOUND:
        return frozenset((base.b,))
    return scope.cells.read(target, name)


def _method(scope: Scope, base: Obj, name: str, line: int) -> Values:
    return frozenset((scope.cells.make.get(o.METHOD, name, base),))


def _builtin(scope: Scope, base: Obj, name: str, line: int) -> Values:
    return frozenset((scope.cells.make.get(o.BUILTIN, f"{base.name}.{name}"),)) if "." not in base.name else NOTHING


def _nothing(scope: Scope, base: Obj, name: str, line: int) -> Values:
    return NOTHING


_ONE: Final[dict[str, Any]] = {
    o.INST: _instance, o.CLASS: _class, o.SUPER: _super, o.MODULE: _module, o.EXT: _ext, o.EXT_INST: _ext_instance,
    o.EXT_MEMBER: _nothing, o.FUNC: _stored, o.BOUND: _stored, o.PARTIAL: _stored, o.CONT: _method, o.LIT: _method,
    o.CONST: _method, o.METHOD: _nothing, o.BUILTIN: _builtin, o.TOKEN: _nothing,
}  # fmt: skip
