"""What the graph says, as values: symbols, edges, files that were not read."""

from __future__ import annotations

from msgspec import Struct


class Symbol(Struct, frozen=True):
    """One named thing of the code base; `name` is dotted from the root, lines count from 1 and include the end."""

    name: str
    kind: str
    """module, class, struct, interface, type_alias, function, method, constant"""
    file: str
    line: int
    end: int
    visibility: str = "public"
    """public, or private (a leading underscore in any part)"""
    language: str = "python"
    signature: str = ""
    parent: str = ""
    doc: str = ""
    parameters: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    """last names of the decorators"""


class Edge(Struct, frozen=True):
    """One use: `caller` calls `callee` at `line` of `file`; no `callee_file` = outside the code base."""

    caller: str
    callee: str
    file: str
    line: int
    callee_file: str | None = None
    callee_line: int | None = None
    confidence: float = 1.0
    """1 divided by the callees that the place may have, at least 0.1; guesses by name have 0.1"""
    reason: str = "call"
    """call, raise, interface (through an interface), callback (called later by what it was given to), getter, guess
    (JavaScript: by the property's name, where few functions have it); access (property), operator, reference (handed to
    something outside), name (a guess by its name), wide (one of too many)"""


class Dependency(Struct, frozen=True):
    """An import: from a file to a module."""

    file: str
    module: str
    names: tuple[str, ...]
    line: int
    inside: str | None = None
    """the file of the module, None outside the code base"""


class Unread(Struct, frozen=True):
    """A file that was not analysed, and why."""

    file: str
    reason: str
