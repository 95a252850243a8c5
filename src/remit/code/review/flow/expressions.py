"""Values of expressions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from remit.code.review import ir
from remit.code.review.flow import constants
from remit.code.review.flow.calls import bound, call, cleared, instance_attribute, special
from remit.code.review.flow.events import Event
from remit.code.review.flow.places import assign, bind, element, lookup
from remit.code.review.flow.run import MAX_BOX, MAX_EVALUATION_DEPTH, Run, data_facts
from remit.code.review.flow.tests import PLACE, combined, comparison, is_host, same
from remit.code.review.flow.values import (
    CLEAN,
    DEFAULT,
    HOLE,
    MAX_QUAL,
    MAX_SHAPE,
    NOTHING,
    UNKNOWN,
    Box,
    Check,
    ClassTarget,
    FunctionTarget,
    ModuleInfo,
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
    return found if found.taints else _sourced(run, found, node)


def _sourced(run: Run, value: Value, node: ir.Node) -> Value:
    """The value, tainted when its dotted name is a source."""
    if not value.qual:
        return value
    found = run.knowledge.sources.get(value.qual)
    if found is None:
        return value
    token = run.token(found[0], found[1], node.span, value.qual if found[0] != "random" else "")
    return value.tainted({token: frozenset()})


def _attr(run: Run, node: ir.Attr) -> Value:
    return attribute(run, value_of(run, node.object), node.name, node)


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
    return _sourced(run, made, node)


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


def _index(run: Run, node: ir.Index) -> Value:
    value = value_of(run, node.object)
    if isinstance(node.key, ir.Slice):
        parts = tuple(value_of(run, part).const if part is not None else None for part in node.key.parts)
        return _sliced(run, value, parts)
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
    return _sourced(run, made, node)


def _sliced(run: Run, value: Value, parts: tuple[Any, ...]) -> Value:
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


def _binary(run: Run, node: ir.Binary) -> Value:
    sides: list[tuple[ir.Binary, Any]] = []
    left: Any = node
    while isinstance(left, ir.Binary) and len(sides) < 500:
        sides.append((left, left.right))
        left = left.left
    made = value_of(run, left)
    for one, right in reversed(sides):
        made = _operation(run, one, made, value_of(run, right))
    return made


_COMPARING: Final = frozenset(("==", "!=", "<", ">", "<=", ">=", "in", "not in", "is", "is not", "===", "!==", "<>",
                               "instanceof"))  # fmt: skip


_MARKUP: Final = re.compile(r"(^|\.)Markup\(\)$")
"""Text that escapes what is put into it."""
_XSS: Final = frozenset(("xss",))


def _operation(run: Run, node: ir.Binary, left: Value, right: Value) -> Value:
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
    if all(box is not None and box.items is not None for box in boxes):
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


def _sequence(run: Run, node: ir.Sequence) -> Value:
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


def _mapping(run: Run, node: ir.Mapping) -> Value:
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
    target = value_of(run, node.type).target
    return Box("object", None, keys, rest, target if isinstance(target, ClassTarget) else None)


def _comprehension(run: Run, node: ir.Comprehension) -> Value:
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


def numeric(value: Value) -> dict[Any, frozenset[str]]:
    """The taints that a number still carries: what it was guessed from, not what a text may hold."""
    return {t: c for t, c in value.taints.items() if t.family in ("random", "secret")}


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
    ir.Unary: _unary, ir.Logic: _logic, ir.Choice: _choice, ir.Text: _text, ir.Sequence: _sequence,
    ir.Mapping: _mapping, ir.Comprehension: _comprehension, ir.Lambda: _lambda, ir.Cast: _cast, ir.Wrap: _wrap,
    ir.BlockValue: _block, ir.If: _if_value, ir.Opaque: _opaque, ir.Match: _match_value,
}  # fmt: skip

__all__ = ["attribute", "bind", "concatenated", "item", "truth", "value_of"]
