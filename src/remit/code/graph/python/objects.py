"""What a variable may hold, as interned objects: equal things are the same object, so sets hash by identity.

Abstractions: one instance a class; one container a place in the source (with a slot for every constant key and
ANY for the rest); one generator a function. A function's own parameter is a TOKEN until it is used, so that
what an identity function returns is what its caller gave and not what every caller gave.
"""

from __future__ import annotations

from typing import Any, Final

FUNC, CLASS, INST, BOUND, MODULE = "func", "class", "inst", "bound", "module"
EXT, EXT_INST, EXT_MEMBER = "ext", "ext_inst", "ext_member"
BUILTIN, CONT, LIT, CONST, SUPER, TOKEN, METHOD, PARTIAL = (
    "builtin", "cont", "lit", "const", "super", "token", "method", "partial",
)  # fmt: skip

ANY: Final = "\0any"
"""The slot of unknown keys; no constant key of a source holds a zero character."""
KEYS: Final = "\0keys"
RETURN: Final = "\0return"
YIELD: Final = "\0yield"
BASES: Final = "\0bases"
OVERRIDING: Final = "o:"
"""and a name: functions of subclasses that have it"""
HOMED: Final = frozenset([FUNC, CLASS, INST, CONT, TOKEN, PARTIAL])
"""Kinds that belong to a module: that of their field `a`."""


class Cell:
    """What one owner keeps under one key, and the scopes that read it."""

    __slots__ = ("readers", "values")

    def __init__(self) -> None:
        self.values: Values = NOTHING
        self.readers: set[Obj] = set()


class Obj(int):
    """One abstract object: `kind` says which fields mean what.

    The number (from 1) is its hash: sets then iterate alike in every process, so bounds cut alike and the result
    depends on the facts alone.

    FUNC b=(which of its name, qualified name), ir, module, outer (scopes seen from it, inner first), cls (the class
    whose body defines it); CLASS b, ir, module, outer as FUNC; INST a=class; BOUND a=function, b=receiver; MODULE ir;
    SUPER a=class, b=receiver; CONT name=kind, a=owner; CONST a=value; TOKEN a=function, name=parameter; METHOD name,
    a=receiver.
    """

    kind: str
    name: str
    a: Any
    b: Any
    held: dict[Any, Cell]
    """what is known of it, by key"""
    ir: Any = None
    module: Any = None
    outer: tuple[Obj, ...] = ()
    cls: Any = None
    made: Any = None
    """of a class: its instance; of a function: its parameters by kind"""
    marks: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    """of a function or a module here: the variables of its scope"""
    remote: bool = False
    """whether it belongs to another module than the one that is solved"""

    @classmethod
    def numbered(cls, number: int, kind: str, name: str, a: Any = None, b: Any = None) -> Obj:
        """A new object."""
        made = cls(number)
        made.kind = kind
        made.name = name
        made.a = a
        made.b = b
        made.held = {}
        if kind in HOMED and a.remote:
            made.remote = True
        return made

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


Values = frozenset[Obj]
NOTHING: Final[Values] = frozenset()


class Interner:
    """The only maker of objects."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Obj] = {}
        self.tokens: set[Obj] = set()
        self._constants: dict[Any, Values] = {}

    def get(self, kind: str, name: str, a: Any = None, b: Any = None) -> Obj:
        """The object of this kind with these parts."""
        key = (kind, name, a, b)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Obj.numbered(len(self._known) + 1, kind, name, a, b)
            if kind == TOKEN:
                self.tokens.add(found)
        return found

    def instance(self, cls: Obj) -> Obj:
        """The instance of a class."""
        if cls.made is None:
            cls.made = self.get(INST, cls.name, cls)
        made: Obj = cls.made
        return made

    def known(self, kind: str, name: str, a: Any = None, b: Any = None) -> Obj | None:
        """The same, if it was made before."""
        return self._known.get((kind, name, a, b))

    def constant(self, value: Any) -> Values:
        """A constant of the source, as what an expression may be."""
        found = self._constants.get(value)
        if found is None:
            found = self._constants[value] = frozenset((self.get(CONST, "", value),))
        return found

    def clear(self) -> None:
        """Let go of all objects: they hold each other, and a collector that looks for them costs a tenth of a run."""
        for one in self._known.values():
            one.__dict__.clear()
        self._known.clear()
