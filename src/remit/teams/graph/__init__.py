"""Graphs: typed state, async functions and agents as nodes, edges as tuples, checked when they are built."""

from __future__ import annotations

from remit.teams.graph.context import NodeContext
from remit.teams.graph.definition import Graph
from remit.teams.graph.marks import END, OTHERWISE, START, Go
from remit.teams.graph.nodes import Node, each, gate, loop, node, retry, subgraph

__all__ = [
    "END", "OTHERWISE", "START", "Go", "Graph", "Node", "NodeContext", "each", "gate", "loop", "node", "retry",
    "subgraph",
]  # fmt: skip
