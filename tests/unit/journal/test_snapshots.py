"""The file of snapshots: its own parts come back, everything else is none, and nothing in it outlives its reason."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import apsw
import pytest

import remit.journal.snapshots as snapshots_module
from remit.errors import Invalid
from remit.guard.keys import KeyRing
from remit.guard.keys_sources import LocalKey
from remit.guard.subjects import Subjects
from remit.journal.encrypted import convert
from remit.journal.signing_key import SigningKey
from remit.journal.snapshots import Parts, Place, Snapshots
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import STARTED, CountingClock

CODE = b"c" * 32
FIRST, SECOND = Place("run_1", 200, b"1" * 32, CODE), Place("run_1", 400, b"2" * 32, CODE)


def store(folder: Path, key: bytes | None = None, payloads: Any = None, signing: str = "audit") -> Snapshots:
    """The snapshots of a journal in `folder`."""
    return Snapshots(str(folder / "j.db"), key, SigningKey(str(folder / signing)).sign, payloads)


def two(folder: Path, **options: Any) -> Snapshots:
    """With two parts of one run, and one of another."""
    made = store(folder, **options)
    after = made.add(FIRST, b"first", "", b"")
    assert made.add(SECOND, b"second", "", after)
    assert made.add(Place("run_2", 300, b"3" * 32, CODE), b"other", "", b"")
    return made


def test_parts_come_back_in_order(tmp_path: Path) -> None:
    """Also in another process: the place of the last one, all bodies, and what the next part is added to."""
    made = two(tmp_path)
    found = made.read("run_1")
    assert found is not None
    assert (found.place, found.bodies) == (SECOND, (b"first", b"second"))
    third = Place("run_1", 600, b"4" * 32, CODE)
    assert made.add(third, b"third", "", found.digest)
    made.close()
    again = store(tmp_path)
    found = again.read("run_1")
    assert found is not None
    assert (found.place, found.bodies) == (third, (b"first", b"second", b"third"))
    assert again.read("run_3") is None
    again.close()


def test_a_part_that_says_all_replaces_the_others(tmp_path: Path) -> None:
    """Without a part before it, older ones of the run go; other runs keep theirs."""
    made = two(tmp_path)
    whole = Place("run_1", 800, b"5" * 32, CODE)
    after = made.add(whole, b"all", "", b"")
    assert made.read("run_1") == Parts(whole, (b"all",), after)
    assert made.read("run_2") is not None
    made.drop("run_1", "run_9")
    assert made.read("run_1") is None
    assert made.read("run_2") is not None
    made.close()


CHANGES = {
    "body": "UPDATE snapshots SET body = CAST('Second' AS BLOB) WHERE run_id = 'run_1' AND seq = 400",
    "first body": "UPDATE snapshots SET body = CAST('First' AS BLOB) WHERE run_id = 'run_1' AND seq = 200",
    "hash": "UPDATE snapshots SET hash = zeroblob(32) WHERE run_id = 'run_1' AND seq = 400",
    "code": "UPDATE snapshots SET code = zeroblob(32) WHERE run_id = 'run_1' AND seq = 400",
    "seq": "UPDATE snapshots SET seq = 401 WHERE run_id = 'run_1' AND seq = 400",
    "subject": "UPDATE snapshots SET subject = 'x' WHERE run_id = 'run_1'",
    "signature": "UPDATE snapshots SET signature = zeroblob(68) WHERE run_id = 'run_1' AND seq = 400",
    "a signature before": "UPDATE snapshots SET signature = (SELECT signature FROM snapshots WHERE seq = 200)"
    " WHERE run_id = 'run_1'",
    "first subject": "UPDATE snapshots SET subject = 'x' WHERE run_id = 'run_1' AND seq = 200",
    "first seq": "UPDATE snapshots SET seq = 201 WHERE run_id = 'run_1' AND seq = 200",
    "long": "UPDATE snapshots SET code = zeroblob(70000) WHERE run_id = 'run_1' AND seq = 400",
    "a part less": "DELETE FROM snapshots WHERE run_id = 'run_1' AND seq = 200",
    "another run's": "UPDATE snapshots SET run_id = 'run_1' WHERE run_id = 'run_2'",
    "twice": "INSERT INTO snapshots SELECT run_id, 500, hash, code, subject, body, signature FROM snapshots"
    " WHERE seq = 400",
    "moved": "UPDATE snapshots SET run_id = 'run_3' WHERE run_id = 'run_1'",
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_altered_is_no_snapshot(tmp_path: Path, change: str) -> None:
    """Whoever can write the file, but has not the key, makes nobody believe anything."""
    two(tmp_path).close()
    connection = apsw.Connection(str(tmp_path / "j.db-snapshots"))
    connection.execute(CHANGES[change])
    connection.close()
    made = store(tmp_path)
    assert made.read("run_1") is None
    assert made.read("run_3") is None
    after = made.add(FIRST, b"new", "", b"")  # and the run goes on with new ones
    assert made.read("run_1") == Parts(FIRST, (b"new",), after)
    made.close()


def test_another_key_signs_nothing_here(tmp_path: Path) -> None:
    """Parts that somebody signed with a key of their own."""
    two(tmp_path, signing="elsewhere").close()
    made = store(tmp_path)
    assert made.read("run_1") is None
    made.close()


def test_the_last_part_missing_is_an_earlier_snapshot(tmp_path: Path) -> None:
    """A cut end leaves what was true before."""
    two(tmp_path).close()
    connection = apsw.Connection(str(tmp_path / "j.db-snapshots"))
    connection.execute("DELETE FROM snapshots WHERE seq = 400")
    connection.close()
    made = store(tmp_path)
    found = made.read("run_1")
    assert found is not None
    assert (found.place, found.bodies) == (FIRST, (b"first",))
    made.close()


OTHER_TABLES = {
    "columns": "CREATE TABLE snapshots (run_id, seq, hash, code, subject, body, signature)",
    "text": "CREATE TABLE snapshots (run_id TEXT)",
    "more": "CREATE TABLE others (x)",
    "a view": "CREATE VIEW snapshots AS SELECT 'run_1' AS run_id, 1 AS seq, 2 AS hash, 3 AS code, 4 AS subject",
}


@pytest.mark.parametrize("kind", OTHER_TABLES)
def test_another_schema_is_no_file_of_snapshots(tmp_path: Path, kind: str) -> None:
    """A table that takes other types, a view: the file makes place for a new one."""
    if kind == "more":
        two(tmp_path).close()
    connection = apsw.Connection(str(tmp_path / "j.db-snapshots"))
    connection.execute(OTHER_TABLES[kind])
    if kind == "columns":
        connection.execute("INSERT INTO snapshots VALUES ('run_1', 200, 'text', 'text', 1, 'text', 'text')")
    connection.close()
    made = store(tmp_path)
    assert made.read("run_1") is None
    assert made.add(FIRST, b"first", "", b"")
    assert made.read("run_1") is not None
    made.close()


def test_text_that_is_no_text_is_no_error(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 where a text stands."""
    two(tmp_path).close()
    connection = apsw.Connection(str(tmp_path / "j.db-snapshots"))
    connection.execute("UPDATE snapshots SET subject = CAST(x'ff' AS TEXT) WHERE run_id = 'run_1'")
    connection.close()
    made = store(tmp_path)
    assert made.read("run_1") is None
    made.close()


@pytest.mark.parametrize("damage", ["garbage", "middle", "folder", "link"])
def test_a_damaged_file_is_none(tmp_path: Path, damage: str) -> None:
    """Garbage, a broken page, something else of that name: no error, no snapshot; garbage makes place for new ones."""
    file = tmp_path / "j.db-snapshots"
    made = two(tmp_path)
    made.add(Place("run_5", 300, b"3" * 32, CODE), b"x" * 50_000, "", b"")
    made.close()
    if damage == "garbage":
        file.write_bytes(b"no database" * 1000)
    elif damage == "middle":
        raw = bytearray(file.read_bytes())
        raw[4096:] = b"\xff" * (len(raw) - 4096)
        file.write_bytes(bytes(raw))
    else:
        file.unlink()
        if damage == "folder":
            file.mkdir()
        else:
            file.symlink_to(tmp_path / "victim")
    made = store(tmp_path)
    assert made.read("run_1") is None
    if damage in ("folder", "link"):
        assert made.add(FIRST, b"first", "", b"") == b""
        assert not (tmp_path / "victim").exists()
    else:
        after = made.add(FIRST, b"first", "", b"")
        assert made.read("run_1") == Parts(FIRST, (b"first",), after)
    made.close()


def test_a_busy_file_is_not_waited_for(tmp_path: Path) -> None:
    """While another process writes, a part is not written, within a moment."""
    made = two(tmp_path)
    other = apsw.Connection(str(tmp_path / "j.db-snapshots"))
    other.execute("BEGIN IMMEDIATE")
    assert made.add(Place("run_1", 999, b"9" * 32, CODE), b"late", "", b"") == b""
    assert made.read("run_1") is not None  # readers go on
    other.execute("ROLLBACK")
    other.close()
    made.close()


def test_dropping_is_seen_by_those_who_have_it_open(tmp_path: Path) -> None:
    """Another process deletes the file; this one begins a new one instead of writing into a lost one."""
    made, other = two(tmp_path), store(tmp_path)
    assert other.read("run_1") is not None
    assert other.forget() > 4096
    assert sorted(p.name for p in tmp_path.iterdir() if "snapshots" in p.name) == []
    assert made.read("run_1") is None
    assert made.add(FIRST, b"first", "", b"")
    assert other.read("run_1") is not None
    assert other.forget() > 0
    assert other.forget() == 0
    made.close()
    other.close()


def test_the_file_is_private_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mode 0600 whatever the umask; over its bound it is emptied: it is a cache."""
    umask = os.umask(0)
    try:
        made = two(tmp_path)
    finally:
        os.umask(umask)
    for end in ("", "-wal", "-shm"):
        assert os.stat(tmp_path / f"j.db-snapshots{end}").st_mode & 0o777 == 0o600
    made.close()
    made = store(tmp_path)
    monkeypatch.setattr(snapshots_module, "MAX_FILE_BYTES", 10_000)
    after = made.add(FIRST, b"first", "", b"")
    assert after
    made.close()
    made = store(tmp_path)
    assert made.read("run_2") is None
    assert made.read("run_1") is not None
    monkeypatch.setattr(snapshots_module, "MAX_FILE_BYTES", 1_000)
    assert made.read("run_1") is None
    assert not (tmp_path / "j.db-snapshots").exists()
    made.close()


def test_an_encrypted_journal_has_an_encrypted_cache(tmp_path: Path) -> None:
    """Nothing readable in the file; another key finds nothing and is no error."""
    made = store(tmp_path, key=b"k" * 32)
    made.add(FIRST, b"marker-4711" * 50, "", b"")
    made.close()
    assert b"marker" not in (tmp_path / "j.db-snapshots").read_bytes()
    made = store(tmp_path, key=b"k" * 32)
    assert made.read("run_1") is not None
    made.close()
    wrong = store(tmp_path, key=b"w" * 32)
    assert wrong.read("run_1") is None
    wrong.close()


def test_erasing_the_subject_erases_the_snapshot(tmp_path: Path) -> None:
    """Sealed parts hold nothing readable, open for who has the key, and for nobody once it is destroyed."""
    ring = KeyRing(str(tmp_path / "state"), str(tmp_path / "anchor"), lambda _: LocalKey(b"s" * 32))
    subjects = Subjects(ring, str(tmp_path / "state"), sealing=True)
    ann = subjects.subject("ann")
    made = store(tmp_path, payloads=subjects)
    after = made.add(FIRST, b"marker-4711", ann, b"")
    assert made.add(SECOND, b"marker-4712", ann, after)
    found = made.read("run_1")
    assert found is not None
    assert found.bodies == (b"marker-4711", b"marker-4712")
    made.close()
    assert b"marker" not in (tmp_path / "j.db-snapshots").read_bytes()
    made = store(tmp_path, payloads=subjects)
    subjects.erase("ann")
    assert made.read("run_1") is None
    assert made.add(FIRST, b"marker-4713", ann, b"") == b""
    made.close()
    plain = store(tmp_path)
    assert plain.read("run_1") is None
    plain.close()


def test_converting_the_journal_wipes_the_cache(tmp_path: Path) -> None:
    """A plain file of snapshots must not stay beside a journal that was encrypted."""

    async def case() -> None:
        journal = SqliteJournal(tmp_path / "j.db", CountingClock())
        log = journal.create("run_1", STARTED)
        await log.release("waiting")
        assert journal.snapshots is not None
        assert journal.snapshots.add(FIRST, b"marker-4711", "", b"")
        await journal.aclose()

    asyncio.run(case())
    held = os.open(tmp_path / "j.db-snapshots", os.O_RDONLY)  # what an undelete would find
    convert(str(tmp_path / "j.db"), None, b"k" * 32)
    assert not (tmp_path / "j.db-snapshots").exists()
    assert b"marker" not in os.read(held, 1 << 20)
    os.close(held)


def test_nothing_is_raised_by_a_key_that_cannot_sign(tmp_path: Path) -> None:
    """A snapshot that cannot be signed is not written."""

    def refuse(_: bytes) -> bytes:
        raise Invalid("audit_key", "no")

    made = Snapshots(str(tmp_path / "j.db"), None, refuse, None)
    assert made.add(FIRST, b"first", "", b"") == b""
    made.close()


def test_a_short_journal_has_no_file(tmp_path: Path) -> None:
    """Reading and dropping make nothing."""
    made = store(tmp_path)
    assert made.read("run_1") is None
    made.drop("run_1")
    assert made.forget() == 0
    made.close()
    assert list(tmp_path.iterdir()) == []
