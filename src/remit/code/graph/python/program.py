"""One Python module at work: what other modules say goes in, scopes are solved until nothing new is learnt, what
others want to know comes out. The result depends on the facts and on what came in, in its order, alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from remit.code.graph.calls import Call
from remit.code.graph.python import objects as o
from remit.code.graph.python.cells import Cells, Named, Place
from remit.code.graph.python.descriptors import Descriptors, home
from remit.code.graph.python.lowering import F_BODY, F_LOCALS, F_PARAMS
from remit.code.graph.python.objects import Obj, Values
from remit.code.graph.python.scope import Edges, Scope
from remit.code.graph.python.statements import walk

MAX_STEPS_PER_SCOPE: Final = 60
"""Rounds on average; a module that needs more is cut there and says so."""
WRITE, ASK, TELL = "w", "s", "t"
"""To the module of a cell: add these values; this was read, say when it holds more. From it: what it holds more."""


def _nobody(path: str, place: bytes) -> list[bytes]:
    """A module alone."""
    return []


class Unit:
    """One module: a deterministic machine that is fed by others."""

    def __init__(self, path: str, name: str, facts: Any, named: Named, root_name: str = "") -> None:
        self.cells = Cells(path, named, root_name, self._pulled)
        module = self.cells.module(name)
        assert module is not None
        module.ir = facts
        module.names = frozenset(facts[F_LOCALS])
        self.cut = False
        self._found: dict[Obj, Edges] = {}
        self._steps = 0
        self._texts = Descriptors(self.cells)
        self._told: dict[Place, dict[str, Values]] = {}
        self.source: Callable[[str, bytes], list[bytes]] = _nobody
        """(path, place) to what the module of that path holds there now"""
        self.cells.ask(module)

    def activate(self, inbox: list[tuple[str, bytes]], *, modules_only: bool) -> dict[str, bytes]:
        """Take what others sent, solve, and say `{path: messages}`."""
        decoded = [(sender, msgspec.msgpack.decode(raw)) for sender, raw in inbox]
        for sender, messages in decoded:
            for message in messages:
                if message[0] == ASK:
                    self._share(sender, message)
        for _, messages in decoded:
            for message in messages:
                if message[0] != ASK:
                    self._take(message)
        cells = self.cells
        while (scope := cells.next_scope(modules_only)) is not None:
            self._steps += 1
            if self._steps > 1000 + MAX_STEPS_PER_SCOPE * len(cells.rounds):
                self.cut = True
                break
            _round(cells, scope, self._found)
        return self._said()

    def _pulled(self, owner: Obj, key: Any) -> Values:
        """What the module of a remote cell holds there."""
        texts = self._texts
        place = msgspec.msgpack.encode((texts.text(owner), texts.said(key)))
        return frozenset([texts.obj(one) for one in self.source(home(owner), place)])

    def shows(self, messages: bytes) -> bool:
        """Whether others that read cells here would see what they said that they saw."""
        return all(self.peek(msgspec.msgpack.encode(row[1:3])) == row[4]
                   for row in msgspec.msgpack.decode(messages) if row[0] == ASK)  # fmt: skip

    def peek(self, place: bytes) -> list[bytes]:
        """What a cell holds, for another module; nothing here changes by it."""
        owner, key = msgspec.msgpack.decode(place)
        known, part = self._texts.known(owner), self._texts.known_part(key)
        if known is None or part is None:
            return []
        return sorted(self._texts.text(one) for one in self.cells.whole((known, part)))

    def _share(self, sender: str, message: list[Any]) -> None:
        """Another module has read a cell: it is told what comes after what it saw."""
        texts = self._texts
        place = texts.obj(message[1]), texts.part(message[2])
        self._told.setdefault(place, {})[sender] = frozenset(texts.obj(one) for one in message[4])
        self.cells.shared.add(place)

    def _take(self, message: list[Any]) -> None:
        tag, owner, key, foreign, values = message
        texts, cells = self._texts, self.cells
        place, name = texts.obj(owner), texts.part(key)
        found = frozenset(texts.obj(one) for one in values)
        if tag == TELL:
            cells.learn(place, name, found)
        elif foreign is None:
            cells.write(place, name, found)
        else:
            cells.write_foreign(place, name, texts.part(foreign), found)

    def _said(self) -> dict[str, bytes]:
        cells, texts = self.cells, self._texts
        made: dict[str, list[bytes]] = {}

        def add(target: str, tag: str, cell: Place, foreign: Any, values: Values) -> None:
            row = (tag, texts.text(cell[0]), texts.said(cell[1]), texts.said(foreign),
                   sorted(texts.text(one) for one in values))  # fmt: skip
            made.setdefault(target, []).append(msgspec.msgpack.encode(row))

        for cell, seen in cells.asked.items():
            add(home(cell[0]), ASK, cell, None, seen)
        for (owner, key, foreign), values in cells.sent.items():
            add(home(owner), WRITE, (owner, key), foreign, values)
        for cell in cells.grown:
            whole = cells.whole(cell)
            for reader, before in self._told[cell].items():
                if whole - before:
                    add(reader, TELL, cell, None, whole - before)
                    self._told[cell][reader] = whole
        cells.asked.clear()
        cells.sent.clear()
        cells.grown.clear()
        return {target: msgspec.msgpack.encode([msgspec.Raw(one) for one in sorted(rows)])
                for target, rows in made.items()}  # fmt: skip

    def calls(self) -> list[Call]:
        """What was found, in the order of lines."""
        made: list[Call] = []
        for owner, edges in self._found.items():
            for (name, line, reason), (callee, choices) in edges.items():
                path = home(callee) if callee is not None else None
                which, qual = callee.b if callee is not None else (0, "")
                made.append(Call(owner.name, name, line, path, qual, which, reason, choices))
        made.sort(key=lambda c: (c.line, c.caller, c.callee, c.reason))
        return made


def _round(cells: Cells, owner: Obj, found: dict[Obj, Edges]) -> None:
    cells.reader = owner
    scope = Scope(cells, owner)
    if owner.kind == o.FUNC:
        _parameters(scope, owner)
        walk(scope, owner.ir[F_BODY])
    else:
        walk(scope, owner.ir[F_BODY])
        scope.publish()
        for name, values in scope.env.items():
            cells.write(owner, name, scope.concrete(values))
    scope.publish()
    found[owner] = scope.edges
    found.update(scope.classes)
    cells.reader = None


def _parameters(scope: Scope, owner: Obj) -> None:
    make = scope.cells.make
    for at, (name, kind, _, annotation) in enumerate(owner.ir[F_PARAMS]):
        if annotation is not None or (at == 0 and owner.cls is not None):
            scope.open.add(name)
        if kind == 2:
            values = frozenset((make.get(o.CONT, "Tuple", owner, "*" + name),))
        elif kind == 3:
            values = frozenset((make.get(o.CONT, "Dict", owner, "*" + name),))
        else:
            values = frozenset((make.get(o.TOKEN, name, owner),))
        scope.bind(name, values)
