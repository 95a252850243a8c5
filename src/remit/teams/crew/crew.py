"""A crew: tasks as a graph of dependencies, each begun the moment what it waits for is done.

Nothing polls: a task waits for the events of its dependencies, then for one of `max_concurrency` places. A task
that waits for a person lets all others finish that do not depend on it; then the crew parks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Unpack

import msgspec

from remit.errors import RemitError, Unavailable
from remit.teams.crew.tasks import Task, chained, check_tasks
from remit.teams.members import name_of
from remit.teams.outcome import Parked, TeamEnd
from remit.teams.patterns._shared import TeamOptions, calls, first_named, named, prompt, refuse, section
from remit.teams.team import Team, check_member
from remit.teams.values import Answer, Estimate, text_of
from remit.teams.work import AT_ONCE, Policy, Work, first_error

PROCESSES: Final = ("sequential", "parallel", "hierarchical", "dag")


class Crew(Team):
    """Tasks with dependencies, done by agents.

    When: the work is known as tasks, and who does which (research, write, check, publish).
    When not: the tasks come out of the work itself (goals, Graph), or all do the same (Ensemble, MapReduce).
    Cost: one model call a task; hierarchical adds one for each task to assign and one for each to review.

    Args:
        tasks: Task(...) each; names are unique, dependencies exist, and there is no cycle.
        process: sequential (in the order given) | parallel or dag (as dependencies allow) | hierarchical (a manager
            assigns tasks that have no agent, and reviews each output once).
        manager: of a hierarchical crew.
        agents: whom the manager may choose from.
        max_concurrency: tasks under way.
        fail_fast: the first required task that fails ends the crew; otherwise what does not depend on it goes on.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        process: str = "dag",
        manager: Any = None,
        agents: Sequence[Any] = (),
        max_concurrency: int = AT_ONCE,
        fail_fast: bool = False,
        **options: Unpack[TeamOptions],
    ) -> None:
        given_options, name = named(options, "crew")
        where = f"crew {name}"
        if process not in PROCESSES:
            raise refuse(where, f"process={process!r}", f"One of: {', '.join(PROCESSES)}")
        if (process == "hierarchical") != (manager is not None):
            raise refuse(where, f"process={process} manager={manager!r}", "Only hierarchical needs a manager.")
        if not 1 <= max_concurrency <= 1_000:
            raise refuse(where, f"max_concurrency={max_concurrency}", "From 1 to 1000.")
        check_tasks(where, tasks)
        self.tasks = chained(tasks) if process == "sequential" else tuple(tasks)
        self.manager, self.agents = manager, tuple(agents)
        self.max_concurrency, self.fail_fast = max_concurrency, fail_fast
        members: dict[str, Any] = {} if manager is None else {"manager": manager}
        for task in tasks:
            if task.kind == "task" and task.agent is None and (manager is None or not agents):
                raise refuse(
                    f"{where}, task {task.name}", "nobody does it", "Give it an agent, or a manager and agents."
                )
            if task.agent is not None:
                check_member(f"{where}, task {task.name}", task.agent)
                members[task.name] = task.agent
        members |= {f"agent {name_of(agent)}": agent for agent in agents}
        super().__init__(name, self._work, members=members, kind="crew", **given_options)

    def estimate(self) -> Estimate:
        """Tasks, and what the manager adds."""
        done = [t for t in self.tasks if t.kind == "task"]
        pairs = [(t.agent if t.agent is not None else self.agents[0], int(self._sure(t)), 1) for t in done]
        if self.manager is not None:
            own = sum(t.agent is None for t in done)
            sure = sum(self._sure(t) for t in done)
            redone = [(t.agent if t.agent is not None else self.agents[0], 0, 1) for t in done]
            return calls(
                [*pairs, *redone, (self.manager, sure, own + len(done))], f"{len(done)} tasks + assignments + reviews"
            )
        return calls(pairs, f"{len(done)} tasks")

    def _sure(self, task: Task) -> bool:
        return task.when is None and all(t.when is None for t in self.tasks if t.name in task.depends_on)

    async def _work(self, work: Work, task: Any) -> Any:
        work.progress.total = len(self.tasks)
        activation = _Activation(self, work, task)
        await activation.run()
        if activation.items:
            raise Parked(tuple(activation.items))
        needed = {name for t in self.tasks for name in t.depends_on}
        outputs = activation.outputs
        last = {t.name: outputs[t.name] for t in self.tasks if t.name not in needed and t.name in outputs}
        work.progress.notes["tasks"] = activation.states
        work.progress.output = next(iter(last.values())) if len(last) == 1 else last
        if activation.error is not None:
            raise TeamEnd("denied" if activation.error.family == "Denied" else "failed", activation.error)
        return work.progress.output


class _Activation:
    """One run of a crew: which task stands where."""

    def __init__(self, crew: Crew, work: Work, goal: Any) -> None:
        self.crew, self.work, self.goal = crew, work, text_of(goal)
        self.events = {task.name: asyncio.Event() for task in crew.tasks}
        self.states: dict[str, str] = {}
        """task -> done | failed | skipped | blocked | waiting"""
        self.outputs: dict[str, Any] = {}
        self.answers: dict[str, Answer] = {}
        self.items: list[str] = []
        self.error: RemitError | None = None
        self.places = asyncio.Semaphore(crew.max_concurrency)

    async def run(self) -> None:
        """All tasks, each as soon as it may begin."""
        try:
            async with asyncio.TaskGroup() as group:
                for task in self.crew.tasks:
                    group.create_task(self._task(task))
        except BaseExceptionGroup as e:
            raise first_error(e) from None

    async def _task(self, task: Task) -> None:
        await self._wait(task)
        state = self._before(task)
        if not state:
            async with self.places:
                state = await self._do(task)
        self.states[task.name] = state
        if state in ("done", "skipped"):
            self.work.progress.done += 1
        self.events[task.name].set()
        if state == "failed" and not task.optional and self.crew.fail_fast:
            assert self.error is not None
            raise TeamEnd("failed", self.error)

    async def _wait(self, task: Task) -> None:
        if task.join == "all" or len(task.depends_on) < 2:
            for name in task.depends_on:
                await self.events[name].wait()
            return
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(self._watch(name, first)) for name in task.depends_on]
            await first
            for one in watching:
                one.cancel()

    async def _watch(self, name: str, first: asyncio.Future[None]) -> None:
        await self.events[name].wait()
        if not first.done():
            first.set_result(None)

    def _before(self, task: Task) -> str:
        """Why the task is not done: skipped, blocked or waiting; "" = it is to be done."""
        optional = {t.name for t in self.crew.tasks if t.optional}
        states = [self.states[n] for n in task.depends_on if n in self.states and n not in optional]
        if task.join == "all":
            for bad in ("waiting", "blocked", "failed"):
                if bad in states:
                    return "waiting" if bad == "waiting" else "blocked"
        elif states and "done" not in states:
            return "waiting" if "waiting" in states else "blocked" if "failed" in states else "skipped"
        if states and all(state == "skipped" for state in states):
            return "skipped"
        return "skipped" if task.when is not None and not task.when.holds(self.outputs) else ""

    async def _do(self, task: Task) -> str:
        if task.kind == "join":
            self.outputs[task.name] = {n: self.outputs[n] for n in task.depends_on if n in self.outputs}
            return "done"
        try:
            if task.kind == "human_input":
                from remit.teams.questions import ask

                self.outputs[task.name] = await ask(self.work, f"task/{task.name}", task.description or task.name,
                                                    choices=task.choices)  # fmt: skip
                return "done"
            answer = await self._answer(task)
        except Parked as parked:
            self.items.extend(parked.items)
            return "waiting"
        if not answer.ok:
            if not task.optional and self.error is None:
                self.error = answer.problem()
            return "failed"
        self.answers[task.name] = answer
        self.outputs[task.name] = answer.output
        self.work.progress.artifacts[task.name] = answer.output
        return "done"

    async def _answer(self, task: Task) -> Answer:
        key = f"task/{task.name}"
        policy = msgspec.structs.replace(self.work.policy, retries=task.retries)
        if task.timeout_s is not None:
            policy = msgspec.structs.replace(policy, timeout_s=task.timeout_s)
        reads = [self.answers[n] for n in task.depends_on if n in self.answers]
        member = task.agent if task.agent is not None else await self._assigned(task, key, reads)
        text = self._prompt(task)
        answer = await self.work.ask(member, text, key=key, reads=reads, policy=policy)
        if self.crew.manager is None or not answer.ok:
            return answer
        ask = "Review it. Begin with `approve`, or say what must be done better."
        asked = prompt(section("Task", text), section("Result", answer.text), ask)
        review = await self.work.ask(self.crew.manager, asked, key=f"{key}/review", reads=[answer])
        if not review.ok or review.text.strip().casefold().startswith("approve"):
            return answer
        again = prompt(text, section("The result before", answer.text), section("What must be better", review.text))
        better = await self.work.ask(member, again, key=f"{key}/again", reads=[*reads, answer, review], policy=policy)
        return better if better.ok else answer

    async def _assigned(self, task: Task, key: str, reads: list[Answer]) -> Any:
        """Whom the manager names; the first agent where the name is none of them."""
        agents = {name_of(agent): agent for agent in self.crew.agents}
        if len(agents) == 1:
            return self.crew.agents[0]
        ask = f"Who does this task? Answer with one name of: {', '.join(agents)}"
        answer = await self.work.ask(self.crew.manager, prompt(section("Task", task.description or task.name), ask),
                                     key=f"{key}/assign", reads=reads, policy=Policy(retries=1))  # fmt: skip
        if not answer.ok:
            raise TeamEnd("failed", answer.problem())
        found = first_named(answer.text, agents)
        if not found:
            raise TeamEnd(
                "failed", Unavailable("team_failed", f"the manager gave {task.name} to nobody: {answer.text[:80]}")
            )
        return agents[found]

    def _prompt(self, task: Task) -> str:
        before = [section(n, text_of(self.outputs[n])) for n in task.depends_on if n in self.outputs]
        expected = section("Expected", task.expected_output) if task.expected_output else ""
        return prompt(section("Goal", self.goal) if self.goal else "", *before, task.description or task.name, expected)
