"""Cells: what one module knows. A scope that read a cell is solved again when the cell grows.

Cells only grow, and a cell holds at most MAX_VALUES objects, so the rounds end. `edges` of a scope are those of
its last round, which saw the final cells. A cell belongs to the module of its owner; what is held here of a cell of
another module is a copy: when it is first read it is filled with what that module holds by then (`pull`), and that
module is asked to tell what it learns later (`asked`); writing it tells that module (`sent`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from remit.code.graph.python.objects import BASES, CLASS, CONT, MODULE, NOTHING, Cell, Interner, Obj, Values

Place = tuple[Obj, Any]
"""(owner, key) of a cell"""
Named = Mapping[str, tuple[str, bool]]
"""{dotted name: (path, is a package)} of every module of the code base"""

MAX_VALUES: Final = 24
"""Objects in one cell; what comes after is not followed. Source: more than that calls tell nobody anything."""
MAX_ROUNDS: Final = 60
"""Rounds of one scope."""


class Cells:
    """The shared state of a solution."""

    def __init__(self, path: str, named: Named, root_name: str, pull: Callable[[Obj, Any], Values]) -> None:
        self.path = path
        self._pull = pull
        self.named = named
        self.root_name = root_name
        """what a root that is itself a package is called; '' where it is none"""
        self.make = Interner()
        self.queue: deque[Obj] = deque()
        self.modules_first: deque[Obj] = deque()
        self.waiting: set[Obj] = set()
        self.rounds: dict[Obj, int] = {}
        self.reader: Obj | None = None
        self.orders: dict[Obj, list[Obj]] = {}
        """resolution orders, until a class gets another base"""
        self.order_readers: dict[Obj, set[Obj]] = {}
        """{class: scopes that looked at its order}"""
        self.foreign: set[Obj] = set()
        """owners here to which other scopes add"""
        self.looked: dict[str, Obj | None] = {}
        """modules that were asked for by name"""
        self.asked: dict[Place, Values] = {}
        """cells of other modules that were read for the first time, and what they held"""
        self.sent: dict[tuple[Obj, Any, Any], Values] = {}
        """{(owner, key, key for what others add or None): values} of other modules"""
        self.shared: set[Place] = set()
        """cells here that other modules read"""
        self.grown: dict[Place, None] = {}
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
        cell = owner.held.get(key)
        if cell is None:
            cell = owner.held[key] = Cell()
        reader = self.reader
        if reader is not None:
            readers = cell.readers
            if owner.remote and not readers:
                found = self.asked[owner, key] = self._pull(owner, key)
                if found:
                    cell.values = self._cut(cell.values, found)
            readers.add(reader)
        return cell.values

    def held(self, owner: Obj, key: Any) -> Values:
        """The same, without a note."""
        cell = owner.held.get(key)
        return NOTHING if cell is None else cell.values

    def _grow(self, owner: Obj, key: Any, values: Values) -> bool:
        """Whether the cell holds more now; its readers are asked again."""
        cell = owner.held.get(key)
        if cell is None:
            cell = owner.held[key] = Cell()
        old = cell.values
        if values <= old or len(old) >= MAX_VALUES:
            return False
        cell.values = self._cut(old, values)
        for reader in cell.readers:
            self.ask(reader)
        return True

    @staticmethod
    def _cut(old: Values, values: Values) -> Values:
        """Both, as far as a cell holds them."""
        made = old | values
        return made if len(made) <= MAX_VALUES else old.union(sorted(values - old)[: max(0, MAX_VALUES - len(old))])

    def write(self, owner: Obj, key: Any, values: Values) -> None:
        """Add to a cell."""
        if not values:
            return
        if owner.remote:
            before = self.held(owner, key)
            if self._grow(owner, key, values):
                self._send(owner, key, None, self.held(owner, key) - before)
        elif self._grow(owner, key, values) and (owner, key) in self.shared:
            self.grown[owner, key] = None

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
            new = values - self.held(owner, key)
            if new:
                self._send(owner, key, foreign, new)
                self.learn(owner, key, new)
            return
        if owner not in self.foreign:
            self.foreign.add(owner)
            body = owner.a if owner.kind == CONT else owner
            self.ask(body.module if body.kind == CLASS else body)
        before = self.held(owner, foreign)
        self.write(owner, foreign, values)
        if self.held(owner, foreign) is not before:
            if (owner, key) in self.shared:
                self.grown[owner, key] = None
            cell = owner.held.get(key)
            for reader in cell.readers if cell is not None else ():
                self.ask(reader)

    def learn(self, owner: Obj, key: Any, values: Values) -> None:
        """Add to the copy of a cell of another module."""
        if self._grow(owner, key, values) and key == BASES:
            self._order_again(owner)

    def whole(self, place: Place) -> Values:
        """What another module sees of a cell here: with what others added to it."""
        owner, key = place
        found = self.held(owner, key)
        if owner in self.foreign:
            found |= self.held(owner, ("x", key))
            if isinstance(key, str):
                found |= self.held(owner, "=" + key)
        return found

    def read_name(self, owner: Obj, name: str) -> Values:
        """A variable of another scope, with what others assigned to it."""
        found = self.read(owner, name)
        return found | self.held(owner, "=" + name) if owner in self.foreign else found

    def add_base(self, cls: Obj, base: Obj) -> None:
        """Note a base; whoever used a resolution order looks again."""
        if base in self.held(cls, BASES):
            return
        self._grow(cls, BASES, frozenset((base,)))
        if (cls, BASES) in self.shared:
            self.grown[cls, BASES] = None
        self._order_again(cls)

    def _order_again(self, cls: Obj) -> None:
        """A class has another base: the orders that it stands in hold no more."""
        for first in [first for first, order in self.orders.items() if cls in order]:
            del self.orders[first]
            for reader in sorted(self.order_readers.pop(first, ()), key=lambda scope: scope.name):
                self.ask(reader)

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
