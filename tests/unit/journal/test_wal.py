"""The write-ahead file: longer than what is written into it, moved by the thread alone, and never the worse for it."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

import remit.journal.wal as wal_module
from remit.core.events import Reflected
from remit.journal.encrypted import PLAIN, AtRest
from remit.journal.schema import CHECKPOINT_PAGES, connect
from remit.journal.sqlite import SqliteJournal
from remit.journal.wal import FRAME_BYTES, FULL_BYTES, HEADER_BYTES, SETTLED, _lengthen
from remit.ports.conformance.journal import STARTED, CountingClock

AT_REST = [PLAIN, AtRest((b"k" * 32,))]


def _alone(path: Path, events: int, look: Callable[[SqliteJournal], None], at_rest: AtRest = PLAIN) -> None:
    """Write events of one run, each waited for, then call `look`."""

    async def case() -> None:
        journal = SqliteJournal(path, CountingClock(), at_rest=at_rest)
        log = journal.create("run_1", STARTED)
        for turn in range(events):
            log.append(Reflected(turn, "none", "none"))
            await log.flush()
        await asyncio.sleep(0.05)
        look(journal)
        await log.release("ok")
        await journal.aclose()

    asyncio.run(case())


@pytest.mark.parametrize("at_rest", AT_REST, ids=["plain", "encrypted"])
def test_zeros_ahead_of_the_commits_are_no_commits(tmp_path: Path, at_rest: AtRest) -> None:
    """The file is longer than its frames by a megabyte; a copy of it as a crash leaves it holds every event, once."""
    path, copy = tmp_path / "journal.db", tmp_path / "copy.db"

    def look(journal: SqliteJournal) -> None:
        wal = journal.writer._wal
        assert wal is not None
        size = os.path.getsize(f"{path}-wal")
        assert size > HEADER_BYTES + wal._frames * FRAME_BYTES
        with open(f"{path}-wal", "rb") as file:
            file.seek(HEADER_BYTES + wal._frames * FRAME_BYTES)
            assert not file.read().strip(b"\0")
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{copy}{end}")

    _alone(path, 60, look, at_rest)
    journal = SqliteJournal(copy, CountingClock(), at_rest=at_rest)
    assert len(journal.read("run_1")) == 61
    assert [problem for problem in journal.verify() if "kept head" not in problem] == []
    asyncio.run(journal.aclose())


def test_a_short_run_adds_no_zeros(tmp_path: Path) -> None:
    """Fewer than 16 commits: the file has the length of its frames."""

    def look(journal: SqliteJournal) -> None:
        wal = journal.writer._wal
        assert wal is not None
        assert os.path.getsize(f"{tmp_path}/journal.db-wal") == HEADER_BYTES + wal._frames * FRAME_BYTES

    _alone(tmp_path / "journal.db", SETTLED - 4, look)


def test_the_file_stays_bounded_and_is_moved_by_the_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 commits with a bound of 200 pages: the frames begin again, and the file grows no further."""
    monkeypatch.setattr(wal_module, "CHECKPOINT_PAGES", 200)
    monkeypatch.setattr(wal_module, "FULL_BYTES", HEADER_BYTES + 330 * FRAME_BYTES)
    path = tmp_path / "journal.db"
    moved: list[int] = []
    original = wal_module.Wal.move

    def move(wal: wal_module.Wal) -> None:
        before = wal._move_at
        original(wal)
        if wal._move_at != before:
            moved.append(wal._frames)

    monkeypatch.setattr(wal_module.Wal, "move", move)

    def look(journal: SqliteJournal) -> None:
        wal = journal.writer._wal
        assert wal is not None
        assert wal._frames < 300
        assert moved
        assert os.path.getsize(f"{path}-wal") <= HEADER_BYTES + 400 * FRAME_BYTES
        assert os.path.getsize(path) > 50_000  # what was moved is in the database

    _alone(path, 300, look)


@pytest.mark.parametrize("reason", ["full", "gone"])
def test_a_file_that_cannot_be_made_longer_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """No room for zeros, or no file where it should be: the events are written all the same."""

    def fail(*_: Any) -> int:
        raise OSError(28, reason)

    monkeypatch.setattr(wal_module, "_lengthen", fail)

    def look(journal: SqliteJournal) -> None:
        assert len(journal.read("run_1")) == 41
        assert journal.verify() == []

    _alone(tmp_path / "journal.db", 40, look)


def test_zeros_appended_in_the_middle_of_commits_overwrite_none(tmp_path: Path) -> None:
    """While two connections commit, the file is made longer without any lock, again and again: every row is there."""
    path = tmp_path / "journal.db"
    asyncio.run(SqliteJournal(path, CountingClock()).aclose())
    connections = [connect(str(path), 10_000) for _ in range(2)]
    connections[0].execute("CREATE TABLE app_rows (n INTEGER PRIMARY KEY, text TEXT)")
    stop = threading.Event()
    lengths: list[int] = []

    def lengthen() -> None:
        while not stop.is_set():
            lengths.append(_lengthen(f"{path}-wal"))

    thread = threading.Thread(target=lengthen)
    thread.start()
    try:
        for number in range(400):
            connections[number % 2].execute("INSERT INTO app_rows VALUES (?, ?)", (number, f"{number}" * 300))
            if number % 100 == 50:
                connections[0].wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
    finally:
        stop.set()
        thread.join()
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{tmp_path}/copy.db{end}")
    copy = apsw.Connection(f"{tmp_path}/copy.db")
    assert copy.execute("SELECT n, text FROM app_rows ORDER BY n").fetchall() == [(n, f"{n}" * 300) for n in range(400)]
    assert copy.pragma("integrity_check") == "ok"
    assert lengths
    for connection in (copy, *connections):
        connection.close()


def test_the_full_length_holds_what_is_written_before_it_is_moved() -> None:
    """The file is made as long as it gets between two moves, not longer."""
    assert FULL_BYTES >= HEADER_BYTES + CHECKPOINT_PAGES * FRAME_BYTES
    assert FULL_BYTES < 18 * 1024 * 1024
