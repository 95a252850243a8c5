"""Encrypted journal files: which key opens them, conversion both ways, nothing readable on the disk."""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest
from msgspec import Raw

from remit.core.events import EffectDone, EffectIntent, RunDone, RunStarted
from remit.errors import RemitError
from remit.journal import encrypted
from remit.journal.encrypted import PLAIN, AtRest, choose_key, convert, is_encrypted
from remit.journal.open import open_journal
from remit.journal.schema import connect, unlock
from remit.journal.sqlite import SqliteJournal
from remit.testing.clock import FakeClock

MARKER = "marker-of-the-task-4711"
KEY, OTHER = secrets.token_bytes(32), secrets.token_bytes(32)
LOCKED = AtRest((KEY,))


def journal_at(path: Path, at_rest: AtRest = PLAIN) -> SqliteJournal:
    """The journal in `path`."""
    return SqliteJournal(path, FakeClock(), at_rest=at_rest, busy_timeout_ms=200)


async def write_run(journal: SqliteJournal, run_id: str = "run_1", size: int = 10) -> None:
    """A finished run that holds the marker in its task, arguments and result."""
    log = journal.create(run_id, RunStarted("agent", MARKER))
    log.append(EffectIntent("turn/1/call/0", "tool", "t", "ab" * 32, "pure", {"text": MARKER}))
    log.append(EffectDone("turn/1/call/0", Raw(b'"' + (MARKER * size).encode() + b'"')))
    log.append(RunDone("ok", MARKER))
    await log.release("ok")


def written(path: Path, at_rest: AtRest = PLAIN, size: int = 10) -> list[bytes]:
    """Write a run to `path`; returns the stored bodies."""

    async def main() -> list[bytes]:
        journal = journal_at(path, at_rest)
        await write_run(journal, size=size)
        bodies = [entry.body for entry in journal.read("run_1")]
        await journal.aclose()
        return bodies

    return asyncio.run(main())


def read_back(path: Path, at_rest: AtRest = PLAIN) -> list[bytes]:
    """The bodies of run_1, the file verified."""

    async def main() -> list[bytes]:
        journal = journal_at(path, at_rest)
        try:
            assert journal.verify() == []
            return [entry.body for entry in journal.read("run_1")]
        finally:
            await journal.aclose()

    return asyncio.run(main())


def on_disk(folder: Path) -> bytes:
    """Every byte of every file of the folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_an_encrypted_journal_is_a_journal(tmp_path: Path) -> None:
    """What is written under a key is read and verified under it; blobs over 64 KB too."""
    bodies = written(tmp_path / "j.db", LOCKED, size=5000)
    assert read_back(tmp_path / "j.db", LOCKED) == bodies
    assert is_encrypted(str(tmp_path / "j.db"))


def test_nothing_readable_is_on_the_disk(tmp_path: Path) -> None:
    """While the journal is open, neither the file nor its write-ahead log holds the marker; the plain one does."""

    async def open_bytes(folder: Path, at_rest: AtRest) -> tuple[bytes, set[str]]:
        folder.mkdir()
        journal = journal_at(folder / "j.db", at_rest)
        await write_run(journal)
        try:
            return on_disk(folder), {path.name for path in folder.iterdir()}
        finally:
            await journal.aclose()

    locked, names = asyncio.run(open_bytes(tmp_path / "locked", LOCKED))
    plain, _ = asyncio.run(open_bytes(tmp_path / "plain", PLAIN))
    assert "j.db-wal" in names
    assert (MARKER.encode() in locked, b"run_1" in locked, MARKER.encode() in plain) == (False, False, True)


LOCKER = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
try:
    connection.execute("BEGIN EXCLUSIVE")
    print("locked")
except apsw.BusyError:
    print("busy")
"""


def test_looking_at_a_file_keeps_its_locks(tmp_path: Path) -> None:
    """Opening the file again, or asking whether it is encrypted, drops no lock that this process holds on it."""
    path = str(tmp_path / "x.db")
    holder = apsw.Connection(path)  # not sqlite3: another copy of SQLite knows nothing of this one's locks
    holder.execute("CREATE TABLE t (x)")
    holder.execute("BEGIN EXCLUSIVE")

    def other() -> str:
        command = [sys.executable, "-c", LOCKER, path]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    assert is_encrypted(path) is False
    with pytest.raises(RemitError):
        open_journal(f"sqlite:{path}", FakeClock(), lambda: LOCKED)
    assert other() == "busy"
    with open(path, "rb"):
        pass  # what is_encrypted must not do: this drops the lock
    assert other() == "locked"
    holder.close()


@pytest.mark.parametrize(
    ("made", "opened", "code"),
    [
        (LOCKED, PLAIN, "key_missing"),
        (LOCKED, AtRest((OTHER,)), "key_wrong"),
        (PLAIN, LOCKED, "encryption_mismatch"),
    ],
)
def test_file_and_configuration_must_agree(tmp_path: Path, made: AtRest, opened: AtRest, code: str) -> None:
    """Without the key, with a wrong one, or a plain file where encryption is on: one clear error, and no change."""
    path = tmp_path / "j.db"
    written(path, made)
    before = path.read_bytes()
    with pytest.raises(RemitError, match=code):
        journal_at(path, opened)
    assert path.read_bytes() == before


def test_a_retired_key_still_opens(tmp_path: Path) -> None:
    """The keys are tried in order, so a file that no conversion has reached yet stays in use."""
    written(tmp_path / "j.db", LOCKED)
    both = AtRest((OTHER, KEY))
    assert choose_key(str(tmp_path / "j.db"), both.keys, 100) == KEY
    assert read_back(tmp_path / "j.db", both)


def test_keys_are_asked_for_only_when_a_file_is_opened(tmp_path: Path) -> None:
    """`open_journal` calls `at_rest` for a file, and never for a journal in memory."""
    asked: list[int] = []

    def at_rest() -> AtRest:
        asked.append(1)
        return LOCKED

    open_journal("memory:", FakeClock(), at_rest)
    assert asked == []
    journal = open_journal(f"sqlite:{tmp_path / 'j.db'}", FakeClock(), at_rest)
    asyncio.run(journal.aclose())
    assert (asked, is_encrypted(str(tmp_path / "j.db"))) == ([1], True)


@pytest.mark.parametrize("raw", [b"x" * 4096, b"SQLite format 3\0" + bytes(4080), bytes(4096)])
def test_a_file_that_is_no_journal_is_not_called_encrypted(tmp_path: Path, raw: bytes) -> None:
    """Foreign and damaged files keep their own errors."""
    path = tmp_path / "j.db"
    path.write_bytes(raw)
    assert is_encrypted(str(path)) is False
    with pytest.raises(RemitError, match=r"chain_broken|value_invalid"):
        journal_at(path)


def test_missing_and_empty_files_are_new(tmp_path: Path) -> None:
    """A missing and an empty file say nothing about encryption; a folder is disk_failed."""
    (tmp_path / "empty").touch()
    assert (is_encrypted(str(tmp_path / "gone")), is_encrypted(str(tmp_path / "empty"))) == (None, None)
    with pytest.raises(RemitError, match="disk_failed"):
        is_encrypted(str(tmp_path))


@pytest.mark.parametrize(
    ("old", "new"), [(None, KEY), (KEY, None), (KEY, OTHER)], ids=["encrypt", "decrypt", "another key"]
)
def test_conversion_keeps_every_row(tmp_path: Path, old: bytes | None, new: bytes | None) -> None:
    """Encrypting, decrypting and changing the key keep all rows, the chain, the signed log and the mode 0600."""
    path = tmp_path / "j.db"
    bodies = written(path, AtRest((old,)) if old else PLAIN, size=5000)
    told: list[tuple[int, int]] = []
    rows = convert(str(path), old, new, lambda done, total: told.append((done, total)))
    assert told[-1] == (rows, rows)
    assert read_back(path, AtRest((new,)) if new else PLAIN) == bodies
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if new is not None:
        assert MARKER.encode() not in on_disk(tmp_path)


def test_the_old_content_is_overwritten(tmp_path: Path) -> None:
    """Once a plain journal is encrypted, its old content is zeros for whoever still holds it."""
    path = tmp_path / "j.db"
    written(path)
    os.link(path, tmp_path / "kept")
    convert(str(path), None, KEY)
    old = (tmp_path / "kept").read_bytes()
    assert old == bytes(len(old))


def test_a_journal_in_use_is_not_converted(tmp_path: Path) -> None:
    """While somebody has the journal open, in this process or another, conversion is run_active and changes nothing."""
    path = tmp_path / "j.db"
    written(path)

    async def main() -> None:
        journal = journal_at(path)
        await write_run(journal, "run_2")
        with pytest.raises(RemitError, match="run_active"):
            convert(str(path), None, KEY, busy_timeout_ms=50)
        await write_run(journal, "run_3")
        await journal.aclose()

    asyncio.run(main())
    assert is_encrypted(str(path)) is False
    assert sorted(name.name for name in tmp_path.iterdir()) == ["j.db"]


@pytest.mark.parametrize("step", ["_copy_rows", "_replace"])
def test_a_failed_conversion_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """When the copy or the rename fails, the old journal is whole and no half copy is left."""
    path = tmp_path / "j.db"
    bodies = written(path)

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(encrypted, step, fail)
    with pytest.raises(RemitError, match="disk_failed"):
        convert(str(path), None, KEY)
    assert sorted(name.name for name in tmp_path.iterdir()) == ["j.db"]
    assert read_back(path) == bodies


def test_a_left_over_copy_is_in_nobodys_way(tmp_path: Path) -> None:
    """A `.converting` file of a killed conversion is removed by the next one; a link there is not followed."""
    path = tmp_path / "j.db"
    written(path)
    (tmp_path / "other").write_bytes(b"mine")
    os.symlink(tmp_path / "other", tmp_path / "j.db.converting")
    convert(str(path), None, KEY)
    assert (tmp_path / "other").read_bytes() == b"mine"
    assert is_encrypted(str(path))


def test_a_foreign_database_is_not_converted(tmp_path: Path) -> None:
    """Another program's database, and a journal under another key, are refused and stay as they are."""
    foreign = sqlite3.connect(tmp_path / "f.db")
    foreign.execute("CREATE TABLE t (x)")
    foreign.commit()
    foreign.close()
    with pytest.raises(RemitError, match="value_invalid"):
        convert(str(tmp_path / "f.db"), None, KEY)
    written(tmp_path / "j.db", LOCKED)
    with pytest.raises(RemitError, match="chain_broken"):
        convert(str(tmp_path / "j.db"), OTHER, None)
    assert read_back(tmp_path / "j.db", LOCKED)


def test_every_flipped_bit_of_a_page_is_refused(tmp_path: Path) -> None:
    """One flipped bit anywhere in the file, its readable header included, makes opening or verifying fail."""
    path = tmp_path / "j.db"
    written(path, LOCKED)
    connect(str(path), 100, key=KEY).close()  # the last one to close writes the log into the file
    assert [name.name for name in tmp_path.iterdir()] == ["j.db"]
    whole = path.read_bytes()
    bits = [*range(0, 800, 7), *secrets.SystemRandom().sample(range(len(whole) * 8), 60)]
    for bit in bits:
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        assert refuses(path), bit
    path.write_bytes(whole)
    assert not refuses(path)


def refuses(path: Path) -> bool:
    """Whether reading every page of the file fails."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    unlock(connection, KEY)
    try:
        found = connection.pragma("integrity_check")
    except apsw.Error:
        return True
    finally:
        connection.close()
    return bool(found != "ok")
