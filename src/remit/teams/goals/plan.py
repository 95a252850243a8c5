"""A planned workflow: what a planner's answer must hold, and everything that can be wrong with it.

The answer is JSON, also inside a fence. A plan never widens a remit: scopes outside it are refused with the grant
that is missing, nodes that may run side by side write to disjoint places.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from remit.core.effects import Need
from remit.core.output import OutputError, find_json
from remit.core.remit import Remit
from remit.errors import Invalid

MAX_NODES: Final = 50
ADDED: Final = 5  # nodes that one replanning may add. Source: spec/teams.md 13


class PlannedNode(Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a plan."""

    id: str
    name: str
    task: str
    depends_on: tuple[str, ...] = ()
    file_scopes: tuple[str, ...] = ()
    """where it writes: a path, or a folder as `src/**`; none = it writes nothing"""
    sandbox_level: Literal["worktree", "container", "microvm"] = "worktree"
    tool_hints: tuple[str, ...] = ()


class PlannedWorkflow(Struct, frozen=True, forbid_unknown_fields=True):
    """A goal as steps with dependencies."""

    title: str
    nodes: tuple[PlannedNode, ...]

    def layers(self, done: Collection[str] = ()) -> list[list[PlannedNode]]:
        """Nodes that are not done, in layers: each waits only for layers before it."""
        left = {n.id: n for n in self.nodes if n.id not in done}
        found = []
        while left:
            ready = [n for n in left.values() if not any(d in left for d in n.depends_on)]
            if not ready:
                break
            found.append(ready)
            for node in ready:
                del left[node.id]
        return found


def read_plan(text: str, remit: Remit, levels: Collection[str], done: Sequence[PlannedNode] = ()) -> PlannedWorkflow:
    """The plan of a planner's answer.

    Args:
        text: the answer; JSON, alone, in a fence or within other text.
        remit: what the supervisor holds.
        levels: sandbox levels that this host has.
        done: finished nodes of an earlier plan; the answer adds to them and may depend on them.

    Raises:
        Invalid: team_invalid with place, reason and hint.
    """
    try:
        found = msgspec.convert(find_json(text), PlannedWorkflow)
    except (OutputError, msgspec.ValidationError) as e:
        raise _bad(
            "plan", str(e)[:300], "Answer with {title, nodes: [{id, name, task, depends_on, file_scopes}]}."
        ) from None
    nodes = (*done, *(n for n in found.nodes if n.id not in {d.id for d in done}))
    plan = PlannedWorkflow(found.title, nodes)
    if not len(done) < len(nodes) <= MAX_NODES:
        raise _bad("plan", f"{len(nodes) - len(done)} new nodes", f"From 1 to {MAX_NODES} nodes.")
    if len({n.id for n in nodes}) != len(nodes):
        raise _bad("plan", "two nodes have one id", "Give each node its own id.")
    _check_nodes(plan, remit, levels)
    if sum(map(len, plan.layers())) != len(nodes):
        raise _bad("plan", "nodes wait for each other", "Take one dependency out.")
    _check_scopes(plan)
    return plan


def _check_nodes(plan: PlannedWorkflow, remit: Remit, levels: Collection[str]) -> None:
    ids = {n.id for n in plan.nodes}
    for node in plan.nodes:
        where = f"node {node.id!r:.40}"
        if not node.id or not node.task.strip():
            raise _bad(where, "it has no id or no task", "Give it both.")
        unknown = [d for d in node.depends_on if d not in ids]
        if unknown:
            raise _bad(
                where, f"it depends on {unknown[0]!r:.40}, which there is not", f"Nodes: {', '.join(sorted(ids))}"
            )
        if node.sandbox_level not in levels:
            raise _bad(where, f"this host has no {node.sandbox_level}", f"Levels here: {', '.join(levels) or 'none'}")
        for scope in node.file_scopes:
            path = scope.removesuffix("**").rstrip("/") or "."
            if scope.startswith("/") or ".." in scope.split("/") or (set("*?[") & set(path)):
                raise _bad(where, f"the scope {scope!r:.60}", "A path beneath the workspace, or a folder as src/**.")
            probe = f"{path}/x" if scope.endswith("**") and path != "." else "x" if path == "." else path
            if remit.layers and not remit.ruling(Need("fs.write", probe)).allowed:
                raise _bad(
                    where, f"the remit does not let it write {scope}", f"Grant fs.write:{scope}, or plan without it."
                )


def _check_scopes(plan: PlannedWorkflow) -> None:
    """Nodes of which neither waits for the other write to disjoint places."""
    before: dict[str, set[str]] = {}
    for layer in plan.layers():
        for node in layer:
            before[node.id] = set(node.depends_on).union(*(before[d] for d in node.depends_on))
    writing = [n for n in plan.nodes if n.file_scopes]
    for i, a in enumerate(writing):
        for b in writing[i + 1 :]:
            if a.id in before[b.id] or b.id in before[a.id]:
                continue
            both = next(((s, t) for s in a.file_scopes for t in b.file_scopes if _overlap(s, t)), None)
            if both is not None:
                raise _bad(
                    f"nodes {a.id} and {b.id}", f"both may write {both[0]} at once", "Let one wait for the other."
                )


def _overlap(a: str, b: str) -> bool:
    first, second = a.removesuffix("**").rstrip("/"), b.removesuffix("**").rstrip("/")
    if first == second:
        return True
    inside = second.startswith(first + "/") or not first
    around = first.startswith(second + "/") or not second
    return (a.endswith("**") and inside) or (b.endswith("**") and around)


def _bad(where: str, why: str, hint: str) -> Invalid:
    return Invalid("team_invalid", f"{where}: {why}", hint=hint)


def plan_data(plan: PlannedWorkflow) -> Any:
    """As JSON values, for prompts and results."""
    return msgspec.to_builtins(plan)
