"""Values of expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from remit.code.review import ir
from remit.code.review.flow import constants
from remit.code.review.flow.calls import call, special
from remit.code.review.flow.displays import comprehension, mapping, sequence
from remit.code.review.flow.members import attribute, item, sliced, sourced
from remit.code.review.flow.places import element, lookup
from remit.code.review.flow.run import MAX_EVALUATION_DEPTH, Run
from remit.code.review.flow.tests import combined, same
from remit.code.review.flow.texts import concatenated, numeric, operation
from remit.code.review.flow.values import (
    CLEAN,
    MAX_QUAL,
    NOTHING,
    UNKNOWN,
    Box,
    Check,
    FunctionTarget,
    Value,
    guarded,
    join,
    join_taints,
)


def value_of(run: Run, node: Any) -> Value:
    """What an expression gives; `None` gives nothing."""
    if node is None or run.depth > MAX_EVALUATION_DEPTH or run.state.dead:
        return NOTHING
    run.step()
    run.depth += 1
    try:
        return _TABLE[type(node)](run, node) if type(node) in _TABLE else NOTHING
    finally:
        run.depth -= 1


def _const(run: Run, node: ir.Const) -> Value:
    return Value(node.value)


def _name(run: Run, node: ir.Name) -> Value:
    found = run.seen(lookup(run, node.name))
    return found if found.taints else sourced(run, found, node)


def _attr(run: Run, node: ir.Attr) -> Value:
    return attribute(run, value_of(run, node.object), node.name, node)


def _index(run: Run, node: ir.Index) -> Value:
    value = value_of(run, node.object)
    if isinstance(node.key, ir.Slice):
        parts = tuple(value_of(run, part).const if part is not None else None for part in node.key.parts)
        return sliced(run, value, parts)
    key = value_of(run, node.key)
    own = special(run, value, "__getitem__", [key]) if value.ref else None
    if own is not None:
        return own
    made = item(run, value, key)
    if key.taints and value.ref and not run.deep(value):
        made = made.tainted(made.taints)
        made.check = Check(same(key), CLEAN)
    name = f"{value.qual}[]" if value.qual else ""
    if value.qual in run.knowledge.sources and value.taints:
        family, note = run.knowledge.sources[value.qual]
        name = f"{value.qual}.item"
        said = f"{value.qual}[{key.const}]" if key.const is not UNKNOWN else ""
        made = Value(taints={run.token(family, note, node.span, said): frozenset()}, qual=name)
    if not made.qual and not made.target and name and len(name) < MAX_QUAL:
        made = made.tainted(made.taints)
        made.qual = name
    return sourced(run, made, node)


def _binary(run: Run, node: ir.Binary) -> Value:
    sides: list[tuple[ir.Binary, Any]] = []
    left: Any = node
    while isinstance(left, ir.Binary) and len(sides) < 500:
        sides.append((left, left.right))
        left = left.left
    made = value_of(run, left)
    for one, right in reversed(sides):
        made = operation(run, one, made, value_of(run, right))
    return made


def _unary(run: Run, node: ir.Unary) -> Value:
    value = value_of(run, node.operand)
    if node.op in ("not", "!"):
        made = Value(constants.unary("not", value.const))
        made.check = value.check.flipped() if value.check is not None else None
        return made
    return Value(constants.unary(node.op, value.const), value.taints)


def truth(value: Value) -> bool | None:
    """Whether a value is known to be true or false."""
    return None if value.const is UNKNOWN else bool(value.const)


def _logic(run: Run, node: ir.Logic) -> Value:
    left = value_of(run, node.left)
    known = truth(left)
    if node.op in ("and", "&&"):
        if known is False:
            return left
        return _second(run, node, left, wanted=True, known=known)
    if node.op == "??":
        if left.const is not UNKNOWN:
            return value_of(run, node.right) if left.const is None else left
        return join(left, value_of(run, node.right))
    if known is True:
        return left
    return _second(run, node, left, wanted=False, known=known)


def _second(run: Run, node: ir.Logic, left: Value, *, wanted: bool, known: bool | None) -> Value:
    """The second side, evaluated where the first is `wanted`."""
    if known is not None:
        return value_of(run, node.right)

    def second() -> Value:
        run.assume(left, wanted)
        return value_of(run, node.right)

    rights = run.branch([second, lambda: NOTHING])
    right = rights[0] if rights else NOTHING
    made = join(left, right)
    if left.const is UNKNOWN and wanted and right.const is False:
        made = Value(False)
    made = made.tainted(made.taints)
    made.check = combined(left.check, right.check, conjunction=wanted)
    return made


def _choice(run: Run, node: ir.Choice) -> Value:
    test = value_of(run, node.test)
    known = truth(test)
    if known is not None:
        return value_of(run, node.then if known else node.other)
    ways: list[Callable[[], Value]] = []
    for taken, branch in ((True, node.then), (False, node.other)):

        def way(taken: bool = taken, branch: Any = branch) -> Value:
            run.assume(test, taken)
            made = value_of(run, branch)
            return guarded(made, run.state)

        ways.append(way)
    values = run.branch(ways)
    made = values[0] if values else NOTHING
    for one in values[1:]:
        made = join(made, one)
    return made


def _text(run: Run, node: ir.Text) -> Value:
    parts = [value_of(run, part) for part in node.parts]
    shown = [special(run, part, "__str__", []) if part.ref else None for part in parts]
    return concatenated(run, [part if as_text is None else as_text for part, as_text in zip(parts, shown, strict=True)],
                        node.span)  # fmt: skip


def _lambda(run: Run, node: ir.Lambda) -> Value:
    target = FunctionTarget(node.function, run.frame.module, run.frame, None)
    run.frame.nested.append(target)
    return Value(target=target)


def _cast(run: Run, node: ir.Cast) -> Value:
    from remit.code.review.flow.sources import HARMLESS_TYPE

    value = value_of(run, node.operand)
    if HARMLESS_TYPE.match(node.type):
        return Value(value.const, numeric(value))
    return value


def _wrap(run: Run, node: ir.Wrap) -> Value:
    value = value_of(run, node.operand)
    if node.kind == "receive":
        return element(run, value)
    if node.kind == "yield" and run.frame.function is not None:
        run.frame.returns.append((run.new_box(Box("list", rest=value)), run.state.flat(run.frame.base or run.root)))
    return value


def _block(run: Run, node: ir.BlockValue) -> Value:
    from remit.code.review.flow.statements import execute

    execute(run, node.body)
    return NOTHING if run.state.dead else value_of(run, node.value)


def _if_value(run: Run, node: ir.If) -> Value:
    """if as an expression (Rust): each side's last value."""
    from remit.code.review.flow.statements import execute

    test = value_of(run, node.test)
    known = truth(test)

    def way(taken: bool, body: list[Any]) -> Value:
        run.assume(test, taken)
        execute(run, body[:-1])
        return last_value(run, body)

    wanted = [(taken, body) for taken, body in ((True, node.then), (False, node.other)) if known in (None, taken)]
    values = run.branch([lambda t=taken, b=body: way(t, b) for taken, body in wanted])  # type: ignore[misc]  # defaults bind the loop's values
    made = values[0] if values else NOTHING
    for one in values[1:]:
        made = join(made, one)
    return made


def last_value(run: Run, body: list[Any]) -> Value:
    """The value of a body's last statement, which is executed here."""
    from remit.code.review.flow.statements import execute

    if not body or run.state.dead:
        return NOTHING
    last = body[-1]
    if isinstance(last, ir.Evaluate):
        return value_of(run, last.value)
    execute(run, [last])
    return NOTHING


def _opaque(run: Run, node: ir.Opaque) -> Value:
    taints = CLEAN
    made = NOTHING
    for part in node.parts:
        value = value_of(run, part)
        taints = join_taints(taints, run.deep(value))
        made = value if value.taints else made
    return Value(taints=taints) if taints else NOTHING


def _match_value(run: Run, node: ir.Match) -> Value:
    from remit.code.review.flow.matching import match

    return match(run, node)


_TABLE: Final[dict[type, Callable[[Run, Any], Value]]] = {
    ir.Const: _const, ir.Name: _name, ir.Attr: _attr, ir.Index: _index, ir.Call: call, ir.Binary: _binary,
    ir.Unary: _unary, ir.Logic: _logic, ir.Choice: _choice, ir.Text: _text, ir.Sequence: sequence,
    ir.Mapping: mapping, ir.Comprehension: comprehension, ir.Lambda: _lambda, ir.Cast: _cast, ir.Wrap: _wrap,
    ir.BlockValue: _block, ir.If: _if_value, ir.Opaque: _opaque, ir.Match: _match_value,
}  # fmt: skip
