"""Reading parts of values: attributes, elements, slices."""

from __future__ import annotations

from typing import Any, Final

from remit.code.review import ir
from remit.code.review.flow import constants
from remit.code.review.flow.calls import bound, instance_attribute
from remit.code.review.flow.places import element
from remit.code.review.flow.run import Run, data_facts
from remit.code.review.flow.tests import PLACE, is_host
from remit.code.review.flow.texts import numeric
from remit.code.review.flow.values import (
    CLEAN,
    DEFAULT,
    MAX_QUAL,
    NOTHING,
    UNKNOWN,
    Box,
    Check,
    ClassTarget,
    FunctionTarget,
    ModuleInfo,
    Value,
    join,
)


def sourced(run: Run, value: Value, node: ir.Node) -> Value:
    """The value, tainted when its dotted name is a source."""
    if not value.qual:
        return value
    found = run.knowledge.sources.get(value.qual)
    if found is None:
        return value
    token = run.token(found[0], found[1], node.span, value.qual if found[0] != "random" else "")
    return value.tainted({token: frozenset()})


def attribute(run: Run, value: Value, name: str, node: ir.Node) -> Value:
    """`value.name`."""
    if isinstance(value.target, ModuleInfo):
        return _module_attribute(run, value.target, name, value.qual)
    found = value.target.find(name) if isinstance(value.target, ClassTarget) else None
    if found is not None:
        return found if isinstance(found, Value) else _of_class(value, found, name)
    box = run.box(value)
    if box is not None:
        inside = instance_attribute(run, value, box, name)
        if inside is not None:
            return run.seen(inside)
    qual = f"{value.qual}.{name}" if value.qual and len(value.qual) < MAX_QUAL else ""
    made = Value(taints=value.taints, qual=qual)
    if box is not None and box.rest is not None and box.kind != "dict":
        made = join(made, box.rest)
        made.qual = qual
    made.trail = value.trail
    if made.taints and name in _HARMLESS_FIELDS:
        made.taints = numeric(made)
    elif made.taints and is_host(name):
        made.check = Check(CLEAN, data_facts(made, PLACE))
    if qual and value.taints and value.qual in run.knowledge.sources and value.taints.keys() == made.taints.keys():
        family, note = run.knowledge.sources[value.qual]
        made.taints = {run.token(family, note, node.span, qual): frozenset()}
    return sourced(run, made, node)


def _of_class(value: Value, method: FunctionTarget, name: str) -> Value:
    """A method of a class, of which a class method knows its class."""
    marked = any(ir.last_name(one) == "classmethod" for one in method.function.decorators)
    target = bound(method, value, value.target) if marked else method
    return Value(target=target, qual=f"{value.qual}.{name}")


_HARMLESS_FIELDS: Final = frozenset(("length", "size", "st_size", "byteLength"))
"""Fields that are numbers."""


def _module_attribute(run: Run, module: ModuleInfo, name: str, qual: str) -> Value:
    from remit.code.review.flow.imports import run_module, submodule

    run_module(run, module)
    found = run.state.get((module.frame.key, name))
    if found is not None:
        return found
    inner = submodule(run, module, name)
    return inner if inner is not None else Value(qual=f"{qual}.{name}" if qual else "")


def sliced(run: Run, value: Value, parts: tuple[Any, ...]) -> Value:
    """`value[a:b:c]`."""
    box = run.box(value)
    if box is not None and box.items is not None and all(p is None or isinstance(p, int) for p in parts):
        if parts and parts[-1] == 0 and len(parts) == 3:
            return value
        return run.new_box(Box(box.kind, list(box.items[slice(*parts)]), rest=box.rest))
    fixed = constants.cut_shape(value.shape, parts) if value.taints and value.shape is not None else UNKNOWN
    if fixed is not UNKNOWN:
        return Value(fixed)
    made = Value(constants.cut(value.const, parts), value.taints, qual=f"{value.qual}[:]")
    made.trail = value.trail
    return made


def item(run: Run, value: Value, key: Value) -> Value:
    """`value[key]`."""
    box = run.box(value)
    if box is None:
        made = Value(constants.at(value.const, key.const), value.taints)
        made.trail = value.trail
        return made
    if box.kind == "defaults" and isinstance(key.const, str | int):
        return _defaulted(run, value, box, key.const)
    if key.const is not UNKNOWN:
        known = _known_item(box, key.const)
        if known is not None:
            return run.seen(known)
        if box.kind in ("list", "tuple", "dict", "config") and box.rest is None and not value.taints:
            return NOTHING
    return element(run, value)


def _defaulted(run: Run, value: Value, box: Box, key: Any) -> Value:
    """An entry of a defaultdict, which comes to be when it is asked for."""
    found = box.keys.get(key)
    if found is None:
        kind = box.keys.get(DEFAULT, NOTHING).qual
        found = (
            run.new_box(Box("list", [])) if kind in ("list", "set", "collections.deque") else run.new_box(Box("dict"))
        )
        run.state.heap[value.ref] = Box(box.kind, None, {**box.keys, key: found}, box.rest)
    return found


def _known_item(box: Box, key: Any) -> Value | None:
    if box.items is not None and isinstance(key, int) and not isinstance(key, bool):
        if -len(box.items) <= key < len(box.items):
            return box.items[key]
        return None
    try:
        found = box.keys.get(key)
    except TypeError:
        return None
    return found if found is None or box.rest is None else join(found, box.rest)
