"""The Python files of a folder: their names, their order, which of them must run, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from remit.code.graph.python.exchange import Exchange, Record
from remit.code.graph.python.imports import absolute, candidates
from remit.code.graph.python.lowering import M_IMPORTS, M_LINES
from remit.code.graph.python.names import Names, names_of
from remit.code.graph.python.program import Unit
from remit.code.graph.snapshot import Row, Snapshot, View
from remit.code.graph.store import Kept, keep, must
from remit.code.graph.symbols import symbols_of
from remit.code.graph.values import Dependency


def update(
    new: Snapshot, old: Snapshot, changed: set[str], facts: Callable[[str], Any], store: Kept
) -> None:  # fmt: skip
    """Bring the Python rows of `new` up to date; `changed` are files whose text is not what `old` knows."""
    rows = {path: row for path, row in new.rows.items() if row.room == "python" and not row.why}
    for path in changed & rows.keys():
        rows[path].firsts = sorted({str(row[1]).partition(".")[0] for row in facts(path)[M_IMPORTS] if not row[0]})
    names = names_of(rows, frozenset(first for row in rows.values() for first in row.firsts))
    before = {path: (row.name, row.package) for path, row in old.rows.items() if row.room == "python" and not row.why}
    same_names = names == before and new.root_name == old.root_name
    root_name = new.root_name if any(name == "" for name, _ in names.values()) else ""
    where = {name: path for path, (name, _) in names.items()}
    for path, row in rows.items():
        if path in changed or not same_names:
            row.name, row.package = names[path]
            made = _dependencies(path, facts(path)[M_IMPORTS], names, where, root_name)
            row.inside = sorted({one.inside for one in made if one.inside is not None})
            symbols = list(symbols_of(path, row.name, facts(path)))
            row.view = keep(store, View(symbols, made, facts(path)[M_LINES]))
    new.order = _ordered(rows)
    fresh = changed & rows.keys() | {path for path, row in rows.items() if not row.history or not row.calls}
    if new.order != old.order:
        fresh |= _flipped(rows, old.order, new.order)
    if not same_names:
        fresh |= _looking(rows, names, before, store) if new.root_name == old.root_name else set(rows)
    if not fresh:
        return
    named = {name: (path, package) for path, (name, package) in names.items()}
    exchange = Exchange(
        new.order,
        lambda path: Unit(path, rows[path].name, facts(path), named, root_name),
        lambda path: _record(old.rows.get(path), store),
    )
    for path, (record, calls) in exchange.run(sorted(fresh)).items():
        row = rows[path]
        row.history, row.calls = keep(store, record), keep(store, calls)
        row.partners, row.cut = sorted(record.partners()), record.cut


def _record(row: Row | None, store: Kept) -> Record | None:
    """What a file heard and said before this edit."""
    return must(store, row.history, Record) if row is not None and row.history else None


def _dependencies(path: str, imports: Any, names: Names, where: Mapping[str, str], root_name: str) -> list[Dependency]:
    module, package = names[path]
    made: list[Dependency] = []
    for level, source, wanted, line in imports:
        name = absolute(module, package, level, source)
        if name is None:
            continue
        found = [name] if level else candidates(name, module, root_name)
        inside = next((where[one] for one in found if one in where), None)
        made.append(Dependency(path, name or ".", tuple(wanted), line, inside))
        for one in found:
            wider = [f"{one}.{n}" if one else n for n in wanted] + [one[:at] for at, c in enumerate(one) if c == "."]
            for other in wider:
                if other in where and where[other] not in (inside, path):
                    made.append(Dependency(path, other, (), line, where[other]))
    return made


def _ordered(rows: Mapping[str, Row]) -> list[str]:
    """Files, what is imported before what imports it; those that import each other by their paths."""
    levels = _levels({path: [one for one in row.inside if one in rows] for path, row in sorted(rows.items())})
    return sorted(rows, key=lambda path: (levels[path], path))


def _levels(imports: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """{node: steps from the leaves}, nodes of one cycle together. Source: Tarjan 1972, without recursion."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    level: dict[str, int] = {}
    open_nodes: list[str] = []
    for root in imports:
        if root in number:
            continue
        work = [(root, iter(imports[root]))]
        number[root] = low[root] = len(number)
        open_nodes.append(root)
        while work:
            node, rest = work[-1]
            inner = next(rest, None)
            if inner is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    _close(node, open_nodes, imports, level)
            elif inner not in number:
                number[inner] = low[inner] = len(number)
                open_nodes.append(inner)
                work.append((inner, iter(imports[inner])))
            elif inner not in level:
                low[node] = min(low[node], number[inner])
    return level


def _close(node: str, open_nodes: list[str], imports: Mapping[str, Sequence[str]], level: dict[str, int]) -> None:
    """Give the nodes of a cycle that is complete their level."""
    at = open_nodes.index(node)
    members = open_nodes[at:]
    del open_nodes[at:]
    below = [level[inner] for one in members for inner in imports[one] if inner in level]
    own = max(below, default=-1) + 1
    for one in members:
        level[one] = own


def _flipped(rows: Mapping[str, Row], before: Sequence[str], after: Sequence[str]) -> set[str]:
    """Files that stand otherwise than before to one that they talk with, or that talk with one that is gone."""
    old, new = {p: at for at, p in enumerate(before)}, {p: at for at, p in enumerate(after)}
    made: set[str] = set()
    for path, row in rows.items():
        for other in row.partners:
            if other not in new or path not in old or other not in old:
                made.add(path)
            elif (old[other] < old[path]) != (new[other] < new[path]):
                made |= {path, other}
    return made


def _looking(rows: Mapping[str, Row], names: Names, before: Names, store: Kept) -> set[str]:
    """Files whose own name changed, or that asked for a name that means something else now."""
    made = {path for path in rows if names[path] != before.get(path)}
    now = {(name, path, package) for path, (name, package) in names.items()}
    then = {(name, path, package) for path, (name, package) in before.items()}
    other = {one[0] for one in now ^ then}
    for path, row in rows.items():
        if path not in made and row.history and not other.isdisjoint(must(store, row.history, Record).looked):
            made.add(path)
    return made
