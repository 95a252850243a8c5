"""Statements: what they bind, where they lead."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from typing import Any, Final

from remit.code.review import ir
from remit.code.review.flow.calls import invoke, special
from remit.code.review.flow.events import Event
from remit.code.review.flow.expressions import truth, value_of
from remit.code.review.flow.imports import bring
from remit.code.review.flow.matching import match
from remit.code.review.flow.places import assign, bind, element
from remit.code.review.flow.run import Run
from remit.code.review.flow.sources import HARMLESS_TYPE
from remit.code.review.flow.texts import numeric
from remit.code.review.flow.values import (
    NOTHING,
    Box,
    ClassTarget,
    Frame,
    FunctionTarget,
    State,
    Value,
    join,
    merge,
)

MAX_UNROLLED: Final = 6
"""Elements of a known list that a loop takes one by one."""


def execute(run: Run, body: list[Any]) -> None:
    """Run statements until one does not come back."""
    for node in body:
        if run.state.dead:
            return
        run.step()
        action = _TABLE.get(type(node))
        if action is not None:
            action(run, node)


def _assign(run: Run, node: ir.Assign) -> None:
    if node.value is None:
        for target in node.targets:
            if isinstance(target, ir.Name) and node.type:
                bind(run, target.name, typed(run, node.type))
        return
    if len(node.targets) == 1 and isinstance(node.targets[0], ir.Sequence) and isinstance(node.value, ir.Sequence) \
            and len(node.targets[0].items) == len(node.value.items):  # fmt: skip
        values = [value_of(run, one) for one in node.value.items]
        for target, value in zip(node.targets[0].items, values, strict=True):
            assign(run, target, value, node.span)
        return
    value = value_of(run, node.value)
    if node.type and value.taints and HARMLESS_TYPE.match(node.type):
        value = value.tainted(numeric(value))
    if node.type and not value.qual and not value.target and not value.ref:
        declared = typed(run, node.type)
        if declared.qual:
            value = value.tainted(value.taints)
            value.qual = declared.qual
    for target in node.targets:
        assign(run, target, value, node.span)


def typed(run: Run, text: str) -> Value:
    """Something of a declared type, by the type's name."""
    from remit.code.review.flow.places import lookup

    name = text.strip().lstrip("*&:[] ").removeprefix("mut ").split("[")[0].split("<")[0].strip("\"' ")
    parts = name.replace("::", ".").split(".")
    if not all(part.isidentifier() for part in parts):
        return NOTHING
    first = lookup(run, parts[0])
    qual = ".".join([first.qual, *parts[1:]]) if first.qual else ""
    return Value(qual=f"{qual}()" if qual else "")


def _evaluate(run: Run, node: ir.Evaluate) -> None:
    value = value_of(run, node.value)
    if isinstance(node.value, ir.Call) and node.value.kind == "assert" and node.value.args:
        run.assume(value_of(run, node.value.args[0]), True)
    elif isinstance(node.value, ir.Call) and ir.last_name(node.value.callee) in _ENDING and not value.target:
        name = ir.dotted(node.value.callee)
        if name in ("sys.exit", "exit", "quit", "os._exit", "os.Exit", "process.exit", "panic", "log.Fatal",
                    "log.Fatalf", "flask.abort", "abort", "std.process.exit", "unreachable", "todo",
                    "process.abort"):  # fmt: skip
            run.state.dead = True


_ENDING: Final = frozenset(("exit", "quit", "_exit", "Exit", "abort", "panic", "Fatal", "Fatalf", "unreachable",
                            "todo"))  # fmt: skip


def _return(run: Run, node: ir.Return) -> None:
    value = value_of(run, node.value) if node.value is not None else Value(None)
    if run.state.dead:
        return
    if run.frame.entry and run.deep(value):
        run.tell(Event("return", node, (value,), {}, run.place))
    run.frame.returns.append((value, run.state.flat(run.frame.base or run.root)))
    run.state.dead = True


def _if(run: Run, node: ir.If) -> None:
    test = value_of(run, node.test)
    known = truth(test)
    if known is not None:
        run.assume(test, known)
        execute(run, node.then if known else node.other)
        return

    def way(taken: bool, body: list[Any]) -> Value:
        run.assume(test, taken)
        execute(run, body)
        return NOTHING

    run.branch([lambda: way(True, node.then), lambda: way(False, node.other)])


def _loop(run: Run, node: ir.Loop) -> None:
    iterable = value_of(run, node.iterable) if node.iterable is not None else NOTHING
    if node.iterable is not None:
        items = _items(run, iterable)
        if items is not None and run.loops < 2:
            _unrolled(run, node, items)
            execute(run, node.other)
            return
    elif node.test is not None and truth(value_of(run, node.test)) is False:
        execute(run, node.other)
        return
    exits: list[State] = []
    forever = node.iterable is None and (node.test is None or truth(value_of(run, node.test)) is True)
    base = run.state
    run.loops += 1
    run.frame.exits.append((base, exits))
    broken: list[State] = []
    for _ in range(2 if run.loops < 3 else 1):
        layer = run.state = State(base)
        _iteration(run, node, iterable)
        run.state = base
        states = [*exits, layer]
        broken.extend(exits)
        exits.clear()
        merge(base, [State(base), *states])
        base.dead = False
    run.frame.exits.pop()
    run.loops -= 1
    if forever and not broken and (node.test is None or truth(value_of(run, node.test)) is True):
        base.dead = True
        return
    execute(run, node.other)


def _items(run: Run, iterable: Value) -> list[Value] | None:
    """The elements of a short known sequence."""
    box = run.box(iterable)
    if box is None or box.rest is not None or iterable.taints:
        return None
    items = box.items if box.items is not None else [Value(key) for key in box.keys] if box.kind == "dict" else None
    return items if items is not None and len(items) <= MAX_UNROLLED else None


def _unrolled(run: Run, node: ir.Loop, items: list[Value]) -> None:
    run.loops += 1
    for one in items:
        if run.state.dead:
            break
        base = run.state
        exits: list[State] = []
        run.frame.exits.append((base, exits))
        layer = run.state = State(base)
        assign(run, node.target, one, node.span)
        execute(run, node.body)
        run.state = base
        run.frame.exits.pop()
        merge(base, [layer, *exits])
    run.loops -= 1


def _iteration(run: Run, node: ir.Loop, iterable: Value) -> None:
    if node.iterable is not None:
        assign(run, node.target, element(run, iterable), node.span)
    elif node.test is not None:
        run.assume(value_of(run, node.test), True)
    execute(run, node.body)
    execute(run, node.update)


def _jump(run: Run, node: ir.Jump) -> None:
    if node.kind in ("break", "continue") and run.frame.exits:
        base, exits = run.frame.exits[-1]
        exits.append(run.state.flat(base))
        run.state.dead = True


def _try(run: Run, node: ir.Try) -> None:
    base = run.state
    body = run.state = State(base)
    run.raised.append([])
    execute(run, node.body)
    thrown = [one for one in run.raised.pop() if one.taints]
    during = State()
    during.vars, during.heap = dict(body.vars), dict(body.heap)
    if not body.dead:
        execute(run, node.other)
    ends = [body]
    for handler in node.handlers:
        layer = State(base)
        before, after = State(layer), State(layer)
        after.vars, after.heap = during.vars, during.heap
        merge(layer, [before, after])
        run.state = layer
        if handler.name:
            caught = Value(taints={run.token("error", "an exception", handler.span): frozenset()})
            bind(run, handler.name, reduce(join, thrown, caught))
        execute(run, handler.body)
        ends.append(layer)
    run.state = base
    merge(base, ends)
    if node.final:
        dead = base.dead
        base.dead = False
        execute(run, node.final)
        base.dead = base.dead or dead


def _with(run: Run, node: ir.With) -> None:
    for expression, target in node.items:
        value = value_of(run, expression)
        entered = special(run, value, "__aenter__" if node.is_async else "__enter__", [])
        value = entered if entered is not None else value
        if target is not None:
            assign(run, target, value, node.span)
    execute(run, node.body)


def _block(run: Run, node: ir.Block) -> None:
    execute(run, node.body)


def _outer(run: Run, node: ir.Outer) -> None:
    """Names that are bound further out: in the module, or in the nearest function around that has them."""
    for name in node.names:
        frame = run.frame.module.frame if node.whole else run.frame.outer
        while not node.whole and frame is not None and run.state.get((frame.key, name)) is None:
            frame = frame.outer
        if frame is not None:
            run.frame.foreign[name] = frame.key


def _raise(run: Run, node: ir.Raise) -> None:
    value = value_of(run, node.value)
    if run.raised:
        run.raised[-1].append(Value(taints=run.deep(value)))
    run.state.dead = True


def _delete(run: Run, node: ir.Delete) -> None:
    for one in node.targets:
        owner = value_of(run, one.object) if isinstance(one, ir.Index) else NOTHING
        box = run.box(owner)
        if box is None or not isinstance(one, ir.Index) or isinstance(one.key, ir.Slice):
            value_of(run, one)
            continue
        key = value_of(run, one.key).const
        items, keys = box.items, box.keys
        if items is not None and isinstance(key, int) and -len(items) <= key < len(items):
            items = [inner for at, inner in enumerate(items) if at != key % len(items)]
        elif isinstance(key, str | int | bytes):
            keys = {name: inner for name, inner in keys.items() if name != key}
        run.state.heap[owner.ref] = Box(box.kind, items, keys, box.rest, box.cls)


def _define(run: Run, node: ir.Define) -> None:
    what = node.what
    if isinstance(what, ir.Class):
        _define_class(run, what)
        return
    target = FunctionTarget(what, run.frame.module, run.frame, None)
    if what.owner and what.kind == "method":
        owner = run.state.get((run.frame.module.frame.key, what.owner))
        cls = owner.target if owner is not None and isinstance(owner.target, ClassTarget) else None
        target.owner = cls
        if cls is not None:
            cls.methods.setdefault(what.name, target)
        bind(run, f"{what.owner}.{what.name}", Value(target=target))
    else:
        made = Value(target=target, qual=f"{run.frame.module.name}.{what.name}")
        bind(run, what.name, _decorated(run, what, made))
    run.frame.nested.append(target)


def _decorated(run: Run, what: ir.Function, made: Value) -> Value:
    """What decorators of the project make of a function; others leave it as it is."""
    for mark in reversed(what.decorators):
        decorator = value_of(run, mark)
        if isinstance(decorator.target, FunctionTarget):
            wrapped = invoke(run, decorator.target, [made], {}, what.span)
            if wrapped is not None and isinstance(wrapped.target, FunctionTarget):
                made = Value(target=wrapped.target, qual=made.qual)
    return made


_ENUM: Final = re.compile(r"(^|\.)(enum\.)?(Str|Int)?Enum$")


def _define_class(run: Run, what: ir.Class) -> None:
    frame = Frame(run.frame, run.frame.module, None)
    target = ClassTarget(what, run.frame.module, frame)
    target.bases = [value_of(run, one) for one in what.bases]
    target.closed = any(_ENUM.search(one.qual) for one in target.bases)
    before = run.frame
    bind(run, what.name, Value(target=target, qual=f"{run.frame.module.name}.{what.name}"))
    for one in what.body:
        if isinstance(one, ir.Define) and isinstance(one.what, ir.Function):
            method = FunctionTarget(one.what, before.module, before, target)
            setter = any(ir.last_name(mark) == "setter" for mark in one.what.decorators)
            target.methods[f"{one.what.name}=" if setter else one.what.name] = method
            before.nested.append(method)
        elif isinstance(one, ir.Assign) and one.value is not None:
            for name in one.targets:
                if isinstance(name, ir.Name):
                    target.fields[name.name] = value_of(run, one.value)
        elif isinstance(one, ir.Define):
            _define(run, one)


_TABLE: Final[dict[type, Callable[[Run, Any], object]]] = {
    ir.Assign: _assign, ir.Evaluate: _evaluate, ir.Return: _return, ir.If: _if, ir.Match: match, ir.Loop: _loop,
    ir.Try: _try, ir.With: _with, ir.Block: _block, ir.Raise: _raise, ir.Jump: _jump, ir.Delete: _delete,
    ir.Define: _define, ir.Import: bring, ir.Outer: _outer,
}  # fmt: skip
