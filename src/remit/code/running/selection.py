"""Tests for a change: by what an earlier run executed where that says it, by the graph where it does not.

A function that ran inside tests only selects the tests that ran it. One that ran outside of them (an import, a shared
fixture), a class, a constant or a module selects what the graph reaches as well. A test that the record does not know,
or that changed itself, is selected when the graph reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence

from remit.code.graph.code_graph import CodeGraph
from remit.code.graph.impact import impact_of, is_test, node_id
from remit.code.running.record import Executed


def selected(graph: CodeGraph, changed: Sequence[str], executed: Executed | None) -> list[str]:
    """The tests, without parameters, as pytest names them."""
    if executed is None or not executed.tests:
        return list(impact_of(graph, changed).tests)
    numbers = {key: at for at, key in enumerate(executed.functions)}
    ran: dict[int, set[str]] = {}
    for test, used in executed.tests.items():
        for number in used:
            ran.setdefault(number, set()).add(test.partition("[")[0])
    known = {test.partition("[")[0] for test in executed.tests}
    shared = set(executed.shared)
    modules = {s.file: s.name for s in graph.symbols if s.kind == "module"}
    made: set[str] = set()
    for name in changed:
        symbol = graph.by_name.get(name)
        number = -1
        if symbol is not None and symbol.kind in ("function", "method"):
            module = modules.get(symbol.file, "")
            number = numbers.get((symbol.file, name[len(module) + 1 :] if module else name), -1)
            if is_test(symbol):
                made.add(node_id(graph, symbol))
        made |= ran.get(number, set())
        reached = _reached(graph, name, outside=number < 0 or number in shared)
        made |= reached if number < 0 or number in shared else reached - known
    return sorted(made)


def _reached(graph: CodeGraph, name: str, *, outside: bool) -> set[str]:
    """The tests that the graph reaches; what ran outside of tests made the classes that it reaches in their files."""
    found = impact_of(graph, [name])
    made = set(found.tests)
    symbols = [graph.by_name.get(one.name) for one in found.callers if outside]
    files = {s.file for s in symbols if s is not None and s.kind == "class"}
    made.update(node_id(graph, s) for s in graph.symbols if s.file in files and is_test(s))
    return made
