"""Running a graph: step by step, every node of a step side by side, their updates applied in one order.

    step 1: the nodes after START      each node: read back, or run; then its update is journalled
    apply their updates, in the order of the step; follow edges, mappings and joins; that is step 2

The journal holds one record a node execution, `step/12/review`: what it wrote and the way it chose. State is the
fold over these records, so a resumed graph reads finished executions back and an interrupted one goes on inside
itself. A step is a barrier: branches of different length that should not wait for each other go into a subgraph.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from remit.core.events import EffectDone
from remit.core.labels import join
from remit.core.schema import encode_foreign
from remit.errors import Exhausted, Invalid, NonDeterminism
from remit.ports.deadline import Deadline
from remit.ports.runtime import current_call
from remit.teams.graph.context import NodeContext
from remit.teams.graph.marks import END, OTHERWISE, Go, NodeDone, NodeStarted
from remit.teams.graph.plan import BEGIN, Plan, Routes, plain_route
from remit.teams.graph.wrappers import WRAPPERS
from remit.teams.outcome import TeamEnd
from remit.teams.work import Place, Work

if TYPE_CHECKING:
    from remit.teams.graph.definition import Graph
    from remit.teams.graph.nodes import Node

_encode: Final = msgspec.json.Encoder(enc_hook=encode_foreign).encode
_decode: Final = msgspec.json.Decoder().decode
_NONE: Final[tuple[str, ...]] = ()

Result = tuple[dict[str, Any], Any]
"""what a node writes, and the route it chose"""


class Execution:
    """One graph (or subgraph) under way."""

    __slots__ = ("arrived", "graph", "listener", "pause_before", "plan", "prefix", "recorded", "state", "step", "work")

    def __init__(self, graph: Graph, work: Work, prefix: str = "", pause_before: Iterable[str] = ()) -> None:
        self.graph = graph
        self.plan: Plan = graph.plan
        self.state = graph.state_type
        self.work = work
        self.prefix = prefix
        self.recorded = work.recorded
        self.listener = work.options.listener
        self.pause_before = frozenset(pause_before)
        self.arrived: dict[int, set[str]] = {}
        self.step = 0

    async def run(self, values: dict[str, Any]) -> dict[str, Any]:
        """From START to the end; `values` is the state, and is changed."""
        past = None if self.recorded is None else self._past()
        active = self._after(((BEGIN, None),), values)
        nodes, progress = self.plan.nodes, self.work.progress
        while active:
            self.step += 1
            if self.step > self.graph.max_steps:
                late = Exhausted("turns_exceeded", f"{self.graph.name} passed its {self.graph.max_steps} steps",
                                 hint="Raise max_steps, or mend the mapping that never leads to END.")  # fmt: skip
                raise TeamEnd("exhausted", late)
            if past is not None:
                self._must_match(past, active)
            key = f"{self.prefix}step/{self.step}/"
            if len(active) == 1:
                name = active[0]
                done = [(name, *await self._run(nodes[name], values, key + name))]
            else:
                asked = [partial(self._run, nodes[name], values, key + name) for name in active]
                found = await self.work.ask_all(asked, at_once=self.graph.at_once)
                done = [(name, *result) for name, result in zip(active, found, strict=True)]
            self.state.apply(values, [(name, update) for name, update, _ in done])
            if not self.prefix:
                progress.done += len(done)
                progress.output = values
            active = self._after([(name, route) for name, _, route in done], values)
        self._check_joins()
        return values

    async def _run(self, node: Node, values: dict[str, Any], key: str) -> Result:
        if self.pause_before and node.name in self.pause_before:
            await self._pause(node, values, key)
        if self.listener is not None:
            self.listener(None, NodeStarted(self.step, node.name))
        result = await self.execute(node, values, key)
        if self.listener is not None:
            update, route = result
            self.listener(None, NodeDone(self.step, node.name, update, route))
        return result

    async def execute(self, node: Node, values: dict[str, Any], key: str, feedback: str = "") -> Result:
        """One execution of one node, or what the journal holds of it."""
        if self.recorded is not None:
            record = self.recorded.get(key)
            if record is not None and record.state == "done":
                kept = _decode(record.done.result)
                self.work.scope.label = join(self.work.scope.label, record.done.label)
                return self.state.decode(kept["u"]), kept.get("r")
        scope = self.work.scope
        place = Place(scope, key)
        token = current_call.set(place)
        try:
            if node.timeout_s is None:
                update, route = await self._call(node, values, place, feedback)
            else:
                update, route = await self._in_time(node, values, place, feedback)
        finally:
            current_call.reset(token)
        if place.label is not scope.label:
            scope.label = self.work.label = join(scope.label, place.label)
        kept = {"u": update} if route is None else {"u": update, "r": route}
        scope.emit(EffectDone(key, msgspec.Raw(_encode(kept)), scope.label))
        return update, route

    async def _in_time(self, node: Node, values: dict[str, Any], place: Place, feedback: str) -> Result:
        result: Result = ({}, None)
        limit = Deadline(node.timeout_s or 0)
        late = Exhausted("deadline_exceeded", f"node {node.name} passed its {node.timeout_s:g} s")
        try:
            with limit:
                result = await self._call(node, values, place, feedback)
        except TimeoutError:
            if limit.expired:
                raise late from None
            raise
        if limit.expired:
            raise late
        return result

    async def _call(self, node: Node, values: dict[str, Any], place: Place, feedback: str) -> Result:
        if node.kind != "function":
            result: Result = await WRAPPERS[node.kind](self, node, values, place)
            return result
        state = self.state.make(values)
        if node.takes_context:
            returned = await node.fn(state, NodeContext(self.work, place, node.name, self.step, feedback))
        else:
            returned = await node.fn(state)
        return self.result(node.name, returned, values)

    def result(self, name: str, returned: Any, values: dict[str, Any]) -> Result:
        """What a function's return value means: an update, a route, or both."""
        if type(returned) is dict or returned is None:
            return self.state.update_of(returned, values, name), None
        if type(returned) is Go:
            return self.state.update_of(returned.update, values, name), plain_route(returned.route)
        routes = self.plan.routes.get(name)
        if routes is not None and routes.decide is None and not routes.field:
            route = plain_route(returned)
            if isinstance(route, str | int | bool):
                return {}, route
        return self.state.update_of(returned, values, name), None

    # --- where to go -----------------------------------------------------------------------------

    def _after(self, done: Iterable[tuple[str, Any]], values: dict[str, Any]) -> list[str]:
        """The nodes of the next step, each once, in the order of the edges."""
        plan = self.plan
        found: dict[str, None] = {}
        for name, route in done:
            for target in plan.follow.get(name, _NONE):
                found[target] = None
            if name in plan.routes:
                for target in self._routed(name, plan.routes[name], route, values):
                    found[target] = None
            if name in plan.waits:
                for index in plan.waits[name]:
                    arrived = self.arrived.setdefault(index, set())
                    arrived.add(name)
                    if len(arrived) == len(plan.joins[index].sources):
                        del self.arrived[index]
                        found[plan.joins[index].target] = None
        return list(found)

    def _routed(self, name: str, routes: Routes, route: Any, values: dict[str, Any]) -> tuple[str, ...]:
        if routes.decide is not None:
            route = plain_route(routes.decide(self.state.make(values)))
        elif routes.field:
            route = plain_route(values.get(routes.field))
        if route is END:
            return ()
        try:
            targets = routes.table.get(route)
        except TypeError:  # not hashable
            targets = None
        if targets is None:
            targets = routes.otherwise
        if targets is None:
            ways = ", ".join(map(repr, routes.table))
            raise Invalid("state_invalid", f"{name or 'START'} chose the way {route!r:.60}; there are {ways}",
                          hint=f"Return one of them, or add {OTHERWISE!r} to the mapping.")  # fmt: skip
        return targets

    def _check_joins(self) -> None:
        for index, arrived in self.arrived.items():
            joined = self.plan.joins[index]
            missing = ", ".join(s for s in joined.sources if s not in arrived)
            raise Invalid("state_invalid", f"{joined.target} waited for {missing}, which never came",
                          hint="Let every way lead to the join, or use edges of their own.")  # fmt: skip

    # --- pauses and replay -----------------------------------------------------------------------

    async def _pause(self, node: Node, values: dict[str, Any], key: str) -> None:
        """A breakpoint: a person looks at the state before the node runs, and may change it."""
        from remit.teams.questions import question

        shown = msgspec.to_builtins(values, enc_hook=encode_foreign)
        answer = await question(self.work, f"{key}/pause", "breakpoint", f"before {node.name}", shown)
        if answer.decision == "edited" and answer.arguments:
            values.update(self.state.update_of(answer.arguments, {}, f"the answer before {node.name}"))
        elif answer.decision != "approved":
            from remit.errors import Denied

            raise TeamEnd("denied", Denied("approval_refused", f"a person stopped the graph before {node.name}"))

    def _past(self) -> dict[int, set[str]]:
        """step -> names of the nodes that the journal holds for it."""
        found: dict[int, set[str]] = {}
        start = f"{self.prefix}step/"
        for record in self.recorded:
            if record.key.startswith(start):
                number, _, name = record.key[len(start) :].partition("/")
                if number.isdigit():
                    found.setdefault(int(number), set()).add(name.partition("/")[0])
        return found

    def _must_match(self, past: dict[int, set[str]], active: list[str]) -> None:
        other = past.get(self.step, set()) - set(active)
        if other:
            raise NonDeterminism(
                "nondeterminism",
                f"step {self.step}: the journal holds {', '.join(sorted(other))}, the code asks for {' '.join(active)}",
            )
