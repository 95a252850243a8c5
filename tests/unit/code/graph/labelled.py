"""Labelled programs of the call graph: read from a text file, scored by the edges inside the code base.

A case is `== name`, files after `-- path`, and the edges after `-- edges`: `caller: callee callee ...`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from remit.code.graph.code_graph import CodeGraph
from remit.code.graph.index import index_texts

CASES = Path(__file__).parent / "cases"
Pairs = set[tuple[str, str]]


class Case(NamedTuple):
    """One program and its edges."""

    name: str
    files: dict[str, str]
    edges: Pairs


def cases_of(language: str) -> list[Case]:
    """The cases of a language."""
    made: list[Case] = []
    path = ""
    for line in (CASES / f"{language}.txt").read_text().splitlines(keepends=True):
        if line.startswith("== "):
            made.append(Case(line[3:].strip(), {}, set()))
        elif line.startswith("-- "):
            path = line[3:].strip()
            if path != "edges":
                made[-1].files[path] = ""
        elif path != "edges":
            made[-1].files[path] += line
        elif line.strip():
            caller, _, callees = line.partition(": ")
            made[-1].edges.update((caller, callee) for callee in callees.split())
    return made


def found_in(graph: CodeGraph) -> Pairs:
    """The calls between functions of the code base."""
    return {(e.caller, e.callee) for e in graph.calls() if e.callee_file is not None}


def graph_of(case: Case) -> CodeGraph:
    """The graph of a case."""
    return index_texts({name: text.encode() for name, text in case.files.items()})
