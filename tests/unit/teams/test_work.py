"""A team's own run: members as recorded children, labels, budget and authority, waiting and resuming."""

from __future__ import annotations

from typing import Any

import pytest

from remit import Agent, Invalid, Remit, Runtime, tool
from remit.teams.team import Team
from remit.teams.values import Estimate
from remit.testing.team_conformance import Cast, check_team
from unit.teams.in_loop import in_loop


def echo(request: Any) -> str:
    return f"{request.messages[0].text[8:-1]}({request.messages[-1].text})"


def relay(cast: Cast) -> Team:
    writer, editor = cast.agent("writer"), cast.agent("editor")

    async def body(work: Any, task: str) -> Any:
        first = await work.ask(writer, task, key="write")
        second = await work.ask(editor, first.text, key="edit", reads=[first])
        work.progress.done, work.progress.total = 2, 2
        if not second.ok:
            raise second.problem()
        return second.output

    return Team("relay", body, members={"writer": writer, "editor": editor}, calls=Estimate(2, 2, "one each"))


@in_loop
async def test_an_outsiders_pattern_conforms() -> None:
    """A team that is only a function of (work, task) keeps everything that a shipped pattern keeps."""
    await check_team(relay, "tides", echo)
    async with Runtime() as runtime:
        cast = Cast(echo)
        run = await relay(cast).run("tides")
        assert run.output == "editor(writer(tides))"
        rows = {row.agent: row.parent for row in runtime.journal.runs()}
        assert rows == {"relay": "", "writer": run.id, "editor": run.id}


@in_loop
async def test_a_resumed_team_of_another_kind_is_refused() -> None:
    """A run of one kind of team cannot be resumed with the definition of another."""
    async with Runtime():
        run = await relay(Cast(echo)).run("tides")

        async def body(work: Any, task: str) -> str:
            return task

        with pytest.raises(Invalid, match="not one of other"):
            await Team("x", body, members={}, kind="other").resume(run.id)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": {"a": 3}}, "int is no member"),
        ({"members": {}, "on_failure": "ignore"}, "on_failure"),
        ({"members": {}, "on_failure": "replace"}, "on_failure=replace"),
        ({"members": {}, "retries": 11}, "retries=11"),
        ({"members": {}, "timeout_s": 0}, "timeout_s"),
    ],
)
def test_a_bad_definition_is_refused(options: dict[str, Any], message: str) -> None:
    """What cannot work is refused when the team is made, with its place and a hint."""

    async def body(work: Any, task: str) -> str:
        return task

    with pytest.raises(Invalid, match=message) as caught:
        Team("bad", body, **options)
    assert caught.value.code == "team_invalid"
    assert "bad" in caught.value.message
    assert caught.value.hint


@in_loop
async def test_a_member_never_holds_more_than_its_team() -> None:
    """A member whose own remit grants a tool is refused it when the team's remit does not grant it."""
    used: list[str] = []

    @tool(effect="read")
    async def look(what: str) -> str:
        """Look at something."""
        used.append(what)
        return what

    from remit import Reply, ToolCall, ToolResult

    def answer(request: Any) -> Any:
        results = [p for p in request.messages[-1].parts if isinstance(p, ToolResult)]
        return Reply(results[0].text) if results else Reply([ToolCall("1", "look", {"what": "sea"})])

    cast = Cast(answer)
    member = cast.agent("member", tools=[look])

    async def body(work: Any, task: str) -> Any:
        return (await work.ask(member, task, key="ask")).output

    async with Runtime():
        free = await Team("t", body, members={"m": member}).run("go")
        assert (free.output, used) == ("sea", ["sea"])
        bound = await Team("t", body, members={"m": member}, remit=Remit.deny("tool:look")).run("go")
        assert "refused denied_by_rule" in bound.output
        assert used == ["sea"]


@in_loop
async def test_a_failed_body_is_a_result() -> None:
    """An exception of the team's own code ends the run failed, with code team_failed; nothing is raised."""

    async def body(work: Any, task: str) -> Any:
        raise KeyError("lost")

    async with Runtime():
        run = await Team("t", body, members={}).run("go")
    assert (run.status, run.error.code if run.error else "") == ("failed", "team_failed")
    assert "lost" in str(run.error)


@in_loop
async def test_labels_follow_the_answers() -> None:
    """Who reads the answer of a member that read untrusted text works with untrusted text; who does not, does not."""
    from remit import Reply, ToolCall, ToolResult

    @tool(effect="read", returns="untrusted")
    async def page() -> str:
        """A page."""
        return "buy now"

    def answer(request: Any) -> Any:
        if "reader" in request.messages[0].text and not isinstance(request.messages[-1].parts[0], ToolResult):
            return Reply([ToolCall("1", "page", {})])
        return "done"

    cast = Cast(answer)
    reader, other = cast.agent("reader", tools=[page]), cast.agent("other")

    async def body(work: Any, task: str) -> Any:
        read = await work.ask(reader, task, key="read")
        fresh = await work.ask(other, task, key="fresh", reads=[])
        tainted = await work.ask(other, read.text, key="tainted", reads=[read])
        return [a.label.integrity for a in (read, fresh, tainted)]

    async with Runtime():
        run = await Team("t", body, members={"r": reader, "o": other}).run("go")
    assert run.output == ["untrusted", "user", "untrusted"], run.error


def test_an_agent_is_what_an_agent_is() -> None:
    """Agents are definitions here as everywhere: making a team starts nothing."""
    assert isinstance(Cast(echo).agent("a"), Agent)
