"""Projections: pure folds; folding a prefix and then the rest equals folding all."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from remit.core.events import (
    CancelRequested,
    EffectDenied,
    EffectDone,
    EffectFailed,
    EffectInDoubt,
    EffectIntent,
    EffectResolved,
    Event,
    Reflected,
    RunDone,
    RunResumed,
    RunStarted,
    WaitClosed,
    WaitOpened,
)
from remit.core.labels import USER, Label
from remit.core.messages import Message, Text, ToolCall, ToolResult
from remit.core.model import Reply
from remit.core.usage import Usage
from remit.journal.chain import Tip
from remit.journal.projections import cost, decisions, inbox, run_tree, transcript
from remit.journal.projections.transcript import Step
from remit.ports.journal import Entry, InboxRow

REPLY = Reply((Text("I look."), ToolCall("call_a", "read_file", {"path": "x"}), ToolCall("call_b", "shell", {})))
UNTRUSTED = Label("untrusted")


def raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))


def entries(run_id: str, *events: Event, start_ms: int = 100) -> list[Entry]:
    tip = Tip(run_id, epoch=1)
    return [tip.extend(event, start_ms + at) for at, event in enumerate(events)]


LONG: list[Event] = [
    RunStarted("analyst", "count"),
    EffectIntent("turn/1/model", "model", "openai:m", "d0", "pure", 1),
    EffectDone("turn/1/model", raw(REPLY), USER, Usage(10, 2, 0, 5), 700, 12),
    EffectIntent("turn/1/call/0", "tool", "read_file", "d1", "pure", {"path": "x"}),
    EffectDone("turn/1/call/0", raw("text of x"), UNTRUSTED, duration_ms=3),
    EffectDenied("turn/1/call/1", "shell", "grant", "not_granted", "no grant covers it", "add it", "d2", {}),
    Reflected(1, "one call was refused", "none"),
    WaitOpened("turn/2/call/0", "item_1", "send_mail", "d3", "Send it?", {"to": "a"}),
    WaitClosed("turn/2/call/0", "item_1", "edited", "d3", "ann", "safer", {"to": "b"}),
    EffectIntent("turn/2/call/0", "tool", "send_mail", "d4", "unsafe", {"to": "b"}),
    RunResumed(2),
    EffectInDoubt("turn/2/call/0", "item_2", "send_mail", "d4", {"to": "b"}),
    EffectResolved("turn/2/call/0", "item_2", "not-done", "ann", "mailbox is empty"),
    EffectIntent("turn/2/model", "model", "openai:m", "d5", "pure", 3),
    EffectFailed("turn/2/model", "model_timeout", "too slow", "try later", True, duration_ms=9),
    CancelRequested("ann"),
    RunDone("cancelled", None, {"code": "stuck", "message": "gave up"}),
]


def test_a_transcript_shows_phase_decision_and_reason() -> None:
    """One step an event: what was thought, done, refused, asked, answered, doubted, and how it ended."""
    steps = transcript.fold(transcript.EMPTY, entries("run_1", *LONG)).steps
    shown = [(step.phase, step.name, step.decision, step.reason, step.text) for step in steps]
    assert shown == [
        ("run", "analyst", "started", "", "count"),
        ("think", "openai:m", "allowed", "", ""),
        ("think", "openai:m", "", "", "I look."),
        ("act", "read_file", "allowed", "", ""),
        ("observe", "read_file", "", "", "text of x"),
        ("act", "shell", "denied", "grant: no grant covers it", ""),
        ("reflect", "", "none", "", "one call was refused"),
        ("act", "send_mail", "asked", "Send it?", ""),
        ("act", "send_mail", "edited", "ann: safer", ""),
        ("act", "send_mail", "allowed", "", ""),
        ("run", "", "resumed", "epoch 2", ""),
        ("observe", "send_mail", "in_doubt", "nobody can say whether it happened", ""),
        ("observe", "send_mail", "resolved", "ann: mailbox is empty", "not-done"),
        ("think", "openai:m", "allowed", "", ""),
        ("observe", "openai:m", "failed", "model_timeout: too slow", ""),
        ("run", "", "cancel", "ann", ""),
        ("run", "", "cancelled", "stuck: gave up", ""),
    ]
    assert steps[2] == Step(
        3, 102, "think", "turn/1/model", "openai:m", text="I look.", label=USER, cost_nano=700, duration_ms=12
    )


def test_a_transcript_rebuilds_the_messages() -> None:
    """Task, reply and tool results come back as messages; results carry the provider's call ids."""
    messages = transcript.fold(transcript.EMPTY, entries("run_1", *LONG)).messages
    assert messages == (
        Message("user", (Text("count"),), USER),
        Message("assistant", REPLY.parts, USER),
        Message("tool", (ToolResult("call_a", "read_file", "text of x"),), UNTRUSTED),
        Message("tool", (ToolResult("call_b", "shell", "error not_granted: grant: no grant covers it", True),)),
    )


def test_costs_are_summed_and_unknown_stays_unknown() -> None:
    """Per run, model and agent; a call without a price makes its sums None but not the others."""
    done = EffectDone("k2", raw(Reply((Text("x"),))), USER, Usage(1, 0, 0, 1), None, 5)
    other = [RunStarted("writer", "t"), EffectIntent("k2", "model", "local:l", "d", "pure", 1), done]
    state = cost.fold(cost.EMPTY, entries("run_1", *LONG) + entries("run_2", *other))
    priced = cost.Cost(Usage(10, 2, 0, 5), 1, 1, 0, 700, 21)
    unpriced = cost.Cost(Usage(1, 0, 0, 1), 1, 0, 1, 0, 5)
    assert state.runs == {"run_1": priced, "run_2": unpriced}
    assert state.models == {"openai:m": priced, "local:l": unpriced}
    assert state.agents == {"analyst": priced, "writer": unpriced}
    assert (state.runs["run_1"].nano, state.runs["run_2"].nano, state.total.nano) == (700, None, None)
    assert state.total == priced + unpriced
    assert state.open_calls("run_1") == 0


def test_an_interrupted_model_call_is_counted() -> None:
    """A call that began and has no outcome may have cost money: open_calls says so."""
    state = cost.fold(cost.EMPTY, entries("run_1", *LONG[:2]))
    assert (state.open_calls("run_1"), state.total) == (1, cost.NOTHING)


def test_the_tree_knows_parents_children_and_states() -> None:
    """Roots, children and depth, also when a child is seen before its parent or names itself."""
    parent = entries("run_p", RunStarted("boss", "t"), WaitOpened("k", "i", "t", "d", "q"))
    child = entries("run_c", RunStarted("a", "t", parent="run_p"), RunResumed(2), RunDone("ok"), Reflected(1, "", ""))
    odd = entries("run_o", RunStarted("a", "t", parent="run_o"))
    tree = run_tree.fold(run_tree.EMPTY, child + parent + odd)
    walk = [(depth, node.run_id, node.status) for depth, node in tree.walk()]
    assert walk == [(0, "run_p", "waiting"), (1, "run_c", "ok"), (0, "run_o", "running")]
    assert [node.run_id for node in tree.children("run_p")] == ["run_c"]
    assert tree.nodes["run_c"] == run_tree.Node("run_c", "a", "t", "run_p", "ok", 100, 103, 4, 1, ())
    assert tree.nodes["run_p"].questions == ("i",)


def test_a_loop_of_parents_ends() -> None:
    """Runs that name each other as parents (a forged journal) are walked once."""
    one, two = RunStarted("a", "t", parent="run_2"), RunStarted("a", "t", parent="run_1")
    tree = run_tree.fold(run_tree.EMPTY, entries("run_1", one) + entries("run_2", two))
    assert [node.run_id for _, node in tree.walk("run_1")] == ["run_1", "run_2"]


def test_the_inbox_closes_with_answers_and_with_the_run() -> None:
    """Open rows oldest first; answers and the run's end close; another run cannot touch an item."""
    asked = entries("run_1", RunStarted("a", "t"), *LONG[7:8], EffectInDoubt("k", "item_2", "w", "d"))
    thief = entries("run_2", RunStarted("a", "t"), WaitClosed("turn/2/call/0", "item_1", "approved", "d3", "thief"))
    state = inbox.fold(inbox.EMPTY, asked + thief)
    first = InboxRow("item_1", "approval", "run_1", "send_mail", {"to": "a"}, "turn/2/call/0", "d3", "Send it?", 101)
    assert state.waiting() == [first, InboxRow("item_2", "in_doubt", "run_1", "w", None, "k", "d", "", 102)]
    tip = Tip("run_1", epoch=1, seq=3, last=asked[-1].hash)
    closed = inbox.fold(state, [tip.extend(LONG[8], 103)])
    assert [row.id for row in closed.waiting()] == ["item_2"]
    assert closed.items["item_1"] == inbox.Item(first, False, "edited", "ann")
    ended = inbox.fold(closed, [tip.extend(RunDone("ok"), 104)])
    assert ended.waiting() == []
    assert len(state.waiting()) == 2  # an old state is never changed


@pytest.mark.parametrize(
    "projection", [cost, decisions, inbox, run_tree, transcript], ids=lambda module: module.__name__
)
def test_a_prefix_and_the_rest_equal_all(projection: Any) -> None:
    """For every cut (and many interleavings of runs) fold(fold(EMPTY, a), b) == fold(EMPTY, a + b)."""
    rng = random.Random(3)
    for _ in range(20):
        streams = [
            entries(f"run_{number}", *LONG) for number in range(1 if projection in (decisions, transcript) else 3)
        ]
        mixed = []
        while any(streams):
            mixed.append(rng.choice([stream for stream in streams if stream]).pop(0))
        whole = projection.fold(projection.EMPTY, mixed)
        for cut in range(0, len(mixed) + 1, 3):
            prefix = projection.fold(projection.EMPTY, mixed[:cut])
            before = repr(prefix)
            assert projection.fold(prefix, mixed[cut:]) == whole
            assert repr(prefix) == before
