"""Authority through whole runs: bounds, policies and revocation at the gate, down to sub-agents, and over a resume."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from remit import Agent, Context, Remit, Runtime, ToolCall, tool
from remit.core.events import EffectDenied, EffectDone, EffectInDoubt
from remit.core.grants import parse_grant
from remit.errors import RemitError
from remit.guard.modes import Mode, Policy
from remit.guard.policy import Rulebook
from remit.guard.policy_meter import Meter
from remit.ports.approver import Answer
from remit.testing import ScriptedModel

DONE: list[Any] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    DONE.clear()


@tool(effect="write")
def pay(amount: int, to: str = "ann") -> str:
    """Pay somebody."""
    DONE.append((amount, to))
    return "paid"


@tool(effect="read")
async def wait_long() -> str:
    """Wait."""
    DONE.append("begun")
    await asyncio.sleep(3600)
    return "never"


@tool(effect="unsafe")
async def send_long() -> str:
    """Send, slowly."""
    DONE.append("begun")
    await asyncio.sleep(3600)
    return "never"


def call(name: str, /, **arguments: Any) -> ToolCall:
    return ToolCall("c", name, arguments)


def pays(*amounts: int) -> ScriptedModel:
    return ScriptedModel([*[call("pay", amount=a) for a in amounts], "end"])


class NamedTool:
    """The grants of an agent whose own tool is granted within bounds only."""

    def __init__(self, text: str) -> None:
        # Listing an own tool grants it without bounds, so the bound stands in the runtime's ceiling.
        self.ceiling = Remit.allow(text, "tool:read_file", "fs.read:**", "fs.write:**", "model:*", "tool:start",
                                   "delegate:9")  # fmt: skip


def run(agent: Agent, *, journal: str = "memory:", **options: Any) -> Any:
    async def work() -> Any:
        async with Runtime(journal=journal, **options) as runtime:
            done = await runtime.run(agent, "go")
            return done, done.events

    return asyncio.run(work())


def codes(events: list[Any]) -> list[str]:
    return [event.code for event in events if isinstance(event, EffectDenied)]


def test_a_use_count_ends_in_the_gate() -> None:
    """The third payment is refused with grant_bound; the first two happened."""
    done, events = run(Agent("a", pays(1, 2, 3), tools=[pay]), ceiling=NamedTool("tool:pay where uses=2").ceiling)
    assert (done.status, DONE, codes(events)) == ("ok", [(1, "ann"), (2, "ann")], ["grant_bound"])


def test_the_gate_counts_because_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unplugged (nothing is taken), the count stops nothing."""
    from remit.guard.policy_meter import NO_DRAW

    monkeypatch.setattr(Meter, "take", lambda *_, **__: NO_DRAW)
    run(Agent("a", pays(1, 2, 3), tools=[pay]), ceiling=NamedTool("tool:pay where uses=2").ceiling)
    assert len(DONE) == 3


def test_a_ceilings_counter_holds_over_all_runs_of_a_runtime() -> None:
    """Two runs share what the ceiling leaves."""

    async def work() -> list[str]:
        async with Runtime(ceiling=NamedTool("tool:pay where uses=2").ceiling) as runtime:
            first = await runtime.run(Agent("a", pays(1), tools=[pay]), "go")
            second = await runtime.run(Agent("a", pays(2, 3), tools=[pay]), "go")
            return codes(first.events) + codes(second.events)

    assert asyncio.run(work()) == ["grant_bound"]
    assert DONE == [(1, "ann"), (2, "ann")]


def test_parallel_calls_cannot_pass_a_bound_together() -> None:
    """Of five calls of one turn, exactly two happen."""
    many = [ToolCall(f"c{i}", "pay", {"amount": i}) for i in range(5)]
    _, events = run(
        Agent("a", ScriptedModel([many, "end"]), tools=[pay], max_parallel=5),
        ceiling=NamedTool("tool:pay where uses=2").ceiling,
    )
    assert (len(DONE), codes(events)) == (2, ["grant_bound"] * 3)


def test_arguments_decide() -> None:
    """A predicate lets exactly the fitting calls through."""
    ceiling = NamedTool('tool:pay where arg.amount<=10 and arg.to in ["ann", "bob"]').ceiling
    model = ScriptedModel([call("pay", amount=5, to="bob"), call("pay", amount=50, to="bob"),
                           call("pay", amount=5, to="eve"), call("pay", amount=5), "end"])  # fmt: skip
    _, events = run(Agent("a", model, tools=[pay]), ceiling=ceiling)
    assert (DONE, codes(events)) == ([(5, "bob")], ["grant_bound"] * 3)


def test_a_bound_survives_a_resume(tmp_path: Path) -> None:
    """A resumed run has used what it used before: the count goes on, it does not start again."""
    journal = f"sqlite:{tmp_path / 'j.db'}"
    options = {"ceiling": NamedTool("tool:pay where uses=2").ceiling, "rulebook": Rulebook(Policy((Mode("default"),)))}

    async def first() -> str:
        async with Runtime(journal, **options) as runtime:
            model = ScriptedModel([call("pay", amount=1), call("read_file", path="x"), "end"])
            agent = Agent("a", model, tools=[pay, "read_file"])
            return str((await runtime.run(agent, "go")).id)

    async def second(run_id: str) -> Any:
        async with Runtime(journal, approver=Says("denied"), **options) as runtime:
            script = [call("pay", amount=2), call("pay", amount=3), "end"]
            done = await runtime.resume(run_id, Agent("a", ScriptedModel(script), tools=[pay, "read_file"]))
            return done.events

    run_id = asyncio.run(first())
    assert DONE == [(1, "ann")]
    events = asyncio.run(second(run_id))
    assert (DONE, codes(events)) == ([(1, "ann"), (2, "ann")], ["approval_refused", "grant_bound"])


def test_a_childs_calls_draw_on_its_parents_grant() -> None:
    """Parent and two children together make two payments."""

    @tool(effect="read")
    async def start() -> str:
        """Start a helper."""
        done = await Agent("helper", pays(7, 8), tools=[pay]).run("go")
        return str(done.status)

    model = ScriptedModel([call("start"), call("pay", amount=1), "end"])
    _, events = run(Agent("a", model, tools=[pay, start]), ceiling=NamedTool("tool:pay where uses=2").ceiling)
    assert DONE == [(7, "ann"), (8, "ann")]
    assert codes(events) == ["grant_bound"]


def test_delegation_stops_at_its_depth_and_leaves_no_run() -> None:
    """An agent that may not be started is refused before it has a run."""
    found: list[str] = []

    @tool(effect="read")
    async def start() -> str:
        """Start a helper that starts another."""
        agent = Agent("deep", ScriptedModel(["end"]))
        try:
            await agent.run("go")
        except RemitError as e:
            found.append(e.code)
        return "x"

    async def work() -> int:
        async with Runtime() as runtime:
            await runtime.run(Agent("a", ScriptedModel([call("start"), "end"]), tools=[start],
                                    remit=Remit.allow("delegate:qa_*@1")), "go")  # fmt: skip
            return len(runtime.journal.runs(10))

    assert asyncio.run(work()) == 1
    assert found == ["delegation_denied"]


def revoke_during(agent: Agent, text: str) -> Any:
    """Revoke a grant as soon as the tool has begun."""

    async def work() -> Any:
        async with Runtime() as runtime:

            async def revoke() -> int:
                async with asyncio.timeout(10):
                    while not DONE:
                        await asyncio.sleep(0)
                return runtime.revoke(parse_grant(text).id)

            async with asyncio.TaskGroup() as group:
                running, stopped = group.create_task(runtime.run(agent, "go")), group.create_task(revoke())
            done = running.result()
            return done, done.events, stopped.result()

    return asyncio.run(work())


def test_revoking_stops_a_call_in_flight_and_the_run_goes_on() -> None:
    """A read that runs ends as a denial `revoked`; the model is told, and later calls of the tool are refused."""
    model = ScriptedModel([call("wait_long"), call("wait_long"), "end"])
    done, events, stopped = revoke_during(Agent("a", model, tools=[wait_long]), "tool:wait_long")
    assert (done.status, done.output, stopped, DONE) == ("ok", "end", 1, ["begun"])
    assert codes(events) == ["revoked", "not_granted"]


def test_an_unsafe_call_that_was_stopped_is_in_doubt() -> None:
    """Nobody knows what it had done: it is shown to a person and not called failed."""
    model = ScriptedModel([call("send_long"), "end"])
    done, events, _ = revoke_during(Agent("a", model, tools=[send_long]), "tool:send_long")
    assert done.status == "waiting"
    assert [e.name for e in events if isinstance(e, EffectInDoubt)] == ["send_long"]


def test_a_handle_stops_with_its_grant(tmp_path: Path) -> None:
    """A tool that is still running cannot read on once its file grant is revoked."""
    (tmp_path / "a.txt").write_text("one")
    seen: list[str] = []

    @tool(effect="read")
    async def reader(ctx: Context[None]) -> str:
        """Read twice."""
        seen.append(ctx.files.read("a.txt").decode())
        DONE.append("begun")
        for _ in range(20):
            await asyncio.sleep(0)
        try:
            seen.append(ctx.files.read("a.txt").decode())
        except RemitError as e:
            seen.append(e.code)
        return "x"

    agent = Agent("a", ScriptedModel([call("reader"), "end"]), tools=[reader], remit=Remit.allow("fs.read:a.txt"))

    async def work() -> None:
        async with Runtime(workspace=str(tmp_path)) as runtime:

            async def revoke() -> None:
                async with asyncio.timeout(10):
                    while not DONE:
                        await asyncio.sleep(0)
                runtime.revoke(parse_grant("fs.read:a.txt").id)

            async with asyncio.TaskGroup() as group:
                group.create_task(runtime.run(agent, "go"))
                group.create_task(revoke())

    asyncio.run(work())
    assert seen[0] == "one"
    assert seen[1] in ("not_granted", "revoked")


class Says:
    """An approver with one answer."""

    def __init__(self, decision: str) -> None:
        self.decision = decision
        self.questions: list[str] = []

    async def ask(self, row: Any) -> Answer:
        self.questions.append(row.question)
        return Answer(self.decision, "ann")


@pytest.mark.parametrize(("decision", "written"), [("approved", True), ("denied", False)])
def test_mode_default_asks_for_what_no_grant_covers(decision: str, written: bool, tmp_path: Path) -> None:
    """A yes counts for this one call, handles included; a no is a denial; the next call asks again."""
    person = Says(decision)
    model = ScriptedModel(
        [call("write_file", path="a.txt", content="x"), call("write_file", path="b.txt", content="y"), "end"]
    )
    agent = Agent("a", model, tools=["write_file"], remit=Remit().deny("fs.write:b.txt"))
    run(agent, workspace=str(tmp_path), approver=person, rulebook=Rulebook(Policy((Mode("default"),))))
    assert ((tmp_path / "a.txt").exists(), (tmp_path / "b.txt").exists()) == (written, False)
    assert len(person.questions) == 1
    assert "fs.write:a.txt" in person.questions[0]


def test_plan_only_captures_what_acts(tmp_path: Path) -> None:
    """The model is told, the journal holds the call with its arguments, nothing is written."""
    model = ScriptedModel([call("write_file", path="a.txt", content="x"), "end"])
    agent = Agent("a", model, tools=["write_file"], remit=Remit.allow("fs.write:**"))
    done, events = run(agent, workspace=str(tmp_path), rulebook=Rulebook(Policy((Mode("plan_only"),))))
    captured = [e for e in events if isinstance(e, EffectDenied)]
    assert (done.status, [(e.code, e.arguments) for e in captured]) == (
        "ok", [("captured", {"path": "a.txt", "content": "x"})],
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_supervised_asks_a_person_for_each_effect() -> None:
    """Without somebody to ask the run waits; reads go through."""
    done, events = run(Agent("a", pays(1), tools=[pay]), rulebook=Rulebook(Policy(autonomy="supervised")))
    assert (done.status, DONE) == ("waiting", [])
    assert not [e for e in events if isinstance(e, EffectDone) and "call" in e.key]


def test_a_model_grants_money_is_its_end() -> None:
    """A model without a known price is refused under a money bound (fail closed)."""
    ceiling = Remit.allow("model:* where usd=0.01")
    done, events = run(Agent("a", ScriptedModel(["end"])), ceiling=ceiling)
    assert done.status != "ok"
    assert codes(events) == ["grant_bound"]
