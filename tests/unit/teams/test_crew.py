"""Crews: what is done when, what is skipped or blocked, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from remit import Invalid, Runtime
from remit.core.events import WaitClosed
from remit.teams.crew import Condition, Crew, Task
from remit.testing import FakeClock
from remit.testing.crash import CrashJournal
from remit.testing.team_conformance import Cast
from unit.teams.in_loop import in_loop


def who(request: Any) -> str:
    return str(request.messages[0].text.removeprefix("You are ").removesuffix("."))


def echo(request: Any) -> str:
    return f"{who(request)} done"


def diamond(cast: Cast, **options: Any) -> Crew:
    tasks = [
        Task("plan", "Plan it.", cast.agent("planner")),
        Task("left", "Left part.", cast.agent("l"), depends_on=("plan",)),
        Task("right", "Right part.", cast.agent("r"), depends_on=("plan",)),
        Task("merge", "Merge.", cast.agent("m"), depends_on=("left", "right"), expected_output="one text"),
    ]
    return Crew(tasks, **options)


@in_loop
async def test_a_manager_assigns_and_reviews() -> None:
    """A manager assigns what nobody has, and reviews each output."""

    def answer(request: Any) -> str:
        text = request.messages[-1].text
        if who(request) == "manager":
            return "b, please" if "Who does this task?" in text else "approve"
        return echo(request)

    def make(cast: Cast) -> Crew:
        tasks = [Task("one", "First."), Task("two", "Second.", cast.agent("c"), depends_on=("one",))]
        agents = [cast.agent("a"), cast.agent("b")]
        return Crew(tasks, process="hierarchical", manager=cast.agent("manager"), agents=agents)

    cast = Cast(answer)
    async with Runtime(tune_gc=False):
        run = await make(cast).run("A report")
    assert [a.member for a in run.answers] == ["manager", "b", "manager", "c", "manager"]


@in_loop
async def test_each_task_reads_what_it_depends_on() -> None:
    """A task's prompt holds the goal, the outputs of its dependencies and what is expected, and no other output."""
    cast = Cast(echo)
    async with Runtime(tune_gc=False):
        run = await diamond(cast).run("A report")
    asked = {who(r): r.messages[-1].text for r in cast.model.requests}
    assert asked["m"] == (
        "Goal:\nA report\n\nleft:\nl done\n\nright:\nr done\n\nMerge.\n\nExpected:\none text"
    )  # fmt: skip
    assert "left" not in asked["r"]
    assert (run.output, run.stages) == ("m done", "4/4")


@in_loop
async def test_conditions_skips_optional_and_blocked() -> None:
    """A condition that does not hold skips, an optional failure blocks nobody, a required one blocks its dependents."""

    async def classify(_: str) -> str:
        return "Bug"

    async def breaks(_: str) -> str:
        raise ValueError("no")

    async def works(_: str) -> str:
        return "done"

    tasks = [
        Task("kind", agent=classify),
        Task("bug", agent=works, depends_on=("kind",), when=Condition("kind", "eq", "bug")),
        Task("wish", agent=works, depends_on=("kind",), when=Condition("kind", "contains", "wish")),
        Task("after_wish", agent=works, depends_on=("wish",)),
        Task("either", kind="join", depends_on=("bug", "wish"), join="any"),
        Task("nice", agent=breaks, optional=True, retries=0),
        Task("with_nice", agent=works, depends_on=("nice",)),
        Task("must", agent=breaks, retries=0),
        Task("after_must", agent=works, depends_on=("must",)),
    ]
    async with Runtime(tune_gc=False):
        run = await Crew(tasks).run("go")
    assert run.progress.notes["tasks"] == {
        "kind": "done", "bug": "done", "wish": "skipped", "after_wish": "skipped", "either": "done",
        "nice": "failed", "with_nice": "done", "must": "failed", "after_must": "blocked",
    }  # fmt: skip
    assert (run.status, run.error.code if run.error else "") == ("failed", "team_failed")


@pytest.mark.parametrize(
    ("op", "value", "holds"),
    [("eq", 3, True), ("ne", 3, False), ("gt", 2, True), ("lt", 2, False), ("exists", None, True),
     ("contains", 3, False), ("gt", "x", False)],
)  # fmt: skip
def test_conditions(op: str, value: Any, holds: bool) -> None:
    """Six operators; what cannot be compared does not hold."""
    assert Condition("a", op, value).holds({"a": 3}) is holds
    assert Condition("a", "exists").holds({}) is False
    assert Condition("a", "eq", 1, field="n").holds({"a": {"n": 1}}) is True


@in_loop
async def test_at_most_as_many_at_once_as_told() -> None:
    """max_concurrency bounds the tasks under way."""
    import asyncio

    under_way, most = 0, 0

    async def work(_: str) -> str:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return "done"

    async with Runtime(tune_gc=False):
        await Crew([Task(f"t{i}", agent=work) for i in range(9)], max_concurrency=3).run("go")
    assert most == 3


@in_loop
async def test_a_person_is_asked_while_the_others_go_on() -> None:
    """A human_input task parks the crew when everything else is done; its answer goes on to who depends on it."""
    cast = Cast(echo)

    def make() -> Crew:
        return Crew(
            [
                Task("ask", "Which colour?", kind="human_input"),
                Task("free", "Anything.", cast.agent("free")),
                Task("paint", "Paint.", cast.agent("painter"), depends_on=("ask",)),
            ]
        )

    store = CrashJournal(FakeClock())
    async with Runtime(store, tune_gc=False):
        run = await make().run("A house")
        assert (run.status, [a.member for a in run.answers]) == ("waiting", ["free"])
        row = store.inbox()[0]
        await store.answer(row.id, lambda r: WaitClosed(r.key, r.id, "edited", r.digest, "t", "", {"answer": "red"}))
        run = await make().resume(run.id)
    assert (run.status, cast.calls) == ("ok", 2)
    assert "ask:\nred" in cast.model.requests[-1].messages[-1].text


async def nobody(_: str) -> str:
    return ""


@pytest.mark.parametrize(
    ("tasks", "options", "message"),
    [
        ([], {}, "0 tasks"),
        ([Task("a", agent=nobody), Task("a", agent=nobody)], {}, "two tasks have this name"),
        ([Task("a", agent=nobody, depends_on=("b",))], {}, "it depends on 'b', which there is not"),
        ([Task("a", agent=nobody, depends_on=("b",)), Task("b", agent=nobody, depends_on=("a",))], {}, "a -> b -> a"),
        ([Task("a", agent=nobody), Task("b", agent=nobody, when=Condition("a"))], {}, "which need not be done"),
        ([Task("a", agent=nobody, depends_on=("a",), when=Condition("a", "like"))], {}, "when 'like'"),
        ([Task("a", agent=nobody, kind="magic")], {}, "kind='magic'"),
        ([Task("a")], {}, "nobody does it"),
        ([Task("a", agent=3)], {}, "int is no member"),
        ([Task("a", agent=nobody)], {"process": "random"}, "process='random'"),
        ([Task("a", agent=nobody)], {"process": "hierarchical"}, "manager=None"),
        ([Task("a", agent=nobody)], {"max_concurrency": 0}, "max_concurrency=0"),
    ],
)
def test_a_bad_crew_is_refused(tasks: Any, options: Any, message: str) -> None:
    """Names, dependencies, cycles, conditions, agents: refused when the crew is made, with place and hint."""
    with pytest.raises(Invalid, match=message) as caught:
        Crew(tasks, **options)
    assert caught.value.code == "team_invalid"
    assert caught.value.hint
