"""What a change touches: callers with depth and path, files, public API, tests, risk.

Reached backwards over every kind of edge, guesses by name included, and over what pytest adds: fixtures by the name
of a parameter, the module of a test and its conftest files. Missing a broken test costs more than one test too many.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from remit.code.graph.code_graph import CALLS, CodeGraph
from remit.code.graph.values import Symbol
from remit.code.patches.reading import parse
from remit.code.patches.values import ADD, KEEP, FileChange, Hunk

MAX_PATH: Final = 40
_TEST_FILE: Final = re.compile(
    r"(^|/)(test_[^/]*|[^/]*_test)\.py$|_test\.go$|\.(test|spec)\.[cm]?[jt]sx?$|(^|/)__tests__/|(^|/)tests?/.*\.([cm]?js|rs)$"
)


class Reached(Struct, frozen=True):
    """One symbol that a change reaches."""

    name: str
    depth: int
    """1 = calls it directly"""
    path: tuple[str, ...]
    """from the symbol to what changed"""
    file: str


class Impact(Struct, frozen=True):
    """The answer; `callers` are direct and transitive, the nearest first."""

    changed: tuple[str, ...]
    callers: tuple[Reached, ...]
    files: tuple[str, ...]
    api: tuple[str, ...]
    """public symbols among what changed and what is reached"""
    tests: tuple[str, ...]
    """as their runners name them"""
    risk: str
    """low, medium, high, critical"""


def is_test(symbol: Symbol) -> bool:
    """Whether the runner of its language would run it; a whole file for JavaScript."""
    last = symbol.name.rpartition(".")[2]
    if symbol.language == "rust":
        return symbol.kind == "function" and any(mark.partition("(")[0].endswith("test") for mark in symbol.marks)
    if symbol.language in ("javascript", "typescript"):
        return symbol.kind == "module" and bool(_TEST_FILE.search(symbol.file))
    if not _TEST_FILE.search(symbol.file) or symbol.kind not in ("function", "method"):
        return False
    return last.startswith(("Test", "Fuzz", "Example")) if symbol.language == "go" else last.startswith("test")


def impact_of(graph: CodeGraph, changed: Sequence[str]) -> Impact:
    """What depends on these symbols."""
    seeds = _seeds(graph, changed)
    into = _dependants(graph)
    found: dict[str, tuple[int, str]] = {name: (0, "") for name in seeds}
    rest = deque(seeds)
    while rest:
        name = rest.popleft()
        for other in into.get(name, ()):
            if other not in found:
                found[other] = (found[name][0] + 1, name)
                rest.append(other)
    symbols = [graph.by_name[name] for name in found if name in graph.by_name]
    tests = sorted({node_id(graph, s) for s in symbols if is_test(s)})
    reached = [Reached(s.name, found[s.name][0], _path(found, s.name), s.file)
               for s in symbols if found[s.name][0] and not is_test(s)]  # fmt: skip
    reached.sort(key=lambda one: (one.depth, one.name))
    api = sorted(s.name for s in symbols if s.visibility == "public" and s.kind != "module" and not is_test(s)
                 and not _TEST_FILE.search(s.file))  # fmt: skip
    return Impact(tuple(changed), tuple(reached), tuple(sorted({s.file for s in symbols})), tuple(api), tuple(tests),
                  _risk(graph, changed))  # fmt: skip


def _seeds(graph: CodeGraph, changed: Iterable[str]) -> list[str]:
    """What changed, with all that a changed class or module holds."""
    made: dict[str, None] = {}
    for name in changed:
        made[name] = None
        symbol = graph.by_name.get(name)
        if symbol is None:
            continue
        if symbol.kind == "module":
            made.update((s.name, None) for s in graph.symbols if s.file == symbol.file)
        elif symbol.kind == "class":
            made.update((s.name, None) for s in graph.symbols if s.name.startswith(name + "."))
    return list(made)


def _dependants(graph: CodeGraph) -> dict[str, list[str]]:
    """{name: who depends on it}."""
    made: dict[str, list[str]] = {name: [e.caller for e in edges] for name, edges in graph.into.items()}
    modules = {s.file: s.name for s in graph.symbols if s.kind == "module"}
    for one in graph.dependencies:
        if one.inside is not None:
            made.setdefault(modules[one.inside], []).append(modules[one.file])
    _add_pytest(graph, modules, made)
    for symbol in graph.symbols:
        parent = graph.by_name.get(symbol.parent)
        if parent is not None and parent.kind in ("function", "method"):
            made.setdefault(symbol.name, []).append(parent.name)  # a nested function is part of what holds it
    return made


def _add_pytest(graph: CodeGraph, modules: dict[str, str], made: dict[str, list[str]]) -> None:
    """What pytest runs for a test without a call in its text."""
    fixtures: dict[str, list[Symbol]] = {}
    for symbol in graph.symbols:
        if "fixture" in symbol.marks:
            fixtures.setdefault(symbol.name.rpartition(".")[2], []).append(symbol)
    for symbol in graph.symbols:
        if not is_test(symbol) and "fixture" not in symbol.marks:
            continue
        needs = [modules[file] for file in (symbol.file, *_conftests(symbol.file)) if file in modules]
        needs += [f.name for name in symbol.parameters for f in _seen_fixtures(symbol, fixtures.get(name, []))]
        for name in needs:
            made.setdefault(name, []).append(symbol.name)


def _conftests(file: str) -> list[str]:
    parts = file.split("/")[:-1]
    return ["/".join([*parts[:at], "conftest.py"]) for at in range(len(parts) + 1)]


def _seen_fixtures(symbol: Symbol, fixtures: list[Symbol]) -> list[Symbol]:
    near = [f for f in fixtures if f.file == symbol.file or f.file in _conftests(symbol.file)]
    return near or fixtures


def node_id(graph: CodeGraph, symbol: Symbol) -> str:
    """A test as its runner names it, without parameters: pytest's node id, a function of Go, a path of Rust, a file."""
    if symbol.language in ("javascript", "typescript"):
        return symbol.file
    if symbol.language == "rust":
        return symbol.name.partition(".")[2].replace(".", "::")
    if symbol.language == "go":
        return symbol.name.rpartition(".")[2]
    parts = [symbol.name.rpartition(".")[2]]
    parent = graph.by_name.get(symbol.parent)
    while parent is not None and parent.kind == "class":
        parts.append(parent.name.rpartition(".")[2])
        parent = graph.by_name.get(parent.parent)
    return "::".join([symbol.file, *reversed(parts)])


def _path(found: dict[str, tuple[int, str]], name: str) -> tuple[str, ...]:
    made = [name]
    while found[made[-1]][1] and len(made) < MAX_PATH:
        made.append(found[made[-1]][1])
    return tuple(made)


def _risk(graph: CodeGraph, changed: Sequence[str]) -> str:
    """Source: spec/code.md 1, the highest over what changed."""
    worst = 0
    for name in changed:
        symbol = graph.by_name.get(name)
        names = {name, f"{name}.__init__"}
        callers = {e.caller for n in names for e in graph.into.get(n, ()) if e.reason in CALLS} - names
        public = symbol is not None and symbol.visibility == "public" and symbol.kind != "module"
        count = len(callers)
        level = 3 if count > 10 or (public and count > 5) else 2 if count > 5 or (public and count > 2) else \
            1 if count > 2 or public else 0  # fmt: skip
        worst = max(worst, level)
    return ("low", "medium", "high", "critical")[worst]


def changed_symbols(graph: CodeGraph, patch: str, lines_of: dict[str, list[str]]) -> list[str]:
    """The innermost symbols that a patch changes; the folder may stand before or after the patch.

    `lines_of` holds the lines of the files that the patch names. Raises patch_invalid.
    """
    made: dict[str, None] = {}
    for change in parse(patch):
        for path in {change.old_path, change.new_path} - {None}:
            lines = lines_of.get(str(path))
            if lines is None:
                continue
            for line in _lines(change, lines):
                name = _innermost(graph, str(path), line)
                if name is not None:
                    made[name] = None
    return sorted(made)


def paths_in(patch: str) -> list[str]:
    """The paths that a patch names; raises patch_invalid."""
    return sorted({path for change in parse(patch) for path in (change.old_path, change.new_path) if path})


def _lines(change: FileChange, lines: list[str]) -> list[int]:
    """Lines from 1 of the file as it stands that the change touches."""
    made: list[int] = []
    for hunk in change.hunks:
        before = _stands(hunk.old, hunk.start, lines)
        start = before if before is not None else _stands(hunk.new, hunk.new_start, lines)
        at = (start if start is not None else hunk.start or 0) + 1
        made.extend(_touched(hunk, at, before is not None or start is None))
    if not change.hunks:
        made.extend(range(1, len(lines) + 1))
    return made


def _stands(wanted: list[str], start: int | None, lines: list[str]) -> int | None:
    """Where these lines stand: at the named place, or at the only one."""
    stripped = [line.rstrip("\r\n") for line in wanted]
    if start is not None and lines[start : start + len(stripped)] == stripped:
        return start
    found = [at for at in range(len(lines) - len(stripped) + 1) if lines[at] == stripped[0]
             and lines[at : at + len(stripped)] == stripped] if stripped else []  # fmt: skip
    return found[0] if len(found) == 1 else None


def _touched(hunk: Hunk, at: int, before: bool) -> list[int]:
    own = ADD if not before else "-"
    made: list[int] = []
    for tag, text in hunk.lines:
        if tag == KEEP:
            at += 1
        elif tag == own:
            if text.strip():
                made.append(at)
            at += 1
        elif text.strip():
            made.append(max(1, at - 1) if _indented(text) else at)
    return made


def _indented(text: str) -> bool:
    return text[:1] in (" ", "\t")


def _innermost(graph: CodeGraph, path: str, line: int) -> str | None:
    best: Symbol | None = None
    for symbol in graph.in_file(path):
        if symbol.line <= line <= symbol.end and (best is None or symbol.end - symbol.line <= best.end - best.line):
            best = symbol
    return None if best is None else best.name
