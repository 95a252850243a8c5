"""The loop as playbooks: events in, commands out."""

from __future__ import annotations

from typing import Any

import pytest

from remit.agents import loop
from remit.agents.loop import CallModel, CallTools, Finish, Plan, Replied, Returned, begin, step
from remit.core.messages import Message, Text, ToolCall, ToolResult, as_messages
from remit.core.model import Reply, ToolSpec
from remit.core.output import Output

TASK = as_messages("go")
TOOLS = (ToolSpec("look", "look at something"),)


def call(n: int = 0, **arguments: Any) -> ToolCall:
    return ToolCall(f"c{n}", "look", arguments)


def result(n: int = 0, text: str = "seen") -> ToolResult:
    return ToolResult(f"c{n}", "look", text)


def play(plan: Plan, *events: Replied | Returned) -> list[loop.Command]:
    state, command, _ = begin(plan, TASK)
    commands: list[loop.Command] = [command]
    for event in events:
        state, command, _ = step(state, event)
        commands.append(command)
    return commands


def test_an_answer_ends_the_run() -> None:
    """Task, model, answer: two commands, and the history that the model saw is instructions and task."""
    first, last = play(Plan("be brief"), Replied(Reply("hello")))
    assert isinstance(first, CallModel)
    assert first.key == "turn/1/model"
    assert first.request.messages == (Message("system", (Text("be brief"),)), *TASK)
    assert last == Finish("ok", "hello")


def test_calls_are_acted_on_and_observed() -> None:
    """Calls become one command; their results go back in call order, and the next turn has its own key."""
    calls = (call(0), call(1, at="x"))
    _, act, think, end = play(
        Plan(tools=TOOLS), Replied(Reply(calls)), Returned((result(0), result(1))), Replied(Reply("ok"))
    )
    assert act == CallTools(1, calls)
    assert isinstance(think, CallModel)
    assert think.key == "turn/2/model"
    assert think.request.messages == (
        *TASK, Message("assistant", calls), Message("tool", (result(0), result(1))),
    )  # fmt: skip
    assert end == Finish("ok", "ok")


def test_the_last_turn_forbids_tools_and_then_gives_up() -> None:
    """At max_turns the model is told to answer without tools; calls on that turn end the run as exhausted."""
    commands = play(
        Plan(tools=TOOLS, max_turns=2), Replied(Reply((Text("partly"), call()))), Returned((result(),)),
        Replied(Reply((Text("so far"), call()))),
    )  # fmt: skip
    last_ask, end = commands[2], commands[3]
    assert isinstance(last_ask, CallModel)
    assert last_ask.request.settings.tool_choice == "none"
    assert last_ask.request.messages[-1].text == loop.LAST_TURN
    assert isinstance(end, Finish)
    assert (end.status, end.output, end.error and end.error.code) == ("exhausted", "so far", "turns_exceeded")


def test_a_repeated_call_is_steered_and_then_stopped() -> None:
    """Three identical calls with identical results are steered, five stop the run; the finding says what repeats."""
    state, _, _ = begin(Plan(tools=TOOLS), TASK)
    actions = []
    for _ in range(loop.STOP_AT):
        state, _, _ = step(state, Replied(Reply((call(),))))
        state, command, reflection = step(state, Returned((result(),)))
        actions.append(reflection.action if reflection else "")
    assert actions == ["", "", "steer", "steer", "stop"]
    assert isinstance(command, Finish)
    assert (command.status, command.error and command.error.code) == ("exhausted", "stuck")


def test_a_repeated_call_that_makes_progress_is_left_alone() -> None:
    """Polling a job whose state changes is not a repeat."""
    state, _, _ = begin(Plan(tools=TOOLS), TASK)
    for n in range(8):
        state, _, _ = step(state, Replied(Reply((call(),))))
        state, command, reflection = step(state, Returned((result(text=f"state {n}"),)))
        assert reflection is None
    assert isinstance(command, CallModel)


def test_a_typed_answer_is_asked_again_with_the_place_of_the_mistake() -> None:
    """What does not fit goes back with its path, a bounded number of times; then output_invalid with the raw text."""
    plan = Plan(output=Output(dict[str, int]))
    commands = play(plan, *[Replied(Reply('{"a": "x"}'))] * 4)
    retry = commands[1]
    assert isinstance(retry, CallModel)
    assert retry.key == "turn/1/model/retry/1"
    assert "Expected `int`" in retry.request.messages[-1].text
    end = commands[-1]
    assert isinstance(end, Finish)
    assert (end.status, end.output, end.error and end.error.code) == ("failed", '{"a": "x"}', "output_invalid")
    assert play(plan, Replied(Reply("no")), Replied(Reply('so: {"a": 1}')))[-1] == Finish("ok", {"a": 1})


def test_a_paused_turn_goes_on() -> None:
    """A provider's pause sends the same history back, as a new turn."""
    commands = play(Plan(), Replied(Reply("thinking", "pause")), Replied(Reply("done")))
    assert isinstance(commands[1], CallModel)
    assert commands[1].key == "turn/2/model"
    assert commands[-1] == Finish("ok", "done")


@pytest.mark.parametrize("answered", [0, 1])
def test_an_interrupted_history_is_made_valid(answered: int) -> None:
    """No call stands without a result."""
    history = (*TASK, Message("assistant", (call(0), call(1))))
    if answered:
        history = (*history, Message("tool", (result(0), result(1))))
        assert loop.close_history(history, "cancelled") == history
        return
    closed = loop.close_history(history, "cancelled")
    assert closed[-1] == Message(
        "tool", (ToolResult("c0", "look", "[cancelled]", True), ToolResult("c1", "look", "[cancelled]", True))
    )
