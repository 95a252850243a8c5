"""Calls as they are stored, without the lines of what they call: those are joined when a graph is read."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from remit.code.graph.values import Edge


class Call(Struct, array_like=True, frozen=True):
    """One call as found: names dotted, the line of the call from 1; `path` None for what stands outside."""

    caller: str
    callee: str
    line: int
    path: str | None = None
    qual: str = ""
    which: int = 0
    """the definition of that name in that file, from 0"""
    reason: str = "call"
    choices: int = 1
    """how many callees this place has"""


def edge_of(call: Call, file: str, lines: Mapping[str, Mapping[str, list[int]]]) -> Edge:
    """The edge of a call in `file`; `lines`: {path: {name of a definition: lines}}."""
    at = None
    if call.path is not None:
        known = lines.get(call.path, {})
        found = known.get(call.qual) or known.get(call.qual.rpartition(".")[0]) or [0]
        at = found[min(call.which, len(found) - 1)]
    confidence = round(max(0.1, 1 / max(1, call.choices)), 2) if call.reason != "unresolved" else 0.0
    return Edge(call.caller, call.callee, file, call.line, call.path, at, confidence, call.reason)
