"""What matters in a code base: personalised PageRank over its graph, cut to a budget of tokens.

Source: Page, Brin, Motwani, Winograd 1999 (damping 0.85); teleport goes to the symbols that a task names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from remit.code.graph.code_graph import CodeGraph
from remit.code.graph.values import Symbol

DAMPING: Final = 0.85
ROUNDS: Final = 30
BYTES_PER_TOKEN: Final = 3
"""Bytes that a token of source has at least, on average: an estimate that stays on the safe side."""
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def ranks(graph: CodeGraph, start: Mapping[str, float]) -> dict[str, float]:
    """{name: rank} of every symbol, the sum is 1; an empty `start` treats all alike."""
    names = [s.name for s in graph.symbols if s.kind != "constant"]
    known = set(names)
    total = sum(start.get(name, 0.0) for name in known)
    base = {n: start.get(n, 0.0) / total for n in known} if total else dict.fromkeys(known, 1 / max(1, len(known)))
    targets = {n: _targets(graph, n, known) for n in known}
    rank = dict(base)
    for _ in range(ROUNDS):
        after = {n: (1 - DAMPING) * base[n] for n in names}
        lost = 0.0
        for name in names:
            goals = targets[name]
            if not goals:
                lost += rank[name]
                continue
            share = DAMPING * rank[name] / len(goals)
            for goal in goals:
                after[goal] += share
        for name in names if lost else ():
            after[name] += DAMPING * lost * base[name]
        rank = after
    return rank


def _targets(graph: CodeGraph, name: str, known: set[str]) -> list[str]:
    found = {e.callee for e in graph.out.get(name, ()) if e.callee in known}
    symbol = graph.by_name.get(name)
    if symbol is not None and symbol.parent in known:
        found.add(symbol.parent)
    return sorted(found - {name})


def tokens(text: str) -> int:
    """Tokens that a text has at most, roughly."""
    return -(-len(text.encode("utf-8", "surrogateescape")) // BYTES_PER_TOKEN)


def repo_map(graph: CodeGraph, budget: int) -> list[Symbol]:
    """The symbols that matter most, in the order of files, whose lines fit into `budget` tokens."""
    rank = ranks(graph, {})
    chosen: list[Symbol] = []
    files: set[str] = set()
    left = budget
    for symbol in sorted((s for s in graph.symbols if s.kind not in ("module", "constant")),
                         key=lambda s: (-rank[s.name], s.name)):  # fmt: skip
        cost = tokens(map_line(symbol)) + (0 if symbol.file in files else tokens(symbol.file + ":\n"))
        if cost > left:
            continue
        left -= cost
        files.add(symbol.file)
        chosen.append(symbol)
    return sorted(chosen, key=lambda s: (s.file, s.line))


def map_line(symbol: Symbol) -> str:
    """A symbol in a map."""
    return f"  {symbol.line}: {symbol.signature or symbol.name}" + (f"  # {symbol.doc}" if symbol.doc else "") + "\n"


def relevant(graph: CodeGraph, task: str) -> list[tuple[Symbol, float]]:
    """Functions and classes for a task, the most relevant first: named ones, and what those depend on."""
    named = {word.lower() for word in _WORD.findall(task)}
    words = {word for word in named if len(word) > 2}  # shorter ones are names or nothing
    start: dict[str, float] = {}
    for symbol in graph.symbols:
        last = symbol.name.rpartition(".")[2].lower()
        parts = set(last.strip("_").split("_")) | {p.lower() for p in re.findall("[A-Z]?[a-z]+", symbol.name)}
        score = 8.0 * (last in named) + len(words & parts) + 0.2 * len(words & set(_WORD.findall(symbol.doc.lower())))
        if score:
            start[symbol.name] = score
    rank = ranks(graph, start)
    total = sum(start.values()) or 1.0
    # What the task names stands before what it leads to, however much of the code leads there.
    found = [
        (s, rank[s.name] + start.get(s.name, 0.0) / total)
        for s in graph.symbols
        if s.kind in ("function", "method", "class")
    ]
    found.sort(key=lambda pair: (-pair[1], pair[0].name))
    return found
