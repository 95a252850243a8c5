"""A program through the flow engine: modules, then each function as somebody outside may call it.

A function that nobody in the program calls takes `parameter` data; what is found with such data alone in a function
that is called after all is dropped, because the callers' own data was followed into it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from remit.code.review import ir
from remit.code.review.flow.calls import _run_body, _takes_self, invoke
from remit.code.review.flow.imports import run_module
from remit.code.review.flow.places import bind
from remit.code.review.flow.run import ENTRY_STEPS, STEPS_A_LINE, Knowledge, OutOfSteps, Run
from remit.code.review.flow.sources import (
    EXTRACTOR,
    HARMLESS_TYPE,
    ROUTES,
    by_habit,
)
from remit.code.review.flow.statements import typed
from remit.code.review.flow.values import Box, ClassTarget, Frame, FunctionTarget, ModuleInfo, State, Value, merge
from remit.code.review.values import Hit

MAX_NESTING: Final = 6
"""Functions defined in functions that are taken as entries."""


def analyse(modules: Mapping[str, ModuleInfo], knowledge: Knowledge) -> list[tuple[str, str, Hit]]:
    """(rule, file, hit) of a program in one language."""
    run = Run(modules, knowledge)
    for name in sorted(modules):
        run_module(run, modules[name])
    for name in sorted(modules):
        frame = modules[name].frame
        for target in list(frame.nested):
            _entry(run, target, 0)
    made = []
    for (rule, path, _), (hit, family, function) in run.hits.items():
        if family != "parameter" or function not in run.called:
            made.append((rule, path, hit))
    return made


def _entry(run: Run, target: FunctionTarget, depth: int) -> None:
    """Analyse a function as if somebody outside called it, and the functions defined in it."""
    function = target.function
    if function.bare or function in run.stack:
        return
    frame = Frame(target.frame, target.module, function)
    base, before = run.state, run.frame
    run.state, run.frame, run.depth = State(base), frame, 0
    frame.base = base
    frame.entry = True
    run.steps, run.loops = 0, 0
    run.limit = ENTRY_STEPS + STEPS_A_LINE * (function.span[2] - function.span[0])
    run.stack.append(function)
    try:
        _bind_parameters(run, target)
        _run_body(run, function)
        _nested(run, frame, base, depth)
    except OutOfSteps:
        # What was found stands; the rest of this one function is not followed.
        target.module.module.cut = True
    finally:
        run.stack.pop()
        run.state, run.frame = base, before
        base.dead = False


def _nested(run: Run, frame: Frame, base: State, depth: int) -> None:
    if not frame.nested or depth >= MAX_NESTING:
        return
    ends = [state for _, state in frame.returns]
    after = State(base)
    for one in ends:
        one.parent = after
    last = run.state.flat(base)
    last.parent, last.dead = after, run.state.dead
    merge(after, [*ends, last])
    after.dead = False
    run.state = after
    for target in frame.nested:
        if id(target.function) not in run.called or _route(target.function) is not None:
            _entry(run, target, depth + 1)


def _bind_parameters(run: Run, target: FunctionTarget) -> None:
    function = target.function
    route = _route(function)
    selfish = _takes_self(function)
    for at, one in enumerate(function.params):
        value = _self(run, target) if selfish and at == 0 else _parameter(run, target, one, route)
        if selfish and at == 0:
            run.frame.self_value = value
        bind(run, one.name, value)


def _self(run: Run, target: FunctionTarget) -> Value:
    owner = target.owner
    made = run.new_box(Box("object", cls=owner))
    if owner is None:
        return made
    made.qual = "?self"
    names = " ".join(ir.dotted(base) for base in owner.cls.bases)
    if re.search(r"HTTPRequestHandler|StreamRequestHandler", names):
        made.qual = "?handler"
    init = owner.find("__init__") or owner.find("constructor")
    if isinstance(init, FunctionTarget) and init.function is not target.function and init.function not in run.stack:
        called = id(init.function) in run.called
        invoke(run, init.bind(made), [], {}, target.function.span)
        if not called:
            run.called.discard(id(init.function))
    return made


def _route(function: ir.Function) -> str | None:
    """The path of a request handler's decorator; "" without one, None when it is no handler."""
    for mark in function.decorators:
        if isinstance(mark, ir.Call) and ir.last_name(mark.callee) in ROUTES and isinstance(mark.callee, ir.Attr):
            first = mark.args[0] if mark.args else None
            return first.value if isinstance(first, ir.Const) and isinstance(first.value, str) else ""
    return None


def _parameter(run: Run, target: FunctionTarget, one: ir.Parameter, route: str | None) -> Value:
    function = target.function
    habit = by_habit(one, target.module.module.language)
    if habit:
        value = Value(qual=habit)
        found = run.knowledge.sources.get(habit)
        if found is not None:
            value = Value(taints={run.token(found[0], found[1], function.span): frozenset()}, qual=habit)
        return value
    value = typed(run, one.type) if one.type else Value()
    if HARMLESS_TYPE.match(one.type or ""):
        return value
    if one.default is not None and isinstance(one.default, ir.Call) and ir.last_name(one.default.callee) == "Depends":
        return value
    language = target.module.module.language
    outside = route is not None and not re.search(rf"<(int|float|uuid):{re.escape(one.name)}>", route)
    if language == "rust" and EXTRACTOR.search(one.type):
        inner = one.type.partition("<")[2].rpartition(">")[0]
        if HARMLESS_TYPE.match(inner):
            return value
        outside = True
    if outside:
        token = run.token("outside", f"request parameter {one.name}", function.span)
        return Value(taints={token: frozenset()})
    if function.name == "lambda" or function.kind == "lambda":
        return value
    token = run.token("parameter", f"parameter {one.name}", (*function.span[:3], function.span[3] + len(one.name)))
    made = value.tainted({token: frozenset()})
    return made


def module_info(module: ir.Module, name: str, package: bool) -> ModuleInfo:
    """A file for `analyse`."""
    return ModuleInfo(module, name, package)


__all__ = ["ClassTarget", "analyse", "module_info"]
