"""ScriptedModel: strict order, both sides in an error, nothing left over."""

from __future__ import annotations

import asyncio

import pytest

from remit import Agent, Message, ModelRequest, Reply, Runtime, Text, ToolCall, ToolSpec, tool
from remit.core.messages import ToolResult
from remit.core.model import StreamEnd, TextDelta, ToolCallDelta
from remit.errors import ModelError
from remit.testing import FakeClock, ScriptedModel, Step


def ask(text: str, *tools: str) -> ModelRequest:
    """A request with one user message."""
    return ModelRequest((Message("user", (Text(text),)),), tuple(ToolSpec(name) for name in tools))


def test_steps_are_answered_in_order_whatever_their_form() -> None:
    """A string, a part, a list of parts and a Reply each become the reply of their turn."""
    call = ToolCall("1", "add", {"a": 1})
    model = ScriptedModel(["one", call, [Text("two"), call], Reply("three", model="given")])

    async def replies() -> list[Reply]:
        return [await model.request(ask("x")) for _ in range(4)]

    assert asyncio.run(replies()) == [
        Reply("one", model="model"),
        Reply(call, "tool_use", model="model"),
        Reply([Text("two"), call], "tool_use", model="model"),
        Reply("three", model="given"),
    ]
    model.done()
    assert model.left == 0


def test_a_request_after_the_script_shows_both_sides() -> None:
    """A request too many raises model_script with what was expected and what came, and is not retryable."""
    model = ScriptedModel("only")
    asyncio.run(model.request(ask("first")))
    with pytest.raises(ModelError) as caught:
        asyncio.run(model.request(ask("second", "add")))
    assert caught.value.for_user() == {
        "code": "model_script",
        "message": "scripted:model: the script expects no request after its 1 steps; the request has 1 messages, "
        "the last (user) says 'second', tools: add",
        "hint": "The scripted model got a request that its script does not expect.",
        "retryable": False,
    }


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Step("a", contains="cat"), "a last message that says 'cat'"),
        (Step("a", messages=2), "2 messages"),
        (Step("a", tools=("mul",)), "the tools mul"),
        (Step("a", where=lambda request: False), "a request for which <lambda> holds"),
    ],
)
def test_a_step_that_expects_another_request_is_not_used(step: Step, expected: str) -> None:
    """Each kind of expectation refuses a request that differs, and the step stays for the right one."""
    model = ScriptedModel(step)
    with pytest.raises(ModelError, match="at step 1 " + expected.replace("(", r"\(")):
        asyncio.run(model.request(ask("dog", "add")))
    assert model.left == 1


def test_expectations_see_tool_results() -> None:
    """`contains` looks at tool results of the last message too."""
    model = ScriptedModel(Step("ok", contains="42", messages=1, tools=()))
    request = ModelRequest((Message("tool", (ToolResult("1", "add", "it is 42"),)),))
    assert asyncio.run(model.request(request)).text == "ok"


def test_done_names_the_next_unused_step() -> None:
    """A script that was not used up fails, with the answer that nobody asked for."""
    with pytest.raises(ModelError, match="2 of 2 steps were not used; the next answers 'a'"):
        ScriptedModel("a", "b").done()


def test_an_exception_is_a_step() -> None:
    """A step may be an error; the next request goes on with the next step."""
    model = ScriptedModel(ModelError("model_timeout", "slow", retryable=True), "ok")
    with pytest.raises(ModelError, match="model_timeout"):
        asyncio.run(model.request(ask("x")))
    assert asyncio.run(model.request(ask("x"))).text == "ok"


def test_the_stream_folds_to_the_same_reply() -> None:
    """Deltas join to the reply's text and arguments, and the last event holds the reply."""
    parts = [Text("a text of some length"), ToolCall("7", "add", {"a": [1, 2, 3], "b": "x"})]

    async def events() -> list[object]:
        return [event async for event in ScriptedModel([parts]).stream(ask("x"))]

    found = asyncio.run(events())
    assert "".join(e.text for e in found if isinstance(e, TextDelta)) == "a text of some length"
    calls = [e for e in found if isinstance(e, ToolCallDelta)]
    assert (calls[0].id, calls[0].name) == ("7", "add")
    assert "".join(e.arguments for e in calls) == '{"a":[1,2,3],"b":"x"}'
    assert found[-1] == StreamEnd(Reply(parts, model="model"))


def test_a_retry_takes_the_next_step_in_a_real_run() -> None:
    """Under the real loop a retryable error of the script is retried after a wait of the fake clock."""
    clock = FakeClock()
    model = ScriptedModel(ModelError("model_overloaded", "busy", retryable=True), ToolCall("1", "add", {"a": 2}), "4")

    @tool(effect="read")
    def add(a: int) -> int:
        """Double."""
        return a + a

    async def main() -> object:
        async with Runtime(clock=clock) as runtime:
            run = await runtime.run(Agent("a", model=model, tools=[add]), "go")
            return run.status, run.output, run.tool_calls

    assert asyncio.run(main()) == ("ok", "4", 1)
    model.done()
    assert len(clock.slept) == 1
    assert 0 <= clock.slept[0] <= 1
