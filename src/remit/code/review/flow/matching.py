"""match and switch: which arms may be taken, and what they bind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remit.code.review import ir
from remit.code.review.flow.expressions import last_value, value_of
from remit.code.review.flow.members import item
from remit.code.review.flow.places import assign, bind
from remit.code.review.flow.run import Run, facts
from remit.code.review.flow.tests import ALL
from remit.code.review.flow.values import NOTHING, UNKNOWN, State, Value, join, merge


def match(run: Run, node: ir.Match) -> Value:
    """match and switch; the value is that of the arms (Rust)."""
    subject = value_of(run, node.subject)
    ways: list[Callable[[], Value]] = []
    for at, arm in enumerate(node.arms):
        patterns = [value_of(run, one) for one in arm.patterns]
        fits = _fits(subject, arm, patterns) if arm.form is None else _form_fits(run, subject, arm)
        if fits is False:
            continue
        ways.append(lambda at=at, p=patterns: _arm(run, node, at, subject, p))  # type: ignore[misc]  # defaults bind the loop's values
        if fits is True:
            break
    else:
        if not any(not arm.patterns and arm.guard is None for arm in node.arms):
            ways.append(lambda: NOTHING)
    base = run.state
    exits: list[State] = []
    run.frame.exits.append((base, exits))
    values = run.branch(ways) if ways else []
    run.frame.exits.pop()
    if exits:
        ends = [*exits] if run.state.dead else [*exits, State(base)]
        merge(base, ends)
    made = values[0] if values else NOTHING
    for one in values[1:]:
        made = join(made, one)
    return made


def _fits(subject: Value, arm: ir.Arm, patterns: list[Value]) -> bool | None:
    """Whether an arm is taken when those before it were not; None = perhaps."""
    if not arm.patterns:
        return None if arm.guard is not None else True
    if subject.const is UNKNOWN or subject.taints or any(one.const is UNKNOWN for one in patterns):
        return None
    found = any(type(one.const) is type(subject.const) and one.const == subject.const for one in patterns)
    return (True if arm.guard is None else None) if found else False


def _arm(run: Run, node: ir.Match, at: int, subject: Value, patterns: list[Value]) -> Value:
    from remit.code.review.flow.statements import execute

    arm = node.arms[at]
    for name in arm.binds:
        bind(run, name, subject)
    if arm.form is not None:
        assign(run, arm.form, subject, arm.span)
    if patterns and subject.taints and all(not p.taints and p.const is not UNKNOWN for p in patterns):
        run.apply(facts(subject, ALL))
    if arm.guard is not None:
        run.assume(value_of(run, arm.guard), True)
    made = NOTHING
    body = list(arm.body)
    if node.falls:
        for later in node.arms[at + 1 :]:
            if body and isinstance(body[-1], ir.Jump | ir.Return | ir.Raise):
                break
            body = [*body, *later.body]
        body = [one for one in body if not (isinstance(one, ir.Jump) and one.kind == "break")]
        execute(run, body)
        return made
    execute(run, body[:-1])
    return last_value(run, body)


def _form_fits(run: Run, subject: Value, arm: ir.Arm) -> bool | None:
    """Whether a known container has a pattern's form."""
    fits = _part_fits(run, subject, arm.form)
    return None if fits is True and arm.guard is not None else fits


def _part_fits(run: Run, value: Value, form: Any) -> bool | None:
    if isinstance(form, ir.Name):
        return True
    if isinstance(form, ir.Const):
        same = type(form.value) is type(value.const) and form.value == value.const
        return None if value.const is UNKNOWN else same
    box = run.box(value)
    if box is None or box.rest is not None:
        return None
    if isinstance(form, ir.Sequence):
        if box.items is None or any(isinstance(one, ir.Wrap) for one in form.items):
            return None if box.items is not None else False
        if len(box.items) != len(form.items):
            return False
        pairs = list(zip(box.items, form.items, strict=True))
    else:
        if box.items is not None:
            return False
        keys = [key.value for key in form.keys]
        if any(key not in box.keys for key in keys):
            return False
        pairs = [(item(run, value, Value(key)), one) for key, one in zip(keys, form.values, strict=True)]
    said = [_part_fits(run, one, inner) for one, inner in pairs]
    return False if False in said else None if None in said else True
