"""What the flow engine knows of a value: its constant, where its taint came from, what it points to.

Values and boxes are never changed in place; a state maps names and heap numbers to them, and a branch is a layer over
the state before it, so that forking is free and merging costs what the branches wrote.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, Final

from remit.code.review.ir import Class, Function, Module, Span


class Unknown:
    """The constant of a value whose constant is not known."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
HOLE: Final = "\x00"
"""A part of a text's shape that is not known."""
MAX_SHAPE: Final = 2_000
MAX_CONST: Final = 4_000
"""Characters of a constant that is computed; a longer one is forgotten."""
MAX_TRAIL: Final = 12
MAX_QUAL: Final = 120
DEFAULT: Final = ("default",)
"""The place in a defaultdict where what makes its entries is kept."""
EVERYTHING: Final = "*"
"""Cleared for every kind of sink."""


class Token:
    """One place where data came in. `family`: outside, local, parameter, random, secret, error."""

    __slots__ = ("family", "note", "path", "span")

    def __init__(self, family: str, note: str, path: str, span: Span) -> None:
        self.family, self.note, self.path, self.span = family, note, path, span


Kinds = frozenset[str]
Taints = dict[Token, frozenset[str]]
"""{token: kinds of sink for which it was made harmless}"""
Facts = dict[Any, frozenset[str]]
"""{token, or the identity of one value: kinds of sink for which a test shows it harmless}"""
CLEAN: Final[Taints] = {}
Ref = int | tuple[int, ...]
"""One object of the heap, or one of several; 0 = none."""
MAX_REFS: Final = 8
MAX_AMONG: Final = 4
"""Constants that one value may be."""


class Trail:
    """One step of a value's way, and the steps before it."""

    __slots__ = ("before", "length", "line", "note", "path")

    def __init__(self, before: Trail | None, path: str, line: int, note: str) -> None:
        kept = before if before is None or before.length < MAX_TRAIL else before.before
        self.before: Trail | None = kept
        self.length: int = 1 if kept is None else kept.length + 1
        self.path, self.line, self.note = path, line, note


class Check:
    """What a test says of tokens: the kinds of sink for which each is harmless when it holds, and when it fails."""

    __slots__ = ("false", "true")

    def __init__(self, true: Facts, false: Facts) -> None:
        self.true, self.false = true, false

    def flipped(self) -> Check:
        """The opposite test."""
        return Check(self.false, self.true)


def both(a: Facts, b: Facts) -> Facts:
    """What two facts together say."""
    made = dict(a)
    for token, kinds in b.items():
        made[token] = made.get(token, frozenset()) | kinds
    return made


def either(a: Facts, b: Facts) -> Facts:
    """What one of two facts, not known which, says."""
    return {token: kinds & b[token] for token, kinds in a.items() if token in b and kinds & b[token]}


class Value:
    """What is known of one value."""

    __slots__ = ("among", "check", "const", "identity", "qual", "ref", "shape", "taints", "target", "trail")

    def __init__(self, const: Any = UNKNOWN, taints: Taints = CLEAN, *, ref: Ref = 0, qual: str = "",
                 target: Any = None) -> None:  # fmt: skip
        self.const = const
        self.among: tuple[Any, ...] = ()
        """the constants that it is one of, where there are several"""
        self.identity: Any = self
        """the same for values of the same content"""
        self.taints = taints
        self.ref = ref
        self.qual = qual
        self.target = target
        self.trail: Trail | None = None
        self.check: Check | None = None
        self.shape: str | None = const if isinstance(const, str) else None

    def tainted(self, taints: Taints, trail: Trail | None = None) -> Value:
        """The same with other taints."""
        made = Value(self.const, taints, ref=self.ref, qual=self.qual, target=self.target)
        made.trail, made.shape = trail or self.trail, self.shape
        made.among, made.identity = self.among, self.identity
        return made

    @property
    def constants(self) -> tuple[Any, ...]:
        """The constants that it may be; () when they are not known."""
        return self.among if self.const is UNKNOWN else (self.const,)


NOTHING: Final = Value()


class FunctionTarget:
    """A function of the project: its code, where it stands, the frame that it closes over, its own object."""

    __slots__ = ("bound", "frame", "function", "module", "owner")

    def __init__(self, function: Function, module: ModuleInfo, frame: Frame | None, owner: ClassTarget | None) -> None:
        self.function, self.module, self.frame, self.owner = function, module, frame, owner
        self.bound: Value | None = None

    def bind(self, self_value: Value) -> FunctionTarget:
        """The same as a bound method."""
        made = FunctionTarget(self.function, self.module, self.frame, self.owner)
        made.bound = self_value
        return made


class Partial:
    """A function with some of its arguments."""

    __slots__ = ("args", "function", "keywords")

    def __init__(self, function: Value, args: list[Value], keywords: dict[str, Value]) -> None:
        self.function, self.args, self.keywords = function, args, keywords


class ClassTarget:
    """A class of the project."""

    __slots__ = ("bases", "closed", "cls", "fields", "frame", "methods", "module")

    def __init__(self, cls: Class, module: ModuleInfo, frame: Frame) -> None:
        self.closed = False
        """an enumeration: a call gives one of its members, or fails"""
        self.cls, self.module, self.frame = cls, module, frame
        self.methods: dict[str, FunctionTarget] = {}
        self.fields: dict[str, Value] = {}
        self.bases: list[Value] = []

    def find(self, name: str, depth: int = 0) -> FunctionTarget | Value | None:
        """A method or a class field by name, in the class and its bases."""
        found = self.methods.get(name) or self.fields.get(name)
        if found is not None or depth > 8:
            return found
        for base in self.bases:
            if isinstance(base.target, ClassTarget):
                found = base.target.find(name, depth + 1)
                if found is not None:
                    return found
        return None


class ModuleInfo:
    """A file of the project while it is analysed."""

    __slots__ = ("frame", "module", "name", "package", "ran", "routed")

    def __init__(self, module: Module, name: str, package: bool) -> None:
        self.module, self.name, self.package = module, name, package
        self.frame = Frame(None, self, None)
        self.ran = False
        self.routed: set[int] = set()
        """identities of the functions that are registered as handlers of requests by a call"""


class Frame:
    """One activation: where names are bound."""

    __slots__ = (
        "base",
        "entry",
        "exits",
        "foreign",
        "function",
        "key",
        "module",
        "nested",
        "outer",
        "returns",
        "self_value",
    )
    count = 0

    def __init__(self, outer: Frame | None, module: ModuleInfo, function: Function | None) -> None:
        Frame.count += 1
        self.key = Frame.count
        self.outer, self.module, self.function = outer, module, function
        self.returns: list[tuple[Value, State]] = []
        self.exits: list[tuple[State, list[State]]] = []
        self.base: State | None = None
        self.entry = False
        """analysed as if somebody outside called it"""
        self.nested: list[FunctionTarget] = []
        self.foreign: dict[str, int] = {}
        """names that are bound in a frame further out: that frame's key"""
        self.self_value: Value | None = None


class Box:
    """A container or an object: known places and what lies at unknown ones."""

    __slots__ = ("cls", "items", "keys", "kind", "names", "rest")

    def __init__(self, kind: str, items: list[Value] | None = None, keys: dict[Any, Value] | None = None,
                 rest: Value | None = None, cls: ClassTarget | None = None) -> None:  # fmt: skip
        self.kind = kind
        self.items = items
        self.keys = keys or {}
        self.rest = rest
        self.cls = cls
        self.names: Value | None = None
        """keys that are not known"""

    def all(self) -> Iterable[Value]:
        """Every value in it."""
        yield from self.items or ()
        yield from self.keys.values()
        if self.rest is not None:
            yield self.rest


class State:
    """One layer of names, heap and guards over the layers before it."""

    __slots__ = ("dead", "depth", "guards", "heap", "parent", "vars")

    def __init__(self, parent: State | None = None) -> None:
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.vars: dict[tuple[int, str], Value] = {}
        self.heap: dict[Ref, Box] = {}
        self.guards: Facts = {}
        self.dead = False

    def get(self, key: tuple[int, str]) -> Value | None:
        """A name's value."""
        state: State | None = self
        while state is not None:
            found = state.vars.get(key)
            if found is not None:
                return found
            state = state.parent
        return None

    def box(self, ref: Ref) -> Box | None:
        """A heap object; what several may hold is joined."""
        state: State | None = self
        while state is not None and ref:
            found = state.heap.get(ref)
            if found is not None:
                return found
            state = state.parent
        if not isinstance(ref, tuple):
            return None
        boxes = [box for box in map(self.box, ref) if box is not None]
        return reduce(join_boxes, boxes) if boxes else None

    def guard(self, token: Any) -> frozenset[str]:
        """The kinds of sink for which a test on the way here made a token, or one value, harmless."""
        state: State | None = self
        while state is not None:
            found = state.guards.get(token)
            if found is not None:
                return found
            state = state.parent
        return frozenset()

    def flat(self, base: State) -> State:
        """All layers down to `base` as one layer over it."""
        layers: list[State] = []
        state: State | None = self
        while state is not None and state is not base:
            layers.append(state)
            state = state.parent
        made = State(base)
        for layer in reversed(layers):
            made.vars.update(layer.vars)
            made.heap.update(layer.heap)
            made.guards.update(layer.guards)
        return made


def join_taints(a: Taints, b: Taints) -> Taints:
    """Either may be: all tokens, each cleared only for what both say."""
    if not b or a is b:
        return a
    if not a:
        return b
    made = dict(a)
    for token, cleared in b.items():
        made[token] = made[token] & cleared if token in made else cleared
    return made


def join(a: Value, b: Value) -> Value:
    """One of two values."""
    if a is b:
        return a
    same = type(a.const) is type(b.const) and a.const == b.const
    made = Value(a.const if same else UNKNOWN, join_taints(a.taints, b.taints))
    made.ref = a.ref if a.ref == b.ref or not b.ref else b.ref if not a.ref else _refs(a.ref, b.ref)
    made.among = () if same else _among(a, b)
    made.identity = a.identity if a.identity is b.identity else made
    made.qual = a.qual if a.qual == b.qual or not b.qual else b.qual if not a.qual else ""
    made.target = a.target if a.target is b.target or b.target is None else b.target if a.target is None else None
    made.trail = a.trail if a.taints else b.trail or a.trail
    made.shape = a.shape if a.shape == b.shape else _joined_shape(a, b)
    return made


def _refs(a: Ref, b: Ref) -> Ref:
    """One of several objects; 0 when there are too many to tell."""
    made = dict.fromkeys((*(a if isinstance(a, tuple) else (a,)), *(b if isinstance(b, tuple) else (b,))))
    return tuple(made) if len(made) <= MAX_REFS else 0


def _among(a: Value, b: Value) -> tuple[Any, ...]:
    """The constants of two values, when both have some."""
    if not a.constants or not b.constants:
        return ()
    made = (*a.constants, *(one for one in b.constants if one not in a.constants))
    return made if len(made) <= MAX_AMONG else ()


def _joined_shape(a: Value, b: Value) -> str | None:
    """The shape of the tainted side: what is fixed there is what matters."""
    if a.taints and not b.taints:
        return a.shape
    if b.taints and not a.taints:
        return b.shape
    return None


def join_boxes(a: Box, b: Box) -> Box:
    """One of two contents of the same object."""
    if a is b:
        return a
    rest = a.rest if b.rest is None else b.rest if a.rest is None else join(a.rest, b.rest)
    items: list[Value] | None = None
    if a.items is not None and b.items is not None:
        items = [join(x, y) for x, y in zip(a.items, b.items, strict=False)]
    known = len(items or ())
    for one in [*(a.items or ())[known:], *(b.items or ())[known:]]:
        rest = one if rest is None else join(rest, one)
    keys = dict(a.keys)
    for key, value in b.keys.items():
        keys[key] = join(keys[key], value) if key in keys else value
    return Box(a.kind, items, keys, rest, a.cls)


def _settled(value: Value, state: State) -> Value:
    """A value as it leaves a branch: what the branch's test said of its data stays true of it."""
    own = state.guards.get(value.identity, frozenset())
    if not own and not any(token in state.guards for token in value.taints):
        return value
    return value.tainted({t: k | own | state.guards.get(t, frozenset()) for t, k in value.taints.items()})


def guarded(value: Value, state: State) -> Value:
    """A value with what all tests on the way to a state say of it."""
    if not value.taints:
        return value
    own = state.guard(value.identity)
    said = {token: cleared | own | state.guard(token) for token, cleared in value.taints.items()}
    if said == value.taints:
        return value
    made = value.tainted(said)
    made.check = value.check
    return made


def merge(base: State, states: list[State]) -> None:
    """Continue `base` after branches, each one layer over it."""
    alive = [state for state in states if not state.dead]
    if not alive:
        base.dead = True
        return
    base.dead = False
    if len(alive) == 1:
        base.vars.update(alive[0].vars)
        base.heap.update(alive[0].heap)
        base.guards.update(alive[0].guards)
        return
    for key in dict.fromkeys(key for state in alive for key in state.vars):
        found = [_settled(value, state) for state in alive if (value := state.get(key)) is not None]
        made = found[0]
        for one in found[1:]:
            made = join(made, one)
        base.vars[key] = made
    for ref in dict.fromkeys(ref for state in alive for ref in state.heap):
        boxes = [box for box in (state.box(ref) for state in alive) if box is not None]
        joined = boxes[0]
        for other in boxes[1:]:
            joined = join_boxes(joined, other)
        base.heap[ref] = joined
    for token in {token for state in alive for token in state.guards}:
        base.guards[token] = frozenset.intersection(*(state.guard(token) for state in alive))
