"""Replay: after a crash the journal answers; what it cannot answer is never done again silently."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.gate.harness import House

from remit.core.effects import Done, Failed, Refused, Waiting, measure_arguments
from remit.core.events import EffectDone, EffectIntent, EffectResolved, Event, WaitClosed
from remit.core.messages import ToolCall
from remit.core.tools import Tool
from remit.errors import NonDeterminism
from remit.journal.replay import Recorded

KEY = "turn/1/call/0"
RAN: list[int] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    RAN.clear()


def pay(amount: int) -> str:
    """Pay."""
    RAN.append(amount)
    return "paid"


def resume(tool: Tool, first: House, *extra: Event) -> House:
    """A new process: a new gate with what the first one journalled, and `extra` events behind it."""
    for event in extra:
        first.scope.log.append(event)
    second = House(tool)
    second.scope.recorded = Recorded(first.journal.read("run_1"))
    return second


def interrupted(tool: Tool, amount: int = 5) -> House:
    """A first process that died between intent and outcome."""
    house = House(tool)
    digest = measure_arguments(tool.name, {"amount": amount})[1]
    house.scope.log.append(EffectIntent(KEY, "tool", tool.name, digest, tool.tier, {"amount": amount}))
    return house


@pytest.mark.parametrize(
    ("effect", "runs_again"), [("read", True), ("idempotent", True), ("unsafe", False), ("write", False)]
)
def test_an_interrupted_effect_follows_its_tier(effect: str, runs_again: bool) -> None:
    """Pure and idempotent run again; everything else is in doubt, shown in the inbox, and not done."""
    tool = Tool(pay, effect=effect)
    house = resume(tool, interrupted(tool))
    outcome = house.call("pay", amount=5)
    assert (isinstance(outcome, Done), RAN) == (runs_again, [5] if runs_again else [])
    if not runs_again:
        assert isinstance(outcome, Waiting)
        assert (outcome.kind, house.kinds) == ("in_doubt", ["effect_in_doubt"])
        assert [row.kind for row in house.journal.inbox()] == ["in_doubt"]


def test_a_finished_effect_is_read_not_repeated() -> None:
    """Done, failed and refused come back from the journal with their labels; the body does not run."""
    tool = Tool(pay)
    first = House(tool)
    first.call("pay", amount=5)
    RAN.clear()
    again = resume(tool, first).call("pay", amount=5)
    assert isinstance(again, Done)
    assert (again.value, again.replayed, RAN) == ("paid", True, [])

    def breaks(amount: int) -> str:
        RAN.append(amount)
        raise ValueError("no")

    broken = Tool(breaks)
    first = House(broken)
    first.call("breaks", amount=1)
    RAN.clear()
    failed = resume(broken, first).call("breaks", amount=1)
    assert isinstance(failed, Failed)
    assert (failed.error.code, RAN) == ("tool_failed", [])


def test_other_code_than_before_is_nondeterminism_with_both_sides() -> None:
    """Another call under the same key raises, and the message shows what the journal holds and what was asked."""
    tool = Tool(pay)
    first = House(tool)
    first.call("pay", amount=5)
    with pytest.raises(NonDeterminism, match=r"journal holds pay .* asks for pay"):
        resume(tool, first).call("pay", amount=6)


@pytest.mark.parametrize(("resolution", "ran"), [("done", []), ("not-done", [5]), ("retry", [5])])
def test_a_person_resolves_the_doubt(resolution: str, ran: list[int]) -> None:
    """done is believed and nothing runs; not-done and retry run it once."""
    tool = Tool(pay)
    first = resume(tool, interrupted(tool))
    waiting = first.call("pay", amount=5)
    assert isinstance(waiting, Waiting)
    house = resume(tool, first, EffectResolved(KEY, waiting.item, resolution, "ann"))
    assert isinstance(house.call("pay", amount=5), Done)
    assert ran == RAN


@pytest.mark.parametrize(
    ("verdict", "ran", "kind"), [("done", [], Done), ("not-done", [5], Done), ("unknown", [], Waiting)]
)
def test_a_tool_may_reconcile_itself(verdict: str, ran: list[int], kind: type) -> None:
    """The tool's own look at the world decides; where it cannot tell, a person does."""
    seen: list[Any] = []

    def reconcile(ctx: Any, amount: int) -> str:
        seen.append(amount)
        return verdict

    tool = Tool(pay, reconcile=reconcile)
    outcome = resume(tool, interrupted(tool)).call("pay", amount=5)
    assert (type(outcome), ran, seen) == (kind, RAN, [5])


def test_an_approval_given_while_parked_counts_once_for_its_digest() -> None:
    """The answer in the journal lets exactly the asked call through; an answer for other arguments does not."""
    tool = Tool(pay)
    first = House(tool)
    first.taint()
    waiting = first.call("pay", amount=5)
    assert isinstance(waiting, Waiting)
    digest = measure_arguments("pay", {"amount": 5})[1]
    house = resume(tool, first, WaitClosed(KEY, waiting.item, "approved", digest, "ann"))
    house.taint()
    assert isinstance(house.call("pay", amount=5), Done)
    assert RAN == [5]
    forged = House(tool)
    forged.taint()
    other = forged.call("pay", amount=5)
    assert isinstance(other, Waiting)
    house = resume(tool, forged, WaitClosed(KEY, other.item, "approved", "0" * 64, "mallory"))
    house.taint()
    assert isinstance(house.call("pay", amount=5), Waiting)
    assert RAN == [5]


def test_an_edit_given_while_parked_runs_the_edited_call() -> None:
    """The edited arguments replace the model's, also when the process dies once more after the intent."""
    tool = Tool(pay)
    first = House(tool)
    first.taint()
    waiting = first.call("pay", amount=500)
    assert isinstance(waiting, Waiting)
    edited = {"amount": 1}
    answer = WaitClosed(KEY, waiting.item, "edited", measure_arguments("pay", edited)[1], "ann", "", edited)
    house = resume(tool, first, answer)
    house.taint()
    assert isinstance(house.call("pay", amount=500), Done)
    assert RAN == [1]


def test_a_question_stays_the_same_until_it_is_answered() -> None:
    """Resuming without an answer waits for the same item; it does not ask twice."""
    tool = Tool(pay)
    first = House(tool)
    first.taint()
    waiting = first.call("pay", amount=5)
    house = resume(tool, first)
    house.taint()
    assert (house.call("pay", amount=5), house.kinds) == (waiting, [])


def test_a_refusal_is_remembered() -> None:
    """What was refused before the crash is refused the same way after it."""
    first = House(Tool(pay))
    outcome = first.call("other", amount=5)
    house = resume(Tool(pay), first)
    assert isinstance(outcome, Refused)
    assert house.call("other", amount=5) == outcome


def test_a_missing_journal_entry_means_run() -> None:
    """A key that the journal does not know is performed normally."""
    tool = Tool(pay)
    first = House(tool)
    house = resume(tool, first)
    assert isinstance(house.call("pay", "turn/9/call/0", amount=3), Done)
    assert RAN == [3]
    assert isinstance(house.events[-1], EffectDone)
    assert asyncio.run(house.gate.call_tool("turn/9/call/1", ToolCall("c", "pay", {"amount": 4}), house.scope))
