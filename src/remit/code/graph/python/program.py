"""A Python code base as a whole: modules from facts, rounds until nothing new is learnt, the calls found.

The result depends on the facts alone: modules are taken in the order of their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from remit.code.graph.python import objects as o
from remit.code.graph.python.cells import Cells
from remit.code.graph.python.lowering import F_LINE, F_PARAMS
from remit.code.graph.python.names import Names
from remit.code.graph.python.objects import Obj
from remit.code.graph.python.scope import Edges, Scope
from remit.code.graph.python.statements import walk

MAX_STEPS_PER_SCOPE: Final = 30
"""Rounds on average; a code base that needs more is cut there and says so."""


class Call(NamedTuple):
    """One call as found: names dotted, lines from 1, `callee_module` '' for what stands outside."""

    caller: str
    callee: str
    module: str
    line: int
    callee_module: str | None
    callee_line: int
    reason: str
    choices: int
    """how many callees this place has"""


class Solution(NamedTuple):
    """All calls, and whether the rounds were cut."""

    calls: list[Call]
    cut: bool


def solve(facts: Mapping[str, list[Any]], names: Names, root_name: str = "") -> Solution:
    """The calls of modules `{path: facts}`; `root_name` is what a root that is itself a package is called."""
    cells = Cells(root_name)
    for path in sorted(facts):
        name, package = names[path]
        module = cells.make.get(o.MODULE, name, path)
        module.ir = facts[path]
        module.marks = frozenset(("package",)) if package else frozenset()
        cells.modules[name] = module
    for name in sorted(cells.modules):
        cells.ask(cells.modules[name])
    found: dict[Obj, Edges] = {}
    steps = 0
    while (scope_object := cells.next_scope()) is not None:
        steps += 1
        if steps > 1000 + MAX_STEPS_PER_SCOPE * len(cells.rounds):
            return Solution(_calls(found), True)
        _round(cells, scope_object, found)
    return Solution(_calls(found), False)


def _round(cells: Cells, owner: Obj, found: dict[Obj, Edges]) -> None:
    cells.reader = owner
    scope = Scope(cells, owner)
    if owner.kind == o.FUNC:
        _parameters(scope, owner)
        walk(scope, owner.ir[6])
    else:
        walk(scope, owner.ir[6])
        scope.publish()
        for name, values in scope.env.items():
            cells.write(owner, name, scope.concrete(values))
    scope.publish()
    found[owner] = scope.edges
    found.update(scope.classes)
    cells.reader = None


def _parameters(scope: Scope, owner: Obj) -> None:
    make = scope.cells.make
    for name, kind, _, _ in owner.ir[F_PARAMS]:
        if kind == 2:
            values = frozenset((make.get(o.CONT, "Tuple", owner, "*" + name),))
        elif kind == 3:
            values = frozenset((make.get(o.CONT, "Dict", owner, "*" + name),))
        else:
            values = frozenset((make.get(o.TOKEN, name, owner),))
        scope.bind(name, values)


def _calls(found: dict[Obj, Edges]) -> list[Call]:
    made: list[Call] = []
    for owner, edges in found.items():
        module = owner.module or owner
        for (name, line, reason), (callee, choices) in edges.items():
            to = callee.module.a if callee is not None else None
            at = callee.ir[F_LINE] if callee is not None else 0
            made.append(Call(owner.name, name, module.a, line, to, at, reason, choices))
    made.sort(key=lambda c: (c.module, c.line, c.caller, c.callee, c.reason))
    return made
