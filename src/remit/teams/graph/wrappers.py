"""How each kind of node beside a plain function runs. Each takes (execution, node, values, place)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from remit.core.events import EffectFailed
from remit.core.schema import encode_foreign
from remit.errors import Denied, Exhausted, Invalid
from remit.ports.user_code import user_code
from remit.teams.graph.context import NodeContext
from remit.teams.graph.nodes import fill
from remit.teams.outcome import TeamEnd, code_failed
from remit.teams.work import Place

if TYPE_CHECKING:
    from remit.teams.graph.execution import Execution, Result
    from remit.teams.graph.nodes import Node


async def run_agent(execution: Execution, node: Node, values: dict[str, Any], place: Place) -> Result:
    """An agent or a team: its output becomes a field."""
    prompt = fill(node.options.get("prompt"), execution.state.make(values), values)
    run, _ = await execution.work.child(place.next("run"), node.member, prompt, place)
    if run.error is not None or run.status != "ok":
        raise TeamEnd(run.status, run.error or Exhausted("cancelled", f"{node.name} was stopped"))
    assert node.writes is not None
    return execution.state.update_of({node.writes[0]: run.output}, values, node.name), None


async def run_each(execution: Execution, node: Node, values: dict[str, Any], place: Place) -> Result:
    """Every item of a list, each under a key of its own, so that finished items are read back."""
    options, work = node.options, execution.work
    items = values.get(options["over"], ())
    if not isinstance(items, list | tuple) or len(items) > options["most"]:
        what = f"{len(items)} items" if isinstance(items, list | tuple) else type(items).__name__
        raise Invalid(
            "state_invalid", f"{node.name}: {options['over']} holds {what}; a list of at most {options['most']}"
        )

    async def one(i: int, item: Any) -> Any:
        inner = Place(work.scope, f"{place.key}/fanout[{i}]")
        inner.label = place.label
        if node.member is not None:
            run, _ = await work.child(f"{inner.key}/run", node.member, item, inner)
            place.label = inner.label
            if run.status != "ok":
                raise TeamEnd(run.status, run.error or Exhausted("cancelled", f"{node.name} was stopped"))
            return run.output
        from remit.ports.runtime import current_call

        current_call.set(inner)  # ours: every item runs in a task, or last in this node
        context = (NodeContext(work, inner, node.name, execution.step),) if node.takes_context else ()
        return await work.step(f"{inner.key}/value", _Bound(node.fn, context, node.name), item)

    found = await work.ask_all([partial(one, i, item) for i, item in enumerate(items)], at_once=options["at_once"])
    return execution.state.update_of({options["into"]: found}, values, node.name), None


class _Bound:
    """A function of an item, with its context."""

    def __init__(self, fn: Any, context: tuple[Any, ...], name: str) -> None:
        self._fn, self._context, self.__name__ = fn, context, name

    def __call__(self, item: Any) -> Any:
        return self._fn(item, *self._context)


async def run_subgraph(execution: Execution, node: Node, values: dict[str, Any], place: Place) -> Result:
    """A graph with a state of its own, below this node's key."""
    graph: Any = node.inner
    state, options = graph.state_type, node.options
    names = options["input"] or {n: n for n in state.fields if n in execution.state.fields}
    own = state.begin({inner: values[outer] for inner, outer in names.items() if outer in values})
    await type(execution)(graph, execution.work, f"{place.key}/").run(own)
    mode = options["mode"]
    if options["output"] is not None:
        update = {outer: own[inner] for outer, inner in options["output"].items() if inner in own}
    elif mode == "passthrough":
        update = {}
    elif mode == "prefix":
        update = {options["prefix"] + n: v for n, v in own.items()}
    else:
        update = {n: v for n, v in own.items() if n in execution.state.fields}
    return execution.state.update_of(update, values, node.name), None


async def run_inner(execution: Execution, inner: Any, values: dict[str, Any], key: str, feedback: str = "") -> Result:
    """What a wrapper wraps, once: a node, or a graph of the same state (all that it changed is its update)."""
    if not hasattr(inner, "state_type"):
        return await execution.execute(inner, values, key, feedback)
    own = dict(values)
    await type(execution)(inner, execution.work, f"{key}/").run(own)
    changed = {n: v for n, v in own.items() if n not in values or v is not values[n]}
    return _handed_on(execution, inner.name, changed, values), None


def _handed_on(execution: Execution, name: str, changed: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """What changed, as an update: where a reducer will add it, only what is new."""
    return {
        n: _added(v, before.get(n), name, n) if n in execution.state.reducers else v for n, v in changed.items()
    }  # fmt: skip


async def run_loop(execution: Execution, node: Node, values: dict[str, Any], place: Place) -> Result:
    """Again and again, until it is enough."""
    own = dict(values)
    update: dict[str, Any] = {}
    for i in range(node.options["most"]):
        written, _ = await run_inner(execution, node.inner, own, f"{place.key}/loop#{i}")
        execution.state.apply(own, [(node.name, written)])
        update |= {n: own[n] for n in written}
        if node.options["until"](execution.state.make(own)):
            break
    else:
        raise Exhausted("turns_exceeded", f"loop {node.name} passed its {node.options['most']} rounds")
    return _handed_on(execution, node.name, update, values), None


def _added(after: Any, before: Any, node: str, name: str) -> Any:
    if before is None:
        return after
    if isinstance(after, list | str | tuple) and after[: len(before)] == before:
        return after[len(before) :]
    if isinstance(after, int | float) and isinstance(before, int | float):
        return after - before
    if isinstance(after, dict | set):
        return after
    raise Invalid("state_invalid", f"loop {node}: what it added to {name} cannot be told from what was there",
                  hint="Loop over a subgraph with a state of its own.")  # fmt: skip


async def run_retry(execution: Execution, node: Node, values: dict[str, Any], place: Place) -> Result:
    """Again after an error; each attempt has its own key, and one that failed is not made again on resume."""
    options, work = node.options, execution.work
    wait, times = options["delay_s"], options["times"]
    for attempt in range(times + 1):
        key = f"{place.key}/retry#{attempt}"
        record = work.recorded.get(f"{key}/failed") if work.recorded is not None else None
        if record is not None and attempt < times:
            continue
        result: Result = ({}, None)
        with user_code(TeamEnd) as code:
            result = await _one_try(execution, node, values, key, last=attempt == times)
        if code.error is None:
            return result
        if attempt == times or getattr(code.error, "family", "") in ("Conflict", "Denied"):
            raise code.error
        e = code_failed(node.name, code.error)
        work.scope.emit(EffectFailed(f"{key}/failed", e.code, e.message, e.hint, e.retryable))
        await work.runtime.clock.sleep(wait)
        wait *= options["factor"]
    raise AssertionError("the last attempt returns or raises")


async def _one_try(execution: Execution, node: Node, values: dict[str, Any], key: str, *, last: bool) -> Result:
    try:
        return await run_inner(execution, node.inner, values, key)
    except TeamEnd as e:  # an agent that failed may be asked again; what was refused or used up may not
        if e.status != "failed" or last:
            raise
        raise e.error from None


async def run_gate(execution: Execution, node: Node, values: dict[str, Any], place: Place) -> Result:
    """A person looks at what the inner node wrote, before it counts."""
    from remit.teams.questions import question

    options, feedback = node.options, ""
    for attempt in range(4):
        update, route = await run_inner(execution, node.inner, values, f"{place.key}/work#{attempt}", feedback)
        shown = {n: v for n, v in update.items() if not options["fields"] or n in options["fields"]}
        arguments = msgspec.to_builtins(shown, enc_hook=encode_foreign)
        answer = await question(
            execution.work, f"{place.key}/gate#{attempt}", node.name, options["question"], arguments
        )
        given = answer.arguments or {}
        if answer.decision == "edited" and set(given) == {"retry"} and attempt < 3:
            feedback = str(given["retry"])
            continue
        if answer.decision == "edited" and options["allow_edit"]:
            return update | execution.state.update_of(given, {}, f"the answer to {node.name}"), route
        if answer.decision == "approved":
            return update, route
        break
    raise Denied("approval_refused", f"a person refused what {node.name} wrote")


WRAPPERS: Final[dict[str, Callable[[Any, Any, dict[str, Any], Place], Awaitable[Any]]]] = {
    "agent": run_agent,
    "each": run_each,
    "subgraph": run_subgraph,
    "loop": run_loop,
    "retry": run_retry,
    "gate": run_gate,
}
