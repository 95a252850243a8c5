"""Graphs that were interrupted: a node goes on inside itself, questions wait, breakpoints and gates hold."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from remit import Agent, Reply, Runtime, ToolCall, ToolResult, tool
from remit.core.events import WaitClosed
from remit.errors import NonDeterminism
from remit.ports.approver import Answer
from remit.teams.graph import END, START, Graph, each, gate, loop, node, retry, subgraph
from remit.teams.patterns.pipeline import Pipeline
from remit.testing import FakeClock, FunctionModel
from remit.testing.crash import Crash, CrashJournal
from unit.teams.in_loop import in_loop


class State(msgspec.Struct):
    items: list[str] = []
    found: list[str] = []
    text: str = ""
    n: int = 0


def journal(at: int = 0) -> CrashJournal:
    return CrashJournal(FakeClock(), at)


async def answer(store: Any, decision: str = "approved", arguments: Any = None, reason: str = "") -> str:
    """Close the oldest open question."""
    row = store.inbox()[0]
    make = lambda r: WaitClosed(r.key, r.id, decision, r.digest, "tester", reason, arguments)  # noqa: E731  # one line
    return str(await store.answer(row.id, make))


@in_loop
async def test_a_crash_at_every_append_changes_nothing() -> None:
    """Whatever append the process dies before, the resumed graph ends the same, and no finished step runs again."""
    work: list[str] = []

    def count(word: str) -> int:
        work.append(word)
        return len(word)

    async def item(word: str, ctx: Any) -> str:
        return f"{word}{await ctx.step('count', count, word)}"

    async def sums(state: State, ctx: Any) -> dict[str, Any]:
        first = await ctx.step("count", count, state.found[0])
        second = await ctx.step("count", count, state.found[1])
        return {"n": first + second}

    async def grow(state: State) -> dict[str, Any]:
        return {"text": state.text + "x"}

    inner = Graph(State, name="inner").edges((START, sums, END))

    def make() -> Graph:
        return Graph(State).edges(
            (START, each(item, over="items", into="found"), subgraph(inner, name="sub", output={"n": "n"}),
             loop(grow, until=lambda s: len(s.text) > 2), retry(node(grow, name="again")), END),
        )  # fmt: skip

    async with Runtime(journal(), tune_gc=False):
        whole = await make().run({"items": ["a", "bb"]})
    assert whole.error is None
    assert (whole.status, whole.output) == ("ok", State(["a", "bb"], ["a1", "bb2"], "xxxx", 5))
    at, crashes = 1, 0
    while True:
        store = journal(at)
        work.clear()
        ended = None
        try:
            async with Runtime(store, tune_gc=False):
                ended = await make().run({"items": ["a", "bb"]})
        except* Crash:
            crashes += 1
        if ended is not None:
            break
        store.revive()
        async with Runtime(store, tune_gc=False):
            roots = store.runs()
            again = await (make().resume(roots[0].run_id) if roots else make().run({"items": ["a", "bb"]}))
        assert (again.status, again.output) == (whole.status, whole.output), at
        assert len(work) <= 4 + 2, f"crash before event {at}: {work}"  # two items are under way at most
        assert store.verify() == []
        at += 1
    assert crashes > 15


@in_loop
async def test_a_node_goes_on_inside_itself_after_a_question() -> None:
    """What a node did before it asked is read back, the answer is the value of `ask`, and the rest is done once."""
    done: list[str] = []

    async def deploy(state: State, ctx: Any) -> dict[str, Any]:
        await ctx.step("before", done.append, "before")
        choice = await ctx.ask("Deploy?", choices=["yes", "no"])
        await ctx.step("after", done.append, "after")
        return {"text": choice}

    graph = Graph(State).edges((START, deploy, END))
    store = journal()
    async with Runtime(store, tune_gc=False):
        run = await graph.run({})
        assert (run.status, len(run.waiting_for), done) == ("waiting", 1, ["before"])
        row = store.inbox()[0]
        assert (row.question, row.arguments) == ("Deploy?", {"kind": "select", "choices": ["yes", "no"]})
        again = await graph.resume(run.id)
        assert again.status == "waiting", "nobody has answered"
        await answer(store, "edited", {"answer": "no"})
    async with Runtime(store, tune_gc=False):
        run = await graph.resume(run.id)
        assert (run.status, run.output.text, done) == ("ok", "no", ["before", "after"])
        assert (await graph.resume(run.id)).output == {"items": [], "found": [], "text": "no", "n": 0}


@pytest.mark.parametrize(
    ("kind", "choices", "wrong", "right"),
    [
        ("boolean", (), "maybe", False),
        ("number", (), "7", 7),
        ("select", ("a", "b"), "c", "b"),
        ("multi_select", ("a", "b"), ["c"], ["a"]),
        ("date_time", (), "tomorrow", "2026-11-28T12:00:00+00:00"),
        ("text", (), 3, "three"),
        ("json", (), None, {"a": [1]}),
    ],
)
@in_loop
async def test_answers_must_fit_their_question(kind: str, choices: Any, wrong: Any, right: Any) -> None:
    """An answer of another kind is asked for again, with what is wanted; a fitting one is taken."""

    async def asks(state: State, ctx: Any) -> dict[str, Any]:
        got = await ctx.ask("Which?", kind=kind, choices=choices)
        assert got == right
        return {"text": "took it"}

    graph = Graph(State).edges((START, asks, END))
    store = journal()
    async with Runtime(store, tune_gc=False):
        run = await graph.run({})
        if kind != "json":
            await answer(store, "edited", {"answer": wrong})
            run = await graph.resume(run.id)
            assert run.status == "waiting"
            assert "(answer " in store.inbox()[0].question
        await answer(store, "edited", {"answer": right})
        assert (await graph.resume(run.id)).output.text == "took it"


@in_loop
async def test_siblings_finish_while_one_waits() -> None:
    """In a step where one node waits for a person, the others finish and are not run again."""
    ran: list[str] = []

    async def asks(state: State, ctx: Any) -> dict[str, Any]:
        return {"text": await ctx.ask("Name?")}

    async def works(state: State) -> dict[str, Any]:
        ran.append("works")
        return {"n": 1}

    graph = Graph(State).edges((START, [asks, works], END))
    store = journal()
    async with Runtime(store, tune_gc=False):
        run = await graph.run({})
        await answer(store, "edited", {"answer": "Ada"})
        run = await graph.resume(run.id)
    assert (run.output.text, run.output.n, ran) == ("Ada", 1, ["works"])


@in_loop
async def test_a_breakpoint_shows_and_changes_the_state() -> None:
    """Before a node of pause_before a person sees the state, may change it, or end the graph."""

    async def ends(state: State) -> dict[str, Any]:
        return {"n": state.n + 1}

    graph = Graph(State, pause_before=[ends]).edges((START, ends, END))
    store = journal()
    async with Runtime(store, tune_gc=False):
        run = await graph.run({"n": 4})
        assert store.inbox()[0].arguments["n"] == 4
        await answer(store, "edited", {"n": 10})
        assert (await graph.resume(run.id)).output.n == 11
        run = await graph.run({})
        await answer(store, "denied")
        run = await graph.resume(run.id)
        assert (run.status, run.error.code if run.error else "") == ("denied", "approval_refused")


@pytest.mark.parametrize(
    ("decision", "arguments", "status", "text"),
    [
        ("approved", None, "ok", "draft 0"),
        ("edited", {"text": "mine"}, "ok", "mine"),
        ("denied", None, "denied", ""),
    ],
)
@in_loop
async def test_a_gate_holds_what_a_node_wrote(decision: str, arguments: Any, status: str, text: str) -> None:
    """Approved, approved with changes, refused: the update counts, counts changed, or ends the graph."""

    async def writes(state: State) -> dict[str, Any]:
        return {"text": f"draft {state.n}"}

    graph = Graph(State).edges((START, gate(writes, "Publish?", fields=["text"]), END))
    store = journal()
    async with Runtime(store, tune_gc=False):
        run = await graph.run({})
        assert (store.inbox()[0].question, store.inbox()[0].arguments) == ("Publish?", {"text": "draft 0"})
        await answer(store, decision, arguments)
        run = await graph.resume(run.id)
    assert run.status == status
    if status == "ok":
        assert run.output.text == text


@in_loop
async def test_a_gate_has_it_done_again() -> None:
    """{"retry": ...} runs the node again with the text as its feedback."""

    async def writes(state: State, ctx: Any) -> dict[str, Any]:
        return {"text": f"with {ctx.feedback or 'nothing'}"}

    graph = Graph(State).edges((START, gate(writes, "Publish?"), END))
    store = journal()
    async with Runtime(store, tune_gc=False):
        run = await graph.run({})
        await answer(store, "edited", {"retry": "numbers"})
        run = await graph.resume(run.id)
        assert store.inbox()[0].arguments == {"text": "with numbers"}
        await answer(store)
        assert (await graph.resume(run.id)).output.text == "with numbers"


@in_loop
async def test_somebody_at_the_desk_answers_at_once() -> None:
    """With an approver the question is answered without parking."""

    class Desk:
        async def ask(self, row: Any) -> Answer:
            return Answer("edited", "tester", arguments={"answer": row.question.upper()})

    async def asks(state: State, ctx: Any) -> dict[str, Any]:
        return {"text": await ctx.ask("name?")}

    async with Runtime(approver=Desk(), tune_gc=False):
        assert (await Graph(State).edges((START, asks, END)).run({})).output.text == "NAME?"


@in_loop
async def test_a_changed_graph_is_told_apart() -> None:
    """A graph whose nodes changed between crash and resume raises NonDeterminism with both sides."""

    async def first(state: State) -> dict[str, Any]:
        return {"n": 1}

    async def asks(state: State, ctx: Any) -> dict[str, Any]:
        return {"text": await ctx.ask("Name?")}

    async def second(state: State) -> dict[str, Any]:
        return {"n": 2}

    store = journal()
    async with Runtime(store, tune_gc=False):
        run = await Graph(State).edges((START, first, asks, END)).run({})
        with pytest.raises(NonDeterminism, match="the journal holds first, the code asks for second"):
            await Graph(State).edges((START, second, asks, END)).resume(run.id)


@in_loop
async def test_an_interrupted_tool_is_in_doubt_not_repeated() -> None:
    """A tool that writes and was under way at the crash is not called again: a person says what became of it."""
    calls: list[int] = []

    @tool(effect="write")
    async def send(text: str) -> str:
        """Send it."""
        calls.append(1)
        return "sent"

    async def sends(state: State, ctx: Any) -> dict[str, Any]:
        return {"text": await ctx.call("send", text="hello")}

    graph = Graph(State, tools=(send,)).edges((START, sends, END))
    store = journal(3)  # 1 run_started, 2 the intent, 3 the outcome
    try:
        async with Runtime(store, tune_gc=False):
            await graph.run({})
    except* Crash:
        pass
    store.revive()
    async with Runtime(store, tune_gc=False):
        run = await graph.resume(store.runs()[0].run_id)
        assert (run.status, len(calls), store.inbox()[0].kind) == ("waiting", 1, "in_doubt")


@in_loop
async def test_a_member_that_waits_parks_its_team() -> None:
    """A question inside a team inside a team parks all of them; its answer lets all go on, and nothing runs twice."""
    ran: list[str] = []

    async def before(text: str) -> str:
        ran.append("before")
        return text

    async def asks(state: State, ctx: Any) -> dict[str, Any]:
        return {"text": await ctx.ask("Name?")}

    async def after(text: str) -> str:
        ran.append("after")
        return text

    def make() -> Any:
        return Pipeline(before, Pipeline(Graph(State).edges((START, asks, END)), name="inner"), after)

    store = journal()
    async with Runtime(store, tune_gc=False):
        run = await make().run("go")
        assert (run.status, len(run.waiting_for), ran) == ("waiting", 1, ["before"])
        await answer(store, "edited", {"answer": "Ada"})
        run = await make().resume(run.id)
    assert (run.status, ran) == ("ok", ["before", "after"])
    assert '"text":"Ada"' in run.output
    assert store.verify() == []


@in_loop
async def test_an_agent_that_waits_for_approval_parks_its_team() -> None:
    """An agent's tool call that a person must approve parks the team; approved, the call is made once."""
    sent: list[str] = []

    @tool(effect="write")
    async def send(text: str) -> str:
        """Send it."""
        sent.append(text)
        return "sent"

    def script(request: Any) -> Any:
        done = isinstance(request.messages[-1].parts[0], ToolResult)
        return Reply("all done") if done else Reply([ToolCall("1", "send", {"text": "hello"})])

    from remit.guard.modes import Policy
    from remit.guard.policy import Rulebook

    agent = Agent("sender", FunctionModel(script, name="function:s"), tools=[send])
    book = Rulebook(Policy(autonomy="supervised"))
    store = journal()
    async with Runtime(store, tune_gc=False, rulebook=book):
        run = await Pipeline(agent).run("go")
        assert (run.status, sent) == ("waiting", [])
        await answer(store)
        run = await Pipeline(agent).resume(run.id)
    assert (run.status, run.output, sent) == ("ok", "all done", ["hello"])
