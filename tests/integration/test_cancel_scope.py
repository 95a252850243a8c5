"""Cancel scopes and partial results: after the block nothing is left, and what there was is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from remit import Agent, Flow, Remit, Runtime, ToolCall, tool, workflow
from remit.core.events import EffectInDoubt
from remit.core.partial import PartialResult
from remit.errors import RemitError
from remit.journal.projections import transcript
from remit.testing import ScriptedModel

BEGUN: list[str] = []
STATE: dict[str, Any] = {}


@tool(effect="read")
async def look(what: str) -> str:
    """Look, for ever."""
    BEGUN.append(what)
    await asyncio.Event().wait()
    return what


@tool(effect="unsafe")
async def act(what: str) -> str:
    """Act, until it may end."""
    BEGUN.append(what)
    await STATE["go"].wait()
    return what


@pytest.fixture(autouse=True)
def _fresh() -> None:
    BEGUN.clear()


def looking(name: str, text: str = "so far") -> Agent:
    """An agent that says something and then looks for ever."""
    from remit import Reply, Text

    said = Reply((Text(text), ToolCall("1", "look", {"what": name})), "tool_use")
    return Agent(name, ScriptedModel(said, "end"), tools=[look])


async def begun(count: int) -> None:
    """Until that many tools are at it."""
    async with asyncio.timeout(10):
        while len(BEGUN) < count:
            await asyncio.sleep(0.001)


def nothing_left(runtime: Runtime, tasks: int) -> None:
    """No run is under way, and no task is left of those that were made."""
    assert runtime._active == {}
    assert runtime._partials == {}
    assert len(asyncio.all_tasks()) == tasks
    assert {row.status for row in runtime.journal.runs()} <= {"ok", "cancelled", "failed"}


def test_leaving_the_block_ends_what_is_under_way() -> None:
    """One run has ended, two look for ever: after the block all have, with reasons, counts and partial results."""

    async def main() -> None:
        async with Runtime() as runtime:
            before = len(asyncio.all_tasks())
            async with runtime.cancel_scope("ann", "enough") as scope:
                done = scope.start(Agent("quick", ScriptedModel("the answer")), "go")
                scope.start(looking("slow"), "go")
                scope.start(looking("other", "half of it"), "go")
                assert (await done).output == "the answer"
                await begun(2)
            nothing_left(runtime, before)
            assert scope.counts == {"started": 3, "ok": 1, "cancelled": 2}
            assert sorted(scope.partials, key=lambda each: each.agent) == [
                PartialResult("other", "half of it"),
                PartialResult("slow", "so far"),
            ]
            assert {run.status for run in scope.runs} == {"ok", "cancelled"}
            assert (runtime.cancellations.asked, runtime.cancellations.ended) == ({"parent_cancelled": 2}, 2)

    asyncio.run(main())


def test_an_error_of_the_block_is_raised_as_it_is() -> None:
    """And nothing is left either."""

    async def main() -> None:
        async with Runtime() as runtime:
            before = len(asyncio.all_tasks())
            with pytest.raises(ValueError, match="mine"):
                async with runtime.cancel_scope() as scope:
                    scope.start(looking("slow"), "go")
                    await begun(1)
                    raise ValueError("mine")
            nothing_left(runtime, before)
            with pytest.raises(RemitError, match="inside its"):
                scope.start(looking("late"), "go")

    asyncio.run(main())


def test_a_task_that_is_cancelled_in_the_block_cleans_up() -> None:
    """The task that holds the scope is cancelled: CancelledError reaches its caller, and nothing is left."""

    async def main() -> None:
        async with Runtime() as runtime:
            before = len(asyncio.all_tasks())

            async def work() -> None:
                async with runtime.cancel_scope() as scope:
                    scope.start(looking("slow"), "go")
                    await asyncio.Event().wait()

            task = asyncio.ensure_future(work())
            await begun(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            nothing_left(runtime, before)

    asyncio.run(main())


def test_what_must_not_be_cut_has_its_grace_and_no_more() -> None:
    """Graceful: an unsafe effect may end within the grace; else it is cut, and is in doubt."""
    STATE["go"] = asyncio.Event()

    async def main() -> None:
        async with Runtime() as runtime:
            before = len(asyncio.all_tasks())
            agent = Agent("a", ScriptedModel(ToolCall("1", "act", {"what": "x"}), "end"), tools=[act])
            async with runtime.cancel_scope(policy="graceful", grace_s=0.05) as scope:
                scope.start(agent, "go")
                await begun(1)
            nothing_left(runtime, before)
            (run,) = scope.runs
            assert run.status == "cancelled"
            assert [event.name for event in run.events if isinstance(event, EffectInDoubt)] == ["act"]
            async with runtime.cancel_scope(policy="graceful", grace_s=30) as scope:
                again = Agent("b", ScriptedModel(ToolCall("1", "act", {"what": "x"}), "end"), tools=[act])
                scope.start(again, "go")
                await begun(2)
                asyncio.get_running_loop().call_later(0.02, STATE["go"].set)
            (run,) = scope.runs
            assert run.status == "cancelled"
            assert [event for event in run.events if isinstance(event, EffectInDoubt)] == []

    asyncio.run(main())


def test_cancelling_within_the_block() -> None:
    """scope.cancel() stops all at once and says how many; what was not begun never begins."""

    async def main() -> None:
        async with Runtime() as runtime:
            before = len(asyncio.all_tasks())
            async with runtime.cancel_scope() as scope:
                slow = scope.start(looking("slow"), "go")
                await begun(1)
                scope.start(looking("unbegun"), "go")
                assert scope.cancel("changed my mind") == 2
                assert (await slow).status == "cancelled"
                assert scope.cancel() == 0
            nothing_left(runtime, before)
            assert scope.counts == {"started": 2, "unbegun": 1, "cancelled": 1}
            assert BEGUN == ["slow"]
            with pytest.raises(RemitError, match="one of"):
                runtime.cancel_scope(kind="whim")

    asyncio.run(main())


def test_a_definition_that_cannot_run_fails_alone() -> None:
    """An error before a run begins is that run's; the others go on."""

    async def main() -> None:
        async with Runtime() as runtime, runtime.cancel_scope() as scope:
            bad = scope.start(Agent("bad", "nobody:nothing"), "go")
            good = scope.start(Agent("good", ScriptedModel("fine")), "go")
            assert (await good).output == "fine"
            found = await bad
            assert (found.status, found.error.code) == ("failed", "model_unknown")

    asyncio.run(main())


def _tree() -> tuple[Any, Any]:
    quick = Agent("quick", ScriptedModel("found"))

    @tool(effect="idempotent")
    async def delegate() -> str:
        """Have the slow one look."""
        return str((await looking("slow", "began to look").run("look")).output)

    model = ScriptedModel(ToolCall("1", "delegate", {}), "the end")
    parent = Agent("parent", model, tools=[delegate], remit=Remit.allow("tool:*", "model:**"))

    @workflow(cancel="immediate")
    async def tree(flow: Flow, value: None) -> Any:
        """One child ends, another one has a child of its own."""
        flow.partial({"done": 1}, 0.5)
        await flow.run(quick, "find")
        return (await flow.run(parent, "go")).output

    return tree, parent


def test_partial_results_of_a_tree_come_up_and_stay(tmp_path: Path) -> None:
    """A workflow, an agent that has ended, one whose sub-agent is cut: all are in the result, and in the journal."""
    tree, _ = _tree()

    async def main() -> tuple[Any, Any]:
        async with Runtime(f"sqlite:{tmp_path}/j.db") as runtime:
            work = asyncio.ensure_future(tree.run(run_id="run_1"))
            await begun(1)
            assert runtime.cancel("run_1", "ann", "enough")
            run = await work
            assert runtime._partials == {}
        async with Runtime(f"sqlite:{tmp_path}/j.db") as runtime:
            steps = transcript.fold(transcript.EMPTY, runtime.journal.read("run_1")).steps
            assert "began to look" in steps[-1].text  # what `remit show` prints
            return run, await runtime.resume("run_1", tree)

    run, later = asyncio.run(main())
    assert run.status == "cancelled"
    assert list(run.partials) == [
        PartialResult("quick:wf/quick", "found", 1.0, True),
        PartialResult("slow:turn/1/call/0", "began to look"),
        PartialResult("tree:wf", {"done": 1}, 0.5),
    ]
    assert later.partials == run.partials


def test_a_run_that_ends_well_has_none(tmp_path: Path) -> None:
    """Partial results are of runs that ended early; nothing of them is held or written otherwise."""
    quick = Agent("quick", ScriptedModel("found", "again"))

    @workflow
    async def fine(flow: Flow, value: None) -> Any:
        """Two children."""
        await flow.run(quick, "find")
        return (await flow.run(quick, "find")).output

    async def main() -> None:
        async with Runtime() as runtime:
            run = await fine.run()
            assert (run.status, run.output, run.partials) == ("ok", "again", ())
            assert runtime._partials == {}
            assert all("partials" not in entry.body.decode() for entry in runtime.journal.read(run.id))

    asyncio.run(main())


def test_completion_is_a_share() -> None:
    """0 to 1; anything else is the code's mistake, and says so."""

    @workflow
    async def wrong(flow: Flow, value: None) -> None:
        """Says 50 and means a half."""
        flow.partial("x", 50)

    async def main() -> None:
        async with Runtime():
            run = await wrong.run()
            assert (run.status, run.error.code) == ("failed", "value_invalid")

    asyncio.run(main())
