"""Reading and binding names, elements, fields."""

from __future__ import annotations

import builtins
from typing import Any, Final

from remit.code.review import ir
from remit.code.review.flow.events import Event
from remit.code.review.flow.run import MAX_BOX, Run
from remit.code.review.flow.values import CLEAN, NOTHING, UNKNOWN, Box, Frame, Trail, Value, join, join_taints

_BUILTIN: Final = frozenset({"self", "this", "cls"})


def lookup(run: Run, name: str) -> Value:
    """A name's value, outwards through the frames; an unbound name is something built in."""
    frame: Frame | None = run.frame
    while frame is not None:
        found = run.state.get((frame.key, name))
        if found is not None:
            return found
        if frame.function is None and frame.outer is None:
            break
        frame = frame.outer
    star = run.state.get((run.frame.module.frame.key, "*"))
    if star is not None and star.qual and name not in _BUILTIN and not hasattr(builtins, name):
        return Value(qual=f"{star.qual}.{name}")
    return Value(qual=name)


def bind(run: Run, name: str, value: Value) -> None:
    """Bind a name in the frame at work."""
    run.state.vars[(run.frame.foreign.get(name, run.frame.key), name)] = value


def element(run: Run, value: Value) -> Value:
    """Any element of a value."""
    box = run.box(value)
    if box is None:
        if value.const is not UNKNOWN and not value.taints:
            return NOTHING
        made = Value(taints=value.taints, qual=f"{value.qual}[]" if value.qual else "")
        made.trail = value.trail
        return made
    made = Value(taints=value.taints)
    found = [*box.all()]
    if box.kind == "dict" and box.items is None:
        names = box.names.taints if box.names is not None else CLEAN
        return Value(taints=join_taints(join_taints(value.taints, names), run.deep(value)))
    for at, one in enumerate(found):
        made = join(made, one) if at or value.taints else one
    return made


def assign(run: Run, target: Any, value: Value, span: ir.Span) -> None:
    """`target = value`."""
    if isinstance(target, ir.Name):
        if value.taints:
            check = value.check
            value = value.tainted(value.taints, Trail(value.trail, run.path, span[0], f"assigned to {target.name}"))
            value.check = check
        bind(run, target.name, value)
        _watch_name(run, target, value)
    elif isinstance(target, ir.Attr):
        _assign_attribute(run, target, value)
    elif isinstance(target, ir.Index):
        _assign_item(run, target, value)
    elif isinstance(target, ir.Sequence):
        _destructure(run, target, value, span)
    elif isinstance(target, ir.Mapping):
        _unpack(run, target, value, span)
    elif isinstance(target, ir.Wrap | ir.Cast):
        assign(run, target.operand, value, span)


def _watch_name(run: Run, target: ir.Name, value: Value) -> None:
    event = Event("=", target, (value,), {}, run.place, Value(qual=target.name))
    run.tell(event)


def _destructure(run: Run, target: ir.Sequence, value: Value, span: ir.Span) -> None:
    box = run.box(value)
    known = box.items if box is not None and box.rest is None else None
    star = next((at for at, one in enumerate(target.items) if isinstance(one, ir.Wrap)), len(target.items))
    behind = len(target.items) - star - 1
    for at, one in enumerate(target.items):
        if known is not None and at < star and at < len(known):
            inner = known[at]
        elif known is not None and at == star:
            inner = run.new_box(Box("list", known[star : len(known) - behind]))
        elif known is not None and star < at and len(known) >= star + behind:
            inner = known[at - len(target.items)]
        elif box is None and value.check is not None and at == 1:
            inner = Value()
            inner.check = value.check
        elif box is None and value.qual.endswith("()"):
            inner = value.tainted(value.taints)
            inner.qual = value.qual if at == 0 and run.frame.module.module.language == "go" else f"{value.qual}[]"
        else:
            inner = element(run, value)
        assign(run, one, inner, span)


def _unpack(run: Run, target: ir.Mapping, value: Value, span: ir.Span) -> None:
    from remit.code.review.flow.members import attribute, item

    python = run.frame.module.module.language == "python"
    for key, one in zip(target.keys, target.values, strict=False):
        if isinstance(key, ir.Const) and isinstance(key.value, str):
            inner = item(run, value, Value(key.value)) if python else attribute(run, value, key.value, one)
            assign(run, one, inner, span)
        elif key is None:
            assign(run, one, value, span)


def _assign_attribute(run: Run, target: ir.Attr, value: Value) -> None:
    from remit.code.review.flow.expressions import value_of

    owner = value_of(run, target.object)
    name = f"{owner.qual}.{target.name}=" if owner.qual else f"?.{target.name}="
    run.tell(Event(name, target, (value,), {}, run.place, owner))
    if run.box(owner) is None:
        if not isinstance(target.object, ir.Name):
            return
        made = run.new_box(Box("object"), owner.qual)
        made.taints, made.target, made.trail = owner.taints, owner.target, owner.trail
        bind(run, target.object.name, made)
        owner = made
    set_field(run, owner, target.name, value)


def set_field(run: Run, owner: Value, name: str, value: Value) -> None:
    """`owner.name = value` of an object that is known."""
    from remit.code.review.flow.calls import special

    box = run.box(owner)
    if box is not None and special(run, owner, f"{name}=", [value]) is None:
        run.state.heap[owner.ref] = Box(box.kind, box.items, {**box.keys, name: value}, box.rest, box.cls)


def _assign_item(run: Run, target: ir.Index, value: Value) -> None:
    from remit.code.review.flow.expressions import value_of

    owner = value_of(run, target.object)
    key = NOTHING if isinstance(target.key, ir.Slice) else value_of(run, target.key)
    name = f"{owner.qual}.__setitem__" if owner.qual else "?.__setitem__"
    run.tell(Event(name, target, (key, value), {}, run.place, owner))
    set_item(run, owner, key, value, target.object)


def set_item(run: Run, owner: Value, key: Value, value: Value, node: Any = None) -> None:
    """`owner[key] = value`."""
    box = run.box(owner)
    if box is None:
        if (not value.taints and not value.ref) or not isinstance(node, ir.Name):
            return
        made = run.new_box(Box("object", rest=value), owner.qual)
        made.taints, made.trail = owner.taints, owner.trail
        bind(run, node.name, made)
        return
    const = key.const
    if box.items is not None and isinstance(const, int) and -len(box.items) <= const < len(box.items):
        items = list(box.items)
        items[const] = value
        run.state.heap[owner.ref] = Box(box.kind, items, box.keys, box.rest, box.cls)
    elif box.items is None and isinstance(const, str | int | float | bytes) and len(box.keys) < MAX_BOX:
        run.state.heap[owner.ref] = Box(box.kind, None, {**box.keys, const: value}, box.rest, box.cls)
    else:
        rest = value if box.rest is None else join(box.rest, value)
        run.state.heap[owner.ref] = Box(box.kind, box.items, box.keys, rest, box.cls)
