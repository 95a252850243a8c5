"""The index that answers the gate on resume: one record a key, later events replacing earlier ones."""

from __future__ import annotations

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
from remit.core.labels import Label
from remit.errors import RemitError
from remit.journal.chain import Tip
from remit.journal.replay import Record, Recorded

K = "turn/1/call/0"
INTENT = EffectIntent(K, "tool", "send_mail", "d1", "unsafe", {"to": "a"})
WAIT = WaitOpened(K, "item_1", "send_mail", "d1", "Send?", {"to": "a"})
CLOSED = WaitClosed(K, "item_1", "approved", "d1", "ann")
DONE = EffectDone(K, Raw(b'"sent"'), Label("untrusted"))
FAILED = EffectFailed(K, "tool_failed", "no", label=Label("tool"))
DENIED = EffectDenied(K, "send_mail", "grant", "not_granted", "no grant", "", "d1", {"to": "a"})
DOUBT = EffectInDoubt(K, "item_2", "send_mail", "d1", {"to": "a"})
BASE = Record(K, "intent", "tool", "send_mail", "d1", "unsafe", {"to": "a"}, attempts=1)


def recorded(*events: Event) -> Recorded:
    tip = Tip("run_1", epoch=1)
    return Recorded([tip.extend(event, at) for at, event in enumerate((RunStarted("a", "t"), *events))])


def with_(**changes: object) -> Record:
    from msgspec.structs import replace

    return replace(BASE, **changes)


@pytest.mark.parametrize(
    ("events", "record"),
    [
        ([INTENT], BASE),
        ([INTENT, DONE], with_(state="done", done=DONE, label=Label("untrusted"))),
        ([INTENT, FAILED], with_(state="failed", failed=FAILED, label=Label("tool"))),
        ([DENIED], Record(K, "denied", "", "send_mail", "d1", "", {"to": "a"}, denied=DENIED)),
        (
            [WAIT],
            Record(K, "waiting", name="send_mail", digest="d1", arguments={"to": "a"}, item="item_1", wait=WAIT),
        ),
        (
            [WAIT, CLOSED],
            Record(K, "waiting", "", "send_mail", "d1", "", {"to": "a"}, item="item_1", wait=WAIT, answer=CLOSED),
        ),
        ([WAIT, CLOSED, INTENT], with_(wait=WAIT, answer=CLOSED)),
        ([INTENT, DOUBT], with_(state="in_doubt", item="item_2")),
        (
            [INTENT, DOUBT, EffectResolved(K, "item_2", "not-done", "ann")],
            with_(state="in_doubt", item="item_2", resolution="not-done"),
        ),
        ([INTENT, DOUBT, EffectResolved(K, "item_2", "retry", "ann"), INTENT], with_(attempts=2)),
        (
            [INTENT, DOUBT, EffectResolved(K, "item_2", "retry", "ann"), INTENT, DONE],
            with_(state="done", done=DONE, label=Label("untrusted"), attempts=2),
        ),
        ([INTENT, FAILED, INTENT, DONE], with_(state="done", done=DONE, label=Label("untrusted"), attempts=2)),
    ],
)
def test_a_key_has_one_record(events: list[Event], record: Record) -> None:
    """The record of a key after each natural course of events, as a whole."""
    assert recorded(*events).get(K) == record


def test_a_new_wait_drops_the_old_answer() -> None:
    """An approval counts once: after a second question the first answer is gone."""
    again = WaitOpened(K, "item_3", "send_mail", "d2", "Send?", {"to": "b"})
    found = recorded(WAIT, CLOSED, again).get(K)
    assert found is not None
    assert (found.answer, found.wait, found.digest, found.item) == (None, again, "d2", "item_3")


def test_the_run_itself_is_known() -> None:
    """Start, cancel request, end, reflections, seq and epoch; keys in order; unknown keys are None."""
    cancel, done, seen = CancelRequested("ann"), RunDone("cancelled"), Reflected(1, "loop", "steer")
    index = recorded(RunResumed(2), INTENT, seen, cancel, done)
    assert index.started == RunStarted("a", "t")
    assert (index.cancel, index.done, index.reflections, index.seq, index.epoch) == (cancel, done, [seen], 6, 1)
    assert [record.key for record in index] == [K]
    assert len(index) == 1
    assert index.get("turn/9/call/9") is None


def test_a_run_without_its_start_is_broken() -> None:
    """No run_started, no resume."""
    with pytest.raises(RemitError, match="chain_broken"):
        _ = Recorded([]).started
