"""What a node may do beside returning: ask a person, run agents and tools, compute once, say something.

Everything is recorded below the node's own key, so that a node which was interrupted goes on inside itself:
what it had done is read back, and only what was not done is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from remit.core.effects import Done, Failed, Waiting
from remit.core.labels import join
from remit.core.messages import ToolCall
from remit.teams.graph.marks import NodeSaid
from remit.teams.members import name_of
from remit.teams.outcome import Parked

if TYPE_CHECKING:
    from remit.agents.run import Run
    from remit.teams.work import Place, Work


class NodeContext:
    """One execution of one node. `feedback` is what a person wrote at a gate that asked for another attempt."""

    __slots__ = ("_place", "_work", "feedback", "node", "step_number")

    def __init__(self, work: Work, place: Place, node: str, step_number: int, feedback: str = "") -> None:
        self._work = work
        self._place = place
        self.node = node
        self.step_number = step_number
        self.feedback = feedback

    @property
    def key(self) -> str:
        """The structural key of this execution."""
        return str(self._place.key)

    @property
    def deps(self) -> Any:
        """What the caller gave as `deps`."""
        return self._work.options.deps

    @property
    def run_id(self) -> str:
        """The graph's run."""
        return self._work.scope.run_id

    async def ask(self, question: str, *, choices: Sequence[Any] = (), kind: str = "", default: Any = None) -> Any:
        """What a person answers; may wait for days and over restarts. See questions.ask."""
        from remit.teams.questions import ask

        key = self._place.next("ask")
        return await ask(self._work, key, question, choices=choices, kind=kind, default=default)

    async def step(self, name: str, fn: Callable[..., Any], *arguments: Any) -> Any:
        """What `fn(*arguments)` returns, computed once: for reading and computing (what writes is a tool)."""
        return await self._work.step(self._place.next(name), fn, *arguments)

    async def run(self, member: Any, task: Any) -> Run:
        """Run an agent or a team as a recorded child; `await agent.run(task)` inside a node does the same."""
        return (await self._work.child(self._place.next(name_of(member)), member, task, self._place))[0]

    async def call(self, tool: str, **arguments: Any) -> str:
        """Call a tool through the gate; returns its text, raises its error or the refusal."""
        work, place = self._work, self._place
        scope = work.scope
        scope.label = join(scope.label, place.label)  # what this node has read may be in the arguments
        key = place.next(f"tool:{tool}")
        scope.tool_calls += 1
        outcome = await work.runtime.gate.call_tool(key, ToolCall(key, tool, arguments), scope)
        if type(outcome) is Done:
            scope.label = place.label = join(place.label, outcome.label)
            return str(outcome.value)
        if type(outcome) is Failed:
            raise outcome.error
        if type(outcome) is Waiting:
            raise Parked((outcome.item,))
        raise outcome.deny.error()  # type: ignore[union-attr]  # nothing else is left

    def emit(self, value: Any) -> None:
        """Show a value to whoever streams the graph; it is not journalled."""
        if self._work.options.listener is not None:
            self._work.options.listener(None, NodeSaid(self.node, value))
