"""The driver: carries out what the pure loop says, and feeds it what came back.

Calls of one turn run at once unless they touch the same resource or a tool is `serial`; results
return in call order; a call that fails or is refused does not touch its siblings. When a call must
wait for a person, its siblings finish, and the run parks.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from remit.agents import loop
from remit.agents.turns import Turns
from remit.core.effects import Done, Failed, Outcome, Refused, Waiting
from remit.core.events import Reflected
from remit.core.labels import SYSTEM, Label, join
from remit.core.messages import Message, ToolCall, ToolResult
from remit.errors import RemitError
from remit.gate.door import Gate
from remit.gate.scope import Scope
from remit.models.attempt import ask

if TYPE_CHECKING:
    from remit.agents.snapshots import LoopSnapshots
    from remit.ports.clock import Clock
    from remit.ports.model import Model

INTERRUPTED: Final = "interrupted before it ran; it may be asked again"


class Ended(Struct):
    """How the loop ended; `status` as of Run."""

    status: str
    output: Any = None
    error: RemitError | None = None
    waiting_for: tuple[str, ...] = ()


class Session:
    """One run under way. `messages` is always the history so far, also when the run is cancelled."""

    __slots__ = ("clock", "gate", "max_parallel", "messages", "model", "partial", "scope", "snapshots", "turns")

    def __init__(self, gate: Gate, scope: Scope, model: Model, clock: Clock, max_parallel: int, turns: Turns) -> None:
        self.gate = gate
        self.scope = scope
        self.model = model
        self.clock = clock
        self.max_parallel = max_parallel
        self.turns = turns
        self.messages: tuple[Message, ...] = ()
        self.partial = ""
        """the last text that the model said"""
        self.snapshots: LoopSnapshots | None = None

    async def drive(self, plan: loop.Plan, messages: tuple[Message, ...]) -> Ended:
        """From the task to the end, or to where the run waits."""
        self._take_history(plan, messages)
        start = None if self.snapshots is None else self.snapshots.start
        state, command, reflection = (
            loop.begin(plan, messages) if start is None else loop.resumed(start.begin(self, plan))
        )
        while True:
            self.messages = state.messages
            if reflection is not None:
                self._reflect(state.turn, reflection)
            if type(command) is loop.CallModel:
                outcome = await ask(self.gate, command.key, self.model, command.request, self.scope, self.clock)
                if type(outcome) is not Done:
                    return _ended(outcome, self.partial)
                self.scope.label = join(self.scope.label, outcome.label)
                self.partial = outcome.value.text or self.partial
                state, command, reflection = loop.step(state, loop.Replied(outcome.value))
            elif type(command) is loop.CallTools:
                if self.turns.busy:  # whoever asked before this reply came is served before it
                    await self.turns.take()
                results, waiting = await self._call_tools(command)
                if waiting:
                    return Ended("waiting", self.partial or None, None, waiting)
                state, command, reflection = loop.step(state, loop.Returned(results))
                if self.snapshots is not None and reflection is None:
                    self.snapshots.look(state, self.partial)
            else:
                assert type(command) is loop.Finish
                output = command.output if command.status == "ok" else command.output or self.partial or None
                return Ended(command.status, output, command.error)

    def _take_history(self, plan: loop.Plan, messages: tuple[Message, ...]) -> None:
        """Labels that the task's messages bring; with labelled tools, the store that follows single values."""
        scope = self.scope
        for message in messages:
            if message.label is not None:
                scope.label = join(scope.label, message.label)
            for part in message.parts:
                if type(part) is ToolResult and part.label is not None:
                    scope.label = join(scope.label, part.label)
        if plan.labels is not None:
            from remit.agents.quarantine import open_store  # only runs with labels need it

            scope.values = open_store(plan, messages, scope.label)

    def _reflect(self, turn: int, reflection: loop.Reflection) -> None:
        if self.scope.recorded is None or self.scope.recorded.get(f"turn/{turn}/model") is None:
            self.scope.emit(Reflected(turn, reflection.finding, reflection.action))

    async def _call_tools(self, command: loop.CallTools) -> tuple[tuple[ToolResult, ...], tuple[str, ...]]:
        calls = command.calls
        scope = self.scope
        scope.tool_calls += len(calls)
        if len(calls) == 1:
            outcomes = [await self.gate.call_tool(f"turn/{command.turn}/call/0", calls[0], scope)]
        else:
            outcomes = await self._side_by_side(command)
        waiting = tuple([o.item for o in outcomes if type(o) is Waiting])
        results = []
        label = scope.label
        for call, outcome in zip(calls, outcomes, strict=True):
            text, is_error, own = _result(outcome)
            label = join(label, own)
            results.append(ToolResult(call.id, call.name, text, is_error, label=own if own.untrusted else None))
        scope.label = label
        return tuple(results), waiting

    async def _side_by_side(self, command: loop.CallTools) -> list[Outcome]:
        """All calls of a turn, at most `max_parallel` at once; conflicting ones one after the other, in call order."""
        places = asyncio.Semaphore(self.max_parallel)
        done: dict[int, Outcome] = {}

        async def chain(indexes: list[int]) -> None:
            for i in indexes:
                async with places:
                    done[i] = await self.gate.call_tool(f"turn/{command.turn}/call/{i}", command.calls[i], self.scope)

        try:
            async with asyncio.TaskGroup() as group:
                for indexes in conflict_chains(command.calls, self.scope):
                    group.create_task(chain(indexes))
        except ExceptionGroup as e:  # a call answers with values; what escapes is the journal's own failure
            raise e.exceptions[0] from None
        return [done[i] for i in range(len(command.calls))]


def conflict_chains(calls: tuple[ToolCall, ...], scope: Scope) -> list[list[int]]:
    """Indexes of calls in chains: within a chain one after the other, chains side by side.

    A call that writes a path joins whoever touches that path; a `serial` tool and one that is
    neither read-only nor declared joins every other one of its kind.
    """
    chains: list[tuple[set[str], list[int]]] = []
    for i, call in enumerate(calls):
        marks = _marks(call, scope)
        hit = [c for c in chains if c[0] & marks or "*" in c[0] or ("*" in marks)]
        merged: tuple[set[str], list[int]] = (set(marks), [i])
        for c in hit:
            merged = (merged[0] | c[0], c[1] + merged[1])
            chains.remove(c)
        merged[1].sort()
        chains.append(merged)
    return [c[1] for c in chains]


def _marks(call: ToolCall, scope: Scope) -> set[str]:
    """What a call may conflict on: the paths it names when it writes; `*` = everything (serial, programs)."""
    tool = scope.tools.get(call.name)
    if tool is None:
        return set()
    if tool.serial:
        return {"*"}
    paths = {str(call.arguments[k]) for k in ("path", "key", "name") if k in call.arguments}
    if tool.effect == "read":
        return paths
    return paths or ({"*"} if tool.builtin else {f"tool:{tool.name}"})


def _result(outcome: Outcome) -> tuple[str, bool, Label]:
    """Text for the model, whether it is an error, and its label."""
    if type(outcome) is Done:
        return outcome.value, False, outcome.label
    if type(outcome) is Failed:
        return f"{outcome.error.for_model()} ({outcome.error.hint})", True, outcome.label
    if type(outcome) is Refused:
        deny = outcome.deny
        return f"refused {deny.code} ({deny.check}): {deny.why}. {deny.hint}".rstrip(), True, SYSTEM
    return INTERRUPTED, True, SYSTEM


def _ended(outcome: Outcome, partial: str) -> Ended:
    """The run's end when the model could not be asked."""
    if type(outcome) is Waiting:
        return Ended("waiting", partial or None, None, (outcome.item,))
    if type(outcome) is Failed:
        return Ended("failed", partial or None, outcome.error)
    assert type(outcome) is Refused
    status = "exhausted" if outcome.deny.check in ("budget", "rate") else "denied"
    return Ended(status, partial or None, outcome.deny.error())


def cut_short(session: Session, reason: str) -> tuple[Message, ...]:
    """The history of an interrupted run, made valid."""
    return loop.close_history(session.messages, reason)
