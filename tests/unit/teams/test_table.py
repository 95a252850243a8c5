"""The table of teams and what can happen to them: every kind of team under every event, and no cell is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from remit.teams import patterns
from remit.teams.crew import Crew, Task
from remit.teams.graph import END, START, Graph, node
from remit.teams.orchestra import Orchestra
from remit.teams.patterns.debate import Debate
from remit.teams.patterns.ensemble import Ensemble
from remit.teams.patterns.map_reduce import MapReduce
from remit.teams.patterns.pipeline import Pipeline, Stage
from remit.teams.patterns.supervisor import Supervisor
from remit.teams.patterns.swarm import Swarm
from remit.testing import team_conformance as conformance
from remit.testing.team_conformance import Cast

TASK: Any = "one\ntwo\nthree\nfour"
Answer = Callable[[Any], str]


def who(request: Any) -> str:
    """The member that is asked."""
    return str(request.messages[0].text.removeprefix("You are ").removesuffix("."))


def echo(request: Any) -> str:
    return f"{who(request)} on {len(request.messages[-1].text)} characters"


def boss(request: Any) -> str:
    """As `echo`; who leads approves, and gives work to b."""
    if who(request) != "boss":
        return echo(request)
    return "b, please" if "Who does this task?" in request.messages[-1].text else "approve"


def pipeline(cast: Cast) -> Any:
    return Pipeline(cast.agent("a"), Stage(cast.agent("b"), "Mend it."), cast.agent("c"))


def map_reduce(cast: Cast) -> Any:
    return MapReduce(cast.agent("m"), cast.agent("r"), chunks=3)


def debate(cast: Cast) -> Any:
    return Debate(
        proponent=cast.agent("p"), opponent=cast.agent("o"), judge=cast.agent("j"), max_rounds=2, agreement=None
    )


def ensemble(cast: Cast) -> Any:
    return Ensemble(cast.agent("a"), cast.agent("b"), cast.agent("c"), agreement=None)


def synthesis(cast: Cast) -> Any:
    members = [cast.agent("a"), cast.agent("b")]
    return Ensemble(members, aggregate="llm_synthesize", synthesizer=cast.agent("s"))


def supervisor(cast: Cast) -> Any:
    return Supervisor(supervisor=cast.agent("boss"), workers=[cast.agent("a"), cast.agent("b")])


def swarm(cast: Cast) -> Any:
    return Swarm(cast.agent("a"), cast.agent("b"), max_iterations=3, agreement=None)


def diamond(cast: Cast, process: str) -> Any:
    tasks = [
        Task("plan", "Plan it.", cast.agent("planner")),
        Task("left", "Left part.", cast.agent("l"), depends_on=("plan",)),
        Task("right", "Right part.", cast.agent("r"), depends_on=("plan",)),
        Task("merge", "Merge.", cast.agent("m"), depends_on=("left", "right"), expected_output="one text"),
    ]
    return Crew(tasks, process=process)


def hierarchy(cast: Cast) -> Any:
    tasks = [Task("one", "First."), Task("two", "Second.", cast.agent("c"), depends_on=("one",))]
    return Crew(tasks, process="hierarchical", manager=cast.agent("boss"), agents=[cast.agent("a"), cast.agent("b")])


def orchestra(cast: Cast) -> Any:
    return Orchestra([cast.agent("a"), cast.agent("b")], conductor=cast.agent("c"), agreement=None)


class State(msgspec.Struct):
    topic: str = ""
    plan: str = ""
    one: str = ""
    two: str = ""
    text: str = ""


def graph(cast: Cast) -> Any:
    first = node(cast.agent("first"), prompt="{topic}", writes="plan")
    left = node(cast.agent("left"), prompt="{plan}", writes="one")
    right = node(cast.agent("right"), prompt="{plan}", writes="two")
    last = node(cast.agent("last"), prompt="{one} {two}", writes="text")
    return Graph(State).edges((START, first), (first, [left, right]), ([left, right], last), (last, END))


TEAMS: dict[str, tuple[Callable[[Cast], Any], Answer]] = {
    "debate": (debate, echo), "ensemble": (ensemble, echo), "map_reduce": (map_reduce, echo),
    "pipeline": (pipeline, echo), "supervisor": (supervisor, boss), "swarm": (swarm, echo),
    "ensemble, synthesis": (synthesis, echo), "crew, dag": (lambda c: diamond(c, "dag"), echo),
    "crew, sequential": (lambda c: diamond(c, "sequential"), echo),
    "crew, parallel": (lambda c: diamond(c, "parallel"), echo), "crew, hierarchical": (hierarchy, boss),
    "orchestra": (orchestra, echo), "graph": (graph, echo),
}  # fmt: skip


async def success(make: Any, answer: Any, calls: int, output: Any) -> None:
    assert calls > 1
    assert output


EVENTS: dict[str, Any] = {
    "success": success,
    "a member fails, at each place": lambda m, a, n, _: conformance.check_failures(*m, a, n),
    "its time is over, at each call": lambda m, a, n, _: conformance.check_timeout(*m, a, n),
    "its budget ends, after each call": lambda m, a, n, _: conformance.check_budget(*m, a, n),
    "it is cancelled, at each call": lambda m, a, n, _: conformance.check_cancellation(*m, a, n),
    "it is denied": lambda m, a, n, _: conformance.check_denial(*m, a),
    "a crash, at each append": lambda m, a, n, output: conformance.check_crashes(*m, a, n, output),
}
CELLS = [(team, event) for team in TEAMS for event in EVENTS]


@pytest.mark.parametrize(("team", "event"), CELLS, ids=lambda name: str(name))
def test_a_cell(team: str, event: str) -> None:
    """The team ends as the event says, keeps what it has, and goes on after a crash without repeating a model call."""
    make, answer = TEAMS[team]

    task = {"topic": TASK} if team == "graph" else TASK

    async def check() -> None:
        calls, output = await conformance.check_success(make, task, answer)
        await EVENTS[event]((make, task), answer, calls, output)

    asyncio.run(check())
    assert (team, event) in CELLS


def test_no_cell_is_missing() -> None:
    """All patterns of the folder stand in the table, and every check of the conformance suite is an event of it."""
    own = [name for name in patterns.names() if name in TEAMS]
    assert own == [name for name in patterns.names()[:6]]
    assert {name.partition(",")[0] for name in TEAMS} >= {"crew", "orchestra", "graph"}
    checks = {name for name in vars(conformance) if name.startswith("check_")} - {"check_team", "check_success"}
    used = {each for event in EVENTS.values() for each in event.__code__.co_names if each.startswith("check_")}
    assert used == checks
    assert len(CELLS) == len(TEAMS) * len(EVENTS) == 13 * 7
