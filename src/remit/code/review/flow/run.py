"""The state of one analysis: modules, the frame and layer at work, budgets, tokens, and what the rules were told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from remit.code.review.flow.events import Event, Watcher
from remit.code.review.flow.values import (
    NOTHING,
    Box,
    Check,
    ClassTarget,
    Facts,
    Frame,
    FunctionTarget,
    ModuleInfo,
    Ref,
    State,
    Taints,
    Token,
    Trail,
    Value,
    join_taints,
    merge,
)
from remit.code.review.ir import Function, Span
from remit.code.review.values import Hit

MAX_EVALUATION_DEPTH: Final = 170
MAX_INLINE_DEPTH: Final = 7
ENTRY_STEPS: Final = 12_000
"""Steps of one entry before calls are no longer followed; four times that ends it."""
STEPS_A_LINE: Final = 60
MAX_BOX: Final = 200
"""Known places of one container."""


class OutOfSteps(Exception):
    """An entry used up its steps; what it found so far stands."""


class Knowledge(Struct):
    """What the rules and tables know of one language's libraries."""

    sources: Mapping[str, tuple[str, str]]
    """{dotted name: (family, note)}; a name `*.method()` for any receiver"""
    cleaners: Mapping[str, frozenset[str]]
    """{dotted call or *.method: kinds that its result is harmless for}"""
    watchers: Mapping[str, list[tuple[str, Watcher]]]
    """{last part of a call's name: [(rule id, watcher)]}; "" = every call"""


class Run:
    """One analysis of one program in one language."""

    def __init__(self, modules: Mapping[str, ModuleInfo], knowledge: Knowledge) -> None:
        self.modules = modules
        self.knowledge = knowledge
        self.state = State()
        self.root = self.state
        self.frame: Frame = next(iter(modules.values())).frame if modules else Frame(None, None, None)  # type: ignore[arg-type]  # no module, no run
        self.steps = 0
        self.limit = ENTRY_STEPS
        self.depth = 0
        self.loops = 0
        self.importing = 0
        self.stack: list[Function] = []
        self.called: set[int] = set()
        self.raised: list[list[Value]] = []
        """what is thrown, a list for each try that is at work"""
        self.hits: dict[tuple[str, str, Span], tuple[Hit, str, int]] = {}
        """(rule, file, place) -> (hit, the family of its data, the function's identity)"""
        self._tokens: dict[tuple[str, Span | str, str, int], Token] = {}
        self._heap = 0

    def step(self) -> None:
        """Count one step; raises OutOfSteps far beyond the limit."""
        self.steps += 1
        if self.steps > 4 * self.limit:
            raise OutOfSteps

    @property
    def inlining(self) -> bool:
        """Whether calls are still followed."""
        return len(self.stack) < MAX_INLINE_DEPTH and self.steps < self.limit and self.depth < MAX_EVALUATION_DEPTH - 40

    @property
    def place(self) -> tuple[State, Frame]:
        """The layer and the frame at work."""
        return self.state, self.frame

    @property
    def path(self) -> str:
        """The file at work."""
        return self.frame.module.module.path

    def token(self, family: str, note: str, span: Span, name: str = "") -> Token:
        """The token of a place, or of what is read by one name in one function: the same gives the same token."""
        key = (self.path, name or span, family, id(self.frame.function) if name else 0)
        found = self._tokens.get(key)
        if found is None:
            found = self._tokens[key] = Token(family, note, self.path, span)
        return found

    def new_box(self, box: Box, qual: str = "") -> Value:
        """A new object on the heap."""
        self._heap += 1
        self.state.heap[self._heap] = box
        return Value(ref=self._heap, qual=qual)

    def box(self, value: Value) -> Box | None:
        """The object that a value is."""
        return self.state.box(value.ref)

    def deep(self, value: Value) -> Taints:
        """The taints of a value and of all in it."""
        if not value.ref:
            return value.taints
        made, rest, seen = value.taints, [value.ref], set[Ref]()
        while rest and len(seen) < MAX_BOX:
            ref = rest.pop()
            box = self.state.box(ref)
            if ref in seen or box is None:
                continue
            seen.add(ref)
            for one in box.all():
                made = join_taints(made, one.taints)
                if one.ref:
                    rest.append(one.ref)
        return made

    def seen(self, value: Value) -> Value:
        """A value as it is read here: with what tests on the way here showed of it."""
        if not value.taints:
            return value
        own = self.state.guard(value.identity)
        return value.tainted({token: cleared | own for token, cleared in value.taints.items()}) if own else value

    def trail(self, span: Span, note: str, before: Value) -> Trail | None:
        """The way of a value, one step longer; None when it carries nothing."""
        return Trail(before.trail, self.path, span[0], note) if before.taints else before.trail

    def apply(self, facts: Facts) -> None:
        """Take facts of a test as holding from here on in this layer."""
        for token, kinds in facts.items():
            self.state.guards[token] = self.state.guard(token) | kinds

    def branch(self, ways: Iterable[Callable[[], Value]]) -> list[Value]:
        """Run each way on a layer of its own, then continue with their merge."""
        base = self.state
        states: list[State] = []
        values: list[Value] = []
        for way in ways:
            self.state = State(base)
            try:
                value = way()
            finally:
                states.append(self.state)
                self.state = base
            if not states[-1].dead:
                values.append(value)
        merge(base, states)
        return values

    def assume(self, value: Value, truth: bool) -> None:
        """Continue where `value` is true (or false)."""
        if value.check is not None:
            self.apply(value.check.true if truth else value.check.false)

    def tell(self, event: Event) -> None:
        """Show an event to the rules that asked for it."""
        watchers = self.knowledge.watchers
        for rule, watcher in (*watchers.get(event.method, ()), *watchers.get("", ())):
            for hit in watcher(event):
                self.add(rule, hit, event.path)

    def add(self, rule: str, hit: Hit, path: str) -> None:
        """Keep a hit; of several at one place the surest."""
        function = self.frame.function
        key = (rule, path, hit.span)
        before = self.hits.get(key)
        if before is None or before[0].confidence < hit.confidence:
            family = hit.severity if hit.severity == "parameter" else ""
            if family:
                hit.severity = ""
            self.hits[key] = (hit, family, id(function) if function is not None else 0)


_PART: Final = re.compile(r"(r?split(ext|lines)?|r?partition|suffix|scheme|extname|extension|\[\]|\[:\]|len|find|index|"
                          r"slice|substring|charAt|substr)(\(\))?(\[\]|\[:\])*$")  # fmt: skip


def whole(value: Value) -> bool:
    """Whether what is shown of a value is shown of the data that it came from: it is not a part of it."""
    return not _PART.search(value.qual)


def facts(value: Value, kinds: frozenset[str]) -> Facts:
    """The fact that a value is harmless for some kinds; where it is no part of its data, that data too."""
    if not kinds or not value.taints:
        return {}
    made: Facts = {value.identity: kinds}
    if whole(value):
        made.update(dict.fromkeys(value.taints, kinds))
    return made


def data_facts(value: Value, kinds: frozenset[str]) -> Facts:
    """The fact that all the data that a value came from is harmless for some kinds."""
    return {value.identity: kinds, **dict.fromkeys(value.taints, kinds)}


def checked(value: Value, check: Check) -> Value:
    """A value that says something when it is tested."""
    value.check = check
    return value


__all__ = ["NOTHING", "ClassTarget", "FunctionTarget", "Knowledge", "OutOfSteps", "Run", "checked", "facts"]
