"""Lists, tuples, mappings and comprehensions."""

from __future__ import annotations

from typing import Any

from remit.code.review import ir
from remit.code.review.flow.events import Event
from remit.code.review.flow.places import assign, element
from remit.code.review.flow.run import MAX_BOX, Run
from remit.code.review.flow.values import NOTHING, Box, ClassTarget, Value, guarded, join


def sequence(run: Run, node: ir.Sequence) -> Value:
    """A list, tuple or set display."""
    from remit.code.review.flow.expressions import value_of

    items: list[Value] = []
    rest: Value | None = None
    for one in node.items[:MAX_BOX]:
        if isinstance(one, ir.Wrap) and one.kind == "spread":
            inner = value_of(run, one.operand)
            box = run.box(inner)
            if box is not None and box.items is not None and box.rest is None:
                items.extend(box.items)
            else:
                spread = element(run, inner)
                rest = spread if rest is None else join(rest, spread)
        else:
            items.append(value_of(run, one))
    kind = "tuple" if node.kind == "tuple" else node.kind
    if rest is not None:
        for one in items:
            rest = join(rest, one)
        return run.new_box(Box(kind, rest=rest))
    return run.new_box(Box(kind, items))


def mapping(run: Run, node: ir.Mapping) -> Value:
    """A dict display, an object or a struct literal."""
    from remit.code.review.flow.expressions import value_of

    keys: dict[Any, Value] = {}
    rest: Value | None = None
    for key, one in zip(node.keys[:MAX_BOX], node.values[:MAX_BOX], strict=False):
        value = value_of(run, one)
        if key is None:
            box = run.box(value)
            if box is not None and box.rest is None:
                keys.update(box.keys)
            else:
                rest = value if rest is None else join(rest, value)
            continue
        at = value_of(run, key).const
        if isinstance(at, str | int | float | bool | bytes):
            keys[at] = value
        else:
            rest = value if rest is None else join(rest, value)
    made = run.new_box(Box("dict", None, keys, rest))
    if node.type is not None:
        made.qual = value_of(run, node.type).qual + "{}"
        run.state.heap[made.ref] = _struct(run, node, keys, rest)
        run.tell(Event(made.qual, node, (), {str(key): one for key, one in keys.items()}, run.place))
    return made


def _struct(run: Run, node: ir.Mapping, keys: dict[Any, Value], rest: Value | None) -> Box:
    from remit.code.review.flow.expressions import value_of

    target = value_of(run, node.type).target
    return Box("object", None, keys, rest, target if isinstance(target, ClassTarget) else None)


def comprehension(run: Run, node: ir.Comprehension) -> Value:
    """A comprehension: what its element is where the conditions hold."""
    from remit.code.review.flow.expressions import truth, value_of

    tested = NOTHING
    for target, iterable, conditions in node.clauses:
        assign(run, target, element(run, value_of(run, iterable)), node.span)
        for condition in conditions:
            test = value_of(run, condition)
            if truth(test) is False:
                return run.new_box(Box("list", []))
            tested = join(tested, test) if tested is not NOTHING else test

    def body() -> Value:
        run.assume(tested, True)
        key = value_of(run, node.key)
        inner = value_of(run, node.element)
        names.append(guarded(key, run.state))
        return guarded(inner, run.state)

    names: list[Value] = []
    values = run.branch([body])
    made = Box("dict" if node.key is not None else "list", rest=values[0] if values else NOTHING)
    made.names = names[0] if names and names[0].taints else None
    return run.new_box(made)
