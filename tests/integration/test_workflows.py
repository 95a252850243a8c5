"""Durable workflows: recorded steps, waits that leave nothing behind, children that go on with their parents."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from remit import Agent, Context, Flow, Remit, Runtime, tool, workflow
from remit.errors import Conflict, RemitError
from remit.journal.chain import decode_event
from remit.teams.patterns.ensemble import Ensemble
from remit.testing import FakeClock, FunctionModel

DONE: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    DONE.clear()


@tool(effect="read")
async def fetch(url: str) -> dict[str, int]:
    """Read something."""
    await asyncio.sleep(0)
    DONE.append(f"fetch {url}")
    return {"size": len(url)}


@tool(effect="idempotent")
def send(text: str, ctx: Context[Any]) -> str:
    """Send something."""
    DONE.append(f"send {text}")
    return ctx.idempotency_key


analyst = Agent("analyst", FunctionModel(lambda request: f"about {request.messages[-1].text}"))


@workflow(version=2)
async def report(flow: Flow, topics: list[str]) -> dict[str, Any]:
    """Reads, asks an agent, asks a person, sends."""

    async def one(topic: str) -> int:
        found = await flow.step(fetch, topic)
        again = await flow.step(fetch, topic + "/2")
        return found["size"] + again["size"]

    sizes = await flow.gather(*[one(topic) for topic in topics], name="fanout")
    text = (await flow.run(analyst, ", ".join(topics))).check().output
    answer = await flow.ask(f"Send {text}?", choices=["yes", "no"])
    key = await flow.step(send, text) if answer == "yes" else ""
    return {"sizes": sizes, "text": text, "key": key, "version": flow.version}


def keys(runtime: Runtime, run_id: str) -> list[str]:
    """Structural keys of a run's intents, in the order written."""
    events = [decode_event(entry.body) for entry in runtime.journal.read(run_id)]
    return [e.key for e in events if type(e).__name__ == "EffectIntent"]


def test_a_workflow_waits_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """Steps are done once; the wait survives the process's runtime; keys are structural; the answer counts once."""

    async def main() -> None:
        async with Runtime(f"sqlite:{tmp_path}/j.db") as runtime:
            run = await report.run(["a", "bb"])
            assert (run.status, len(run.waiting_for)) == ("waiting", 1)
            assert sorted(keys(runtime, run.id)) == [
                "wf/analyst",
                *("wf/fanout[0]/fetch", "wf/fanout[0]/fetch#1", "wf/fanout[1]/fetch", "wf/fanout[1]/fetch#1"),
            ]
        assert len(DONE) == 4
        async with Runtime(f"sqlite:{tmp_path}/j.db") as runtime:
            row = runtime.journal.inbox()[0]
            assert (row.kind, row.question, row.form) == (
                "input", "Send about a, bb?", {"kind": "select", "choices": ["yes", "no"]}
            )  # fmt: skip
            with pytest.raises(RemitError, match="answer_invalid"):
                await runtime.answer(row.id, "maybe")
            assert await runtime.answer(row.id, "yes") == run.id
            with pytest.raises(RemitError, match="approval_used"):
                await runtime.answer(row.id, "no")
            done = await runtime.resume(run.id)
            assert done.status == "ok"
            assert done.output | {"key": ""} == {"sizes": [4, 6], "text": "about a, bb", "key": "", "version": 2}
            assert DONE[4:] == ["send about a, bb"]
            assert (await runtime.resume(run.id)).output == done.output
            assert len(DONE) == 5
            assert list(runtime.journal.verify()) == []
        assert len(analyst.model.requests) == 1
        analyst.model.requests.clear()

    asyncio.run(main())


def test_other_code_is_refused_and_both_sides_are_named(tmp_path: Path) -> None:
    """Reordered, changed, removed and added steps raise nondeterminism with both sides; the run stays resumable."""

    @tool(effect="read")
    def first(n: int) -> int:
        """One."""
        return n

    @tool(effect="read")
    def second(n: int) -> int:
        """Two."""
        return n

    async def original(flow: Flow, n: int) -> int:
        total = await flow.step(first, n) + await flow.step(second, n)
        await flow.ask("Go on?")
        return total

    async def reordered(flow: Flow, n: int) -> int:
        return await flow.step(second, n) + await flow.step(first, n)

    async def changed(flow: Flow, n: int) -> int:
        return await flow.step(first, n + 1)

    async def removed(flow: Flow, n: int) -> int:
        return await flow.step(first, n)

    async def asked(flow: Flow, n: int) -> int:
        await flow.step(first, n)
        await flow.step(second, n)
        return len(await flow.ask("Really go on?"))

    async def main() -> None:
        async with Runtime() as runtime:
            run = await workflow(name="w")(original).run(1)
            expected = {
                reordered: ("wf/first", "wf/second"), changed: ("first", "first"), removed: ("wf/second", "ended"),
                asked: ("Go on?", "Really go on?"),
            }  # fmt: skip
            for code, sides in expected.items():
                with pytest.raises(RemitError, match="nondeterminism") as caught:
                    await runtime.resume(run.id, workflow(name="w")(code))
                assert all(side in caught.value.message for side in sides), caught.value.message
            await runtime.answer(run.waiting_for[0], "yes")
            assert (await runtime.resume(run.id, workflow(name="w")(original))).output == 2

    asyncio.run(main())


def test_two_things_at_once_need_gather() -> None:
    """Steps side by side in one branch are refused: their keys would depend on the scheduler."""

    @workflow
    async def careless(flow: Flow, value: None) -> Any:
        """Starts two steps at once."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(flow.step(fetch, str(i))) for i in range(2)]
        return [task.result() for task in tasks]

    async def main() -> None:
        async with Runtime():
            run = await careless.run()
            assert run.status == "failed"
            assert run.error is not None
            assert run.error.code == "workflow_failed"
            assert len(DONE) == 1

    asyncio.run(main())


def test_patched_code_goes_both_ways() -> None:
    """A run that was past the place keeps the old path, on every replay; a new run takes the new one."""

    async def before(flow: Flow, value: None) -> str:
        await flow.step(fetch, "old")
        return str(await flow.ask("Go on?"))

    async def after(flow: Flow, value: None) -> str:
        await flow.step(fetch, "new" if flow.patch("urls") else "old")
        return str(await flow.ask("Go on?"))

    async def main() -> None:
        async with Runtime() as runtime:
            old = await workflow(name="p")(before).run()
            patched = workflow(name="p")(after)
            for _ in range(2):
                assert (await runtime.resume(old.id, patched)).status == "waiting"
            new = await patched.run()
            assert DONE == ["fetch old", "fetch new"]
            for run in (old, new):
                await runtime.answer(run.waiting_for[0], "yes")
                assert (await runtime.resume(run.id, patched)).output == "yes"
            assert DONE == ["fetch old", "fetch new"]

    asyncio.run(main())


def test_time_and_chance_are_the_same_on_replay() -> None:
    """now() and random() come from the journal on replay."""

    @workflow
    async def clocked(flow: Flow, value: None) -> list[float]:
        """Takes the time twice and a random number."""
        found = [flow.now(), flow.random(), flow.now()]
        await flow.ask("Go on?")
        return found

    async def main() -> None:
        clock = FakeClock()
        async with Runtime(clock=clock) as runtime:
            run = await clocked.run()
            first = [e.value for e in run.events if type(e).__name__ == "Noted"]
            clock.advance(1000)
            await runtime.answer(run.waiting_for[0], "yes")
            assert (await runtime.resume(run.id)).output == first

    asyncio.run(main())


def test_a_host_wakes_what_it_hosts(tmp_path: Path) -> None:
    """A hosted run parks for a person, a timer and a signal, and ends without anybody calling resume."""

    @workflow
    async def long(flow: Flow, value: None) -> list[Any]:
        """Waits for three things."""
        answer = await flow.ask("First?", kind="number")
        await flow.sleep(1.1)
        return [answer, await flow.wait_for("paid"), await flow.wait_for("later", timeout_s=0.05, default="never")]

    async def main() -> None:
        async with Runtime(f"sqlite:{tmp_path}/j.db") as runtime, runtime.host() as host:
            run_id = await host.start(long)
            for _ in range(200):
                if runtime.journal.inbox() and not runtime.journal.holder(run_id):
                    break
                await asyncio.sleep(0.01)
            await runtime.signal(run_id, "paid", {"amount": 3})
            await runtime.answer(runtime.journal.inbox()[0].id, 7)
            async with asyncio.timeout(20):
                run = await host.ended(run_id)
            assert run.output == [7, {"amount": 3}, "never"]

    asyncio.run(main())


def test_a_tool_may_ask_and_its_sub_agent_too() -> None:
    """ctx.ask in a tool, and in the tool of a sub-agent, park the root; the answer goes on inside."""

    @tool(effect="unsafe")
    async def deploy(version: str, ctx: Context[Any]) -> str:
        """Deploy a version."""
        sure = await ctx.ask(f"Deploy {version}?", kind="boolean")
        DONE.append("deployed" if sure else "not deployed")
        return DONE[-1]

    def act(request: Any) -> Any:
        from remit import ToolCall

        if request.messages[-1].role == "tool":
            return "done: " + request.messages[-1].parts[0].text
        return ToolCall("1", request.tools[0].name, {"version": "v1"} if request.tools[0].name == "deploy" else {})

    worker = Agent("worker", FunctionModel(act), tools=[deploy])

    @tool(effect="idempotent")
    async def delegate() -> str:
        """Have the worker do it."""
        return str((await worker.run("deploy v1")).check().output)

    boss = Agent("boss", FunctionModel(act), tools=[delegate], remit=Remit.allow("tool:*", "model:**"))

    async def main() -> None:
        async with Runtime() as runtime:
            run = await boss.run("deploy")
            assert (run.status, len(runtime.journal.inbox()), DONE) == ("waiting", 1, [])
            await runtime.answer(run.waiting_for[0], True)
            done = await runtime.resume(run.id, boss)
            assert (done.status, done.output) == ("ok", "done: done: deployed"), done.error
            assert DONE == ["deployed"]
            assert len(runtime.journal.runs()) == 2

    asyncio.run(main())


def test_a_team_is_a_child_like_any_other() -> None:
    """flow.run takes a team; its members run once, and a later activation reads its answer from the journal."""
    asked: list[str] = []

    def say(name: str) -> Agent:
        def answer(request: Any) -> str:
            asked.append(name)
            return f"{name}: {request.messages[-1].text[-5:]}"

        return Agent(name, FunctionModel(answer, name=f"say:{name}"))

    team = Ensemble(say("one"), say("two"), aggregate="concatenate", name="pair")

    @workflow
    async def together(flow: Flow, task: str) -> str:
        """A team, then a person."""
        run = await flow.run(team, task)
        await flow.ask("Good?")
        return str(run.check().output)

    async def main() -> None:
        async with Runtime() as runtime:
            run = await together.run("hello")
            assert (run.status, sorted(asked)) == ("waiting", ["one", "two"])
            await runtime.answer(run.waiting_for[0], "yes")
            done = await runtime.resume(run.id)
            assert done.status == "ok"
            assert "one: " in done.output
            assert len(asked) == 2

    asyncio.run(main())


def test_an_answer_waits_while_its_run_changes_hands(tmp_path: Path) -> None:
    """Between parked and under way a run is this process's, but nobody's yet: an answer and a signal wait that out."""

    @workflow
    async def asks(flow: Flow, value: None) -> list[Any]:
        """Asks, and waits for a signal."""
        return [await flow.ask("Go on?", kind="boolean"), await flow.wait_for("paid")]

    async def main() -> None:
        async with Runtime(f"sqlite:{tmp_path}/j.db") as runtime:
            waiting = await runtime.run(asks, None)
            item = waiting.waiting_for[0]
            log = await runtime.journal.activate(waiting.id)  # as `resume` does, before it is known who answers
            acts = [asyncio.ensure_future(runtime.signal(waiting.id, "paid", 3)),
                    asyncio.ensure_future(runtime.answer(item, True))]  # fmt: skip
            await asyncio.sleep(0.05)
            assert [act.done() for act in acts] == [False, False]
            await log.release("waiting")
            await asyncio.gather(*acts)
            assert (await runtime.resume(waiting.id)).output == [True, 3]
            with pytest.raises(Conflict, match=r"run_active|ended|over"):
                await asyncio.wait_for(runtime.signal(waiting.id, "paid", 4), 1)

    asyncio.run(main())
