"""Cancellation: policies, cascades, reasons and partial results; afterwards each effect is done, failed or in doubt."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from remit import Agent, Flow, Remit, Runtime, ToolCall, tool, workflow
from remit.core.events import CancelRequested, EffectDone, EffectInDoubt
from remit.errors import RemitError
from remit.journal.chain import decode_event
from remit.testing import ScriptedModel

STATE: dict[str, Any] = {}


@tool(effect="unsafe")
async def act(what: str) -> str:
    """Act, slowly."""
    STATE["begun"].set()
    await STATE["go"].wait()
    return what


@tool(effect="read")
async def look(what: str) -> str:
    """Look, for ever."""
    STATE["begun"].set()
    await asyncio.Event().wait()
    return what


def events(runtime: Runtime, run_id: str) -> list[Any]:
    """A run's events."""
    return [decode_event(entry.body) for entry in runtime.journal.read(run_id)]


async def cancelled(runtime: Runtime, work: Any, run_id: str, **how: Any) -> Any:
    """The run, cancelled in the middle of its effect; an effect that must not be cut may end afterwards."""
    STATE.update(begun=asyncio.Event(), go=asyncio.Event())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        await STATE["begun"].wait()
        STATE["took"] = runtime.cancel(run_id, "ann", "enough", **how)
        await asyncio.sleep(0.01)
        STATE["at once"] = task.done()
        STATE["go"].set()
    return task.result()


CASES = [
    ("act", "immediate", True, EffectInDoubt),
    ("act", "graceful", False, EffectDone),
    ("act", "graceful_with_timeout", False, EffectDone),
    ("look", "graceful", True, None),
]


@pytest.mark.parametrize(("name", "policy", "at_once", "ends"), CASES)
def test_a_policy_says_what_is_cut(name: str, policy: str, at_once: bool, ends: Any) -> None:
    """Immediate cuts an unsafe effect, which is then in doubt; graceful lets it end; reads are cut in any case."""

    async def main() -> None:
        async with Runtime() as runtime:
            agent = Agent("a", ScriptedModel(ToolCall("1", name, {"what": "x"}), "end"), tools=[act, look])
            run = await cancelled(runtime, agent.run("go", run_id="run_1"), "run_1", policy=policy, kind="custom")
            assert (run.status, STATE["took"], STATE["at once"]) == ("cancelled", True, at_once)
            found = events(runtime, "run_1")
            assert [(e.by, e.reason, e.kind) for e in found if isinstance(e, CancelRequested)] == [
                ("ann", "enough", "custom")
            ]
            if ends is not None:
                assert [type(e) for e in found if getattr(e, "key", "") == "turn/1/call/0"][-1] is ends

    asyncio.run(main())


def test_never_is_kept_and_reasons_are_known() -> None:
    """A definition that says never is not cancelled by another policy; an unknown reason is refused."""

    async def main() -> None:
        async with Runtime() as runtime:
            agent = Agent("a", ScriptedModel(ToolCall("1", "act", {"what": "x"}), "end"), tools=[act], cancel="never")
            run = await cancelled(runtime, agent.run("go", run_id="run_1"), "run_1", policy="immediate")
            assert (run.status, STATE["took"]) == ("ok", False)
            with pytest.raises(RemitError, match="value_invalid"):
                runtime.cancel("run_1", kind="because")
            assert runtime.cancel("run_1") is False

    asyncio.run(main())


def test_a_cancellation_reaches_children_and_keeps_what_there_was() -> None:
    """The root of a workflow is cancelled: its child agent too, as parent_cancelled; partial results come back."""
    child = Agent("child", ScriptedModel(ToolCall("1", "look", {"what": "x"}), "end"), tools=[look])

    @workflow(cancel="immediate")
    async def tree(flow: Flow, value: None) -> Any:
        """Half the work, then a child."""
        flow.partial({"half": 1}, 0.5)
        return (await flow.run(child, "look")).output

    async def main() -> None:
        async with Runtime() as runtime:
            run = await cancelled(runtime, tree.run(run_id="run_1"), "run_1")
            assert (run.status, run.error.code) == ("cancelled", "cancelled"), run.error
            assert [(p.data, p.completion, p.is_complete) for p in run.partials] == [({"half": 1}, 0.5, False)]
            rows = {row.run_id: row.status for row in runtime.journal.runs()}
            assert sorted(rows.values()) == ["cancelled", "cancelled"]
            below = next(run_id for run_id in rows if run_id != "run_1")
            kinds = [e.kind for e in events(runtime, below) if isinstance(e, CancelRequested)]
            assert kinds == ["parent_cancelled"]

    asyncio.run(main())


def test_a_child_alone_can_be_cancelled() -> None:
    """Cancelling a sub-agent's run ends that run; the tool that started it gets its result, and the parent goes on."""
    child = Agent("child", ScriptedModel(ToolCall("1", "look", {"what": "x"}), "end"), tools=[look])

    @tool(effect="idempotent")
    async def delegate() -> str:
        """Have the child look."""
        return str((await child.run("look", run_id="run_child")).status)

    model = ScriptedModel(ToolCall("1", "delegate", {}), "the end")
    parent = Agent("parent", model, tools=[delegate], remit=Remit.allow("tool:*", "model:**"))

    async def main() -> None:
        async with Runtime() as runtime:
            run = await cancelled(runtime, parent.run("go"), "run_child")
            assert (run.status, run.output) == ("ok", "the end")
            assert "cancelled" in str(run.messages)

    asyncio.run(main())
