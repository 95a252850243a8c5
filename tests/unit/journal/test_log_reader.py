"""The log in its order, and its decisions: complete, resumable, and nothing hostile stops them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest
from msgspec import Raw

import remit.journal.log_reader as log_reader_module
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
from remit.journal.log_reader import DecisionReader, read_log
from remit.journal.projections.decisions import Decision
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import CountingClock

UNTRUSTED = Label("untrusted", None, ("tool:web_fetch",))
STORY: list[Event] = [
    EffectIntent("k1", "model", "openai:m", "d1"),
    EffectDone("k1", Raw(b'"x"'), usage=None),
    EffectIntent("k2", "tool", "write_file", "d2", "unsafe", {}, ("fs.write:out/x",), UNTRUSTED),
    EffectFailed("k2", "tool_failed", "no luck", label=UNTRUSTED),
    EffectDenied("k3", "shell", "grant", "not_granted", "no grant", "", "d3"),
    EffectDenied("k4", "send", "flow", "flow_denied", "untrusted recipient", "", "d4"),
    WaitOpened("k5", "item", "pay", "d5", "Pay 5?"),
    WaitClosed("k5", "item", "approved", "d5", "ann", "fine"),
    EffectIntent("k5", "tool", "pay", "d5", "unsafe"),
    EffectInDoubt("k5", "doubt", "pay", "d5"),
    EffectResolved("k5", "doubt", "done", "bob", "saw the receipt"),
    Reflected(1, "x", "none"),
    RunResumed(1),
    CancelRequested("ann", "enough"),
    RunDone("cancelled", error={"code": "cancelled"}),
]
EXPECTED = [
    ("agent_lifecycle", "info", "agent:payer", "", "", "started", ""),
    ("llm_request", "info", "agent:payer", "openai:m", "d1", "allow", ""),
    ("llm_response", "info", "agent:payer", "openai:m", "d1", "done", ""),
    ("tool_call", "info", "agent:payer", "write_file", "d2", "allow", ""),
    ("error", "error", "agent:payer", "write_file", "d2", "failed", "tool_failed"),
    ("scope_denied", "warning", "agent:payer", "shell", "d3", "deny", "grant:not_granted"),
    ("security", "critical", "agent:payer", "send", "d4", "deny", "flow:flow_denied"),
    ("approval_decision", "warning", "agent:payer", "pay", "d5", "ask", ""),
    ("approval_decision", "info", "person:ann", "pay", "d5", "approved", ""),
    ("tool_call", "info", "agent:payer", "pay", "d5", "allow", ""),
    ("error", "warning", "agent:payer", "pay", "d5", "in_doubt", ""),
    ("approval_decision", "info", "person:bob", "pay", "d5", "done", ""),
    ("agent_lifecycle", "info", "agent:payer", "", "", "resumed", ""),
    ("agent_lifecycle", "warning", "person:ann", "", "", "cancel", ""),
    ("agent_lifecycle", "warning", "agent:payer", "", "", "cancelled", "cancelled"),
]


def facts(decision: Decision) -> tuple[str, ...]:
    return (
        decision.kind, decision.level, decision.actor, decision.effect, decision.digest, decision.decision,
        decision.rule,
    )  # fmt: skip


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    made = SqliteJournal(tmp_path / "journal.db", CountingClock())

    async def fill() -> None:
        logs = [made.create(f"run_{number}", RunStarted("payer", "pay", remit={"n": number})) for number in range(2)]
        for event in STORY:
            for log in logs:
                log.append(event)
        for log in logs:
            await log.release("cancelled")
        await made.aclose()

    asyncio.run(fill())
    return made


def test_every_decision_and_outcome_is_one_record(journal: SqliteJournal) -> None:
    """Kinds, levels, actors, digests and rules of a run with everything in it, in the log's order."""
    with journal.reading() as connection:
        reader = DecisionReader(connection)
        found = [reader.read(record) for record in read_log(connection, 0, "run_1")]
    decisions = [each for each in found if each is not None]
    assert [facts(each) for each in decisions] == EXPECTED
    failed = decisions[4]
    assert (failed.needs, failed.label, failed.reason, failed.seq) == (("fs.write:out/x",), UNTRUSTED, "no luck", 5)
    assert {each.grant for each in decisions} == {decisions[0].grant}
    assert len(decisions[0].grant) == 16
    assert [each.prev for each in decisions[1:12]] == [each.hash for each in decisions[:11]]


def test_a_cursor_goes_on_where_it_stopped(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any position, with pages of any size and few remembered runs, the rest is the same as in one reading."""
    with journal.reading() as connection:
        reader = DecisionReader(connection)
        whole = [(record.position, reader.read(record)) for record in read_log(connection)]
        assert [position for position, _ in whole] == list(range(1, 33))
        for page, readers, after in ((1, 1, 0), (3, 1, 7), (500, 9, 20), (7, 2, 31), (5, 5, 32)):
            monkeypatch.setattr(log_reader_module, "PAGE", page)
            monkeypatch.setattr(log_reader_module, "MAX_READERS", readers)
            again = DecisionReader(connection)
            assert [(record.position, again.read(record)) for record in read_log(connection, after)] == whole[after:]


def test_what_cannot_be_read_is_said_and_not_raised(journal: SqliteJournal) -> None:
    """A damaged body or one of a newer version is a record of its own; the rest of the run is read."""
    connection = apsw.Connection(journal.path)
    for seq, body in ((3, b"{"), (5, b'{"type":"teleported"}'), (1, b"\xff")):
        connection.execute("UPDATE events SET body = ? WHERE run_id = 'run_0' AND seq = ?", (body, seq))
    connection.close()
    with journal.reading() as reading:
        reader = DecisionReader(reading)
        found = [reader.read(record) for record in read_log(reading, 0, "run_0")]
    decisions = {each.seq: each for each in found if each is not None}
    assert [facts(decisions[seq])[-2:] for seq in (1, 3, 5)] == [
        ("unreadable", "chain_broken"), ("unreadable", "chain_broken"), ("unreadable", "journal_format")
    ]  # fmt: skip
    assert decisions[6].rule == "grant:not_granted"
