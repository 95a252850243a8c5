"""What the rules over syntax share: functions, classes, literals and calls of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from remit.code.review import ir
from remit.code.review.parsing import File

QUERIES: Final = frozenset(["execute", "query", "fetch_one", "fetch_all", "fetchrow", "fetchval", "find_one",
    "findOne", "findById", "findUnique", "findFirst", "QueryRow", "Query", "QueryContext", "QueryRowContext",
    "query_row", "query_one", "query_as", "urlopen", "get_object_or_404"])  # fmt: skip
"""Last names of calls that ask a database."""


def functions(file: File) -> list[ir.Function]:
    """Every function, method and closure."""
    return _of(file)[0]


def classes(file: File) -> list[ir.Class]:
    """Every class, struct, interface, trait and enum."""
    return _of(file)[1]


def _of(file: File) -> tuple[list[ir.Function], list[ir.Class]]:
    if file.listed is None:
        file.listed = _listed(file)
    return file.listed


def _listed(file: File) -> tuple[list[ir.Function], list[ir.Class]]:
    found: list[ir.Function] = []
    kinds: list[ir.Class] = []
    for node in ir.walk(file.module.body):
        if isinstance(node, ir.Function):
            found.append(node)
        elif isinstance(node, ir.Class):
            kinds.append(node)
    return found, kinds


def nodes(file: File, *kinds: type) -> Iterator[Any]:
    """Every node of some kinds."""
    if file.nodes is None:
        table: dict[type, list[Any]] = {}
        for node in ir.walk(file.module.body):
            table.setdefault(type(node), []).append(node)
        file.nodes = table
    for kind in kinds:
        yield from file.nodes.get(kind, ())


def loops(file: File) -> Iterator[ir.Loop | ir.Comprehension]:
    """Every loop and comprehension."""
    yield from nodes(file, ir.Loop, ir.Comprehension)


def in_loop(loop: Any) -> Iterator[Any]:
    """What runs once per round; functions that are only defined there do not."""
    if isinstance(loop, ir.Comprehension):
        yield from ir.within([loop.element, *(c for _, _, conditions in loop.clauses for c in conditions)])
    else:
        yield from ir.within([*loop.body, *loop.update])


def own_nodes(function: ir.Function) -> Iterator[Any]:
    """What a function runs itself, without the functions in it."""
    yield from ir.within([*function.body, *([function.value] if function.value is not None else [])])


def head(span: ir.Span) -> ir.Span:
    """The first line of a place."""
    return (span[0], span[1], span[0], span[1] + 1)


def named(function: ir.Function) -> str:
    """How a function is called in a message."""
    return f"{function.owner}.{function.name}" if function.owner else function.name


def production(file: File) -> Iterator[ir.Function]:
    """The functions of a file that are no tests."""
    if not file.test:
        yield from (one for one in functions(file) if not one.test)
