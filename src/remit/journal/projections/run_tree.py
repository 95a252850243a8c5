"""Projection: which run started which, and how each stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from remit.core.events import EffectInDoubt, EffectResolved, RunDone, RunResumed, RunStarted, WaitClosed, WaitOpened
from remit.journal.chain import decode_event
from remit.ports.journal import Entry


class Node(Struct, frozen=True):
    """One run."""

    run_id: str
    agent: str = ""
    task: str = ""
    parent: str = ""
    """run id; "" = a root"""
    status: str = "running"
    """running | waiting (an open question) | the final status"""
    started_ms: int = 0
    updated_ms: int = 0
    events: int = 0
    resumed: int = 0
    """how often another activation took over"""
    questions: tuple[str, ...] = ()
    """open inbox items"""


class RunTree(Struct, frozen=True):
    """All runs, by id, in the order in which they were first seen."""

    nodes: dict[str, Node] = {}

    def roots(self) -> list[Node]:
        """Runs without a parent among the known runs."""
        return [node for node in self.nodes.values() if node.parent not in self.nodes or node.parent == node.run_id]

    def children(self, run_id: str) -> list[Node]:
        """The runs that `run_id` started, in the order seen."""
        return [node for node in self.nodes.values() if node.parent == run_id and node.run_id != run_id]

    def walk(self, run_id: str = "") -> Iterator[tuple[int, Node]]:
        """(depth, node) in depth-first order, below `run_id` or from all roots; each run at most once."""
        below: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            below.setdefault(node.parent, []).append(node)
        first = [self.nodes[run_id]] if run_id else self.roots()
        stack = [(0, node) for node in reversed(first)]
        seen: set[str] = set()
        while stack:
            depth, node = stack.pop()
            if node.run_id in seen:
                continue  # a parent loop: no journal of remit has one, a forged one may
            seen.add(node.run_id)
            yield depth, node
            stack += [(depth + 1, child) for child in reversed(below.get(node.run_id, []))]


EMPTY: Final = RunTree()


def fold(state: RunTree, entries: Iterable[Entry]) -> RunTree:
    """`state` after `entries` (of any runs, each run's in order)."""
    nodes = dict(state.nodes)
    for entry in entries:
        node = nodes.get(entry.run_id) or Node(entry.run_id, started_ms=entry.at_ms)
        nodes[entry.run_id] = _next(replace(node, updated_ms=entry.at_ms, events=node.events + 1), entry)
    return RunTree(nodes)


def _next(node: Node, entry: Entry) -> Node:
    match decode_event(entry.body):
        case RunStarted(agent=agent, task=task, parent=parent):
            return replace(node, agent=agent, task=task, parent=parent)
        case RunResumed():
            return replace(node, resumed=node.resumed + 1)
        case RunDone(status=status):
            return replace(node, status=status, questions=())
        case WaitOpened(item=item) | EffectInDoubt(item=item):
            return _asked(node, (*(old for old in node.questions if old != item), item))
        case WaitClosed(item=item) | EffectResolved(item=item):
            return _asked(node, tuple(old for old in node.questions if old != item))
        case _:
            return node


def _asked(node: Node, questions: tuple[str, ...]) -> Node:
    status = node.status if node.status not in ("running", "waiting") else "waiting" if questions else "running"
    return replace(node, questions=questions, status=status)
