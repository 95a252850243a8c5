"""Sealed contents: what the journal stores, who reads it, and what an erasure leaves."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
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
from remit.guard.keys import KeyRing
from remit.guard.keys_sources import LocalKey
from remit.guard.subjects import Subjects
from remit.journal.chain import decode_event, encode_event
from remit.journal.encrypted import AtRest
from remit.journal.replay import Recorded
from remit.journal.sealed import PUBLIC, RunSeal, Sealing, box_of, stand_in
from remit.journal.sqlite import SqliteJournal
from remit.testing.clock import FakeClock

KEK = secrets.token_bytes(32)
MARK = "marker-4711"
# One of each kind, every text field that may hold contents with the marker in it.
EVENTS: list[Any] = [
    RunStarted(
        "agent", MARK, "m:x", {"instructions": MARK}, {"grants": [MARK]}, {}, f"/w/{MARK}", "", "ann.of.the.eleventh"
    ),
    RunResumed(2),
    EffectIntent(
        "k", "tool", "t", "ab" * 32, "unsafe", {"x": MARK}, (f"fs.read:{MARK}",), Label("tool", (MARK,), (MARK,))
    ),
    EffectDone("k", Raw(f'{{"text":"{MARK}"}}'.encode()), Label("untrusted"), None, 5, 7, (f"net:GET {MARK}",)),
    EffectFailed("k", "tool_failed", MARK, MARK, True, Label("untrusted"), 3),
    EffectDenied("k", "t", "grant", "not_granted", MARK, MARK, "ab" * 32, {"x": MARK}),
    WaitOpened("k2", "item_1", "t", "ab" * 32, MARK, {"x": MARK}),
    WaitClosed("k2", "item_1", "edited", "ab" * 32, "me", MARK, {"x": MARK}),
    EffectInDoubt("k3", "item_2", "t", "ab" * 32, {"x": MARK}),
    EffectResolved("k3", "item_2", "done", "me", MARK),
    Reflected(1, MARK, "warn"),
    CancelRequested("me", MARK),
    RunDone("failed", MARK, {"code": "x", "message": MARK}),
]


def subjects_in(folder: Path, sealing: bool = True) -> Subjects:
    """Subjects of a ring in `folder`."""
    ring = KeyRing(str(folder / "state"), str(folder / "config" / "anchor"), lambda _: LocalKey(KEK))
    return Subjects(ring, str(folder / "state"), sealing=sealing)


def with_journal(folder: Path, work: Callable[[SqliteJournal], Awaitable[Any]], at_rest: AtRest | None = None) -> Any:
    """Run `work` on a journal with sealed contents (the file itself is plain, so that a test can look into it)."""

    async def main() -> Any:
        journal = SqliteJournal(folder / "j.db", FakeClock(), at_rest=at_rest or AtRest((), subjects_in(folder)))
        try:
            return await work(journal)
        finally:
            await journal.aclose()

    return asyncio.run(main())


async def write_all(journal: SqliteJournal, run_id: str = "run_1", subject: str = "ann.of.the.eleventh") -> list[Event]:
    """Every kind of event in one run; returns them."""
    events = [msgspec.structs.replace(EVENTS[0], subject=subject), *EVENTS[2:]]
    log = journal.create(run_id, events[0])
    for event in events[1:]:
        log.append(event)
    await log.release("failed")
    return events


def stored_bodies(folder: Path) -> list[bytes]:
    """What the table holds."""
    connection = apsw.Connection(str(folder / "j.db"), flags=apsw.SQLITE_OPEN_READONLY)
    rows: Any = connection.execute("SELECT coalesce(e.body, b.data) FROM events e LEFT JOIN blobs b ON b.hash = e.blob")
    found = [bytes(body) for (body,) in rows]
    connection.close()
    return found


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_kind_of_event_seals_opens_and_erases(tmp_path: Path, event: Any) -> None:
    """No content is left in the stored body; it opens to an equal event; without the key it still decodes."""
    subjects = subjects_in(tmp_path)
    seal = RunSeal(subjects, subjects.subject("ann.of.the.eleventh"), "run_1")
    body = encode_event(event)
    stored = seal(4, body)
    assert MARK.encode() not in stored
    assert (b"ab" * 32) not in stored
    sealing = Sealing(subjects)
    assert encode_event(decode_event(sealing.opened("run_1", 4, stored))) == body
    for text, seen in (("[sealed]", stand_in(stored)), ("[erased]", erased(subjects, sealing, stored))):
        shown = decode_event(seen)
        assert type(shown) is type(event)
        for field in msgspec.structs.fields(type(event)):
            value, real = getattr(shown, field.name), getattr(event, field.name)
            if field.name in PUBLIC:
                assert value == real
            elif isinstance(real, str):
                assert value == text
        assert getattr(shown, "label", Label("untrusted")).integrity == "untrusted"


def erased(subjects: Subjects, sealing: Sealing, stored: bytes) -> bytes:
    """What `stored` reads after the subject was erased."""
    subjects.erase("ann.of.the.eleventh")
    return sealing.opened("run_1", 4, stored)


@pytest.mark.parametrize("kind", Event.__args__, ids=lambda kind: kind.__name__)
def test_a_stand_in_of_every_kind_decodes(kind: Any) -> None:
    """Whatever fields a kind of event has or gets, it decodes without its key: nothing sealed breaks verification."""
    samples = {str: "x", int: 1, bool: True, float: 1.0}
    public = {
        field.name: samples[field.type]
        for field in msgspec.structs.fields(kind)
        if field.name in PUBLIC and field.required
    }
    sealed = {"subject": "0" * 32, "data": "AAAA"}
    body = msgspec.json.encode({"type": kind.__struct_config__.tag, **public, "sealed": sealed})
    assert type(decode_event(stand_in(body))) is kind


def test_a_body_opens_in_its_own_place(tmp_path: Path) -> None:
    """Contents moved to another seq, another run or another subject are record_altered."""
    subjects = subjects_in(tmp_path)
    ann, bob = subjects.subject("ann.of.the.eleventh"), subjects.subject("bob")
    stored = RunSeal(subjects, ann, "run_1")(4, encode_event(EVENTS[0]))
    sealing = Sealing(subjects)
    for run_id, seq, body in (
        ("run_1", 5, stored),
        ("run_2", 4, stored),
        ("run_1", 4, stored.replace(ann.encode(), bob.encode())),
    ):
        with pytest.raises(RemitError, match="record_altered"):
            sealing.opened(run_id, seq, body)


def test_a_journal_stores_no_contents(tmp_path: Path) -> None:
    """Tables, list and inbox of the file hold no content; whoever has the key reads every event as it was."""
    events = with_journal(tmp_path, write_all)
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("j.db*"))
    assert MARK.encode() not in raw
    assert b"ann.of.the.eleventh" not in raw

    async def look(journal: SqliteJournal) -> None:
        assert [decode_event(entry.body) for entry in journal.read("run_1")] == events
        assert (journal.verify(), journal.runs()[0].task) == ([], MARK)

    with_journal(tmp_path, look)


def test_without_the_key_a_run_is_verified_and_not_read(tmp_path: Path) -> None:
    """A journal opened without keys verifies, lists `[sealed]`, and refuses to fold a sealed run (key_missing)."""
    with_journal(tmp_path, write_all)

    async def look(journal: SqliteJournal) -> None:
        assert (journal.verify(), journal.runs()[0].task) == ([], "[sealed]")
        with pytest.raises(RemitError, match="key_missing"):
            Recorded(journal.read("run_1"))

    with_journal(tmp_path, look, AtRest())


def test_a_question_is_asked_and_answered_sealed(tmp_path: Path) -> None:
    """The inbox shows the real arguments, the answer is sealed too, and the run goes on under the same subject."""

    async def work(journal: SqliteJournal) -> None:
        log = journal.create("run_1", EVENTS[0])
        log.append(EVENTS[6])
        await log.release("waiting")
        (row,) = journal.inbox()
        assert (row.arguments, row.question, row.digest) == ({"x": MARK}, MARK, "ab" * 32)
        await journal.answer("item_1", lambda row: WaitClosed(row.key, row.id, "approved", row.digest, "me", MARK))
        again = await journal.activate("run_1")
        again.append(RunDone("ok", MARK))
        await again.release("ok")
        recorded = Recorded(journal.read("run_1"))
        assert recorded.done == RunDone("ok", MARK)
        assert journal.verify() == []

    with_journal(tmp_path, work)
    boxes = [box_of(body) for body in stored_bodies(tmp_path)]
    assert len({box.subject for box in boxes if box is not None}) == 1
    assert MARK.encode() not in b"".join(stored_bodies(tmp_path))


def test_erasing_a_subject_leaves_a_valid_chain(tmp_path: Path) -> None:
    """After the erasure the subject's runs read `[erased]` and cannot go on; chain, list and others are intact."""

    async def before(journal: SqliteJournal) -> None:
        await write_all(journal, "run_1", "ann.of.the.eleventh")
        await write_all_of_bob(journal)
        log = journal.create("run_3", msgspec.structs.replace(EVENTS[0], subject="ann.of.the.eleventh"))
        await log.release("waiting")

    async def write_all_of_bob(journal: SqliteJournal) -> None:
        log = journal.create("run_2", msgspec.structs.replace(EVENTS[0], subject="bob"))
        await log.release("waiting")

    with_journal(tmp_path, before)
    hashes = stored_bodies(tmp_path)
    subjects_in(tmp_path).erase("ann.of.the.eleventh")

    async def after(journal: SqliteJournal) -> None:
        assert journal.verify() == []
        assert {row.run_id: row.task for row in journal.runs()} == {
            "run_1": "[erased]",
            "run_2": MARK,
            "run_3": "[erased]",
        }
        assert MARK.encode() not in b"".join(entry.body for entry in journal.read("run_1"))
        with pytest.raises(RemitError, match="key_destroyed"):
            await journal.activate("run_3")
        await (await journal.activate("run_2")).release("waiting")
        with pytest.raises(RemitError, match="key_destroyed"):
            journal.create("run_4", msgspec.structs.replace(EVENTS[0], subject="ann.of.the.eleventh"))

    with_journal(tmp_path, after)
    assert stored_bodies(tmp_path)[: len(hashes)] == hashes


def test_a_started_run_inherits_the_subject(tmp_path: Path) -> None:
    """A sub-agent's run is sealed for its parent's subject, unless it names its own."""

    async def work(journal: SqliteJournal) -> None:
        parent = journal.create("run_1", EVENTS[0])
        child = journal.create("run_2", RunStarted("child", MARK, parent="run_1"))
        own = journal.create("run_3", RunStarted("child", MARK, parent="run_1", subject="bob"))
        for log in (child, own, parent):
            await log.release("waiting")

    with_journal(tmp_path, work)
    subjects_in(tmp_path).erase("ann.of.the.eleventh")

    async def look(journal: SqliteJournal) -> None:
        tasks = {row.run_id: row.task for row in journal.runs()}
        assert tasks == {"run_1": "[erased]", "run_2": "[erased]", "run_3": MARK}

    with_journal(tmp_path, look)


def test_a_sealed_run_stays_sealed_when_sealing_is_turned_off(tmp_path: Path) -> None:
    """A run that began sealed goes on sealed; new runs are plain; both read as they were written."""
    with_journal(tmp_path, lambda journal: journal.create("run_1", EVENTS[0]).release("waiting"))
    off = AtRest((), subjects_in(tmp_path, sealing=False))

    async def work(journal: SqliteJournal) -> None:
        log = await journal.activate("run_1")
        log.append(RunDone("ok", MARK))
        await log.release("ok")
        await journal.create("run_2", RunStarted("a", "plain task")).release("waiting")
        assert decode_event(journal.read("run_1")[-1].body) == RunDone("ok", MARK)

    with_journal(tmp_path, work, off)
    raw = b"".join(stored_bodies(tmp_path))
    assert (MARK.encode() in raw, b"plain task" in raw) == (False, True)


def test_large_contents_go_to_blobs_sealed(tmp_path: Path) -> None:
    """A result over 64 KB is sealed before it becomes a blob; one too large once sealed is refused."""

    async def work(journal: SqliteJournal) -> None:
        log = journal.create("run_1", EVENTS[0])
        log.append(EffectDone("k", Raw(b'"' + MARK.encode() * 20_000 + b'"')))
        with pytest.raises(RemitError, match="value_invalid"):
            log.append(EffectDone("k", Raw(b'"' + b"x" * (25 * 1024 * 1024) + b'"')))
        await log.release("waiting")
        assert len(journal.read("run_1")[1].body) > 200_000
        assert journal.verify() == []

    with_journal(tmp_path, work)
    assert MARK.encode() not in b"".join(stored_bodies(tmp_path))


def test_what_looks_sealed_inside_contents_is_not(tmp_path: Path) -> None:
    """Arguments that imitate a sealed part are contents: they come back as they were."""
    event = EffectIntent("k", "tool", "t", "ab" * 32, arguments={"sealed": {"subject": "0" * 32, "data": "AAAA"}})
    body = encode_event(event)
    assert (box_of(body), stand_in(body)) == (None, body)

    async def work(journal: SqliteJournal) -> None:
        log = journal.create("run_1", EVENTS[0])
        log.append(event)
        await log.release("waiting")
        assert decode_event(journal.read("run_1")[1].body) == event

    with_journal(tmp_path, work)


@given(st.binary(max_size=60), st.binary(max_size=30))
def test_hostile_boxes_are_refused(before: bytes, inside: bytes) -> None:
    """Whatever stands where a sealed part should be, only record_altered is raised, and nothing hangs."""
    for body in (before + b'"sealed":{' + inside, b'{"type":"run_done","sealed":{' + inside + b"}}"):
        for read in (box_of, stand_in):
            try:
                read(body)
            except RemitError as error:
                assert error.code == "record_altered"
