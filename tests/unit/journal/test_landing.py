"""Events of a run alone: durable at once beside the log, in the log soon, and never otherwise than the log would be."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

import remit.journal.landing as landing_module
import remit.journal.writer as writer_module
from remit.core.events import Reflected
from remit.errors import RemitError
from remit.journal.audit import verify_file
from remit.journal.encrypted import PLAIN, AtRest
from remit.journal.landing import LARGEST, MAX_BYTES, has_landed
from remit.journal.pace import Pace
from remit.journal.schema import connect
from remit.journal.signing_key import AuditPlace, SigningKey, default_place
from remit.journal.sqlite import SqliteJournal
from remit.journal.witness import KeptEnd
from remit.ports.conformance.journal import ASKED, STARTED, CountingClock, approve

EVENTS = 5


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that has been fast, and a fold that comes only when somebody needs one."""
    monkeypatch.setattr(Pace, "allowed", True)
    monkeypatch.setattr(Pace, "seen", lambda *_, **__: None)
    monkeypatch.setattr(Pace, "__init__", lambda _: None)
    monkeypatch.setattr(landing_module, "FOLD_S", 60.0)


async def land(journal: SqliteJournal, events: int = EVENTS, run_id: str = "run_0") -> Any:
    """A run with this many landed events."""
    log = journal.create(run_id, STARTED)
    await log.flush()
    for turn in range(events):
        while journal.writer._state != writer_module._IDLE:  # the thread has nothing to do with it
            await asyncio.sleep(0.001)
        log.append(Reflected(turn, "none", "none"))
        await log.flush()
    assert len(journal.writer._landing._own) == events
    return log


def crashed(path: Path, at_rest: AtRest = PLAIN, where: str = "journal.db") -> Path:
    """A journal with landed events as a kill leaves it, in a folder of its own."""
    (path / "live").mkdir()
    found = path / where

    async def case() -> None:
        journal = SqliteJournal(path / "live" / "journal.db", CountingClock(), at_rest=at_rest)
        log = await land(journal)
        for end in ("", "-wal"):
            shutil.copy(f"{path}/live/journal.db{end}", f"{found}{end}")
        end = KeptEnd(journal.audit.folder, str(found)).path
        shutil.copy(KeptEnd(journal.audit.folder, str(path / "live" / "journal.db")).path, end)
        await log.release("ok")
        await journal.aclose()

    asyncio.run(case())
    return found


def alter(path: Path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    for statement in statements:
        connection.execute(statement)
    connection.close()


def problems(path: Path, place: AuditPlace | None = None) -> list[str]:
    """What verify says of the file as it lies there."""
    connection = connect(str(path), 1000, readonly=True)
    found = verify_file(connection, str(path), place or default_place()).problems
    connection.close()
    return found


def run(path: Path, case: Callable[[SqliteJournal], Awaitable[Any]], at_rest: AtRest = PLAIN) -> None:
    async def work() -> None:
        journal = SqliteJournal(path, CountingClock(), at_rest=at_rest)
        try:
            await case(journal)
        finally:
            await journal.aclose()

    asyncio.run(work())


@pytest.mark.parametrize("at_rest", [PLAIN, AtRest((b"k" * 32,))], ids=["plain", "encrypted"])
def test_landed_events_outlive_a_kill(tmp_path: Path, at_rest: AtRest) -> None:
    """Every event that was waited for is there after a kill, signed once the file is opened, and the run goes on."""
    path = crashed(tmp_path, at_rest)

    async def case(journal: SqliteJournal) -> None:
        assert len(journal.read("run_0")) == EVENTS + 1
        assert journal.verify() == []
        log = await journal.activate("run_0")
        await log.release("ok")
        assert len(journal.read("run_0")) == EVENTS + 3
        assert journal.verify() == []

    run(path, case, at_rest)
    connection = connect(str(path), 1000, readonly=True, key=at_rest.keys[0] if at_rest.keys else None)
    assert not has_landed(connection)
    connection.close()


def test_nobody_reads_past_landed_events(tmp_path: Path) -> None:
    """A journal of another process, lists, the chain and a cursor all see them; then they are in the log."""
    path = tmp_path / "journal.db"

    async def case(journal: SqliteJournal) -> None:
        log = await land(journal)
        other = SqliteJournal(path, CountingClock())
        assert [row.events for row in other.runs()] == [EVENTS + 1]
        assert not journal.writer._landing._own or not has_landed(journal.writer._connection)
        for turn in range(3):  # the end of the log is where the other one put it
            log.append(Reflected(turn, "none", "none"))
            await log.flush()
            assert len(other.read("run_0")) == EVENTS + 2 + turn
        with other.reading() as connection:
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (EVENTS + 4,)
        assert journal.verify() == other.verify() == []
        await other.aclose()

    run(path, case)


def test_commits_between_landed_events_keep_one_order(tmp_path: Path) -> None:
    """A second process commits and lands between the first one's events: positions and chains are those of one log."""
    path = tmp_path / "journal.db"

    async def case(journal: SqliteJournal) -> None:
        log = await land(journal)
        other = SqliteJournal(path, CountingClock())
        more = await land(other, 2, "run_1")
        for turn in range(6):
            for each in (log, more, log):
                each.append(Reflected(turn, "none", "none"))
                await each.flush()
        assert journal.verify() == []
        assert [len(journal.read(name)) for name in ("run_0", "run_1")] == [EVENTS + 13, 9]
        await more.release("ok")
        await other.aclose()
        await log.release("ok")
        assert journal.verify() == []

    run(path, case)


def test_whoever_was_fenced_lands_nothing(tmp_path: Path) -> None:
    """The run is taken over while its old holder still has events to land: stale_epoch, and none of them is there."""
    path = tmp_path / "journal.db"

    async def case(journal: SqliteJournal) -> None:
        log = await land(journal)
        other = SqliteJournal(path, CountingClock())
        assert await other.fence("run_0", journal.me)
        log.append(Reflected(99, "late", "late"))
        with pytest.raises(RemitError, match="stale_epoch"):
            await log.flush()
        bodies = [entry.body for entry in other.read("run_0")]
        assert not [body for body in bodies if b"late" in body]
        assert len(bodies) == EVENTS + 2
        assert other.verify() == []
        await other.aclose()

    run(path, case)


def test_only_small_plain_events_are_landed(tmp_path: Path) -> None:
    """Questions, ends, large bodies and many at once go the long way, in order with what was landed before."""
    path = tmp_path / "journal.db"

    async def case(journal: SqliteJournal) -> None:
        log = await land(journal)
        for events in ([Reflected(1, "x" * MAX_BYTES, "none")], [Reflected(1, "", "")] * (LARGEST + 1), [ASKED]):
            log.append(Reflected(0, "", ""))
            await log.flush()
            for event in events:
                log.append(event)
            await log.flush()
            assert not journal.writer._landing._own
        await log.release("waiting")
        await journal.answer("item_1", approve)
        assert journal.verify() == []
        assert len(journal.read("run_0")) == EVENTS + 3 + 1 + LARGEST + 1 + 1 + 2

    run(path, case)


def test_a_process_that_knows_no_landing_may_write_in_between(tmp_path: Path) -> None:
    """An earlier version that had the file open takes the positions of landed events: they come after its own."""
    path = crashed(tmp_path)

    async def older() -> None:
        journal = SqliteJournal(path, CountingClock())
        journal.writer._log.fold = None
        await journal.create("run_1", STARTED).release("waiting")
        journal.writer._landing._own.clear()
        await journal.aclose()

    asyncio.run(older())
    assert problems(path) == []

    async def case(journal: SqliteJournal) -> None:
        assert [len(journal.read(name)) for name in ("run_0", "run_1")] == [EVENTS + 1, 1]
        assert journal.verify() == []

    run(path, case)


def test_a_reader_does_not_wait_long_for_another_transaction(tmp_path: Path) -> None:
    """While somebody holds the file, what the log has is read; afterwards all of it."""
    path = tmp_path / "journal.db"

    async def case(journal: SqliteJournal) -> None:
        await land(journal)
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        assert len(journal.read("run_0")) == 1
        assert time.monotonic() - begun < 5
        other.execute("ROLLBACK")
        other.close()
        assert len(journal.read("run_0")) == EVENTS + 1

    run(path, case)


ALTERED = {
    "body": "UPDATE landed SET body = CAST(replace(CAST(body AS TEXT), 'none', 'gone') AS BLOB) WHERE position = 3",
    "hash": "UPDATE landed SET hash = zeroblob(32) WHERE position = 6",
    "proof": "UPDATE landed SET proof = CAST(substr(proof, 1, 4) || zeroblob(32) AS BLOB) WHERE position = 6",
    "number": "UPDATE landed SET at_ms = at_ms + 1 WHERE position = 6",
    "size": "UPDATE landed SET epoch = -9223372036854775807 WHERE position = 6",
    "added": "INSERT INTO landed SELECT 7, run_id, 7, epoch, at_ms, body, hash, proof FROM landed WHERE position = 6",
    "moved": "UPDATE landed SET run_id = 'run_1' WHERE position = 6",
    "deleted": "DELETE FROM landed WHERE position = 4",
    "first": "DELETE FROM landed WHERE position = 2",
}


@pytest.mark.parametrize("how", ALTERED)
def test_an_altered_landed_event_is_never_signed(tmp_path: Path, how: str) -> None:
    """Who has no key can neither change, add, move nor delete one: verify names it, and no commit takes it in."""
    path = crashed(tmp_path)
    assert problems(path) == []
    alter(path, ALTERED[how])
    assert problems(path)

    async def case(journal: SqliteJournal) -> None:
        with pytest.raises(RemitError, match="chain_broken"):
            await journal.create("run_9", STARTED).flush()
        assert journal.verify()

    run(path, case)


@pytest.mark.parametrize("left", [3, 0])
def test_a_cut_of_the_newest_shows_in_the_kept_end(tmp_path: Path, left: int) -> None:
    """Without the last landed events the file is in itself in order; the copy of the last proof says what was there."""
    path = crashed(tmp_path)
    alter(path, f"DELETE FROM landed WHERE position > {left + 1}")
    assert problems(path) == [f"log: the log was cut: it has {left + 1} records, 6 were written"[5:]]


def test_a_kept_end_that_was_forged_or_is_another_logs_says_nothing(tmp_path: Path) -> None:
    """Only a proof of this log counts: no false alarm of somebody else's making."""
    path = crashed(tmp_path)
    end = Path(KeptEnd(default_place().folder, str(path)).path)
    whole = end.read_bytes()
    alter(path, "DELETE FROM landed")
    assert problems(path)
    for raw in (whole[:39] + bytes([whole[39] ^ 1]) + whole[40:], b"0" * 32 + whole[32:], whole[:50], b""):
        end.write_bytes(raw)
        assert problems(path) == []


def test_without_the_key_landed_events_prove_nothing(tmp_path: Path) -> None:
    """The public key alone says nothing of events that no checkpoint signs: that is a problem, not a pass."""
    path = crashed(tmp_path)
    folder = default_place().folder
    public = tmp_path / "public"
    public.mkdir()
    shutil.copy(f"{folder}/keys.pub", public / "keys.pub")
    assert problems(path, AuditPlace(str(public))) == [
        "log: its newest events are not signed yet, and the key that proves them is not here"
    ]
    assert not (public / "key").exists()


def test_another_key_neither_folds_nor_lands(tmp_path: Path) -> None:
    """Events that were landed with a key are signed with that key; another one is told so, and lands nothing."""
    path = crashed(tmp_path)
    place = AuditPlace(str(tmp_path / "other"))

    async def refused() -> None:
        journal = SqliteJournal(path, CountingClock(), audit=place)
        with pytest.raises(RemitError, match="audit_key"):
            await journal.create("run_9", STARTED).flush()
        await journal.aclose()

    asyncio.run(refused())
    run(path, lambda journal: journal.create("run_8", STARTED).release("ok"))

    async def signed_by_both() -> None:
        journal = SqliteJournal(path, CountingClock(), audit=place)
        log = journal.create("run_9", STARTED)
        await log.flush()
        for turn in range(3):
            log.append(Reflected(turn, "none", "none"))
            await log.flush()
        await journal.aclose()

    asyncio.run(signed_by_both())
    both = AuditPlace(default_place().folder, keys=(*_keys(default_place().folder), *_keys(place.folder)))
    assert problems(path, both) == []


def _keys(folder: str) -> list[str]:
    return Path(folder, "keys.pub").read_text().split()


def test_the_thread_folds_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After FOLD_S of a run that goes quiet, and at MOST rows, though nobody reads or commits."""
    monkeypatch.setattr(landing_module, "FOLD_S", 0.05)

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_0", STARTED)
        await log.flush()
        for turn in range(3):
            log.append(Reflected(turn, "none", "none"))
            await log.flush()
        assert await _is_folded(journal)
        monkeypatch.setattr(landing_module, "FOLD_S", 60.0)
        monkeypatch.setattr(landing_module, "MOST", 4)
        for turn in range(4):
            log.append(Reflected(turn, "none", "none"))
            await log.flush()
        assert await _is_folded(journal)

    run(tmp_path / "journal.db", case)


async def _is_folded(journal: SqliteJournal) -> bool:
    """Whether the table is empty within 20 s."""
    connection = apsw.Connection(journal.path, flags=apsw.SQLITE_OPEN_READONLY)
    deadline = time.monotonic() + 20
    while has_landed(connection) and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    folded = not has_landed(connection)
    connection.close()
    return folded


def test_a_disk_that_fails_fails_the_run_that_lands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk in the middle of a landing: the run accepts nothing more, and what is durable is whole."""

    async def case(journal: SqliteJournal) -> None:
        log = await land(journal)

        def fail(*_: Any) -> bool:
            raise apsw.FullError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(journal.writer._landing, "_insert", fail)
            log.append(Reflected(9, "none", "none"))
            with pytest.raises(RemitError, match="disk_failed"):
                await log.flush()
        assert len(journal.read("run_0")) == EVENTS + 1
        again = await journal.activate("run_0")
        await again.release("ok")
        assert journal.verify() == []

    run(tmp_path / "journal.db", case)


def test_without_a_copy_of_the_end_nothing_more_is_landed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy cannot be written: that event stands, the next one is signed in its commit."""

    async def case(journal: SqliteJournal) -> None:
        log = await land(journal)
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", _fail)
            log.append(Reflected(9, "none", "none"))
            await log.flush()
        log.append(Reflected(10, "none", "none"))
        await log.flush()
        assert journal.writer._landing._own == []
        assert journal.verify() == []

    run(tmp_path / "journal.db", case)


def _fail(*_: Any) -> int:
    raise OSError(28, "full")


def test_a_file_of_format_2_gets_its_table_or_is_read_without(tmp_path: Path) -> None:
    """It is brought forward where it may be written; where not, it is listed and verified as it is."""
    path = tmp_path / "journal.db"
    run(path, lambda journal: journal.create("run_0", STARTED).release("ok"))
    alter(path, "DROP TABLE landed", "UPDATE meta SET value = '2' WHERE key = 'format'")
    assert problems(path) == []

    async def case(journal: SqliteJournal) -> None:
        assert journal.verify() == []
        log = await land(journal, run_id="run_1")
        await log.release("ok")

    run(path, case)
    assert problems(path) == []


def test_a_fold_takes_what_was_given_not_what_lies_in_the_file(tmp_path: Path) -> None:
    """While the process lives, a landed row that somebody altered in the file is put right from memory."""
    path = tmp_path / "journal.db"

    async def case(journal: SqliteJournal) -> None:
        log = await land(journal)
        alter(path, ALTERED["body"])
        await log.release("ok")
        assert journal.verify() == []

    run(path, case)


def test_a_proof_needs_the_seed(tmp_path: Path) -> None:
    """The key of proofs is not in any public file and differs between keys; the same text gives the same proof."""
    one, two = SigningKey(str(tmp_path / "one")), SigningKey(str(tmp_path / "two"))
    assert one.prove(b"text") == SigningKey(str(tmp_path / "one")).prove(b"text")
    assert one.prove(b"text")[:4] == one.id
    assert one.prove(b"text")[4:] != two.prove(b"text")[4:]
    assert one.prove(b"text") != one.prove(b"other")
