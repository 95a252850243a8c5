"""The loop of an agent as a pure step function: events in, commands out. No I/O, no clock, no tasks.

    begin(plan, task)  -> State, CallModel
    step(State, Replied)   -> State, CallTools | CallModel (ask again) | Finish
    step(State, Returned)  -> State, CallModel | Finish

Think is CallModel, Act is CallTools, Observe is Returned, Reflect is the repeat check between
them. The last turn forbids tools and asks for the best answer so far. Any state can stop: the
history it leaves is valid, because a call never stands without a result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct, structs

from remit.core.messages import Message, Text, ToolCall, ToolResult
from remit.core.model import DEFAULT_SETTINGS, ModelRequest, Reply, Settings, ToolSpec
from remit.core.output import NO_OUTPUT, Output, OutputError
from remit.errors import Exhausted, Invalid, RemitError

if TYPE_CHECKING:
    from remit.core.label_file import LabelFile

DEFAULT_TURNS: Final = 10
OUTPUT_RETRIES: Final = 3  # Source: spec/models.md 12
STEER_AT: Final = 3  # identical calls with identical results; Source: spec/reasoning.md 6
STOP_AT: Final = 5

_encode: Final = msgspec.json.Encoder().encode
LAST_TURN: Final = "This is your last turn: no more tools. Give the best answer you can with what you have."


class Plan(Struct, frozen=True):
    """What does not change during a run."""

    instructions: str = ""
    tools: tuple[ToolSpec, ...] = ()
    output: Output = NO_OUTPUT
    settings: Settings = DEFAULT_SETTINGS
    max_turns: int = DEFAULT_TURNS
    model: str = ""
    labels: LabelFile | None = None
    """what the tools' fields and arguments mean; None = labels are kept for the context as a whole"""
    conceal: bool = False
    """whether the model gets handles in place of untrusted fields"""


class State(Struct, frozen=True):
    """Where a run stands."""

    plan: Plan
    messages: tuple[Message, ...]
    turn: int = 1
    output_tries: int = 0
    repeats: int = 1
    last: tuple[Any, ...] = ()
    """(name, arguments, result) of the last turn's calls, for the repeat check"""


class CallModel(Struct, frozen=True):
    """Think: ask the model."""

    key: str
    request: ModelRequest


class CallTools(Struct, frozen=True):
    """Act: do these calls; their keys are `turn/N/call/I`."""

    turn: int
    calls: tuple[ToolCall, ...]


class Finish(Struct, frozen=True):
    """The run ends."""

    status: str
    """ok | failed | exhausted"""
    output: Any = None
    error: RemitError | None = None


class Reflection(Struct, frozen=True):
    """What the repeat check saw and did."""

    finding: str
    action: str
    """warn | steer | stop"""


Command = CallModel | CallTools | Finish


class Replied(Struct, frozen=True):
    """The model answered."""

    reply: Reply


class Returned(Struct, frozen=True):
    """All calls of the turn have results, in call order."""

    results: tuple[ToolResult, ...]


Step = tuple[State, Command, Reflection | None]


def begin(plan: Plan, messages: tuple[Message, ...]) -> Step:
    """The first state and command."""
    if plan.instructions:
        messages = (Message("system", (Text(plan.instructions),)), *messages)
    return _ask(State(plan, messages))


def resumed(state: State) -> Step:
    """Go on at the beginning of a turn, as the step before it would have."""
    return _ask(state)


def step(state: State, event: Replied | Returned) -> Step:
    """The next state and command."""
    if type(event) is Replied:
        return _on_reply(state, event.reply)
    assert type(event) is Returned
    return _on_results(state, event.results)


def _ask(state: State, reflection: Reflection | None = None) -> Step:
    plan = state.plan
    settings = plan.settings
    messages = state.messages
    if state.turn >= plan.max_turns and plan.max_turns > 1 and plan.tools:
        settings = structs.replace(settings, tool_choice="none")
        messages = (*messages, Message("user", (Text(LAST_TURN),)))
    output = plan.output.spec
    key = f"turn/{state.turn}/model"
    if state.output_tries:
        key = f"{key}/retry/{state.output_tries}"
        if output is not None:
            output = structs.replace(output, temperature=state.output_tries / 10)
    request = ModelRequest(messages, plan.tools, output, settings, plan.model)
    return state, CallModel(key, request), reflection


def _on_reply(state: State, reply: Reply) -> Step:
    said = Message("assistant", reply.parts)
    state = structs.replace(state, messages=(*state.messages, said))
    calls = reply.tool_calls
    if calls:
        if state.turn >= state.plan.max_turns:
            error = Exhausted("turns_exceeded", f"no answer within {state.plan.max_turns} turns")
            return state, Finish("exhausted", reply.text or None, error), None
        return state, CallTools(state.turn, calls), None
    if reply.stop_reason == "pause":
        # The provider paused a long turn of its own; the same messages go back and it continues.
        if state.turn >= state.plan.max_turns:
            error = Exhausted("turns_exceeded", f"no answer within {state.plan.max_turns} turns")
            return state, Finish("exhausted", reply.text or None, error), None
        return _ask(structs.replace(state, turn=state.turn + 1))
    try:
        return state, Finish("ok", state.plan.output.decode(reply.text)), None
    except OutputError as e:
        return _again(state, reply, e)


def _again(state: State, reply: Reply, problem: OutputError) -> Step:
    """The answer does not fit its type: say where, and ask again a bounded number of times."""
    if state.output_tries >= OUTPUT_RETRIES:
        error = Invalid("output_invalid", f"no valid answer in {OUTPUT_RETRIES + 1} tries: {problem}")
        return state, Finish("failed", reply.text or None, error), None
    feedback = f"Your answer does not fit the asked type: {problem}. Answer again with only the corrected JSON."
    return _ask(
        structs.replace(
            state,
            messages=(*state.messages, Message("user", (Text(feedback),))),
            output_tries=state.output_tries + 1,
        )
    )


def _on_results(state: State, results: tuple[ToolResult, ...]) -> Step:
    calls = [p for p in state.messages[-1].parts if type(p) is ToolCall]
    seen = tuple([(c.name, _encode(c.arguments), r.text) for c, r in zip(calls, results, strict=True)])
    repeats = state.repeats + 1 if seen == state.last else 1
    messages = (*state.messages, Message("tool", results))
    reflection = None
    if repeats >= STEER_AT:
        finding = f"the same call of {seen[0][0]} returned the same result {repeats} times"
        if repeats >= STOP_AT:
            stuck = structs.replace(state, messages=messages, repeats=repeats, last=seen)
            return stuck, Finish("exhausted", None, Exhausted("stuck", finding)), Reflection(finding, "stop")
        reflection = Reflection(finding, "steer")
        steer = f"Note: {finding}. Repeating it will not help. Do something else, or give your answer."
        messages = (*messages, Message("user", (Text(steer),)))
    return _ask(
        structs.replace(state, messages=messages, turn=state.turn + 1, repeats=repeats, last=seen, output_tries=0),
        reflection,
    )


def close_history(messages: tuple[Message, ...], reason: str) -> tuple[Message, ...]:
    """A valid history of an interrupted one: calls that have no result get one that says so."""
    if not messages or messages[-1].role != "assistant":
        return messages
    left = [p for p in messages[-1].parts if type(p) is ToolCall]  # nothing follows that could answer them
    if not left:
        return messages
    results = tuple(ToolResult(c.id, c.name, f"[{reason}]", True) for c in left)
    return (*messages, Message("tool", results))
