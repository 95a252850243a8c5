"""The Go files of a folder: which of them an edit touches, and their calls.

A file's calls depend on its own text, on the names that it looked at in packages, and on the types that cover the
interfaces that it calls through. Each file keeps which those were; after an edit a file is solved again when it was
edited, when a name that it looked at says something else (lines apart), or when an interface means other types.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from remit.code.graph.go import lowering as g
from remit.code.graph.go.resolve import GoCode, calls_in, receiver_of
from remit.code.graph.snapshot import Row, Snapshot, View
from remit.code.graph.store import Kept, fetch, keep, must
from remit.code.graph.symbols import go_symbols

Name = tuple[str, str, str]
"""(folder, package, name)"""


class _Looked(Struct, array_like=True):
    """What a file looked at."""

    names: list[Name]
    interfaces: list[str]


class _Facts(dict[str, list[Any]]):
    """Facts by path, without bodies but for the files that are solved; read when they are asked for."""

    def __init__(self, load: Callable[[str], list[Any]]) -> None:
        super().__init__()
        self._load = load

    def __missing__(self, path: str) -> list[Any]:
        found = self[path] = self._load(path)
        return found


def update(new: Snapshot, old: Snapshot, changed: set[str], facts: Callable[[str], Any], store: Kept) -> None:
    """Bring the Go rows of `new` up to date; `changed` are files whose text is not what `old` knows."""
    rows = {path: row for path, row in new.rows.items() if row.room == "go" and not row.why}
    before = {path: row for path, row in old.rows.items() if row.room == "go" and not row.why}
    edited = changed & rows.keys()
    other: set[Name] = set()
    shapes = False
    for path in edited:
        row, one = rows[path], facts(path)
        row.name = one[g.G_PACKAGE]
        declared = _declared(one)
        row.heads = keep(store, _heads(one))
        row.view = keep(store, View(list(go_symbols(path, one)), [], _lines(one), declared))
        was = before.get(path)
        differ = _difference(declared, must(store, was.view, View).declared if was is not None else {})
        other |= {(path.rpartition("/")[0], row.name, name.partition(" ")[0]) for name in differ}
        shapes = shapes or any(name.endswith((" type", " method")) for name in differ)
    code_facts = _Facts(lambda path: facts(path) if path in edited else must(store, rows[path].heads, Any))
    same_files = {p: r.name for p, r in rows.items()} == {p: r.name for p, r in before.items()}
    if not same_files:
        dirty = set(rows)
    elif not edited:
        new.implementations = old.implementations
        return
    else:
        dirty = edited | (_touching(rows, other, store) if other else set())
    known = fetch(store, old.implementations, dict[str, list[list[str]]]) if same_files else None
    code = GoCode({path: row.name for path, row in rows.items()}, code_facts, {} if shapes else known or {})
    if shapes and same_files and known:
        moved = {key for key, found in known.items() if code.implementers.setdefault(key, code.covering(key)) != found}
        dirty |= _asking(rows, moved, store) if moved else set()
    _solve(code, rows, sorted(dirty), facts, store)
    new.implementations = keep(store, dict(sorted(code.implementers.items())))


def _solve(code: GoCode, rows: Mapping[str, Row], paths: list[str], facts: Any, store: Kept) -> None:
    for path in paths:
        code.facts[path] = facts(path)  # type: ignore[index]  # with bodies
    for path in paths:
        row = rows[path]
        code.touched, code.asked = set(), set()
        calls = calls_in(code, path, code.packages[path.rpartition("/")[0], row.name])
        names = sorted((*key, name) for key, name in code.touched)
        row.calls = keep(store, calls)
        row.history = keep(store, _Looked(names, sorted(code.asked)))


def _heads(one: list[Any]) -> list[Any]:
    """Facts without the bodies of functions."""
    functions = [[*row[: g.N_BODY], [], *row[g.N_BODY + 1 :]] for row in one[g.G_FUNCS]]
    return [*one[: g.G_FUNCS], functions, *one[g.G_FUNCS + 1 :]]


def _lines(one: list[Any]) -> dict[str, list[int]]:
    """{full name: [line]} of functions, methods and types."""
    package = one[g.G_PACKAGE]
    made = {f"{package}.{row[0]}": [row[3]] for row in one[g.G_TYPES]}
    for function in one[g.G_FUNCS]:
        holder = package if function[g.N_RECV] is None else f"{package}.{receiver_of(function)}"
        made.setdefault(f"{holder}.{function[g.N_NAME]}", [function[g.N_LINE]])
    return made


def _declared(one: list[Any]) -> dict[str, bytes]:
    """{name and kind: digest} of what others may look at, without lines; imports say what the types in it mean."""
    imports = [row[:2] for row in one[g.G_IMPORTS]]
    made: dict[str, list[Any]] = {}
    for name, kind, alias, *_ in one[g.G_TYPES]:
        made.setdefault(f"{name} type", []).append([kind, alias])
    for row in one[g.G_FUNCS]:
        said = [row[g.N_NAME], row[g.N_RECV], row[g.N_PARAMS], row[g.N_RESULTS], row[g.N_GENERIC], row[g.N_COUNT]]
        name = row[g.N_NAME] if row[g.N_RECV] is None else f"{receiver_of(row)} method"
        made.setdefault(name, []).append(said)
    for names, kind, values, _ in one[g.G_VARS]:
        for name in names:
            made.setdefault(name, []).append([names, kind, _unplaced(values)])
    return {name: hashlib.blake2b(msgspec.msgpack.encode((imports, rows)), digest_size=8).digest()
            for name, rows in made.items()}  # fmt: skip


def _unplaced(value: Any) -> Any:
    """Values of variables without the lines of the calls in them."""
    if not isinstance(value, list):
        return value
    return [_unplaced(one) for one in (value[:3] if value[:1] == ["c"] else value)]


def _difference(after: Mapping[str, bytes], before: Mapping[str, bytes]) -> set[str]:
    return {name for name in after.keys() | before.keys() if after.get(name) != before.get(name)}


def _touching(rows: Mapping[str, Row], names: set[Name], store: Kept) -> set[str]:
    """Files that looked at one of these names."""
    return {path for path, row in rows.items()
            if row.history and not names.isdisjoint(must(store, row.history, _Looked).names)}  # fmt: skip


def _asking(rows: Mapping[str, Row], interfaces: set[str], store: Kept) -> set[str]:
    """Files that call through one of these sets of methods."""
    return {path for path, row in rows.items()
            if row.history and not interfaces.isdisjoint(must(store, row.history, _Looked).interfaces)}  # fmt: skip
