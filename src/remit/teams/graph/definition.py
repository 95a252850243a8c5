"""A graph: state type and edges, checked when it is built, run as a journalled run of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from remit.core.budget import UNLIMITED, Budget
from remit.core.remit import UNSET, Remit
from remit.errors import Invalid
from remit.teams.graph.check import check
from remit.teams.graph.plan import Plan, read_edges
from remit.teams.graph.problem import Problem, refuse
from remit.teams.graph.state import Reducer, StateType
from remit.teams.members import own_calls
from remit.teams.team import Team
from remit.teams.values import Estimate
from remit.teams.work import Work

if TYPE_CHECKING:
    from remit.teams.values import TeamRun

MAX_STEPS: Final = 100  # Source: spec/teams.md 11, max_iterations
AT_ONCE: Final = 32  # nodes of one step under way


class Graph(Team):
    """Typed state, nodes that are async functions or agents, edges as tuples.

        graph = Graph(State).edges((START, draft, review), (review, {"redo": draft, "ok": END}))
        run = await graph.run({"topic": "tides"})
        run.output                      # a State

    When: the way depends on what came out (loops, branches, people in between). When not: a fixed sequence is a
    Pipeline; independent tasks with dependencies are a Crew. Cost: the model calls of the agents that run, as often
    as their nodes run; the estimate counts each agent once at least, and once a step at most.

    Args:
        state: a msgspec Struct, a dataclass or a TypedDict; `dict` for an unchecked one.
        name: the graph's name in journal and audit.
        reducers: field -> function of (old, new), where annotations do not say it.
        max_steps: steps at most; then the run ends exhausted, with its state so far.
        at_once: nodes of one step that run at once.
        pause_before: nodes (or their names) before which a person looks at the state.
        tools: own functions that nodes call with `ctx.call(name, ...)`.
        remit, budget, timeout_s: as of Team.
    """

    def __init__(  # noqa: PLR0913  # a definition: every option is a keyword with a default
        self,
        state: Any,
        *,
        name: str = "graph",
        reducers: Mapping[str, Reducer] | None = None,
        max_steps: int = MAX_STEPS,
        at_once: int = AT_ONCE,
        pause_before: Sequence[Any] = (),
        remit: Remit = UNSET,
        budget: Budget = UNLIMITED,
        timeout_s: float | None = None,
        tools: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(name, self._body, members={}, kind="graph", remit=remit, budget=budget, timeout_s=timeout_s,
                         tools=tools)  # fmt: skip
        if max_steps < 1 or at_once < 1:
            raise Invalid("graph_invalid", f"{name}: max_steps={max_steps} at_once={at_once}", hint="At least 1.")
        self.state_type = StateType(state, reducers)
        self.max_steps = max_steps
        self.at_once = at_once
        self.pause_before = pause_before
        self.plan = Plan()
        self._edges: list[Any] = []

    def edges(self, *edges: Any) -> Graph:
        """Add edges and check the graph; returns the graph. Raises graph_invalid: place, reason and hint."""
        self._edges += edges
        self.plan = read_edges(self._edges)
        refuse(self.name, self.problems())
        self.members = {
            f"{name}.{i}" if i else name: member
            for name, node in self.plan.nodes.items() for i, member in enumerate(node.members())
        }  # fmt: skip
        return self

    def problems(self) -> list[Problem]:
        """Everything that the static check finds; empty after `edges(...)` has returned."""
        found = check(self.plan, self.state_type)
        for name in self._paused():
            if name not in self.plan.nodes:
                found.append(
                    Problem("pause_before", f"there is no node {name}", f"Nodes: {', '.join(self.plan.nodes)}")
                )
        return found

    def estimate(self) -> Estimate:
        """Model calls: each agent once at least, the dearest node in every step at most."""
        single = [own_calls(node.members()) for node in self.plan.nodes.values()]
        if not any(most for _, most in single):
            return Estimate(0, 0, "no agents")
        reachable_once = min((least for least, _ in single), default=0)
        most = max(most for _, most in single) * self.max_steps
        return Estimate(reachable_once, most, f"at most {max(m for _, m in single)} a step, {self.max_steps} steps")

    def mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        from remit.teams.graph.drawing import mermaid

        return mermaid(self.plan)

    def svg(self) -> str:
        """The graph as a picture, laid out in layers."""
        from remit.teams.graph.drawing import svg

        return svg(self.plan)

    def stream(self, task: Any = None, **options: Any) -> AsyncIterator[Any]:
        """node_started, node_done (what it wrote) and node_said as they happen, the events of agents, then the run."""
        return super().stream(task, **options)

    async def run(self, task: Any = None, **options: Any) -> TeamRun:
        """Run to the end (or to where it waits for a person); `task` is a mapping of the state's fields."""
        return await super().run(task, **options)

    def _paused(self) -> list[str]:
        return [p if isinstance(p, str) else str(getattr(p, "name", None) or p.__name__) for p in self.pause_before]

    async def _body(self, work: Work, task: Any) -> Any:
        from remit.teams.graph.execution import Execution

        if not self.plan.nodes:
            raise Invalid("graph_invalid", f"{self.name} has no edges", hint="Add them: graph.edges((START, ...)).")
        work.progress.total = len(self.plan.nodes)
        values = self.state_type.begin(task if task != "" else None)
        return self.state_type.make(await Execution(self, work, "", self._paused()).run(values))
