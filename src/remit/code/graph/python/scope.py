"""One scope at work: its variables after each statement, and the calls that it makes.

Variables, slots of containers made here and attributes of a named object (`a.b = ...`) take the last assignment.
What other scopes may see is published when something is called and when the scope ends, so they see what held then.
Branches are walked apart and joined.
"""

from __future__ import annotations

from typing import Any

from remit.code.graph.python.cells import Cells
from remit.code.graph.python.objects import ANY, CONT, KEYS, MODULE, NOTHING, TOKEN, Obj, Values

Store = tuple[dict[str, Values], dict[tuple[Obj, Any], Values]]

Edges = dict[tuple[str, int, str], tuple[Obj | None, int]]
"""{(name, line, reason): (the function, or None outside the code base; how many callees the place has)}"""


class Scope:
    """The state of one round over one scope."""

    def __init__(self, cells: Cells, owner: Obj) -> None:
        self.cells = cells
        self.owner = owner
        self.module: Obj = owner.module or owner
        self._tokens = cells.make.tokens
        self.env: dict[str, Values] = {}
        self.slots: dict[tuple[Obj, Any], Values] = {}
        self.paths: dict[tuple[str, str], Values] = {}
        self.pending: dict[tuple[str, str], Values] = {}
        self.dirty_names: dict[str, None] = {}
        self.dirty_slots: dict[tuple[Obj, Any], None] = {}
        self.declared: dict[str, Obj] = {}
        self.open: set[str] = set()
        """variables that may hold an instance of a subclass of what is known: `self`, what is annotated or caught"""
        self.missed: set[str] = set()
        """names that were looked for and not found among the variables"""
        self.exits: list[list[Store]] = []
        self.dead = False
        self.edges: Edges = {}
        self.choices = 1
        """callees of the call at work"""
        self.classes: dict[Obj, Edges] = {}
        """calls of class bodies, which run in this scope"""
        self.around: Scope | None = None
        """the scope at work around a class body"""

    def edge(self, name: str, callee: Obj | None, line: int, reason: str) -> None:
        """Note a call."""
        self.edges[name, line, reason] = callee, self.choices

    def bind(self, name: str, values: Values) -> None:
        """Assign a variable."""
        home = self.declared.get(name)
        if home is not None:
            self.cells.write_foreign(home, name, "=" + name, self.concrete(values))
            return
        self.env[name] = values
        if self.owner.kind == MODULE or name in self.owner.seen:
            self.dirty_names[name] = None
        if self.paths:
            for path in [p for p in self.paths if p[0] == name]:
                self._settle(path)
                del self.paths[path]

    def concrete(self, values: Values) -> Values:
        """The values with parameters as what callers gave."""
        if not values or values.isdisjoint(self._tokens):
            return values
        made: set[Obj] = set()
        for value in values:
            if value.kind == TOKEN:
                made |= self.cells.read(value.a, "p:" + value.name)
            else:
                made.add(value)
        return frozenset(made)

    def set_slot(self, container: Obj, key: Any, values: Values, strong: bool) -> None:
        """Put into a container; `strong` = this replaces what was there."""
        values = self.concrete(values)
        self.cells.write(container, KEYS, frozenset((self.cells.make.get("key", "", key),)))
        if container.a is not self.owner:
            self.cells.write_foreign(container, key, ("x", key), values)
            return
        place = (container, key)
        if not strong:
            values = values | self.slots.get(place, NOTHING)
        self.slots[place] = values
        self.dirty_slots[place] = None

    def slot(self, container: Obj, key: Any) -> Values:
        """What is under one key (ANY: under an unknown one)."""
        if key == ANY:
            found = NOTHING
            for known in self.cells.read(container, KEYS):
                found |= self._one_slot(container, known.a)
            return found
        return self._one_slot(container, key) | self._one_slot(container, ANY)

    def _one_slot(self, container: Obj, key: Any) -> Values:
        own = self.slots.get((container, key))
        if own is None:
            own = self.cells.read(container, key)
        if container in self.cells.foreign:
            return own | self.cells.read(container, ("x", key))
        return own

    def keys(self, container: Obj) -> list[Any]:
        """Known constant keys."""
        return [known.a for known in self.cells.read(container, KEYS) if known.a != ANY]

    def set_path(self, name: str, attribute: str, values: Values) -> None:
        """`name.attribute = values`; written when somebody may look."""
        self.paths[name, attribute] = values
        self.pending[name, attribute] = values

    def _settle(self, path: tuple[str, str]) -> None:
        values = self.pending.pop(path, None)
        if values is not None:
            for base in self.concrete(self.env.get(path[0], NOTHING)):
                self.cells.write(base, path[1], self.concrete(values))

    def settle(self) -> None:
        """Write attributes that wait."""
        for path in list(self.pending):
            self._settle(path)

    def publish(self, forget: bool = True) -> None:
        """Let others see; `forget` = they may also change attributes."""
        if self.pending:
            self.settle()
        if forget and self.paths:
            self.paths.clear()
        if self.dirty_names:
            for name in self.dirty_names:
                self.cells.write(self.owner, name, self.concrete(self.env.get(name, NOTHING)))
            self.dirty_names.clear()
        if self.dirty_slots:
            for place in self.dirty_slots:
                self.cells.write(place[0], place[1], self.slots.get(place, NOTHING))
            self.dirty_slots.clear()

    def save(self) -> Store:
        """The state to go back to."""
        return dict(self.env), dict(self.slots)

    def restore(self, store: Store) -> None:
        """Go back."""
        self.env, self.slots = dict(store[0]), dict(store[1])
        self.dead = False

    def join(self, stores: list[Store]) -> None:
        """Go on where several ways meet; no way = dead."""
        self.paths.clear()
        if not stores:
            self.dead = True
            return
        self.dead = False
        self.env, self.slots = dict(stores[0][0]), dict(stores[0][1])
        for env, slots in stores[1:]:
            _merge(self.env, env)
            for place, values in slots.items():
                old = self.slots.get(place)
                if old is not values:
                    self.slots[place] = values if old is None else old | values

    def settled(self, before: Store) -> bool:
        """Whether a loop that began with this state would go through its body again as it did the first time."""
        env, slots = before
        for name, values in self.env.items():
            old = env.get(name)
            if old is None:
                if name in self.missed:
                    return False
            elif old is not values and old != values:
                return False
        return self.slots == slots

    def element_of(self, kind: str, site: Any) -> Obj:
        """The container made at a place of this scope."""
        return self.cells.make.get(CONT, kind, self.owner, site)


def _merge(into: dict[str, Values], other: dict[str, Values]) -> None:
    for name, values in other.items():
        old = into.get(name)
        if old is not values:
            into[name] = values if old is None else old | values
