"""Texts that are put together, and operators."""

from __future__ import annotations

import re
from typing import Any, Final

from remit.code.review import ir
from remit.code.review.flow import constants
from remit.code.review.flow.calls import cleared
from remit.code.review.flow.run import MAX_BOX, Run
from remit.code.review.flow.tests import comparison
from remit.code.review.flow.values import CLEAN, HOLE, MAX_SHAPE, NOTHING, UNKNOWN, Box, Value, join_taints

_MARKUP: Final = re.compile(r"(^|\.)Markup\(\)$")
"""Text that escapes what is put into it."""


_XSS: Final = frozenset(("xss",))


def shape_of(value: Value) -> str:
    """A text with HOLE for what is not known."""
    if value.shape is not None:
        return value.shape
    if isinstance(value.const, int | float) and not isinstance(value.const, bool):
        return str(value.const)
    return HOLE


def concatenated(run: Run, parts: list[Value], span: ir.Span) -> Value:
    """Texts (or lists) one after the other."""
    boxes = [run.box(part) for part in parts]
    if all(box is not None and box.items is not None and box.rest is None for box in boxes):
        items = [one for box in boxes if box is not None for one in box.items or ()]
        return run.new_box(Box("list", items[:MAX_BOX]))
    taints = CLEAN
    before = NOTHING
    for part in parts:
        taints = join_taints(taints, run.deep(part))
        if part.taints and not before.taints:
            before = part
    consts = [part.const for part in parts]
    if all(isinstance(c, str | int | float) for c in consts) and not any(isinstance(c, bool) for c in consts):
        return Value(constants.bounded("".join(map(str, consts))), taints)
    made = Value(taints=taints)
    made.shape = "".join(shape_of(part) for part in parts)[:MAX_SHAPE]
    made.trail = run.trail(span, "put into a text", before)
    if len(parts) == 1:
        made.identity = parts[0].identity
    return made


_PLACEHOLDER: Final = re.compile(r"%(?:\((\w*)\))?[-#0-9.+ ]*([a-zA-Z%])")


def _percent(run: Run, left: Value, right: Value, span: ir.Span) -> Value:
    """`shape % given`, of a tuple by place, of a dict by name, of anything else whole."""
    from remit.code.review.flow.members import item

    box = run.box(right)
    known = box is not None and box.rest is None
    given = iter(box.items or ()) if known and box is not None and box.items is not None else iter((right,))
    shape = left.shape or ""
    parts: list[Value] = [Value(taints=left.taints)] if left.taints else []
    at = 0
    for match in _PLACEHOLDER.finditer(shape):
        parts.append(Value(shape[at : match.start()]))
        at = match.end()
        if match[2] == "%":
            parts.append(Value("%"))
            continue
        if match[1]:
            one = item(run, right, Value(match[1])) if box is not None else right
        else:
            one = next(given, NOTHING) if known else Value(taints=run.deep(right))
        parts.append(one if match[2] in "sr" or not one.taints else Value(taints=numeric(one)))
    return concatenated(run, [*parts, Value(shape[at:])], span)


def numeric(value: Value) -> dict[Any, frozenset[str]]:
    """The taints that a number still carries: what it was guessed from, not what a text may hold."""
    return {t: c for t, c in value.taints.items() if t.family in ("random", "secret")}


def operation(run: Run, node: ir.Binary, left: Value, right: Value) -> Value:
    """`left op right`."""
    if node.op in _COMPARING:
        return comparison(run, node, left, right)
    const = constants.binary(node.op, left.const, right.const)
    if const is not UNKNOWN:
        return Value(const, join_taints(left.taints, right.taints))
    if node.op in ("%", "+") and _MARKUP.search(left.qual):
        made = Value(taints=join_taints(left.taints, cleared(run, right, _XSS).taints), qual=left.qual)
        made.trail = left.trail or right.trail
        return made
    if node.op == "+":
        return concatenated(run, [left, right], node.span)
    if node.op == "%" and left.shape is not None:
        return _percent(run, left, right, node.span)
    if node.op == "/" and (left.qual.startswith("pathlib") or right.qual.startswith("pathlib")):
        made = concatenated(run, [left, Value("/"), right], node.span)
        made.qual = "pathlib.Path()"
        return made
    made = Value(taints=join_taints(run.deep(left), run.deep(right)))
    made.trail = left.trail if left.taints else right.trail
    return made


_COMPARING: Final = frozenset(("==", "!=", "<", ">", "<=", ">=", "in", "not in", "is", "is not", "===", "!==", "<>",
                               "instanceof"))  # fmt: skip
