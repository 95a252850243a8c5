"""The tools delegate, converse, agent_list and agent_message; sealed prompts; workers that stay within their scopes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from remit import Agent, Denied, Remit, Reply, Runtime, ToolCall, ToolResult, tool
from remit.core.events import EffectDenied, Noted
from remit.journal.chain import Tip, decode_event
from remit.teams.delegation import agent_tool
from remit.teams.goals import Goal
from remit.teams.handover import Handover, key_of, opened, seal
from remit.teams.messaging import Mailboxes, parties
from remit.teams.patterns.pipeline import Pipeline
from remit.teams.team import Team
from remit.teams.values import Estimate
from remit.testing import FakeClock, FunctionModel
from remit.testing.crash import Crash, CrashJournal
from remit.testing.team_conformance import Cast, check_crashes, check_success
from unit.teams.in_loop import in_loop


def results(request: Any) -> list[str]:
    """What the tools have said so far."""
    return [p.text for m in request.messages for p in m.parts if isinstance(p, ToolResult)]


def calling(
    name: str, *calls: tuple[str, dict[str, Any]], grants: tuple[str, ...] = ("delegate:3",), **options: Any
) -> Agent:
    """An agent that makes these calls one after the other, and then says what they gave."""

    def answer(request: Any) -> Reply:
        seen = results(request)
        if len(seen) < len(calls):
            tool_name, arguments = calls[len(seen)]
            return Reply([ToolCall(str(len(seen)), tool_name, arguments)])
        return Reply(" | ".join(seen))

    names = tuple(dict.fromkeys(n for n, _ in calls))
    model = FunctionModel(answer, name=f"function:{name}")
    options.setdefault("tools", names)
    return Agent(name, model, remit=Remit.allow("model:function:*", *grants), **options)


def saying(name: str, text: str = "", **options: Any) -> Agent:
    return Agent(
        name, FunctionModel(lambda r: text or f"{name}: {r.messages[-1].text}", name=f"function:{name}"), **options
    )


@in_loop
async def test_a_delegate_answers_as_a_child() -> None:
    """Its run is a child of the caller's, its answer the tool's result; own tools and turns are bounded."""
    helper = saying("helper", instructions="Knows the tides.\nAnd more.")
    boss = calling("boss", ("agent_list", {}), ("delegate", {"name": "helper", "task": "When is high tide?"}))
    async with Runtime(tune_gc=False, agents=[helper]) as runtime:
        run = await boss.run("go")
        assert run.status == "ok", run.error
        listed, answer = run.output.split(" | ")
        assert json.loads(listed) == [{"name": "helper", "about": "Knows the tides."}]
        assert answer == "helper: When is high tide?"
        assert {row.agent: row.parent for row in runtime.journal.runs()} == {"boss": "", "helper": run.id}
        assert runtime.journal.verify() == []


@pytest.mark.parametrize(
    ("grants", "code"),
    [((), "not_granted"), (("delegate:helper@1",), ""), (("delegate:other@1",), "not_granted"), (("delegate:1",), "")],
)
@in_loop
async def test_delegating_takes_a_grant_of_that_agent(grants: tuple[str, ...], code: str) -> None:
    """Without delegate:AGENT@DEPTH the gate refuses the call, and the model is told why."""
    boss = calling("boss", ("delegate", {"name": "helper", "task": "x"}), grants=grants)
    async with Runtime(tune_gc=False, agents=[saying("helper", "done")]):
        run = await boss.run("go")
    assert (f"refused {code}" in run.output) if code else (run.output == "done"), run.output
    assert [e.code for e in run.events if isinstance(e, EffectDenied)] == ([code] if code else [])


@in_loop
async def test_a_delegate_never_holds_more_than_its_delegator() -> None:
    """What the caller is not granted its delegate is not either, whatever its own definition asks for; `within` and
    `tools` take away more; a delegate holds no delegate grant of its own accord."""
    helper = calling("helper", ("read_file", {"path": "a.txt"}), ("delegate", {"name": "third", "task": "x"}),
                     grants=("fs.read:**",))  # fmt: skip
    third = saying("third", "reached")
    ask = {"name": "helper", "task": "read"}
    cases: list[tuple[tuple[str, ...], dict[str, Any], list[bool]]] = [
        (("delegate:3",), ask, [False, False]),
        (("delegate:3", "fs.read:**"), ask, [True, False]),
        (("delegate:3", "fs.read:**"), {**ask, "within": ["fs.read:docs/**"]}, [False, False]),
    ]
    for grants, arguments, allowed in cases:
        boss = calling("boss", ("delegate", arguments), grants=grants)
        async with Runtime(tune_gc=False, agents=[helper, third], workspace=str(Path(__file__).parent)):
            run = await boss.run("go")
        said = run.output.split(" | ")
        assert ["refused" not in each for each in said] == allowed, (arguments, said)


@in_loop
async def test_circles_and_long_chains_are_refused_before_they_start() -> None:
    """a -> b -> a is named; the chain is at most three levels deep, however deep the grants go."""
    names = ["one", "two", "three", "four", "five"]
    agents = [
        calling(n, ("delegate", {"name": m, "task": "on"}), grants=("delegate:20",))
        for n, m in zip(names, [*names[1:], "one"], strict=True)
    ]
    async with Runtime(tune_gc=False, agents=agents) as runtime:
        run = await agents[0].run("go")
        assert "one -> two -> three -> four is 3 levels deep" in run.output
        assert sorted(row.agent for row in runtime.journal.runs()) == ["four", "one", "three", "two"]
    pair = [
        calling("a", ("delegate", {"name": "b", "task": "x"})),
        calling("b", ("delegate", {"name": "a", "task": "x"})),
    ]
    async with Runtime(tune_gc=False, agents=pair) as runtime:
        run = await pair[0].run("go")
        assert "refused delegation_denied" in run.output
        assert "a circle: a -> b -> a" in run.output
        assert len(runtime.journal.runs()) == 2
    alone = calling("self", ("delegate", {"name": "self", "task": "x"}))
    async with Runtime(tune_gc=False, agents=[alone]):
        assert "a circle: self -> self" in (await alone.run("go")).output


@in_loop
async def test_less_is_given_when_less_is_asked_for() -> None:
    """`tools` leaves only these, unknown ones are refused; `tokens` and `usd` bound what the delegate uses."""

    @tool(effect="read")
    async def look() -> str:
        """Look."""
        return "seen"

    helper = calling("helper", ("look", {}), grants=(), tools=[look])
    for less, said in (
        ({}, "seen"), ({"tools": []}, "tool_unknown"), ({"tools": ["peek"]}, "no tool peek"),
        ({"tokens": 0}, "budget_exceeded"),
    ):  # fmt: skip
        boss = calling(
            "boss", ("delegate", {"name": "helper", "task": "look", **less}), grants=("delegate:1", "tool:look")
        )
        async with Runtime(tune_gc=False, agents=[helper]):
            run = await boss.run("go")
        assert said in run.output, (less, run.output)


@in_loop
async def test_a_conversation_goes_on_and_has_ten_turns() -> None:
    """The other hears what was said before; another partner, and an eleventh turn, are refused."""
    heard: list[str] = []

    def answer(request: Any) -> str:
        heard.append(request.messages[-1].text)
        return f"reply {len(heard)}"

    partner = Agent("tutor", FunctionModel(answer, name="function:tutor"))

    def talk(request: Any) -> Reply:
        seen = results(request)
        known = json.loads(seen[0])["conversation"] if seen else ""
        if len(seen) < 11:
            return Reply(
                [ToolCall("1", "converse", {"name": "tutor", "message": f"say {len(seen)}", "conversation": known})]
            )
        return Reply(seen[-1])

    pupil = Agent("pupil", FunctionModel(talk, name="function:pupil"), tools=["converse"], max_turns=20,
                  remit=Remit.allow("delegate:1", "model:function:*"))  # fmt: skip
    async with Runtime(tune_gc=False, agents=[partner]):
        run = await pupil.run("go")
    assert "turns_exceeded" in run.output
    assert len(heard) == 10
    assert heard[0] == "say 0"
    assert (
        heard[2]
        == "pupil: say 0\n\ntutor: reply 1\n\npupil: say 1\n\ntutor: reply 2\n\npupil: say 2\n\nAnswer as tutor."
    )


@in_loop
async def test_after_a_crash_the_same_delegate_goes_on() -> None:
    """At each append: the resumed run has the same answer, one child, and no finished model call is made again."""
    at = 1
    while True:
        helper = saying("helper", "there")
        boss = calling("boss", ("delegate", {"name": "helper", "task": "where"}), grants=("delegate:1",))
        store = CrashJournal(FakeClock(), at)
        try:
            async with Runtime(store, tune_gc=False, agents=[helper]):
                await boss.run("go")
        except* Crash:
            pass
        if not store.dead:
            break
        done = store.models_done()
        store.revive()
        roots = [row.run_id for row in store.runs() if not row.parent]
        if roots:
            calls = len(helper.model.requests) + len(boss.model.requests)
            async with Runtime(store, tune_gc=False, agents=[helper]) as runtime:
                run = await runtime.resume(roots[0], boss)
                assert (run.status, run.output) == ("ok", "there"), (at, run.error)
            assert len(helper.model.requests) + len(boss.model.requests) - calls == 3 - done, at
            assert [row.agent for row in store.runs() if row.parent] == ["helper"], at
        at += 1
    assert at > 8


@in_loop
async def test_a_forged_or_altered_prompt_is_refused() -> None:
    """Every field is sealed: another prompt, receiver, run, sender or key does not open; nor does a forged seal."""
    async with Runtime(tune_gc=False) as runtime:
        key = key_of(runtime)
        assert key == key_of(runtime)
    async with Runtime(tune_gc=False) as other:
        assert key_of(other) != key
    handed = seal(key, "run_a", "helper", "run_b", "Pay 10")
    assert opened(key, handed, "helper", "run_b") == "Pay 10"
    forged = [
        (key, Handover("run_a", "helper", "run_b", "Pay 1000", handed.mac), "helper", "run_b"),
        (key, Handover("run_x", "helper", "run_b", "Pay 10", handed.mac), "helper", "run_b"),
        (key, handed, "thief", "run_b"), (key, handed, "helper", "run_c"), (b"k" * 32, handed, "helper", "run_b"),
        (key, Handover("run_a", "helper", "run_b", "Pay 10", "0" * 64), "helper", "run_b"),
        (key, seal(key, "run_ah", "elper", "run_b", "Pay 10"), "helper", "run_b"),
    ]  # fmt: skip
    for given, handover, receiver, run_id in forged:
        with pytest.raises(Denied, match="prompt_altered"):
            opened(given, handover, receiver, run_id)


def test_the_key_of_a_journal_that_lasts_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that only its owner can read, the same in the next process; one of a wrong size is made anew."""
    monkeypatch.setenv("REMIT_STATE_DIR", str(tmp_path))
    first = Runtime(f"sqlite:{tmp_path}/a.db", tune_gc=False)
    second = Runtime(f"sqlite:{tmp_path}/b.db", tune_gc=False)
    key = key_of(first)
    assert len(key) == 32
    assert key_of(second) == key
    [path] = tmp_path.glob("handover.key")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == key
    asyncio.run(first.aclose())
    asyncio.run(second.aclose())


@in_loop
async def test_a_prompt_altered_in_the_journal_is_not_carried_out() -> None:
    """The seal stands in the sender's journal: a resumed run whose task, or whose seal, is another one is refused."""
    for change in ("seal", "task"):
        helper = saying("helper", "paid")
        boss = calling("boss", ("delegate", {"name": "helper", "task": "Pay 10"}), grants=("delegate:1",))
        store = CrashJournal(FakeClock(), 8)  # the helper's run has begun
        try:
            async with Runtime(store, tune_gc=False, agents=[helper]):
                await boss.run("go")
        except* Crash:
            pass
        store.revive()
        kinds = [type(decode_event(e.body)).__name__ for row in store.runs() for e in store.read(row.run_id)]
        assert kinds.count("RunStarted") == 2
        for row in store.runs():
            for entry in store.read(row.run_id):
                event = decode_event(entry.body)
                if change == "seal" and isinstance(event, Noted):
                    _alter(store, entry, b'"mac":"', b'"mac":"00')
                if change == "task" and row.agent == "helper":
                    _alter(store, entry, b"Pay 10", b"Pay 99")
        root, asked = next(row.run_id for row in store.runs() if not row.parent), len(helper.model.requests)
        async with Runtime(store, tune_gc=False, agents=[helper]) as runtime:
            run = await runtime.resume(root, boss)
        assert "prompt_altered" in str(run.output), (change, run.output, run.error)
        assert len(helper.model.requests) == asked


def _alter(store: Any, entry: Any, old: bytes, new: bytes) -> None:
    """Change an entry as somebody who may write to the store could: with a chain that fits again."""
    run = store._runs[entry.run_id]
    bodies = [(e.body.replace(old, new) if e.seq == entry.seq else e.body, e.at_ms) for e in run.entries]
    tip = Tip(entry.run_id, epoch=1)
    run.entries[:] = [tip.add(body, at_ms) for body, at_ms in bodies]
    run.tip = tip


@in_loop
async def test_members_of_a_team_reach_each_other() -> None:
    """A member delegates to another member by name; agent_message passes messages with their correlation."""
    aid = calling("aid", ("agent_message", {"action": "receive"}), grants=("delegate:1",))

    def answers(request: Any) -> Reply:
        seen = results(request)
        if not seen:
            return Reply([ToolCall("1", "agent_message", {"action": "receive"})])
        if len(seen) == 1:
            given = {"action": "answer", "correlation": seen[0].rpartition("correlation ")[2], "text": "noon"}
            return Reply([ToolCall("2", "agent_message", given)])
        return Reply("over")

    clerk = Agent("clerk", FunctionModel(answers, name="function:clerk"), tools=["agent_message"])
    lead = calling("lead", ("agent_message", {"action": "send", "to": "aid", "text": "begin"}),
                   ("agent_message", {"action": "request", "to": "clerk", "text": "time?"}),
                   ("agent_message", {"action": "send", "to": "nobody", "text": "x"}),
                   ("agent_message", {"action": "answer", "correlation": "made up", "text": "x"}))  # fmt: skip

    async def body(work: Any, task: Any) -> Any:
        Mailboxes(work, ["lead", "aid", "clerk"])

        def line(agent: Agent) -> Any:
            return lambda: work.ask(agent, "go", key=agent.name, reads=[])

        return {n: a.text for n, a in (await parties(work, {a.name: line(a) for a in (lead, aid, clerk)})).items()}

    async with Runtime(tune_gc=False):
        run = await Team("office", body, members={a.name: a for a in (lead, aid, clerk)}).run("go")
    assert run.status == "ok", run.error
    assert run.output["aid"] == "from lead: begin"
    sent, answer, unknown, made_up = run.output["lead"].split(" | ")
    assert (sent, answer) == ("sent to aid", "clerk answers: noon")
    assert "recipient_unknown" in unknown
    assert "value_invalid" in made_up


@in_loop
async def test_agents_that_wait_for_each_other_are_told() -> None:
    """Two members that both wait for a message: one tool call returns the deadlock with its cycle, and both go on."""
    pair = [calling(n, ("agent_message", {"action": "receive"})) for n in ("ann", "bob")]

    async def body(work: Any, task: Any) -> Any:
        Mailboxes(work, {"ann": 100, "bob": 200})
        lines = {a.name: (lambda a=a: work.ask(a, "go", key=a.name, reads=[])) for a in pair}
        return {n: a.text for n, a in (await parties(work, lines)).items()}

    async with Runtime(tune_gc=False):
        run = await Team("office", body, members={a.name: a for a in pair}).run("go")
    assert run.status == "ok", run.error
    assert "error deadlock: " in run.output["ann"]
    assert "ann gives way" in run.output["ann"]
    assert "channel_closed" in run.output["bob"]


@in_loop
async def test_a_worker_writes_only_where_its_node_may(tmp_path: Path) -> None:
    """The plan's scopes are the worker's remit: another node's folder is refused, whatever the worker is granted; a
    node without scopes writes nothing; a team as a worker is confined as well."""
    plan = {"title": "t", "nodes": [
        {"id": "a", "name": "a", "task": "write", "file_scopes": ["src/**"]},
        {"id": "b", "name": "b", "task": "write", "file_scopes": ["docs/**"], "depends_on": ["a"]},
        {"id": "c", "name": "c", "task": "write", "depends_on": ["b"]},
    ]}  # fmt: skip
    planner = Agent("planner", FunctionModel(lambda r: json.dumps(plan), name="function:planner"))
    writes = [("write_file", {"path": f"{where}/x.txt", "content": "x"}) for where in ("src", "docs", "out")]
    worker = calling("worker", *writes, grants=("fs.write:**", "fs.read:**"))
    for member in (worker, Pipeline(worker)):
        async with Runtime(tune_gc=False, workspace=str(tmp_path)):
            run = await Goal(planner, member, remit=Remit.allow("fs.write:**", "fs.read:**", "model:**")).run(
                "write it"
            )
        assert run.status == "ok", run.error
        wrote = {node: ["refused" not in each for each in text.split(" | ")] for node, text in run.artifacts.items()}
        assert wrote == {"a": [True, False, False], "b": [False, True, False], "c": [False, False, False]}


@in_loop
async def test_an_agent_as_a_tool_is_handed_a_sealed_prompt() -> None:
    """agent_tool goes the same way: its seal stands in the caller's journal."""
    finder = saying("finder", "there")
    boss = calling(
        "boss", ("finder", {"task": "where"}), grants=("model:function:finder",), tools=[agent_tool(finder, "Finds.")]
    )
    async with Runtime(tune_gc=False):
        run = await boss.run("go")
    notes = [e for e in run.events if isinstance(e, Noted)]
    assert run.output == "there"
    assert [(n.key, n.value["to"], len(n.value["mac"])) for n in notes] == [("turn/1/call/0/handover", "finder", 64)]


def post(cast: Cast) -> Team:
    """One agent sends two messages by tool, another takes both and says what it got."""
    options: dict[str, Any] = {"tools": ["agent_message"], "remit": Remit.allow("delegate:1", "model:function:*")}
    sender, reader = cast.agent("sender", **options), cast.agent("reader", **options)

    async def body(work: Any, task: Any) -> str:
        Mailboxes(work, ["sender", "reader"])

        def line(agent: Agent) -> Any:
            return lambda: work.ask(agent, "go", key=agent.name, reads=[])

        found = await parties(work, {"reader": line(reader), "sender": line(sender)})
        said: str = found["reader"].text
        return said

    return Team("post", body, members={"sender": sender, "reader": reader}, calls=Estimate(6, 6, "3 each"))


def posting(request: Any) -> Reply:
    """What both do, by their names."""
    seen = results(request)
    if len(seen) == 2:
        return Reply(" | ".join(seen))
    mine = "sender" in request.messages[0].text
    send = {"action": "send", "to": "reader", "text": f"letter {len(seen)}"}
    return Reply([ToolCall(str(len(seen)), "agent_message", send if mine else {"action": "receive"})])


@in_loop
async def test_messages_of_agents_come_once_after_a_crash_at_any_append() -> None:
    """The same text, and no model call twice: a tool call that is done is not done again, one that was under way gets
    the message that it had."""
    calls, output = await check_success(post, "go", posting)
    assert (calls, output) == (6, "from sender: letter 0 | from sender: letter 1")
    await check_crashes(post, "go", posting, calls, output)


def asking(request: Any) -> Reply:
    """The sender asks, the reader takes the question and answers it."""
    seen = results(request)
    mine = "sender" in request.messages[0].text
    if len(seen) == (1 if mine else 2):
        return Reply(" | ".join(seen).replace(seen[0].partition(" It waits")[2], ""))
    steps: list[dict[str, Any]] = [{"action": "receive"}]
    if mine:
        steps = [{"action": "request", "to": "reader", "text": "What time is it?"}]
    elif seen:
        steps = [{"action": "answer", "correlation": seen[0].rpartition("correlation ")[2], "text": "noon"}] * 2
    return Reply([ToolCall(str(len(seen)), "agent_message", steps[len(seen)])])


@in_loop
async def test_a_question_and_its_answer_survive_a_crash_at_any_append() -> None:
    """Whoever of the two goes on first after the crash: the answer reaches the one that asked, once."""

    def make(cast: Cast) -> Team:
        team = post(cast)
        team.calls = Estimate(5, 5, "2 and 3")
        return team

    calls, output = await check_success(make, "go", asking)
    assert (calls, output) == (5, "from sender: What time is it? It waits | answered")
    await check_crashes(make, "go", asking, calls, output)
