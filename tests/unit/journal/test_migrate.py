"""A file of an earlier format becomes one of today's, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest

import remit.journal.migrate as migrate_module
from remit.core.events import Reflected
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import ASKED, STARTED, CountingClock

OLD_EVENTS = """CREATE TABLE events (
        run_id TEXT NOT NULL, seq INTEGER NOT NULL, epoch INTEGER NOT NULL, at_ms INTEGER NOT NULL,
        body BLOB, blob BLOB, hash BLOB NOT NULL,
        PRIMARY KEY (run_id, seq), CHECK ((body IS NULL) <> (blob IS NULL))) STRICT"""


async def _fill(path: Path) -> None:
    journal = SqliteJournal(path, CountingClock())
    logs = [journal.create(f"run_{number}", STARTED) for number in range(3)]
    for turn in range(200):
        for number, log in enumerate(logs):
            log.append(Reflected(turn, "x" * (70_000 if turn == number else 3), "none"))
        if turn % 50 == 0:
            await asyncio.gather(*[log.flush() for log in logs])
    logs[0].append(ASKED)
    for log in logs:
        await log.release("waiting")
    await journal.aclose()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A journal as format 1 wrote it."""
    path = tmp_path / "journal.db"
    asyncio.run(_fill(path))
    connection = apsw.Connection(str(path))
    columns = "run_id, seq, epoch, at_ms, body, blob, hash"
    for statement in (
        "DROP INDEX events_blob",
        f"CREATE TEMP TABLE kept AS SELECT {columns} FROM events ORDER BY position",
        *("DROP TABLE events", "DROP TABLE checkpoints", "DROP TABLE rotations", "DROP TABLE landed", OLD_EVENTS),
        "CREATE INDEX events_blob ON events (blob) WHERE blob IS NOT NULL",
        f"INSERT INTO events ({columns}) SELECT {columns} FROM kept ORDER BY rowid",
        "DELETE FROM meta WHERE key = 'log'",
        "UPDATE meta SET value = '1' WHERE key = 'format'",
    ):
        connection.execute(statement)
    connection.close()
    shutil.rmtree(Path(os.environ["REMIT_STATE_DIR"], "audit"))  # format 1 knew no checkpoints
    return path


def events(path: Path) -> list[Any]:
    connection = apsw.Connection(str(path))
    found = connection.execute(
        "SELECT run_id, seq, epoch, at_ms, body, blob, hash FROM events ORDER BY rowid"
    ).fetchall()
    connection.close()
    return found


def test_an_old_file_is_brought_forward(old: Path) -> None:
    """Every event stays as it is and in order, is signed, verifies, and the runs go on."""
    before = events(old)

    async def work() -> None:
        journal = SqliteJournal(old, CountingClock())
        assert journal.verify() == []
        log = await journal.activate("run_1")
        await log.release("ok")
        assert journal.verify() == []
        await journal.aclose()

    asyncio.run(work())
    assert events(old)[: len(before)] == before


def test_a_failure_leaves_the_old_file(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the middle rolls everything back; the next start does it again."""
    before = events(old)

    def fails(_: Any) -> Any:
        raise RuntimeError("killed here")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(migrate_module, "_batches", fails)
        with pytest.raises(RuntimeError):
            SqliteJournal(old, CountingClock())
    connection = apsw.Connection(str(old))
    assert connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("1",)
    connection.close()
    assert events(old) == before
    journal = SqliteJournal(old, CountingClock())
    assert journal.verify() == []
    asyncio.run(journal.aclose())


def test_two_at_once_do_it_once(old: Path) -> None:
    """A second process that opens the file meanwhile finds it done."""
    first, second = SqliteJournal(old, CountingClock()), SqliteJournal(old, CountingClock())
    assert first.verify() == second.verify() == []
    asyncio.run(first.aclose())
    asyncio.run(second.aclose())
    assert len(events(old)) == 604
