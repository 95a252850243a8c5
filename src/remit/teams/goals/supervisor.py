"""A goal: a planner makes the plan, workers carry it out, and what fails is planned anew around what is done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final, Unpack

from remit.agents.agent import Agent
from remit.errors import Denied, Invalid, Unavailable
from remit.teams.goals.plan import ADDED, PlannedNode, PlannedWorkflow, plan_data, read_plan
from remit.teams.members import narrowed, own_calls, write_ceiling
from remit.teams.outcome import TeamEnd
from remit.teams.patterns._shared import TeamOptions, named, prompt, refuse, section
from remit.teams.team import Team
from remit.teams.values import Answer, Estimate, text_of
from remit.teams.work import AT_ONCE, Policy, Work

REPLANS: Final = ("auto", "human_approved", "disabled")
MAX_REPLAN: Final = 3  # Source: spec/teams.md 13
MAX_STEPS: Final = 20  # nodes that the estimate counts at most
SHAPE: Final = (
    '{"title": "", "nodes": [{"id": "", "name": "", "task": "", "depends_on": [], "file_scopes": ["src/**"], '
    '"sandbox_level": "worktree", "tool_hints": []}]}'
)
ATTEMPTS: Final = 2  # answers of the planner that may be no plan, one after the other

Choose = Callable[[PlannedNode], Any]


class Goal(Team):
    """A goal text as a plan of agents.

    When: the steps are not known beforehand, and can be told from the goal (a feature, a report, a migration).
    When not: the steps are known (Crew, Graph): then a planner only costs money and may plan badly.
    Cost: 1 model call to plan, 1 a node; each replanning 1 and its new nodes.

    Args:
        planner: an agent that answers with a plan as JSON.
        worker: who does a node; an agent, or a function of the node that gives one.
        workers: node name -> who does it; `worker` does the others.
        replanning: auto | human_approved (a person sees the new plan first) | disabled.
        max_replan: times at most.
        sandbox_levels: levels that this host has; a plan that names another one is refused.
        at_once: nodes under way.
    """

    def __init__(
        self,
        planner: Any,
        worker: Any,
        *,
        workers: Mapping[str, Any] | None = None,
        replanning: str = "auto",
        max_replan: int = MAX_REPLAN,
        sandbox_levels: Collection[str] = ("worktree",),
        **options: Unpack[TeamOptions],
    ) -> None:
        given_options, name = named(options, "goal", timeout_s=None)
        if replanning not in REPLANS or not 0 <= max_replan <= MAX_REPLAN:
            raise refuse(f"goal {name}", f"replanning={replanning!r} max_replan={max_replan}",
                         f"One of {', '.join(REPLANS)}; max_replan from 0 to {MAX_REPLAN}.")  # fmt: skip
        self.planner, self.worker, self.workers = planner, worker, dict(workers or {})
        self.replanning, self.max_replan, self.levels = replanning, max_replan, tuple(sandbox_levels)
        members: dict[str, Any] = {"planner": planner, **self.workers}
        if isinstance(worker, Agent) or hasattr(worker, "carry_out"):
            members["worker"] = worker
        super().__init__(name, self._work, members=members, kind="goal", **given_options)

    def estimate(self) -> Estimate:
        """The planner, and the nodes that it may plan."""
        planner, worker = own_calls([self.planner]), own_calls([self.members.get("worker", self.planner)])
        most = planner[1] * ATTEMPTS * (1 + self.max_replan) + worker[1] * (MAX_STEPS + ADDED * self.max_replan)
        return Estimate(planner[0], most, f"1 plan + at most {MAX_STEPS} nodes, {self.max_replan} replannings")

    async def _work(self, work: Work, task: Any) -> Any:
        goal = text_of(task)
        plan, planned = await self._plan(work, goal, "plan/0", (), [])
        outputs: dict[str, Answer] = {}
        failed: dict[str, Answer] = {}
        for number in range(self.max_replan + 1):
            self._show(work, plan, outputs)
            failed = await self._carry_out(work, goal, plan, outputs)
            self._show(work, plan, outputs)
            if not failed:
                return self._output(plan, outputs)
            if self.replanning == "disabled" or number == self.max_replan:
                break
            done = tuple(n for n in plan.nodes if n.id in outputs)
            told = [planned, *outputs.values(), *failed.values()]
            plan, planned = await self._plan(work, goal, f"plan/{number + 1}", done, told, failed)
            if self.replanning == "human_approved":
                await self._approved(work, plan, number + 1)
        node, answer = next(iter(failed.items()))
        raise TeamEnd("failed", Unavailable("team_failed", f"node {node} failed: {answer.problem()}"))

    async def _plan(
        self,
        work: Work,
        goal: str,
        key: str,
        done: tuple[PlannedNode, ...],
        reads: list[Answer],
        failed: Mapping[str, Answer] | None = None,
    ) -> tuple[PlannedWorkflow, Answer]:  # fmt: skip
        """A plan that may be carried out; a bad one goes back to the planner once with what is wrong."""
        problem = ""
        for attempt in range(ATTEMPTS):
            parts = [section("Goal", goal)]
            if failed:
                listed = "\n".join(f"{n}: {a.problem()}" for n, a in failed.items())
                parts += [section("Done, and kept", text_of([n.id for n in done])), section("Failed", listed),
                          f"Plan from 1 to {ADDED} new nodes around what is done."]  # fmt: skip
            parts += [section("Your last answer was refused", problem) if problem else "", f"Answer with JSON: {SHAPE}"]
            answer = await work.ask(self.planner, prompt(*parts), key=f"{key}/{attempt}", reads=reads,
                                    policy=Policy(on_failure="fail", retries=1))  # fmt: skip
            try:
                plan = read_plan(answer.text, work.scope.remit, self.levels, done)
                if failed and len(plan.nodes) - len(done) > ADDED:
                    raise Invalid("team_invalid", f"{len(plan.nodes) - len(done)} new nodes", hint=f"At most {ADDED}.")
                return plan, answer
            except Invalid as e:
                problem = f"{e.message}. {e.hint}"
        raise Invalid("team_invalid", f"the planner gave no plan: {problem}"[:500])

    async def _carry_out(
        self, work: Work, goal: str, plan: PlannedWorkflow, outputs: dict[str, Answer]
    ) -> dict[str, Answer]:  # fmt: skip
        """All nodes that can be done, layer by layer; the ones that failed."""
        failed: dict[str, Answer] = {}
        for layer in plan.layers(outputs):
            ready = [n for n in layer if all(d in outputs for d in n.depends_on)]
            answers = await work.ask_all([partial(self._node, work, goal, n, outputs) for n in ready], at_once=AT_ONCE)
            for node, answer in zip(ready, answers, strict=True):
                (outputs if answer.ok else failed)[node.id] = answer
        return failed

    async def _node(self, work: Work, goal: str, node: PlannedNode, outputs: dict[str, Answer]) -> Answer:
        before = [section(d, outputs[d].text) for d in node.depends_on]
        scopes = section("You may write", ", ".join(node.file_scopes)) if node.file_scopes else ""
        asked = prompt(section("Goal", goal), *before, section("Your task", node.task), scopes)
        member = self.workers.get(node.name, self.worker)
        if not isinstance(member, Agent) and not hasattr(member, "carry_out") and not _is_async(member):
            member = member(node)
        member = narrowed(member, ceiling=write_ceiling(node.file_scopes))  # the plan's word counts, not the prompt's
        return await work.ask(member, asked, key=f"node/{node.id}", reads=[outputs[d] for d in node.depends_on])

    async def _approved(self, work: Work, plan: PlannedWorkflow, number: int) -> None:
        from remit.teams.questions import question

        arguments = {"plan": plan_data(plan)}
        answer = await question(work, f"plan/{number}/approval", "replan", "Carry this new plan out?", arguments)
        if answer.decision != "approved":
            raise TeamEnd("denied", Denied("approval_refused", f"a person refused plan {number}: {answer.reason}"))

    def _show(self, work: Work, plan: PlannedWorkflow, outputs: dict[str, Answer]) -> None:
        progress = work.progress
        progress.total, progress.done = len(plan.nodes), len(outputs)
        progress.notes["plan"] = plan_data(plan)
        progress.artifacts = {n: a.output for n, a in outputs.items()}
        progress.output = self._output(plan, outputs)

    def _output(self, plan: PlannedWorkflow, outputs: dict[str, Answer]) -> Any:
        """What the last nodes gave: one output, or all by id."""
        needed = {d for n in plan.nodes for d in n.depends_on}
        last = {n.id: outputs[n.id].output for n in plan.nodes if n.id not in needed and n.id in outputs}
        return next(iter(last.values())) if len(last) == 1 else last


def _is_async(member: Any) -> bool:
    code = getattr(member, "__code__", None)
    return code is not None and bool(code.co_flags & 0x80)  # Source: CPython Include/cpython/code.h, CO_COROUTINE
