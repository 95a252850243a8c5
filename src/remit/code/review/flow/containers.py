"""What known containers do when their methods are called."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from remit.code.review.flow.events import Event
from remit.code.review.flow.run import MAX_BOX, Run
from remit.code.review.flow.values import NOTHING, UNKNOWN, Box, Value, join


def _append(run: Run, event: Event, box: Box) -> Value | None:
    value = event.args[0] if event.args else NOTHING
    if box.items is None or len(box.items) >= MAX_BOX:
        run.state.heap[event.receiver.ref] = Box(box.kind, None, box.keys, _more(box.rest, value, box), box.cls)
    elif box.rest is not None and event.method not in ("appendleft", "unshift"):
        run.state.heap[event.receiver.ref] = Box(box.kind, box.items, box.keys, join(box.rest, value), box.cls)
    else:
        items = [value, *box.items] if event.method in ("appendleft", "unshift") else [*box.items, value]
        run.state.heap[event.receiver.ref] = Box(box.kind, items, box.keys, box.rest, box.cls)
    return Value(None)


def _more(rest: Value | None, value: Value, box: Box) -> Value:
    for one in [*(box.items or ()), *([rest] if rest is not None else ())]:
        value = join(value, one)
    return value


def _insert(run: Run, event: Event, box: Box) -> Value | None:
    at = event.constant(0)
    if box.items is None or not isinstance(at, int) or len(event.args) < 2:
        return None
    items = list(box.items)
    items.insert(at, event.args[1])
    run.state.heap[event.receiver.ref] = Box(box.kind, items, box.keys, box.rest, box.cls)
    return Value(None)


def _extend(run: Run, event: Event, box: Box) -> Value | None:
    other = run.box(event.args[0]) if event.args else None
    if box.items is None or other is None or other.items is None or other.rest is not None:
        return None
    run.state.heap[event.receiver.ref] = Box(
        box.kind, [*box.items, *other.items][:MAX_BOX], box.keys, box.rest, box.cls
    )
    return Value(None)


def _pop(run: Run, event: Event, box: Box) -> Value | None:
    if box.items is not None:
        at = event.constant(0) if event.args else 0 if event.method in ("popleft", "shift") else -1
        if not isinstance(at, int) or not -len(box.items) <= at < len(box.items) or box.rest is not None:
            return None
        items = list(box.items)
        found = items.pop(at)
        run.state.heap[event.receiver.ref] = Box(box.kind, items, box.keys, None, box.cls)
        return found
    return _get(run, event, box)


def _remove(run: Run, event: Event, box: Box) -> Value | None:
    if box.items is None or not event.args:
        return None
    const = event.args[0].const
    at = next((i for i, one in enumerate(box.items) if const is not UNKNOWN and one.const == const), None)
    if at is None:
        return None
    run.state.heap[event.receiver.ref] = Box(box.kind, [*box.items[:at], *box.items[at + 1 :]], box.keys, box.rest)
    return Value(None)


def _get(run: Run, event: Event, box: Box) -> Value | None:
    if box.kind == "config":
        return _config_get(run, event, box)
    key = event.constant(0)
    if box.items is not None or not event.args:
        return None
    if key is UNKNOWN or not isinstance(key, str | int | float | bytes):
        made = box.rest or NOTHING
        for one in box.keys.values():
            made = join(made, one) if made is not NOTHING else one
        return made
    found = box.keys.get(key)
    if found is not None:
        return found if box.rest is None else join(found, box.rest)
    default = event.args[1] if len(event.args) > 1 else Value(None)
    return default if box.rest is None else join(default, box.rest)


def _config_get(run: Run, event: Event, box: Box) -> Value:
    found = box.keys.get((event.constant(0), event.constant(1))) if len(event.args) > 1 else None
    if found is not None and box.rest is None:
        return found
    made = NOTHING
    if box.rest is not None or any(one.const is UNKNOWN for one in event.args):
        for one in box.all():
            made = join(made, one) if made is not NOTHING else one
    return event.keywords.get("fallback", made)


def _set(run: Run, event: Event, box: Box) -> Value | None:
    if box.kind == "config" and len(event.args) == 3:
        key = (event.constant(0), event.constant(1))
        if UNKNOWN in key:
            rest = event.args[2] if box.rest is None else join(box.rest, event.args[2])
            run.state.heap[event.receiver.ref] = Box("config", None, box.keys, rest)
        else:
            run.state.heap[event.receiver.ref] = Box("config", None, {**box.keys, key: event.args[2]}, box.rest)
        return Value(None)
    if len(event.args) == 2 and box.items is None:
        from remit.code.review.flow.places import set_item

        set_item(run, event.receiver, event.args[0], event.args[1])
        return event.receiver
    return None


def _setdefault(run: Run, event: Event, box: Box) -> Value | None:
    if len(event.args) < 2:
        return None
    found = _get(run, event, box)
    if found is None or found.const is None or found is event.args[1]:
        from remit.code.review.flow.places import set_item

        set_item(run, event.receiver, event.args[0], event.args[1])
    return found


def _update(run: Run, event: Event, box: Box) -> Value | None:
    other = run.box(event.args[0]) if event.args else Box("dict", None, dict(event.keywords))
    if other is None or other.rest is not None or other.items is not None:
        return None
    keys = {**box.keys, **other.keys, **{k: v for k, v in event.keywords.items() if k != "**"}}
    run.state.heap[event.receiver.ref] = Box(box.kind, box.items, keys, box.rest, box.cls)
    return Value(None)


def _clear(run: Run, event: Event, box: Box) -> Value | None:
    run.state.heap[event.receiver.ref] = Box(box.kind, [] if box.items is not None else None, {}, None, box.cls)
    return Value(None)


def _reverse(run: Run, event: Event, box: Box) -> Value | None:
    if box.items is None:
        return None
    run.state.heap[event.receiver.ref] = Box(box.kind, box.items[::-1], box.keys, box.rest, box.cls)
    return event.receiver


def _keys(run: Run, event: Event, box: Box) -> Value | None:
    if box.items is not None:
        return None
    return run.new_box(Box("list", [Value(key) for key in box.keys], rest=box.rest))


def _values(run: Run, event: Event, box: Box) -> Value | None:
    if box.items is not None:
        return None
    return run.new_box(Box("list", list(box.keys.values()), rest=box.rest))


def _pairs(run: Run, event: Event, box: Box) -> Value | None:
    if box.items is not None:
        return None
    pairs = [run.new_box(Box("tuple", [Value(key), one])) for key, one in box.keys.items()]
    return run.new_box(Box("list", pairs, rest=box.rest))


def _feature(run: Run, event: Event, box: Box) -> Value | None:
    """`parser.setFeature(name, flag)`; external entities are what matters."""
    if len(event.args) < 2:
        return None
    name = event.args[0]
    said = name.const if isinstance(name.const, str) else name.qual
    if re.search(r"external_ges|external-general|external_pes|external-parameter", said):
        keys = {**box.keys, "feature:external": event.args[1]}
        run.state.heap[event.receiver.ref] = Box(box.kind, box.items, keys, box.rest, box.cls)
    return Value(None)


def _argument(run: Run, event: Event, box: Box) -> Value | None:
    """`command.arg(x)`, `command.args([x, y])` (Rust): the words of a command, which is given back."""
    if box.kind != "command" or box.items is None or len(box.items) >= MAX_BOX or not event.args:
        return None
    more = run.box(event.args[0])
    added = list(more.items or ()) if event.method == "args" and more is not None else [event.args[0]]
    run.state.heap[event.receiver.ref] = Box("command", [*box.items, *added])
    return event.receiver


CONTAINERS: Final[dict[str, Callable[[Run, Event, Box], Value | None]]] = {
    "append": _append, "appendleft": _append, "push": _append, "unshift": _append, "add": _append, "insert": _insert,
    "extend": _extend, "pop": _pop, "popleft": _pop, "shift": _pop, "remove": _remove, "get": _get, "set": _set,
    "setdefault": _setdefault, "update": _update, "clear": _clear, "reverse": _reverse, "keys": _keys,
    "values": _values, "items": _pairs, "popitem": _pop, "push_back": _append, "setFeature": _feature,
    "arg": _argument, "args": _argument,
}  # fmt: skip
