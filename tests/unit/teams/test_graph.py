"""Graphs: what runs in which order, what is written, what is refused when the graph is built."""

from __future__ import annotations

import asyncio
import dataclasses
import operator
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest

from remit import Invalid, Remit, Runtime, tool
from remit.teams.graph import END, OTHERWISE, START, Go, Graph, each, loop, node, retry, subgraph
from remit.testing import FakeClock
from remit.testing.team_conformance import Cast, check_team
from unit.teams.in_loop import in_loop


class State(msgspec.Struct):
    topic: str = ""
    draft: str = ""
    rounds: int = 0
    notes: Annotated[list[str], operator.add] = []


async def draft(state: State) -> dict[str, Any]:
    return {"draft": f"{state.topic} {state.rounds}", "rounds": state.rounds + 1}


async def review(state: State) -> Literal["redo", "ok"]:
    return "ok" if state.rounds > 2 else "redo"


async def left(state: State) -> dict[str, Any]:
    return {"notes": ["left"]}


async def right(state: State) -> dict[str, Any]:
    return {"notes": ["right"]}


async def run(graph: Graph, given: Any = None, **options: Any) -> Any:
    async with Runtime(clock=FakeClock(), tune_gc=False):
        return await graph.run(given, **options)


@in_loop
async def test_a_cycle_ends_when_its_node_says_so() -> None:
    """draft and review alternate until review's return value leads to END; the output is the typed state."""
    graph = Graph(State).edges((START, draft, review), (review, {"redo": draft, "ok": END}))
    ended = await run(graph, {"topic": "tides"})
    assert (ended.status, ended.output) == ("ok", State("tides", "tides 2", 3, []))
    assert [e.key for e in ended.events if hasattr(e, "key")][:3] == ["step/1/draft", "step/2/review", "step/3/draft"]


@pytest.mark.parametrize("kind", ["struct", "dataclass", "typeddict", "dict"])
@in_loop
async def test_any_state_type(kind: str) -> None:
    """Struct, dataclass, TypedDict and plain dict are all states; nodes get and return their own type."""

    @dataclasses.dataclass
    class Data:
        n: int = 0

    class Typed(TypedDict, total=False):
        n: int

    class Structure(msgspec.Struct):
        n: int = 0

    kinds: dict[str, Any] = {"struct": Structure, "dataclass": Data, "typeddict": Typed, "dict": dict}
    state = kinds[kind]

    async def one(given: Any) -> Any:
        if isinstance(given, dict):
            return {**given, "n": given["n"] + 1}
        assert type(given) is state
        given.n += 1
        return given

    ended = await run(Graph(state).edges((START, one, END)), {"n": 1})
    assert ended.output == ({"n": 2} if kind in ("typeddict", "dict") else state(2))


@in_loop
async def test_fan_out_and_join() -> None:
    """Nodes of a group run at once, a join waits for all of them, and the reducer adds in the order of the group."""
    under_way: list[int] = []

    async def slow(state: State) -> dict[str, Any]:
        under_way.append(1)
        await asyncio.sleep(0)
        found = len(under_way)
        return {"notes": [f"saw {found}"]}

    async def merge(state: State) -> dict[str, Any]:
        return {"draft": " ".join(state.notes)}

    graph = Graph(State).edges((START, [slow, left], merge, END))
    ended = await run(graph)
    assert ended.output.draft == "saw 1 left"


@in_loop
async def test_a_router_a_field_and_otherwise_decide() -> None:
    """A plain function, the value of a field, Go with an update, and OTHERWISE all name the way."""

    def big(state: State) -> bool:
        return state.rounds > 1

    async def goes(state: State) -> Go:
        return Go("on", draft="went")

    async def label(state: State) -> dict[str, Any]:
        return {"topic": "unheard of"}

    graph = Graph(State).edges(
        (START, draft, big, {True: goes, False: draft}), (goes, {"on": label}),
        (label, "topic", {"known": left, OTHERWISE: right}),
    )  # fmt: skip
    ended = await run(graph)
    assert ended.output == State("unheard of", "went", 2, ["right"])


@in_loop
async def test_max_steps_end_it_exhausted_with_its_state() -> None:
    """A cycle that goes on too long ends exhausted, with the state so far."""
    graph = Graph(State, max_steps=4).edges((START, draft, review), (review, {"redo": draft, "ok": END}))
    ended = await run(graph)
    assert (ended.status, ended.error.code, ended.output["rounds"]) == ("exhausted", "turns_exceeded", 2)


@in_loop
async def test_what_cannot_be_known_before_is_refused_as_it_runs() -> None:
    """Two writers of one field, a wrong type, an unknown field and an unknown way end the run with place and hint."""

    async def one(state: Any) -> Any:
        return dict([("draft", "1")])

    async def two(state: Any) -> Any:
        return dict([("draft", "2")])

    async def wrong(state: Any) -> Any:
        return dict([("rounds", "many")])

    async def unknown(state: Any) -> Any:
        return dict([("colour", "red")])

    async def lost(state: Any) -> Any:
        return str(len("xy"))

    for graph, message in (
        (Graph(State).edges((START, [one, two], left, END)), "one and two both wrote draft in one step"),
        (Graph(State).edges((START, wrong, END)), "wrong wrote rounds"),
        (Graph(State).edges((START, unknown, END)), "unknown wrote colour, which State has not"),
        (Graph(State).edges((START, lost), (lost, {"a": END})), "lost chose the way '2'"),
        (Graph(State).edges((START, node(lost, name="text"), END)), "text returned str"),
    ):
        ended = await run(graph)
        assert (ended.status, ended.error.code) == ("failed", "state_invalid")
        assert message in ended.error.message
        assert ended.error.hint


async def bare(state: State) -> dict[str, Any]:
    return {"draft": "x"}


async def other(state: State) -> dict[str, Any]:
    return {"draft": "y"}


async def stray(state: State) -> dict[str, Any]:
    return {"colour": "red"}


class Wrong(TypedDict, total=False):
    rounds: str


async def mistyped(state: State) -> Wrong:
    return {"rounds": "1"}


async def three(a: Any, b: Any, c: Any) -> None:
    return None


def plain(state: State) -> dict[str, Any]:
    return {}


async def strange(state: Wrong) -> None:
    return None


def verdict(state: State) -> Literal["a", "b"]:
    return "a"


BAD: list[tuple[Any, str]] = [
    (lambda: [(draft, review)], "nothing follows START"),
    (lambda: [(START, draft, END), (left, right)], "node left: no way leads to it from START"),
    (lambda: [(START, draft, bare, draft)], "no way leads from it to END (cycle without exit: draft -> bare)"),
    (lambda: [(START, [bare, other], left, END)], "bare and other may write draft in one step"),
    (lambda: [(START, left, bare, END), (START, right, other, END)], "bare and other may write draft in one step"),
    (lambda: [(START, stray, END)], "it writes colour, which State has not"),
    (lambda: [(START, mistyped, END)], "it writes rounds as str, which is int in State"),
    (lambda: [(START, three, END)], "node three takes 3 parameters"),
    (lambda: [(START, plain, END)], "it is not an async function"),
    (lambda: [(START, strange, END)], "it takes Wrong, the graph's state is State"),
    (lambda: [(START, draft, review), (review, {"redo": END})], "the way 'ok' leads nowhere"),
    (lambda: [(START, review), (review, {"redo": review, "ok": END, "k": END})], "the way 'k' is never taken"),
    (lambda: [(START, bare, verdict, {"a": END})], "the way 'b' leads nowhere"),
    (lambda: [(START, bare, "colour", {"a": END})], "its way is the field colour, which State has not"),
    (lambda: [(START, review, END)], "it returns the ways 'ok', 'redo', and no mapping follows it"),
    (lambda: [(START, review), (review, {"redo": END, "ok": END}), (review, left)], "a mapping and plain edges both"),
    (lambda: [(START, review), (review, {"ok": END}), (review, {"redo": END})], "review has two mappings"),
    (lambda: [(START, draft, {})], "an empty mapping"),
    (lambda: [(START, bare), (bare, {"a": END})], "it never returns a way for its mapping"),
    (lambda: [(START, review, {"ok": END, "redo": END}, left)], "something stands after the mapping"),
    (lambda: [(draft, START)], "START stands only at the beginning"),
    (lambda: [(START, END, draft)], "END stands only at the end"),
    (lambda: [(START, END)], "a graph without a node"),
    (lambda: [(START, [], END)], "an empty group"),
    (lambda: [(START, "draft", END)], "'draft' is no node here"),
    (lambda: [(START, 3, END)], "int is no node"),
    (lambda: [START], "is no edge"),
    (lambda: [(START, draft, node(review, name="draft"), END)], "two nodes are named draft"),
    (lambda: [(START, Graph(State), END)], "a graph as a node needs its mappings"),
    (lambda: [(START, node(Cast(str).agent("a"), prompt="On {colour}", writes="draft"), END)],
     "its prompt names colour, which State has not"),
    (lambda: [(START, node(Cast(str).agent("a", output=int), writes="draft"), END)], "the agent answers int"),
    (lambda: [(START, Cast(str).agent("a"), END)], "it writes a, which State has not"),
    (lambda: [(START, each(bare, over="colours", into="notes"), END)], "it goes over colours, which State has not"),
    (lambda: [(START, subgraph(Graph(State).edges((START, draft, END)), input={"topic": "colour"}), END)],
     "its input maps topic from colour"),
    (lambda: [(START, subgraph(Graph(State).edges((START, draft, END)), output={"draft": "colour"}), END)],
     "its output maps draft from colour"),
]  # fmt: skip


@pytest.mark.parametrize(("edges", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_a_graph_that_cannot_work_is_refused_when_it_is_built(edges: Any, message: str) -> None:
    """Place, reason and hint, before anything runs."""
    with pytest.raises(Invalid) as caught:
        Graph(State, name="g").edges(*edges())
    assert caught.value.code == "graph_invalid"
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Graph(int), "is no state type"),
        (lambda: Graph(State, reducers={"colour": operator.add}), "State has no field colour"),
        (lambda: Graph(State, reducers={"draft": 3}), "draft is no function"),  # type: ignore[dict-item]
        (lambda: Graph(State, max_steps=0), "max_steps=0"),
        (lambda: Graph(State, pause_before=["nobody"]).edges((START, draft, END)), "there is no node nobody"),
        (lambda: retry(draft, times=0), "times=0"),
        (lambda: subgraph(Graph(State), mode="all"), "mode='all'"),
        (lambda: node(draft, name="a b"), "is no name for a node"),
        (lambda: node(draft, prompt="x"), "only an agent has a prompt"),
    ],
)
def test_a_bad_definition_is_refused(make: Any, message: str) -> None:
    """State types, reducers, limits and wrappers out of their range are refused with a hint."""
    with pytest.raises(Invalid, match=message) as caught:
        make()
    assert caught.value.code == "graph_invalid"


def test_no_false_alarm_where_branches_never_meet() -> None:
    """Writers of one field that cannot run in one step, or whose field has a reducer, are no conflict."""
    Graph(State).edges((START, left, bare, other, END))
    Graph(State).edges((START, review), (review, {"redo": bare, "ok": other}))
    Graph(State, reducers={"draft": operator.add}).edges((START, [bare, other], END))
    graph = Graph(State).edges((START, left, bare, END), (START, right, loop(left, until=bool, name="l"), other, END))
    assert graph.problems() == []  # bare writes in step 2, other in step 3


@in_loop
async def test_agents_are_nodes() -> None:
    """An agent's prompt is filled from the state, and its output becomes a field; its failure is the graph's."""
    cast = Cast(lambda r: f"on {r.messages[-1].text}")
    graph = Graph(State).edges((START, node(cast.agent("writer"), prompt="{topic}, please", writes="draft"), END))
    ended = await run(graph, "tides")
    assert (ended.output.draft, ended.model_calls) == ("on tides, please", 1)
    cast = Cast(str, fail_at=1)
    graph = Graph(State).edges((START, node(cast.agent("writer"), writes="draft"), END))
    ended = await run(graph)
    assert (ended.status, ended.error.code) == ("failed", "model_bad_request")
    assert "failed" in repr(ended) and "model_bad_request" in repr(ended)


@in_loop
async def test_a_graph_of_agents_conforms() -> None:
    """A graph with agents, also ones that a node's own code runs, keeps what every team keeps."""

    def make(cast: Cast) -> Graph:
        second = cast.agent("second")

        async def calls(state: State) -> dict[str, Any]:
            ended = await second.run(state.draft)
            ended.check()
            return {"notes": [ended.output]}

        first = node(cast.agent("first"), prompt="{topic}", writes="draft")
        graph = Graph(State).edges((START, first, calls, END))
        graph.calls = None
        graph.estimate = lambda: type(Graph.estimate(graph))(2, 2, "two agents")  # type: ignore[method-assign]
        return graph

    await check_team(make, {"topic": "tides"}, lambda r: r.messages[-1].text.upper())


@in_loop
async def test_wrappers() -> None:
    """each runs every item, loop until it holds, retry after errors, subgraph with a state of its own."""
    failures: list[int] = []

    async def item(word: str) -> str:
        return word.upper()

    async def flaky(state: State) -> dict[str, Any]:
        if len(failures) < 2:
            failures.append(1)
            raise OSError("away")
        return {"draft": "there"}

    class Inner(msgspec.Struct):
        words: list[str] = []
        out: list[str] = []

    inner = Graph(Inner, name="inner").edges((START, each(item, over="words", into="out"), END))
    graph = Graph(State).edges(
        (START, loop(draft, until=lambda s: s.rounds == 3, name="thrice"), retry(flaky), left,
         subgraph(inner, input={"words": "notes"}, output={"notes": "out"}), END),
    )  # fmt: skip
    ended = await run(graph)
    assert ended.output == State("", "there", 3, ["left", "LEFT"])


@in_loop
async def test_streaming_shows_each_node() -> None:
    """node_started, node_done with the update, what a node says, and the run last."""

    async def says(state: State, ctx: Any) -> dict[str, Any]:
        ctx.emit({"at": 1})
        return {"draft": "x"}

    seen = []
    async with Runtime(tune_gc=False):
        async for event in Graph(State).edges((START, says, left, END)).stream({}):
            seen.append(getattr(event, "type", "run"))
    wanted = ["node_started", "node_said", "effect_done", "node_done"]
    assert seen == [
        "run_started",
        *wanted,
        "node_started",
        "effect_done",
        "node_done",
        "effect_done",
        "run_done",
        "run",
    ]


@in_loop
async def test_a_node_calls_tools_through_the_gate() -> None:
    """ctx.call passes the gate: an own tool of the graph is granted, a denial beats it."""

    @tool(effect="read")
    async def look(what: str) -> str:
        """Look at something."""
        return what.upper()

    async def looks(state: State, ctx: Any) -> dict[str, Any]:
        return {"draft": await ctx.call("look", what="sea")}

    granted = await run(Graph(State, tools=(look,)).edges((START, looks, END)))
    assert granted.output.draft == "SEA"
    denied = await run(Graph(State, tools=(look,), remit=Remit.deny("tool:look")).edges((START, looks, END)))
    assert (denied.status, denied.error.code) == ("denied", "denied_by_rule")


def test_drawings() -> None:
    """Mermaid and SVG name every node and way, and hold no markup of a name."""
    ways: dict[str, Any] = {"redo": draft, "ok": [left, right]}
    graph = Graph(State).edges((START, draft, review), (review, ways), ([left, right], END))
    text = graph.mermaid()
    assert text.startswith("flowchart TD\n")
    assert 'n1 -- "redo" --> n0' in text
    assert text.count("finish") == 3
    picture = graph.svg()
    assert picture.startswith("<svg ")
    assert all(f">{name}</text>" in picture for name in ("START", "draft", "review", "left", "right", "END"))
    hostile = Graph(dict).edges((START, bare, lambda s: "x", {'<b>"|': END}))
    assert "<b>" not in hostile.svg()
    assert "<b>" not in hostile.mermaid()
    assert '"|' not in hostile.mermaid()
