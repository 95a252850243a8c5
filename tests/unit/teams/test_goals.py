"""Goals: a planner's answer becomes a plan or is refused, nodes run as it says, failures are planned anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

import remit
from remit import Invalid, Remit, Runtime
from remit.core.events import WaitClosed
from remit.teams.goals import Goal, read_plan
from remit.testing import FakeClock
from remit.testing.crash import CrashJournal
from remit.testing.team_conformance import Cast, check_team
from unit.teams.in_loop import in_loop


def step(name: str, *depends_on: str, scopes: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "task": f"Do {name}.", "depends_on": depends_on, "file_scopes": scopes, **more}


def plan(*nodes: dict[str, Any]) -> str:
    return json.dumps({"title": "T", "nodes": nodes})


def who(request: Any) -> str:
    return str(request.messages[0].text.removeprefix("You are ").removesuffix("."))


def goal(cast: Cast, **options: Any) -> Goal:
    return Goal(cast.agent("planner"), cast.agent("worker"), **{"replanning": "disabled", **options})


def works(request: Any) -> str:
    if who(request) == "planner":
        return f"Here it is:\n```json\n{plan(step('a'), step('b'), step('c', 'a', 'b'))}\n```"
    return "done: " + request.messages[-1].text.rpartition("Your task:\n")[2]


@in_loop
async def test_a_goal_conforms() -> None:
    """Success, failure at each place, budget, cancellation, denial, and a crash at every append."""
    await check_team(goal, "A feature", works)
    async with Runtime(tune_gc=False):
        run = await goal(Cast(works)).run("A feature")
    assert (run.output, run.stages) == ("done: Do c.", "3/3")
    assert list(run.artifacts) == ["a", "b", "c"]


@in_loop
async def test_what_fails_is_planned_anew_around_what_is_done() -> None:
    """Finished nodes are kept and not asked again; the new plan says who goes on; a person may be asked first."""
    asked: list[str] = []

    def answer(request: Any) -> str:
        text = request.messages[-1].text
        if who(request) == "planner":
            return plan(step("c", "a")) if "Failed:" in text else plan(step("a"), step("b", "a"))
        task = text.rpartition("Your task:\n")[2]
        asked.append(task)
        if task == "Do b.":
            raise remit.ModelError("model_bad_request", "no", retryable=False)
        return f"did {task}"

    async with Runtime(tune_gc=False):
        run = await goal(Cast(answer), replanning="auto", retries=0).run("go")
    assert (run.status, run.output) == ("ok", "did Do c.")
    assert asked == ["Do a.", "Do b.", "Do c."]
    asked.clear()
    store = CrashJournal(FakeClock())
    async with Runtime(store, tune_gc=False):
        team = goal(Cast(answer), replanning="human_approved", retries=0)
        run = await team.run("go")
        assert run.status == "waiting"
        row = store.inbox()[0]
        assert [n["id"] for n in row.arguments["plan"]["nodes"]] == ["a", "c"]
        await store.answer(row.id, lambda r: WaitClosed(r.key, r.id, "approved", r.digest, "t"))
        run = await team.resume(run.id)
    assert (run.status, asked) == ("ok", ["Do a.", "Do b.", "Do c."])


@in_loop
async def test_replanning_ends() -> None:
    """At most max_replan times; then the goal has failed, with what was done."""

    def answer(request: Any) -> str:
        if who(request) == "planner":
            number = request.messages[-1].text.count("Failed:")
            return plan(step(f"x{len(request.messages[-1].text)}-{number}"))
        raise remit.ModelError("model_bad_request", "no", retryable=False)

    cast = Cast(answer)
    async with Runtime(tune_gc=False):
        run = await goal(cast, replanning="auto", max_replan=2, retries=0).run("go")
    assert run.status == "failed"
    assert sum(who(r) == "planner" for r in cast.model.requests) == 3


@in_loop
async def test_a_bad_plan_goes_back_once() -> None:
    """The planner hears what is wrong with its answer; a second bad one ends the goal."""
    answers = ["I would start with tests.", plan(step("a"))]

    def answer(request: Any) -> str:
        return answers.pop(0) if who(request) == "planner" else "did it"

    cast = Cast(answer)
    async with Runtime(tune_gc=False):
        run = await goal(cast).run("go")
        assert run.output == "did it"
        assert "Your last answer was refused" in cast.model.requests[1].messages[-1].text
        run = await goal(Cast(lambda r: "no plan")).run("go")
        assert (run.status, run.error.code if run.error else "") == ("failed", "team_invalid")


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([], "0 new nodes"),
        ([step("a"), step("a")], "two nodes have one id"),
        ([step("a", "b")], "it depends on 'b', which there is not"),
        ([step("a", "b"), step("b", "a")], "nodes wait for each other"),
        ([step("a", sandbox_level="microvm")], "this host has no microvm"),
        ([step("a", scopes=("/etc/passwd",))], "the scope '/etc/passwd'"),
        ([step("a", scopes=("../x",))], "the scope '../x'"),
        ([step("a", scopes=("docs/**",))], "the remit does not let it write docs/**"),
        ([step("a", scopes=("src/**",)), step("b", scopes=("src/x.py",))], "both may write src/**"),
        ([step("a", colour="red")], "unknown field"),
        ([{"id": "a"}], "missing required field"),
    ],
)
def test_a_plan_that_may_not_be_is_refused(nodes: Any, message: str) -> None:
    """Ids, dependencies, levels, scopes outside the remit or shared by two at once: place, reason, hint."""
    with pytest.raises(Invalid) as caught:
        read_plan(plan(*nodes), Remit.allow("fs.write:src/**"), ("worktree",))
    assert message in caught.value.message
    assert caught.value.hint


def test_disjoint_or_ordered_scopes_are_fine() -> None:
    """Nodes that write elsewhere, or one after the other, are a plan."""
    allowed = Remit.allow("fs.write:src/**", "fs.write:out.md")
    found = read_plan(plan(step("a", scopes=("src/a/**",)), step("b", scopes=("src/b.py", "out.md")),
                           step("c", "a", "b", scopes=("src/**",))), allowed, ("worktree",))  # fmt: skip
    assert [[n.id for n in layer] for layer in found.layers()] == [["a", "b"], ["c"]]


def test_the_room_names_what_it_holds() -> None:
    """Every public name of remit.teams loads."""
    assert all(getattr(remit.teams, name) is not None for name in remit.teams.__all__)
    with pytest.raises(AttributeError):
        _ = remit.teams.nothing
