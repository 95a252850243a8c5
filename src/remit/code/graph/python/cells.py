"""Cells: what is known across scopes. A scope that read a cell is solved again when the cell grows.

Cells only grow, and a cell holds at most MAX_VALUES objects, so the rounds end. `edges` of a scope are those of
its last round, which saw the final cells.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from remit.code.graph.python.objects import BASES, CLASS, CONT, MODULE, NOTHING, Interner, Obj, Values

MAX_VALUES: Final = 96
"""Objects in one cell; what comes after is not followed. Source: more than that calls tell nobody anything."""
MAX_ROUNDS: Final = 60
"""Rounds of one scope."""


class Cells:
    """The shared state of a solution."""

    def __init__(self, root_name: str = "") -> None:
        self.root_name = root_name
        """what a root that is itself a package is called; '' where it is none"""
        self.make = Interner()
        self.values: dict[tuple[Obj, Any], Values] = {}
        self.readers: dict[tuple[Obj, Any], set[Obj]] = {}
        self.queue: deque[Obj] = deque()
        self.modules_first: deque[Obj] = deque()
        self.waiting: set[Obj] = set()
        self.rounds: dict[Obj, int] = {}
        self.reader: Obj | None = None
        self.modules: dict[str, Obj] = {}
        self.orders: dict[Obj, list[Obj]] = {}
        """resolution orders, until a class gets another base"""
        self.order_readers: set[Obj] = set()
        self.foreign: set[Obj] = set()
        """owners to which other scopes add"""

    def read(self, owner: Obj, key: Any) -> Values:
        """What the cell holds now; the scope at work is noted as its reader."""
        cell = (owner, key)
        if self.reader is not None:
            readers = self.readers.get(cell)
            if readers is None:
                readers = self.readers[cell] = set()
            readers.add(self.reader)
        return self.values.get(cell, NOTHING)

    def write(self, owner: Obj, key: Any, values: Values) -> None:
        """Add to a cell."""
        if not values:
            return
        cell = (owner, key)
        old = self.values.get(cell, NOTHING)
        if values <= old:
            return
        if len(old) >= MAX_VALUES:
            return
        self.values[cell] = old | values
        for reader in self.readers.get(cell, ()):
            self.ask(reader)

    def write_foreign(self, owner: Obj, key: Any, foreign: Any, values: Values) -> None:
        """Another scope adds to what `owner` (or the scope that made it) keeps under `key`.

        Few owners have such cells, so readers look only where `foreign` says so, and are asked through `key`.
        """
        if not values:
            return
        if owner not in self.foreign:
            self.foreign.add(owner)
            body = owner.a if owner.kind == CONT else owner
            self.ask(body.module if body.kind == CLASS else body)
        before = self.values.get((owner, foreign))
        self.write(owner, foreign, values)
        if self.values.get((owner, foreign)) is not before:
            for reader in self.readers.get((owner, key), ()):
                self.ask(reader)

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
        self.orders.clear()
        for reader in sorted(self.order_readers, key=lambda scope: scope.name):
            self.ask(reader)
        self.order_readers.clear()

    def ask(self, scope: Obj) -> None:
        """Solve this scope (again)."""
        if scope not in self.waiting and self.rounds.get(scope, 0) < MAX_ROUNDS:
            self.waiting.add(scope)
            (self.modules_first if scope.kind == MODULE else self.queue).append(scope)

    def next_scope(self) -> Obj | None:
        """The scope to solve now: modules before functions, which read what modules bind."""
        queue = self.modules_first or self.queue
        if not queue:
            return None
        scope = queue.popleft()
        self.waiting.discard(scope)
        self.rounds[scope] = self.rounds.get(scope, 0) + 1
        return scope
