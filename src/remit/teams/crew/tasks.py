"""Tasks of a crew, the conditions on which they are done, and the check of their dependencies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.errors import Invalid

MAX_TASKS: Final = 10_000
OPERATORS: Final = ("eq", "ne", "gt", "lt", "contains", "exists")
KINDS: Final = ("task", "human_input", "join")


class Condition(Struct, frozen=True, forbid_unknown_fields=True):
    """What must hold of an earlier task's output: `Condition("classify", "eq", "bug")`."""

    task: str
    op: str = "eq"
    """eq | ne | gt | lt | contains | exists"""
    value: Any = None
    field: str = ""
    """a field of the output, where that is an object"""

    def holds(self, outputs: dict[str, Any]) -> bool:
        """Whether it holds; a task without an output, and values that cannot be compared, do not."""
        value = outputs.get(self.task)
        if self.field and value is not None:
            value = value.get(self.field) if isinstance(value, dict) else getattr(value, self.field, None)
        if self.op == "exists":
            return value is not None
        if value is None:
            return False
        if isinstance(value, str) and isinstance(self.value, str):
            given, wanted = value.strip().casefold(), self.value.strip().casefold()
        else:
            given, wanted = value, self.value
        try:
            return bool(_compare(self.op, given, wanted))
        except TypeError:
            return False


def _compare(op: str, given: Any, wanted: Any) -> Any:
    match op:
        case "eq":
            return given == wanted
        case "ne":
            return given != wanted
        case "gt":
            return given > wanted
        case "lt":
            return given < wanted
        case _:
            return wanted in given


class Task(Struct, frozen=True):
    """One task.

    A task begins when all it depends on is done (`join="any"`: the first of it); it is skipped when its condition
    does not hold, or when all it depends on was skipped; it is blocked when what it depends on failed and is not
    optional.
    """

    name: str
    description: str = ""
    agent: Any = None
    """who does it; None in a hierarchical crew = the manager chooses"""
    depends_on: tuple[str, ...] = ()
    expected_output: str = ""
    optional: bool = False
    """its failure blocks nobody and does not fail the crew"""
    retries: int = 1
    timeout_s: float | None = None
    when: Condition | None = None
    join: str = "all"
    """all | any"""
    kind: str = "task"
    """task | human_input (a person answers `description`) | join (only waits)"""
    choices: tuple[str, ...] = ()
    """of a human_input"""


def check_tasks(where: str, tasks: Sequence[Task]) -> None:
    """Raise team_invalid: no tasks, equal names, unknown dependencies, a cycle, a bad condition or kind."""
    if not 1 <= len(tasks) <= MAX_TASKS:
        raise Invalid("team_invalid", f"{where}: {len(tasks)} tasks", hint=f"Give from 1 to {MAX_TASKS}.")
    counts = Counter(task.name for task in tasks)
    names = set(counts)
    for task in tasks:
        place = f"{where}, task {task.name!r:.60}"
        if not task.name or counts[task.name] > 1:
            raise Invalid("team_invalid", f"{place}: two tasks have this name, or it is empty", hint="Name each task.")
        for needed in (*task.depends_on, *([task.when.task] if task.when is not None else ())):
            if needed not in names:
                raise Invalid("team_invalid", f"{place}: it depends on {needed!r:.60}, which there is not",
                              hint=f"Tasks: {', '.join(sorted(names)[:20])}")  # fmt: skip
        if task.when is not None and task.when.op not in OPERATORS:
            raise Invalid("team_invalid", f"{place}: when {task.when.op!r:.40}", hint=f"One of: {', '.join(OPERATORS)}")
        if task.when is not None and task.when.task not in _before(task, tasks):
            raise Invalid("team_invalid", f"{place}: its condition asks for {task.when.task}, which need not be done",
                          hint=f"Add {task.when.task} to depends_on.")  # fmt: skip
        if task.kind not in KINDS or task.join not in ("all", "any") or not 0 <= task.retries <= 10:
            raise Invalid("team_invalid", f"{place}: kind={task.kind!r} join={task.join!r} retries={task.retries}",
                          hint=f"kind: {', '.join(KINDS)}; join: all, any; retries from 0 to 10.")  # fmt: skip
    ring = _cycle(tasks)
    if ring:
        raise Invalid("team_invalid", f"{where}: the tasks {' -> '.join(ring)} wait for each other",
                      hint="Take one dependency out.")  # fmt: skip


def _before(task: Task, tasks: Sequence[Task]) -> set[str]:
    """All that is done before the task."""
    by_name = {t.name: t for t in tasks}
    seen: set[str] = set()
    stack = list(task.depends_on)
    while stack:
        name = stack.pop()
        if name not in seen and name in by_name:
            seen.add(name)
            stack += by_name[name].depends_on
    return seen


def _cycle(tasks: Sequence[Task]) -> list[str]:
    """A cycle of dependencies; empty = there is none."""
    left = {task.name: set(task.depends_on) for task in tasks}
    while True:
        ready = [name for name, needs in left.items() if not needs & left.keys()]
        if not ready:
            break
        for name in ready:
            del left[name]
    if not left:
        return []
    ring = [next(iter(left))]
    while True:
        following = min(left[ring[-1]] & left.keys())
        if following in ring:
            return [*ring[ring.index(following) :], following]
        ring.append(following)


def chained(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """The tasks one after the other: each waits for the one before, too."""
    made = list(tasks[:1])
    for before, task in pairwise(tasks):
        waits = task.depends_on if before.name in task.depends_on else (*task.depends_on, before.name)
        made.append(msgspec.structs.replace(task, depends_on=waits))
    return tuple(made)
