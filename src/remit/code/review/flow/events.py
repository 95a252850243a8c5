"""What the engine tells the rules: one call (or store, or return of a handler) with all that is known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from remit.code.review.flow.values import EVERYTHING, NOTHING, UNKNOWN, Box, Frame, Ref, State, Token, Trail, Value
from remit.code.review.ir import Node, Span
from remit.code.review.values import Hit, Step

MAX_DEEP = 400
"""Values looked at inside one container."""


class Event:
    """One call. `name` is the dotted name of what is called, `method` its last part."""

    __slots__ = ("args", "frame", "keywords", "method", "name", "node", "receiver", "state")

    def __init__(
        self, name: str, node: Node, args: Sequence[Value], keywords: dict[str, Value], place: tuple[State, Frame],
        receiver: Value = NOTHING,
    ) -> None:  # fmt: skip
        self.name = name
        self.method = name.rpartition(".")[2]
        self.node, self.args, self.keywords = node, args, keywords
        self.state, self.frame = place
        self.receiver = receiver

    @property
    def span(self) -> Span:
        """Where it is written."""
        return self.node.span

    @property
    def path(self) -> str:
        """The file it is written in."""
        return self.frame.module.module.path

    @property
    def language(self) -> str:
        """The language it is written in."""
        return self.frame.module.module.language

    def argument(self, position: int, keyword: str = "") -> Value | None:
        """An argument by place or name."""
        if keyword and keyword in self.keywords:
            return self.keywords[keyword]
        return self.args[position] if 0 <= position < len(self.args) else None

    def constant(self, position: int, keyword: str = "") -> Any:
        """The constant of an argument; UNKNOWN when it is absent or not known."""
        value = self.argument(position, keyword)
        return UNKNOWN if value is None else value.const

    def deep(self, value: Value) -> Iterable[Value]:
        """A value and everything in it, bounded."""
        rest, seen, count = [value], set[Ref](), 0
        while rest and count < MAX_DEEP:
            one = rest.pop()
            count += 1
            yield one
            if one.ref and one.ref not in seen:
                seen.add(one.ref)
                box = self.state.box(one.ref)
                rest.extend(box.all() if box is not None else ())

    def box(self, value: Value) -> Box | None:
        """The container that a value is."""
        return self.state.box(value.ref)

    def reaching(self, value: Value, kind: str, families: Sequence[str]) -> tuple[Token, Value] | None:
        """The first token of these families that reaches this place harmful for a kind of sink."""
        for one in self.deep(value):
            own = self.state.guard(one.identity) if one.taints else frozenset()
            for token, cleared in one.taints.items():
                if token.family not in families or _harmless(kind, cleared | own):
                    continue
                if not _harmless(kind, self.state.guard(token)):
                    return token, one
        return None


def _harmless(kind: str, said: frozenset[str]) -> bool:
    return kind in said or EVERYTHING in said


def steps_of(token: Token, value: Value, sink: Step) -> tuple[Step, ...]:
    """The way from where the data came in to the sink."""
    way: list[Step] = []
    trail: Trail | None = value.trail
    while trail is not None:
        way.append(Step(trail.path, trail.line, trail.note))
        trail = trail.before
    way.append(Step(token.path, token.span[0], f"{token.note} comes in"))
    way.reverse()
    made: list[Step] = []
    for step in [*way, sink]:
        if not made or (made[-1].file, made[-1].line) != (step.file, step.line) or step is sink:
            made.append(step)
    return tuple(made)


Watcher = Callable[[Event], Iterable[Hit]]
"""A rule's own look at the calls it asked for."""
