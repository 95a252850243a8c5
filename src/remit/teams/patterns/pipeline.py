"""Pipeline: each stage's output is the next one's input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Unpack

from msgspec import Struct

from remit.teams.members import name_of
from remit.teams.patterns._peers import one_list
from remit.teams.patterns._shared import MemberName, TeamOptions, calls, named, prompt, refuse, section
from remit.teams.team import Team
from remit.teams.values import Estimate, text_of
from remit.teams.work import Work

MAX_STAGES: Final = 100


class Stage(Struct, frozen=True):
    """One stage: who works, what for, and what is done to its output before the next stage sees it."""

    role: Any
    """an Agent, a team, or an async function"""
    description: str = ""
    transform: Callable[[Any], Any] | None = None


class Pipeline(Team):
    """Stages one after the other.

    When: the work has a fixed order, and each step needs only the one before (draft, edit, translate).
    When not: steps are independent (MapReduce, Crew), or the order depends on what comes out (Graph).
    Cost: as many model calls as stages.

    Args:
        stages: at least one Stage, or agents, teams and async functions; `Pipeline(a, b, c)` works too.
        on_failure: fail by default; continue hands the stage's input on to the next one.
    """

    def __init__(self, *stages: Any, **options: Unpack[TeamOptions]) -> None:
        self.stages: Sequence[Stage] = tuple(s if isinstance(s, Stage) else Stage(s) for s in one_list(stages))
        given_options, name = named(options, "pipeline", on_failure="fail")
        if not 1 <= len(self.stages) <= MAX_STAGES:
            raise refuse(f"pipeline {name}", f"{len(self.stages)} stages", f"Give from 1 to {MAX_STAGES}.")
        members = {f"stage {i}": stage.role for i, stage in enumerate(self.stages, 1)}
        super().__init__(name, self._work, members=members, kind="pipeline", **given_options)

    def estimate(self) -> Estimate:
        """Stages."""
        return calls(((s.role, 1, 1) for s in self.stages), f"{len(self.stages)} stages")

    async def _work(self, work: Work, task: Any) -> Any:
        value, last = task, None
        failed = None
        work.progress.total = len(self.stages)
        for i, stage in enumerate(self.stages, 1):
            text = text_of(value)
            asked = prompt(stage.description, section("Input", text)) if stage.description else text
            answer = await work.ask(stage.role, asked, key=f"stage/{i}", reads=None if last is None else [last])
            if not answer.ok:
                failed = answer
                continue
            value = stage.transform(answer.output) if stage.transform is not None else answer.output
            last = answer
            work.progress.done += 1
            work.progress.output = value
            work.progress.artifacts[f"{i} {name_of(stage.role)}"] = value
        if last is None and failed is not None:
            raise failed.problem()
        return value


class Spec(Struct, forbid_unknown_fields=True):
    """Of a workflow file."""

    stages: list[MemberName]


PATTERN, SPEC = Pipeline, Spec
