"""The value of an expression in a scope, and the calls in it."""

from __future__ import annotations

from typing import Any, Final

from remit.code.graph.python import objects as o
from remit.code.graph.python.attributes import attribute, bound, module_attribute
from remit.code.graph.python.builtin_calls import NAMES, merge_into, put
from remit.code.graph.python.calls import call, elements
from remit.code.graph.python.objects import ANY, NOTHING, OVERRIDING, YIELD, Obj, Values
from remit.code.graph.python.scope import Scope

MAX_ITEMS: Final = 256
"""Items of a literal that get a slot of their own."""


def value_of(scope: Scope, ir: Any) -> Values:
    """What an expression may be."""
    return _VALUE[ir[0]](scope, ir)  # type: ignore[no-any-return]  # the table's values are untyped


def lookup(scope: Scope, name: str) -> Values:
    """A name: here, further out, in the module, among what stars brought, among the built-ins."""
    owner, cells = scope.owner, scope.cells
    home = scope.declared.get(name)
    if home is not None:
        return cells.read_name(home, name)
    found = scope.env.get(name)
    if found is not None:
        if owner in cells.foreign:
            found |= cells.read(owner, "=" + name)
        return found
    scope.missed.add(name)
    if scope.around is not None:
        return lookup(scope.around, name) if scope.around.owner.kind != o.CLASS else _past(scope.around, name)
    if owner.kind == o.FUNC and name in owner.names:
        return cells.read(owner, "=" + name)
    for outer in owner.outer:
        if outer.kind == o.FUNC and name in outer.names:
            return cells.read_name(outer, name)
    return _module_name(scope, name)


def _module_name(scope: Scope, name: str) -> Values:
    """A name of the module, or of the built-ins when the module has none."""
    cells, module = scope.cells, scope.module
    if scope.owner is module:
        found = cells.read(module, "=" + name)
        for other in cells.read(module, "*"):
            found |= module_attribute(scope, other, name)
    else:
        found = module_attribute(scope, module, name)
        if name not in module.names:  # a submodule is an attribute of its package, not a name in it
            found = frozenset(f for f in found if f.kind != o.MODULE or f in cells.read(module, name))
    if not found and name in NAMES and name not in module.names:
        return frozenset((cells.make.get(o.BUILTIN, name),))
    return found


def _past(scope: Scope, name: str) -> Values:
    """A name as a class inside a class body sees it: the outer body's variables are not seen."""
    hidden, scope.env = scope.env, {}
    found = lookup(scope, name)
    scope.env = hidden
    return found


def _name(scope: Scope, ir: Any) -> Values:
    name = ir[1]
    found = scope.env.get(name)
    if found is not None and name not in scope.declared and scope.owner not in scope.cells.foreign:
        return found
    return lookup(scope, name)


def _attribute(scope: Scope, ir: Any) -> Values:
    base = ir[1]
    if base[0] == "n":
        stored = scope.paths.get((base[1], ir[2]))
        if stored is not None:
            return stored
    bases = value_of(scope, base)
    if scope.pending:
        scope.settle()
    return attribute(scope, bases, ir[2], ir[3])


def _subscript(scope: Scope, ir: Any) -> Values:
    bases = scope.concrete(value_of(scope, ir[1]))
    keys = scope.concrete(value_of(scope, ir[2]))
    constants = [k.a for k in keys if k.kind == o.CONST]
    found: Values = NOTHING
    for base in bases:
        if base.kind == o.CONT:
            if base.b == "yield":
                continue
            for key in constants or [ANY]:
                found |= scope.slot(base, _index(scope, base, key))
        elif base.kind == o.INST:
            found |= _item(scope, base, keys, ir[3])
        elif base.kind == o.CLASS:
            found |= {base}  # a generic class with its arguments
    return found


def _item(scope: Scope, base: Obj, keys: Values, line: int) -> Values:
    """`instance[key]`: flows through `__getitem__`, which is an operator and no call."""
    before = dict(scope.edges)
    method = attribute(scope, frozenset((base,)), "__getitem__", line)
    own = frozenset(m for m in method if m.kind == o.BOUND)
    found = call(scope, own, [(0, "", keys)], line, None)
    scope.edges = before
    for one in own:
        scope.edge(one.name, one.a, line, "operator")
    return found


def _index(scope: Scope, base: Obj, key: Any) -> Any:
    if isinstance(key, int) and key < 0 and base.name in ("List", "Tuple"):
        known = [k for k in scope.keys(base) if isinstance(k, int)]
        return max(known) + 1 + key if known else ANY
    return key


def _slice(scope: Scope, ir: Any) -> Values:
    found: set[Obj] = set()
    for rest in ir[4]:
        value_of(scope, rest)
    for base in scope.concrete(value_of(scope, ir[1])):
        if base.kind != o.CONT:
            if base.kind in (o.LIT, o.CONST):
                found.add(base)
            continue
        made = scope.element_of(base.name, (ir[5], base.b if isinstance(base.b, int) else 0))
        low, high = ir[2] or 0, ir[3]
        for key in scope.keys(base):
            if isinstance(key, int) and key >= low and (high is None or key < high):
                scope.set_slot(made, key - low, scope.slot(base, key), True)
        scope.set_slot(made, ANY, scope._one_slot(base, ANY), True)
        found.add(made)
    return frozenset(found)


def _call(scope: Scope, ir: Any) -> Values:
    callees = value_of(scope, ir[1])
    if ir[1][0] == "a" and ir[1][1][0] == "n" and ir[1][1][1] in scope.open:
        callees |= _overriding(scope, ir[1])
    given = [(kind, name, value_of(scope, value)) for kind, name, value in ir[2]]
    if not callees and ir[1][0] == "a":
        scope.edge(ir[1][2], None, ir[3], "unresolved")
    return call(scope, callees, given, ir[3], ir[4])


def _overriding(scope: Scope, ir: Any) -> Values:
    """Methods of subclasses that may be meant where an instance is known by a class above."""
    found: Values = NOTHING
    for base in scope.concrete(lookup(scope, ir[1][1])):
        if base.kind == o.INST:
            functions = scope.cells.read(base.a, OVERRIDING + ir[2])
            if functions:
                found |= bound(scope, functions, base, ir[3])
    return found


def _constant(scope: Scope, ir: Any) -> Values:
    return scope.cells.make.constant(ir[1])


def _literal(scope: Scope, ir: Any) -> Values:
    return NOTHING if ir[1] == "None" else frozenset((scope.cells.make.get(o.LIT, ir[1]),))


def _list(scope: Scope, ir: Any) -> Values:
    made = scope.element_of(ir[1], ir[3])
    at = 0
    rest: Values = NOTHING
    certain = ir[1] != "Set"
    for item in ir[2]:
        if item[0] == "*":
            rest |= elements(scope, value_of(scope, item[1]), 0)
            certain = False
        elif certain and at < MAX_ITEMS:
            scope.set_slot(made, at, value_of(scope, item), True)
            at += 1
        else:
            rest |= value_of(scope, item)
    scope.set_slot(made, ANY, rest, True)
    return frozenset((made,))


def _dictionary(scope: Scope, ir: Any) -> Values:
    made = scope.element_of("Dict", ir[2])
    scope.set_slot(made, ANY, NOTHING, True)
    for key, value in ir[1]:
        if key is None:
            merge_into(scope, made, value_of(scope, value))
        else:
            put(scope, made, value_of(scope, key), value_of(scope, value), True)
    return frozenset((made,))


def _comprehension(scope: Scope, ir: Any) -> Values:
    shadowed = dict(scope.env)
    for target, source in ir[3]:
        if target is None:
            value_of(scope, source)
        else:
            assign(scope, target, elements(scope, value_of(scope, source), ir[5]))
    made = scope.element_of(ir[1], ir[4])
    results = [value_of(scope, body) for body in ir[2]]
    if ir[1] == "Dict" and len(results) == 2:
        put(scope, made, results[0], results[1], False)
    else:
        scope.set_slot(made, ANY, results[-1] if results else NOTHING, True)
    scope.env = shadowed
    for name in [name for name in scope.dirty_names if name not in shadowed]:
        del scope.dirty_names[name]
    return frozenset((made,))


def _lambda(scope: Scope, ir: Any) -> Values:
    from remit.code.graph.python.definitions import function_of

    return frozenset((function_of(scope, ir[1]),))


def _operands(scope: Scope, ir: Any) -> Values:
    found: Values = NOTHING
    for one in ir[1]:
        found |= value_of(scope, one)
    if len(ir) > 2:
        return frozenset((scope.cells.make.get(o.LIT, ir[2]),))
    return frozenset(f for f in found if f.kind == o.CONT and f.name in ("List", "Tuple"))


def _one_of(scope: Scope, ir: Any) -> Values:
    found: Values = NOTHING
    for one in ir[1]:
        found |= value_of(scope, one)
    return found


def _conditional(scope: Scope, ir: Any) -> Values:
    value_of(scope, ir[1])
    found: Values = NOTHING
    for one in ir[2]:
        found |= value_of(scope, one)
    return found


def _yield(scope: Scope, ir: Any) -> Values:
    if ir[1] is not None:
        scope.cells.write(scope.owner, YIELD, scope.concrete(value_of(scope, ir[1])))
    return NOTHING


def _yield_from(scope: Scope, ir: Any) -> Values:
    scope.cells.write(scope.owner, YIELD, scope.concrete(elements(scope, value_of(scope, ir[1]), 0)))
    return NOTHING


def _await(scope: Scope, ir: Any) -> Values:
    return value_of(scope, ir[1])


def _assignment(scope: Scope, ir: Any) -> Values:
    values = value_of(scope, ir[2])
    assign(scope, ir[1], values)
    return values


def assign(scope: Scope, target: Any, values: Values) -> None:
    """`target = values`, for every form of target."""
    kind = target[0]
    if kind == "n":
        scope.bind(target[1], values)
    elif kind == "*":
        made = scope.element_of("List", id_of(target))
        scope.set_slot(made, ANY, values, True)
        assign(scope, target[1], frozenset((made,)))
    elif kind == "L":
        _unpack(scope, target, values)
    elif kind == "a":
        _set_attribute(scope, target, values)
    elif kind == "s":
        keys = value_of(scope, target[2])
        bases = scope.concrete(value_of(scope, target[1]))
        for base in bases:
            if base.kind == o.CONT:
                put(scope, base, keys, values, len(bases) == 1)


def id_of(target: Any) -> str:
    """A name for the list that a starred target makes."""
    inner = target[1]
    return f"*{inner[1]}" if inner[0] == "n" else "*"


def _unpack(scope: Scope, target: Any, values: Values) -> None:
    items = target[2]
    star = next((at for at, item in enumerate(items) if item[0] == "*"), None)
    boxes = [v for v in scope.concrete(values) if v.kind == o.CONT and v.b != "yield" and v.name in ("List", "Tuple")]
    others = elements(scope, frozenset(v for v in scope.concrete(values) if v not in boxes), 0)
    for at, item in enumerate(items):
        found = others
        for box in boxes:
            known = [k for k in scope.keys(box) if isinstance(k, int)]
            length = max(known) + 1 if known else 0
            if star is None or at < star:
                found |= scope.slot(box, at)
            elif at > star:
                found |= scope.slot(box, length - len(items) + at)
            else:
                _starred(scope, item, box, (at, length - (len(items) - 1 - at)))
        if item[0] != "*":
            assign(scope, item, found)
        elif others:
            assign(scope, item, others)


def _starred(scope: Scope, item: Any, box: Obj, ends: tuple[int, int]) -> None:
    made = scope.element_of("List", id_of(item))
    scope.set_slot(made, ANY, scope._one_slot(box, ANY), True)
    for at in range(ends[0], ends[1]):
        scope.set_slot(made, at - ends[0], scope.slot(box, at), True)
    assign(scope, item[1], frozenset((made,)))


def _set_attribute(scope: Scope, target: Any, values: Values) -> None:
    bases = scope.concrete(value_of(scope, target[1]))
    values = scope.concrete(values)
    inner = target[1]
    plain = inner[0] == "n" and inner[1] not in scope.declared and inner[1] in scope.env
    if plain and all(b.kind == o.INST for b in bases):
        scope.set_path(inner[1], target[2], values)
        if bases:
            _setters(scope, bases, target, values)
        return
    for base in bases:
        store(scope, base, target[2], values)
    _setters(scope, bases, target, values)


def store(scope: Scope, base: Obj, name: str, values: Values) -> None:
    """`base.name = values`, seen from everywhere."""
    if base.kind == o.MODULE:
        scope.cells.write_foreign(base, name, "=" + name, values)
    else:
        scope.cells.write(base, name, values)


def _setters(scope: Scope, bases: Values, target: Any, values: Values) -> None:
    """Assigning a property runs its setter: an access, not a call."""
    for base in bases:
        if base.kind == o.INST:
            for setter in scope.cells.read(base.a, "=" + target[2]):
                scope.edge(setter.name, setter, target[3], "access")
                scope.cells.write(setter, "p:" + setter.ir[4][-1][0], values)


_VALUE: Final[dict[str, Any]] = {
    "n": _name, "a": _attribute, "s": _subscript, "sl": _slice, "c": _call, "k": _constant, "t": _literal, "L": _list,
    "D": _dictionary, "C": _comprehension, "f": _lambda, "o": _operands, "|": _one_of, "?": _conditional,
    "y": _yield, "Y": _yield_from, "w": _await, ":=": _assignment, "*": lambda scope, ir: value_of(scope, ir[1]),
}  # fmt: skip
