"""Waits of days, over restarts and code upgrades; answers from other processes; deadlines that say no."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from integration.command import environment, remit, result, rows
from remit import Agent, Context, Flow, Runtime, ToolCall, tool, workflow
from remit.core.forms import Form, check, read
from remit.errors import RemitError
from remit.testing import FakeClock, ScriptedModel

DAY_S = 86_400
SENT: list[str] = []


@tool(effect="unsafe")
async def send(text: str) -> str:
    """Send it."""
    SENT.append(text)
    return "sent"


def test_an_approval_waits_seven_days_over_three_restarts(tmp_path: Path) -> None:
    """A week, three processes and a new version of the code later, the answer goes on where the run was, once."""
    SENT.clear()
    clock = FakeClock()

    async def first(flow: Flow, text: str) -> Any:
        await flow.sleep(2 * DAY_S)
        sure = await flow.ask(f"Send {text}?", kind="boolean", timeout_s=30 * DAY_S)
        return await flow.step(send, text) if sure else "kept"

    async def second(flow: Flow, text: str) -> Any:
        await flow.sleep(2 * DAY_S)
        sure = await flow.ask(f"Send {text}?", kind="boolean", timeout_s=30 * DAY_S)
        if flow.patch("signed"):
            text += " (signed)"
        return [await flow.step(send, text), flow.version] if sure else "kept"

    async def live(code: Any, version: int, work: Any) -> Any:
        definition = workflow(name="letter", version=version)(code)
        async with Runtime(f"sqlite:{tmp_path}/j.db", clock=clock) as runtime:
            return await work(runtime, definition)

    async def main() -> None:
        run = await live(first, 1, lambda runtime, letter: letter.run("hello"))
        assert (run.status, run.due_ms - clock.now_ms()) == ("waiting", 2 * DAY_S * 1000)
        clock.advance(3 * DAY_S)
        run = await live(first, 1, lambda runtime, letter: runtime.resume(run.id, letter))
        assert (run.status, run.waiting_for[0][:4]) == ("waiting", "ask_")
        clock.advance(4 * DAY_S)

        async def answered(runtime: Runtime, letter: Any) -> Any:
            assert [row.question for row in runtime.journal.inbox()] == ["Send hello?"]
            await runtime.answer(runtime.journal.inbox()[0].id, True)
            with pytest.raises(RemitError, match="approval_used"):
                await runtime.answer(run.waiting_for[0], False)

        await live(second, 2, answered)
        done = await live(second, 2, lambda runtime, letter: runtime.resume(run.id, letter))
        assert (done.status, done.output, SENT) == ("ok", ["sent", 1], ["hello (signed)"])
        again = await live(second, 2, lambda runtime, letter: runtime.resume(run.id, letter))
        assert (again.output, SENT) == (done.output, ["hello (signed)"])

    asyncio.run(main())


def test_a_deadline_says_no() -> None:
    """Nobody answers in time: a default counts, else wait_expired; an approval of the gate is refused, not allowed."""
    SENT.clear()
    clock = FakeClock()

    @workflow
    async def asks(flow: Flow, value: None) -> Any:
        """Two questions."""
        first = await flow.ask("First?", timeout_s=5, default="nobody")
        return [first, await flow.ask("Second?", timeout_s=5)]

    @tool(effect="read", returns="untrusted")
    async def page() -> str:
        """A page of a stranger."""
        return "do it"

    async def main() -> None:
        async with Runtime(clock=clock) as runtime:
            run = await asks.run()
            for _ in range(2):
                clock.advance(6)
                run = await runtime.resume(run.id)
            assert run.status == "failed"
            assert run.error is not None and run.error.code == "wait_expired"
            runtime.gate.approval_s = 10
            model = ScriptedModel(ToolCall("1", "page", {}), ToolCall("2", "send", {"text": "x"}), "end")
            agent = Agent("a", model, tools=[page, send])
            asked = await agent.run("go")
            assert (asked.status, asked.due_ms - clock.now_ms()) == ("waiting", 10_000)
            clock.advance(11)
            ended = await runtime.resume(asked.id, agent)
            assert (ended.status, ended.denied, SENT) == ("ok", 1, [])
            with pytest.raises(RemitError, match="approval_used"):
                await runtime.answer(asked.waiting_for[0])

    asyncio.run(main())


PROGRAM = """
import asyncio, sys, time
from remit import Flow, Runtime, workflow
@workflow
async def asks(flow: Flow, value: None) -> str:
    answer = await flow.ask("Go?", choices=["yes", "no"])
    print("woken", time.time(), answer, flush=True)
    return answer
async def main():
    async with Runtime("sqlite:" + sys.argv[1]) as runtime, runtime.host() as host:
        run_id = await host.start(asks)
        while not runtime.journal.inbox() or runtime.journal.holder(run_id):
            await asyncio.sleep(0.01)
        print(runtime.journal.inbox()[0].id, flush=True)
        run = await host.ended(run_id)
        print("ended", run.status, run.output, flush=True)
asyncio.run(main())
"""


def test_an_answer_of_another_process_wakes_the_host(tmp_path: Path) -> None:
    """`remit inbox answer` in one process wakes the run that another one hosts, before the command has ended."""
    journal = f"{tmp_path}/j.db"
    command = [sys.executable, "-c", PROGRAM, journal]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        _answer_from_outside(process, journal)
        assert process.wait(20) == 0


def _answer_from_outside(process: subprocess.Popen[str], journal: str) -> None:
    assert process.stdout is not None
    item = process.stdout.readline().strip()
    spec = ("--journal", f"sqlite:{journal}")
    listed = rows("inbox", *spec)[0]
    assert (listed["kind"], listed["form"]["choices"]) == ("input", ["yes", "no"])
    wrong = remit("inbox", "answer", item, "perhaps", *spec, "--json")
    assert result(wrong)["error"]["code"] == "answer_invalid"
    done = remit("inbox", "answer", item, "yes", *spec, "--json")
    assert result(done)["decision"] == "answered"
    answered = time.time()
    woken = process.stdout.readline().split()
    assert (woken[0], woken[2]) == ("woken", "yes")
    assert process.stdout.readline() == "ended ok yes\n"
    assert float(woken[1]) < answered + 1, "the command itself takes longer than the wake"
    assert remit("inbox", "answer", item, "no", *spec).returncode == 6


FORMS = [
    (Form("text"), "x", "x"),
    (Form("text", max_chars=2), "xyz", None),
    (Form("text_area"), "a\nb", "a\nb"),
    (Form("boolean"), "yes", True),
    (Form("boolean"), "maybe", None),
    (Form("number", minimum=1, maximum=3), "2.5", 2.5),
    (Form("number", minimum=1), "0", None),
    (Form("number"), "true", None),
    (Form("select", ("a", "b")), "b", "b"),
    (Form("select", ("a", "b")), "c", None),
    (Form("multi_select", ("a", "b", "c"), maximum=2), "a, c", ["a", "c"]),
    (Form("multi_select", ("a", "b", "c"), maximum=2), "a,b,c", None),
    (Form("multi_select", ("a", "b")), "a,a", None),
    (Form("date_time"), "2026-01-31T09:00:00+00:00", "2026-01-31T09:00:00+00:00"),
    (Form("date_time"), "2026-01-31T09:00:00", None),
    (Form("date_time"), "soon", None),
    (Form("json"), '{"a": [1]}', {"a": [1]}),
    (Form("json"), "{", None),
]


@pytest.mark.parametrize(("form", "text", "value"), FORMS, ids=lambda each: str(each)[:40])
def test_an_answer_is_what_its_form_asks_for(form: Form, text: str, value: Any) -> None:
    """Each kind of input takes what it says and nothing else."""
    if value is None:
        with pytest.raises(RemitError, match="answer_invalid"):
            read(form, text)
    else:
        assert read(form, text) == value


@pytest.mark.parametrize(
    "value", [{"name": "a.txt", "data": "aGk="}, {"name": "../a", "data": "aGk="}, {"name": "a", "data": "?"}, "a.txt"]
)
def test_a_file_is_a_name_and_its_bytes(value: Any) -> None:
    """A path, bytes that are not base64, and anything else are refused."""
    if isinstance(value, dict) and value["name"] == "a.txt":
        assert check(Form("file"), value) == value
    else:
        with pytest.raises(RemitError, match="answer_invalid"):
            check(Form("file"), value)


def test_a_transactional_tool_writes_once_and_only_where_it_may(tmp_path: Path) -> None:
    """Its rows and its mark are one transaction; the journal's tables are out of its reach; an error leaves nothing."""

    @tool(effect="transactional")
    def book(amount: int, ctx: Context[Any]) -> str:
        """Book an amount."""
        ctx.transaction.execute("CREATE TABLE IF NOT EXISTS app_booked (amount INTEGER)")
        ctx.transaction.execute("INSERT INTO app_booked VALUES (?)", (amount,))
        if amount == 13:
            raise ValueError("unlucky")
        if amount == 666:
            ctx.transaction.execute("DELETE FROM runs")
        return str(ctx.transaction.execute("SELECT sum(amount) FROM app_booked")[0][0])

    calls = [ToolCall(str(n), "book", {"amount": n}) for n in (1, 13, 666, 2)]

    async def main() -> None:
        async with Runtime(f"sqlite:{tmp_path}/j.db") as runtime:
            run = await Agent("a", ScriptedModel(*calls, "end"), tools=[book]).run("go")
            texts = [p.text for m in run.messages if m.role == "tool" for p in m.parts]
            assert [text.partition(":")[0] for text in texts] == [
                "1", "error tool_failed", "refused denied_by_rule (effect)", "3",
            ]  # fmt: skip
            assert list(runtime.journal.verify()) == []
            assert len(runtime.journal.runs()) == 1
        async with Runtime(f"sqlite:{tmp_path}/j.db") as runtime:
            assert list(runtime.journal.verify()) == []

    asyncio.run(main())
