"""Cells: what one module knows. A scope that read a cell is solved again when the cell grows.

Cells only grow, and a cell holds at most MAX_VALUES objects, so the rounds end. `edges` of a scope are those of
its last round, which saw the final cells. A cell belongs to the module of its owner; what is held here of a cell of
another module is a copy: reading it asks that module once (`asked`), writing it tells that module (`sent`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from remit.code.graph.python.objects import BASES, CLASS, CONT, MODULE, NOTHING, Interner, Obj, Values

Cell = tuple[Obj, Any]
Named = Mapping[str, tuple[str, bool]]
"""{dotted name: (path, is a package)} of every module of the code base"""

MAX_VALUES: Final = 96
"""Objects in one cell; what comes after is not followed. Source: more than that calls tell nobody anything."""
MAX_ROUNDS: Final = 60
"""Rounds of one scope."""


class Cells:
    """The shared state of a solution."""

    def __init__(self, path: str, named: Named, root_name: str = "") -> None:
        self.path = path
        self.named = named
        self.root_name = root_name
        """what a root that is itself a package is called; '' where it is none"""
        self.make = Interner()
        self.values: dict[Cell, Values] = {}
        self.readers: dict[Cell, set[Obj]] = {}
        self.queue: deque[Obj] = deque()
        self.modules_first: deque[Obj] = deque()
        self.waiting: set[Obj] = set()
        self.rounds: dict[Obj, int] = {}
        self.reader: Obj | None = None
        self.orders: dict[Obj, list[Obj]] = {}
        """resolution orders, until a class gets another base"""
        self.order_readers: set[Obj] = set()
        self.foreign: set[Obj] = set()
        """owners here to which other scopes add"""
        self.looked: dict[str, Obj | None] = {}
        """modules that were asked for by name"""
        self.asked: dict[Cell, None] = {}
        """cells of other modules that were read for the first time"""
        self.sent: dict[tuple[Obj, Any, Any], Values] = {}
        """{(owner, key, key for what others add or None): values} of other modules"""
        self.shared: set[Cell] = set()
        """cells here that other modules read"""
        self.grown: dict[Cell, None] = {}
        """those of them that grew"""

    def module(self, name: str) -> Obj | None:
        """The module of a dotted name."""
        if name in self.looked:
            return self.looked[name]
        found = None
        where = self.named.get(name)
        if where is not None:
            found = self.make.get(MODULE, name, where[0])
            found.remote = where[0] != self.path
            found.marks = frozenset(("package",)) if where[1] else frozenset()
        self.looked[name] = found
        return found

    def read(self, owner: Obj, key: Any) -> Values:
        """What the cell holds now; the scope at work is noted as its reader."""
        cell = (owner, key)
        if self.reader is not None:
            readers = self.readers.get(cell)
            if readers is None:
                readers = self.readers[cell] = set()
                if owner.remote:
                    self.asked[cell] = None
            readers.add(self.reader)
        return self.values.get(cell, NOTHING)

    def write(self, owner: Obj, key: Any, values: Values) -> None:
        """Add to a cell."""
        if not values:
            return
        cell = (owner, key)
        old = self.values.get(cell, NOTHING)
        if values <= old or len(old) >= MAX_VALUES:
            return
        self.values[cell] = old | values
        if owner.remote:
            self._send(owner, key, None, values - old)
        elif cell in self.shared:
            self.grown[cell] = None
        for reader in self.readers.get(cell, ()):
            self.ask(reader)

    def _send(self, owner: Obj, key: Any, foreign: Any, values: Values) -> None:
        place = (owner, key, foreign)
        self.sent[place] = self.sent.get(place, NOTHING) | values

    def write_foreign(self, owner: Obj, key: Any, foreign: Any, values: Values) -> None:
        """Another scope adds to what `owner` (or the scope that made it) keeps under `key`.

        Few owners have such cells, so readers look only where `foreign` says so, and are asked through `key`. The copy
        of a cell of another module holds both.
        """
        if not values:
            return
        if owner.remote:
            new = values - self.values.get((owner, key), NOTHING)
            if new:
                self._send(owner, key, foreign, new)
                self.learn(owner, key, new)
            return
        if owner not in self.foreign:
            self.foreign.add(owner)
            body = owner.a if owner.kind == CONT else owner
            self.ask(body.module if body.kind == CLASS else body)
        before = self.values.get((owner, foreign))
        self.write(owner, foreign, values)
        if self.values.get((owner, foreign)) is not before:
            if (owner, key) in self.shared:
                self.grown[owner, key] = None
            for reader in self.readers.get((owner, key), ()):
                self.ask(reader)

    def learn(self, owner: Obj, key: Any, values: Values) -> None:
        """Add to the copy of a cell of another module."""
        cell = (owner, key)
        old = self.values.get(cell, NOTHING)
        if values <= old or len(old) >= MAX_VALUES:
            return
        self.values[cell] = old | values
        if key == BASES:
            self._order_again()
        for reader in self.readers.get(cell, ()):
            self.ask(reader)

    def whole(self, cell: Cell) -> Values:
        """What another module sees of a cell here: with what others added to it."""
        owner, key = cell
        found = self.values.get(cell, NOTHING)
        if owner in self.foreign:
            found |= self.values.get((owner, ("x", key)), NOTHING)
            if isinstance(key, str):
                found |= self.values.get((owner, "=" + key), NOTHING)
        return found

    def read_name(self, owner: Obj, name: str) -> Values:
        """A variable of another scope, with what others assigned to it."""
        found = self.read(owner, name)
        return found | self.values.get((owner, "=" + name), NOTHING) if owner in self.foreign else found

    def add_base(self, cls: Obj, base: Obj) -> None:
        """Note a base; whoever used a resolution order looks again."""
        before = self.values.get((cls, BASES), NOTHING)
        if base in before:
            return
        self.values[cls, BASES] = before | {base}
        if (cls, BASES) in self.shared:
            self.grown[cls, BASES] = None
        self._order_again()

    def _order_again(self) -> None:
        self.orders.clear()
        for reader in sorted(self.order_readers, key=lambda scope: scope.name):
            self.ask(reader)
        self.order_readers.clear()

    def ask(self, scope: Obj) -> None:
        """Solve this scope (again)."""
        if scope not in self.waiting and self.rounds.get(scope, 0) < MAX_ROUNDS:
            self.waiting.add(scope)
            (self.modules_first if scope.kind == MODULE else self.queue).append(scope)

    def next_scope(self, modules_only: bool = False) -> Obj | None:
        """The scope to solve now: modules before functions, which read what modules bind."""
        queue = self.modules_first if modules_only else self.modules_first or self.queue
        if not queue:
            return None
        scope = queue.popleft()
        self.waiting.discard(scope)
        self.rounds[scope] = self.rounds.get(scope, 0) + 1
        return scope
