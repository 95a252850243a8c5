"""Calls: of functions and classes of the project, of known containers, and of everything else."""

from __future__ import annotations

import re
from typing import Any, Final

from remit.code.review import ir
from remit.code.review.flow.events import Event
from remit.code.review.flow.run import Run
from remit.code.review.flow.sources import REQUESTS, WRAPPED
from remit.code.review.flow.values import (
    CLEAN,
    EVERYTHING,
    MAX_QUAL,
    MAX_SHAPE,
    NOTHING,
    UNKNOWN,
    Box,
    Check,
    ClassTarget,
    Frame,
    FunctionTarget,
    Partial,
    State,
    Taints,
    Trail,
    Value,
    either,
    guarded,
    join,
    join_taints,
    merge,
)

_GROWING: Final = frozenset(("append", "add", "write", "push", "put", "update", "extend", "insert", "setdefault",
                             "appendleft", "unshift", "set", "Set", "Add", "WriteString", "writelines", "push_str",
                             "push_back", "send", "Write", "attach", "append_child", "add_field", "arg",
                             "args"))  # fmt: skip
"""Methods that put their arguments into an object that is not known."""
_WRITING: Final = frozenset(("WriteString", "WriteByte", "WriteRune", "push_str", "push", "write"))
"""Methods that put a text at the end of another."""
_MAPPING: Final = frozenset(("map", "flatMap", "flat_map", "map_err", "and_then"))
"""Methods that give back what the function that they are handed makes of each element."""
_UNDOING: Final = frozenset(("unquote", "unquote_plus", "unescape", "b64decode", "urlsafe_b64decode", "b32decode",
                             "decodeURIComponent", "decodeURI", "unhexlify", "atob", "loads", "parse"))  # fmt: skip
"""Calls that bring back what an escape took away."""


def call(run: Run, node: ir.Call) -> Value:
    """`callee(args)`."""
    from remit.code.review.flow.expressions import value_of
    from remit.code.review.flow.members import attribute

    receiver = NOTHING
    if isinstance(node.callee, ir.Attr):
        receiver = value_of(run, node.callee.object)
        function = attribute(run, receiver, node.callee.name, node.callee)
        name = function.qual or f"{receiver.qual or '?'}.{node.callee.name}"
    else:
        function = value_of(run, node.callee)
        name = function.qual or (node.callee.name if isinstance(node.callee, ir.Name) else "?")
    args, keywords = _arguments(run, node)
    if run.state.dead:
        return NOTHING
    event = Event(name, node, args, keywords, run.place, receiver)
    if event.method in ("add_url_rule", "add_route", "add_api_route"):
        for one in (*args, *keywords.values()):
            if isinstance(one.target, FunctionTarget):
                one.target.module.routed.add(id(one.target.function))
    run.tell(event)
    made = _result(run, event, function)
    return _finished(run, event, made, known=isinstance(function.target, FunctionTarget))


def _arguments(run: Run, node: ir.Call) -> tuple[list[Value], dict[str, Value]]:
    from remit.code.review.flow.expressions import value_of
    from remit.code.review.flow.places import element

    args: list[Value] = []
    keywords: dict[str, Value] = {}
    for one, name in zip(node.args, node.names, strict=True):
        value = value_of(run, one)
        box = run.box(value) if name in ("*", "**") else None
        if name == "*":
            known = box is not None and box.items is not None and box.rest is None
            args.extend(box.items if known and box is not None and box.items is not None else [element(run, value)])
        elif name == "**":
            if box is not None:
                keywords.update((str(key), inner) for key, inner in box.keys.items())
            keywords["**"] = value
        elif name:
            keywords[name] = value
        else:
            args.append(value)
    return args, keywords


def _result(run: Run, event: Event, function: Value) -> Value:
    from remit.code.review.flow.library import known_call

    if isinstance(function.target, FunctionTarget):
        made = invoke(run, function.target, event.args, event.keywords, event.span)
        if made is not None:
            return made
        return _opaque(run, event)
    called = special(run, function, "__call__", list(event.args)) if function.ref else None
    if called is not None:
        return called
    if isinstance(function.target, Partial):
        whole = Event(event.name, event.node, [*function.target.args, *event.args],
                      {**function.target.keywords, **event.keywords}, run.place, event.receiver)  # fmt: skip
        return _result(run, whole, function.target.function)
    if isinstance(function.target, ClassTarget):
        if function.target.closed and event.args:
            return Value(qual=f"{function.qual}()")
        return instantiate(run, function.target, event, function.qual)
    known = known_call(run, event)
    return known if known is not None else _opaque(run, event)


_NUMBER: Final = re.compile(r"^(int|float|bool|uuid\.UUID|decimal\.Decimal)$")
"""What `request.args.get(name, type=...)` may be asked to convert to."""


def _finished(run: Run, event: Event, made: Value, *, known: bool) -> Value:
    """The result with what the tables say of it: made harmless, or a source."""
    knowledge = run.knowledge
    kinds = knowledge.cleaners.get(event.name) or knowledge.cleaners.get(f"*.{event.method}")
    if not kinds and known is False and made.taints:
        kinds = _named_cleaning(event)
    if kinds and (made.taints or made.ref):
        made = cleared(run, made, kinds)
    if event.method in _UNDOING and made.taints:
        made = made.tainted({token: said & {EVERYTHING} for token, said in made.taints.items()})
    if event.method in ("get", "getlist") and made.taints and _NUMBER.search(event.keywords.get("type", NOTHING).qual):
        return Value()
    called = f"{event.name}()"
    found = knowledge.sources.get(called) or knowledge.sources.get(f"*.{event.method}()")
    if found is None and event.receiver.qual in knowledge.sources and event.receiver.taints and \
            "." in event.receiver.qual and not event.receiver.qual.endswith("()"):  # fmt: skip
        found = knowledge.sources[event.receiver.qual]
        if found[0] == "random" or not made.taints:
            found = None
    if found is not None:
        consts = [one.const for one in event.args]
        said = "" if UNKNOWN in consts or found[0] == "random" else f"{event.name}{consts}"
        token = run.token(found[0], found[1], event.span, said)
        made = Value(taints={token: frozenset()}, qual=made.qual or called, ref=made.ref)
    return made


def cleared(run: Run, value: Value, kinds: frozenset[str]) -> Value:
    """The same value, harmless for these kinds of sink."""
    taints = {token: said | kinds for token, said in run.deep(value).items()}
    if EVERYTHING in kinds:
        taints = {t: c for t, c in taints.items() if t.family in ("random", "secret")}
    return Value(value.const, taints, qual=value.qual)


def _opaque(run: Run, event: Event) -> Value:
    """A call of something unknown: what goes in may come out; a function that is handed over may be called."""
    taints = run.deep(event.receiver)
    before = event.receiver
    given = [*event.args, *event.keywords.values()]
    for one in given:
        inner = run.deep(one)
        if inner:
            before = one if not taints else before
            taints = join_taints(taints, inner)
    for one in given:
        if isinstance(one.target, FunctionTarget) and run.inlining:
            handed = _callback_arguments(run, one.target, run.deep(event.receiver))
            back = run.deep(invoke(run, one.target, handed, {}, event.span) or NOTHING)
            taints = back if event.method in _MAPPING else join_taints(taints, back)
    if event.receiver is not NOTHING and event.method in (_GROWING if taints else _WRITING):
        _grow(run, event, given)
    if not taints and _asks(event):
        token = run.token("outside", "request data", event.span)
        return Value(taints={token: frozenset()}, qual=f"{event.name}()")
    if not taints and any(one.qual in REQUESTS for one in given):
        return Value(qual=WRAPPED)
    made = Value(taints=taints, qual=f"{event.name}()" if len(event.name) < MAX_QUAL else "")
    made.trail = (
        before.trail if before.taints else Trail(None, run.path, event.span[0], "handed on") if taints else None
    )
    return made


_FIXED: Final = re.compile(r"safe|fixed|const|default|clean|valid|escape|allow|perm|auth|render|redirect|template|"
                           r"message|flash|log|csrf|user|^has|^is_|^check|^require", re.I)  # fmt: skip


def _asks(event: Event) -> bool:
    """Code that is not there is asked for a part of a request: `wrapped.query("q")`, `param(request, "q")`."""
    named = any(isinstance(one.const, str) for one in event.args)
    whole = event.receiver.qual == WRAPPED or any(one.qual in REQUESTS or one.qual == WRAPPED for one in event.args)
    return named and whole and not _FIXED.search(event.name.removeprefix(WRAPPED))


_CLEANING: Final = (
    (re.compile(r"html|xml|page|markup", re.I), "xss"), (re.compile(r"sql|ident", re.I), "sql"),
    (re.compile(r"shell|arg|cmd|command", re.I), "command"), (re.compile(r"file|path", re.I), "path"),
    (re.compile(r"ldap|filter|dn$", re.I), "ldap"), (re.compile(r"xpath", re.I), "xpath"),
)  # fmt: skip
_ESCAPING: Final = re.compile(r"escape|sanit|(^|_)quote|(^|_)encode_", re.I)


def _named_cleaning(event: Event) -> frozenset[str]:
    """What a function that is not there makes harmless, if its name can be trusted."""
    if not _ESCAPING.search(event.method) or event.method in _UNDOING:
        return frozenset()
    return frozenset(kind for pattern, kind in _CLEANING if pattern.search(event.method)) or frozenset(("xss",))


def _callback_arguments(run: Run, target: FunctionTarget, taints: Taints) -> list[Value]:
    """What something unknown calls a function with: elements of its receiver, or a request by habit."""
    from remit.code.review.flow.sources import by_habit
    from remit.code.review.flow.statements import typed

    made = []
    for one in target.function.params:
        habit = by_habit(one, run.frame.module.module.language)
        value = Value(taints=taints, qual=habit or (typed(run, one.type).qual if one.type else ""))
        found = run.knowledge.sources.get(habit) if habit else None
        if found is not None:
            value = Value(taints={run.token(found[0], found[1], target.function.span): frozenset()}, qual=habit)
        made.append(value)
    return made


def _grow(run: Run, event: Event, given: list[Value]) -> None:
    from remit.code.review.flow.places import bind
    from remit.code.review.flow.texts import shape_of

    node = event.node
    box = run.box(event.receiver)
    added = NOTHING
    for one in given:
        added = join(added, one) if added is not NOTHING else one
    if box is not None:
        rest = added if box.rest is None else join(box.rest, added)
        run.state.heap[event.receiver.ref] = Box(box.kind, box.items, box.keys, rest, box.cls)
    elif isinstance(node, ir.Call) and isinstance(node.callee, ir.Attr) and isinstance(node.callee.object, ir.Name):
        old = event.receiver
        made = old.tainted(join_taints(old.taints, run.deep(added)))
        made.trail = old.trail or added.trail
        made.const, made.identity = UNKNOWN, made
        if event.method in _WRITING:
            made.shape = f"{old.shape or ''}{shape_of(added)}"[:MAX_SHAPE]
        bind(run, node.callee.object.name, made)


def instance_attribute(run: Run, value: Value, box: Box, name: str) -> Value | None:
    """An attribute of an object of the project; None when it is not known."""
    found = box.keys.get(name) if box.kind != "dict" or run.frame.module.module.language != "python" else None
    if found is not None:
        return found
    if box.cls is None:
        return None
    method = box.cls.find(name)
    if isinstance(method, FunctionTarget):
        if any(ir.last_name(one) in ("property", "cached_property") for one in method.function.decorators):
            return invoke(run, method.bind(value), [], {}, method.function.span)
        return Value(target=bound(method, value, box.cls), qual=f"{value.qual}.{name}")
    return method


def bound(method: FunctionTarget, value: Value, cls: ClassTarget) -> FunctionTarget:
    """A method as it is looked up: with its object, with its class, or alone (static)."""
    marks = {ir.last_name(one) for one in method.function.decorators}
    if "staticmethod" in marks:
        return method
    return method.bind(Value(target=cls, qual=cls.cls.name) if "classmethod" in marks else value)


def special(run: Run, value: Value, name: str, args: list[Value]) -> Value | None:
    """What a method like `__getitem__` of an object of the project gives; None when there is none."""
    box = run.box(value)
    method = box.cls.find(name) if box is not None and box.cls is not None else None
    return (
        invoke(run, method.bind(value), args, {}, method.function.span) if isinstance(method, FunctionTarget) else None
    )


def instantiate(run: Run, target: ClassTarget, event: Event, qual: str) -> Value:
    """A new object of a class of the project."""
    made = run.new_box(Box("object", cls=target), f"{qual}()" if qual else "")
    init = target.find("__init__") or target.find("constructor")
    if isinstance(init, FunctionTarget):
        invoke(run, init.bind(made), event.args, event.keywords, event.span)
        return made
    fields = target.cls.fields
    keys = dict(zip(fields, event.args, strict=False))
    keys.update({k: v for k, v in event.keywords.items() if k != "**"})
    base = [b.qual for b in target.bases if b.qual]
    if base and not fields:
        made.qual = f"{base[0]}()"
    run.state.heap[made.ref] = Box("object", None, keys, None, target)
    if not fields and event.args:
        made.taints = _all(run, event.args)
    return made


def _all(run: Run, values: Any) -> Taints:
    taints = CLEAN
    for one in values:
        taints = join_taints(taints, run.deep(one))
    return taints


def invoke(run: Run, target: FunctionTarget, args: Any, keywords: dict[str, Value], span: ir.Span) -> Value | None:
    """Run a function of the project on these arguments; None when the bounds say no."""
    function = target.function
    if not run.inlining or function in run.stack or function.bare:
        return None
    run.called.add(id(function))
    frame = Frame(target.frame, target.module, function)
    given = [*([target.bound] if target.bound is not None and _takes_self(function) else []), *args]
    frame.self_value = target.bound
    base, before, loops = run.state, run.frame, run.loops
    run.state, run.frame, run.loops = State(base), frame, 0
    frame.base = base
    run.stack.append(function)
    try:
        _bind_arguments(run, function, given, keywords, span)
        _run_body(run, function)
    finally:
        run.stack.pop()
        last, run.state, run.frame, run.loops = run.state, base, before, loops
    ends = frame.returns if last.dead else [*frame.returns, (NOTHING if frame.returns else Value(None), last)]
    merge(base, [state for _, state in ends])
    return _returned(run, ends)


def _takes_self(function: ir.Function) -> bool:
    static = any(ir.last_name(one) == "staticmethod" for one in function.decorators)
    return bool(function.params) and function.kind == "method" and not static and (
        function.params[0].kind == "self" or function.params[0].name in ("self", "cls", "klass", "mcs"))  # fmt: skip


def _run_body(run: Run, function: ir.Function) -> None:
    from remit.code.review.flow.expressions import value_of
    from remit.code.review.flow.statements import execute

    execute(run, function.body)
    if function.value is not None and not run.state.dead:
        value = value_of(run, function.value)
        run.frame.returns.append((value, run.state.flat(run.frame.base or run.root)))
        run.state.dead = True


def _returned(run: Run, ends: list[tuple[Value, State]]) -> Value:
    """One value for all ways out; with what its truth says of the tokens that were tested inside."""
    values = [guarded(value, state) for value, state in ends if not state.dead]
    if not values:
        return NOTHING
    made = values[0]
    for one in values[1:]:
        made = join(made, one)
    if len(values) > 1 and all(isinstance(v.const, bool) or v.check is not None for v in values):
        made = made.tainted(made.taints)
        made.check = _as_check([(v, s) for v, s in ends if not s.dead])
    elif len(values) == 1:
        made.check = values[0].check
    return made


def _as_check(ends: list[tuple[Value, State]]) -> Check:
    sides: dict[bool, list[Taints]] = {True: [], False: []}
    for value, state in ends:
        guards = state.guards
        for side in (True, False):
            if isinstance(value.const, bool):
                if value.const is side:
                    sides[side].append(guards)
            elif value.check is not None:
                own = value.check.true if side else value.check.false
                sides[side].append({**guards, **own})
    made = {}
    for side, all_facts in sides.items():
        common = all_facts[0] if all_facts else CLEAN
        for one in all_facts[1:]:
            common = either(common, one)
        made[side] = common
    return Check(made[True], made[False])


def _bind_arguments(run: Run, function: ir.Function, given: list[Value], keywords: dict[str, Value],
                    span: ir.Span) -> None:  # fmt: skip
    from remit.code.review.flow.expressions import value_of
    from remit.code.review.flow.places import bind

    left = list(given)
    used: set[str] = set()
    for one in function.params:
        if one.kind == "*":
            value = run.new_box(Box("tuple", left))
            left = []
        elif one.kind == "**":
            value = run.new_box(Box("dict", None, {k: v for k, v in keywords.items() if k not in used | {"**"}},
                                    keywords.get("**")))  # fmt: skip
        elif one.name in keywords:
            value = keywords[one.name]
            used.add(one.name)
        elif left:
            value = left.pop(0)
        elif one.default is not None:
            value = value_of(run, one.default)
        else:
            value = keywords.get("**", NOTHING)
        if value.taints:
            value = value.tainted(value.taints, Trail(value.trail, run.path, span[0],
                                                      f"handed to {function.name}({one.name})"))  # fmt: skip
        bind(run, one.name, value)


__all__ = ["UNKNOWN", "call", "cleared", "instance_attribute", "instantiate", "invoke"]
