"""Verification: random edits of the file through raw SQL are all found and named; intact journals are not accused."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from remit.core.events import Reflected, RunDone, RunStarted, WaitOpened
from remit.errors import RemitError
from remit.journal.memory import MemoryJournal
from remit.journal.signing_key import AuditPlace
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import ASKED, DOUBT, STARTED, CountingClock, approve

EDITS = 600
Edit = tuple[str, list[tuple[str, tuple[Any, ...]]]]


async def _fill(journal: SqliteJournal) -> None:
    """Four runs: one ended with blobs, one waiting with an answered and an open item, one resumed, one child."""
    first = journal.create("run_1", STARTED)
    for turn in range(6):
        first.append(Reflected(turn, f"{turn}" * (70_000 if turn % 2 else 20), "none"))
    first.append(RunDone("ok", "fine"))
    await first.release("ok")
    second = journal.create("run_2", RunStarted("b", "t"))
    second.append(ASKED)
    second.append(DOUBT)
    await second.release("waiting")
    await journal.answer("item_1", approve)
    third = journal.create("run_3", RunStarted("c", "t"))
    third.append(Reflected(1, "x", "none"))
    await third.release("running")
    third_again = await journal.activate("run_3")
    third_again.append(WaitOpened("k", "item_3", "t", "d", "q"))
    await third_again.release("waiting")
    fourth = journal.create("run_4", RunStarted("d", "t", parent="run_1"))
    await fourth.release("cancelled")
    await journal.aclose()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    PLACES[:] = [path.parent / "audit"]
    asyncio.run(_fill(_open(path)))
    return path


def _open(path: Path) -> SqliteJournal:
    """The journal with the audit folder beside it: the fixture outlives one test's state folder."""
    return SqliteJournal(path, CountingClock(), audit=AuditPlace(str(PLACES[0])))


PLACES: list[Path] = []


def _flip(value: Any, rng: random.Random) -> Any:
    """`value` with one bit (or, for text, one character) changed."""
    if isinstance(value, int):
        return value ^ (1 << rng.randrange(20))
    if isinstance(value, bytes):
        changed = bytearray(value)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    at = rng.randrange(len(value)) if value else 0
    return value[:at] + chr(ord(value[at]) ^ 1 if value else 65) + value[at + 1 :]


def _flip_event(rows: list[Any], rng: random.Random) -> Edit:
    run_id, seq, *values = rng.choice(rows)
    columns = ("epoch", "at_ms", "body", "blob", "hash")
    present = [(name, value) for name, value in zip(columns, values, strict=True) if value is not None]
    name, value = rng.choice(present)
    where = f"UPDATE events SET {name} = ? WHERE run_id = ? AND seq = ?"
    return f"flip {name} of {run_id}/{seq}", [(where, (_flip(value, rng), run_id, seq))]


def _delete_event(rows: list[Any], rng: random.Random) -> Edit:
    run_id, seq, *_ = rng.choice(rows)
    return f"delete {run_id}/{seq}", [("DELETE FROM events WHERE run_id = ? AND seq = ?", (run_id, seq))]


def _truncate(rows: list[Any], rng: random.Random) -> Edit:
    run_id, seq, *_ = rng.choice(rows)
    return f"truncate {run_id} from {seq}", [("DELETE FROM events WHERE run_id = ? AND seq >= ?", (run_id, seq))]


def _swap(rows: list[Any], rng: random.Random) -> Edit:
    """Two rows change places, as whole rows (their hashes go with them)."""
    a, b = rng.sample(rows, 2)
    statements: list[tuple[str, tuple[Any, ...]]] = [
        ("DELETE FROM events WHERE run_id = ? AND seq = ?", row[:2]) for row in (a, b)
    ]
    insert = "INSERT INTO events (run_id, seq, epoch, at_ms, body, blob, hash) VALUES (?, ?, ?, ?, ?, ?, ?)"
    statements += [(insert, (*a[:2], *b[2:])), (insert, (*b[:2], *a[2:]))]
    return f"swap {a[0]}/{a[1]} and {b[0]}/{b[1]}", statements


def _duplicate(rows: list[Any], rng: random.Random) -> Edit:
    """A row is repeated at the end of some run."""
    row, (run_id, *_) = rng.choice(rows), rng.choice(rows)
    last = max(seq for name, seq, *_ in rows if name == run_id)
    insert = "INSERT INTO events (run_id, seq, epoch, at_ms, body, blob, hash) VALUES (?, ?, ?, ?, ?, ?, ?)"
    return f"append a copy of {row[0]}/{row[1]} to {run_id}", [(insert, (run_id, last + 1, *row[2:]))]


def _renumber(rows: list[Any], rng: random.Random) -> Edit:
    run_id, seq, *_ = rng.choice(rows)
    last = max(each for name, each, *_ in rows if name == run_id)
    change = "UPDATE events SET seq = ? WHERE run_id = ? AND seq = ?"
    return f"renumber {run_id}/{seq}", [(change, (last + rng.randrange(1, 5), run_id, seq))]


def _blob(rows: list[Any], rng: random.Random) -> Edit:
    blobs = [row for row in rows if row[5] is not None]
    digest = rng.choice(blobs)[5]
    where = " WHERE hash = ?"
    return rng.choice(
        [
            ("delete a blob", [("DELETE FROM blobs" + where, (digest,))]),
            ("empty a blob", [("UPDATE blobs SET data = x''" + where, (digest,))]),
            ("cut a blob", [("UPDATE blobs SET data = substr(data, 1, length(data) - 1)" + where, (digest,))]),
            ("rename a blob", [("UPDATE blobs SET hash = ?" + where, (_flip(digest, rng), digest))]),
            (
                "rename a blob and its references",
                [
                    ("UPDATE blobs SET hash = zeroblob(32)" + where, (digest,)),
                    ("UPDATE events SET blob = zeroblob(32) WHERE blob = ?", (digest,)),
                ],
            ),
            ("add a blob", [("INSERT INTO blobs (hash, data) VALUES (?, x'00')", (rng.randbytes(32),))]),
        ]
    )


def _run_row(rows: list[Any], rng: random.Random) -> Edit:
    run_id = rng.choice(rows)[0]
    column, value = rng.choice(
        [
            ("seq", rng.randrange(100, 200)),
            ("hash", rng.randbytes(32)),
            ("epoch", rng.randrange(100, 200)),
            ("agent", "somebody"),
            ("task", "something"),
            ("parent", "run_9"),
            ("started_ms", 10**6),
            ("updated_ms", 10**6),
            ("status", "denied"),
        ]
    )
    return f"runs.{column} of {run_id}", [(f"UPDATE runs SET {column} = ? WHERE run_id = ?", (value, run_id))]


def _run_gone(rows: list[Any], rng: random.Random) -> Edit:
    run_id = rng.choice(rows)[0]
    return rng.choice(
        [
            ("the runs row is gone", [("DELETE FROM runs WHERE run_id = ?", (run_id,))]),
            ("all events are gone", [("DELETE FROM events WHERE run_id = ?", (run_id,))]),
            ("the run has another id", [("UPDATE events SET run_id = 'run_9' WHERE run_id = ?", (run_id,))]),
        ]
    )


def _inbox(rows: list[Any], rng: random.Random) -> Edit:
    item = rng.choice(["item_1", "item_2", "item_3"])
    return rng.choice(
        [
            ("an item is gone", [("DELETE FROM inbox WHERE item = ?", (item,))]),
            ("an item is reopened or closed", [("UPDATE inbox SET open = 1 - open WHERE item = ?", (item,))]),
            ("an item points elsewhere", [("UPDATE inbox SET seq = seq + 1 WHERE item = ?", (item,))]),
            ("an item has another run", [("UPDATE inbox SET run_id = 'run_4' WHERE item = ?", (item,))]),
            ("an item is made up", [("INSERT INTO inbox VALUES ('item_9', 'run_2', 2, 1)", ())]),
            ("an item of no run", [("INSERT INTO inbox VALUES ('item_9', 'run_9', 2, 1)", ())]),
        ]
    )


KINDS: list[Callable[[list[Any], random.Random], Edit]] = [
    *[_flip_event] * 4,
    _delete_event,
    _truncate,
    _swap,
    _duplicate,
    _renumber,
    _blob,
    _run_row,
    _run_gone,
    _inbox,
]


def _verify_edited(path: Path, statements: list[tuple[str, tuple[Any, ...]]]) -> list[str]:
    journal = _open(path)
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN")
    try:
        for statement, values in statements:
            connection.execute(statement, values)
        changed = connection.total_changes()
        connection.execute("COMMIT")
        assert changed, "the edit changed nothing"
        return journal.verify()
    finally:
        connection.close()
        asyncio.run(journal.aclose())


def test_an_intact_journal_has_no_problems(original: Path) -> None:
    """Blobs, resumed, answered, parked and ended runs all verify."""
    journal = _open(original)
    assert journal.verify() == []
    assert [journal.verify(f"run_{number}") for number in (1, 2, 3, 4)] == [[]] * 4
    asyncio.run(journal.aclose())


@pytest.mark.slow
def test_every_random_edit_is_found(original: Path, tmp_path: Path) -> None:
    """600 random edits of single rows, tables and blobs: each is reported with run (or blob), seq and reason."""
    rng = random.Random(20_250_717)
    reader = apsw.Connection(str(original))
    rows = reader.execute("SELECT run_id, seq, epoch, at_ms, body, blob, hash FROM events").fetchall()
    reader.close()
    path = tmp_path / "edited.db"
    missed, unnamed = [], []
    for _ in range(EDITS):
        what, statements = rng.choice(KINDS)(rows, rng)
        shutil.copyfile(original, path)
        problems = _verify_edited(path, statements)
        if not problems:
            missed.append(what)
        unnamed += [
            problem
            for problem in problems
            if not problem.startswith(("run run_", "blob ", "run run_9")) or ":" not in problem
        ]
    assert (missed, unnamed) == ([], [])


def test_a_tail_cut_with_its_anchors_is_found(original: Path, tmp_path: Path) -> None:
    """Deleting the last event and moving seq and hash of the run with it still contradicts the rest of its row."""
    path = tmp_path / "edited.db"
    shutil.copyfile(original, path)
    shorten = [
        ("DELETE FROM events WHERE run_id = 'run_1' AND seq = 8", ()),
        ("UPDATE runs SET seq = 7, hash = (SELECT hash FROM events WHERE run_id = 'run_1' AND seq = 7)", ()),
    ]
    assert _verify_edited(path, shorten)


def test_a_damaged_file_is_reported_not_raised(original: Path, tmp_path: Path) -> None:
    """Live bytes overwritten outside SQLite: verify returns problems, or opening names an error; none is missed."""
    rng = random.Random(7)
    packed = tmp_path / "packed.db"
    reader = apsw.Connection(str(original))
    reader.execute("VACUUM INTO ?", (str(packed),))  # without left-overs of deleted cells
    reader.close()
    data = packed.read_bytes()
    places = [at for at in range(4096, len(data) - 64, 61) if bytes(16) not in data[at : at + 64]]
    missed = []
    for at in rng.sample(places, 40):
        damaged = data[:at] + bytes(byte ^ 0xFF for byte in data[at : at + 64]) + data[at + 64 :]
        path = tmp_path / "damaged.db"
        path.write_bytes(damaged)
        try:
            journal = _open(path)
        except RemitError as error:
            assert error.code in ("chain_broken", "disk_failed", "journal_format", "value_invalid")
            continue
        if not journal.verify():
            missed.append(at)
        asyncio.run(journal.aclose())
    assert missed == []


def test_problems_are_bounded_and_one_edit_gives_few(original: Path, tmp_path: Path) -> None:
    """One changed row gives at most three problems; a thousand changed rows at most 21 texts a run."""
    path = tmp_path / "edited.db"
    shutil.copyfile(original, path)
    problems = _verify_edited(path, [("UPDATE events SET at_ms = 9 WHERE run_id = 'run_1' AND seq = 3", ())])
    assert problems == ["run run_1 seq 3: the hash does not match the content"]

    async def long(journal: SqliteJournal) -> None:
        log = journal.create("run_long", STARTED)
        for turn in range(1000):
            log.append(Reflected(turn, "", "none"))
        await log.release("ok")
        await journal.aclose()

    asyncio.run(long(_open(path)))
    problems = _verify_edited(path, [("UPDATE events SET at_ms = at_ms + 1 WHERE run_id = 'run_long'", ())])
    assert len([problem for problem in problems if "run_long" in problem]) == 21
    assert problems[-1].endswith("further problems")


def test_an_altered_entry_in_memory_is_found() -> None:
    """The memory journal's verify recomputes its chain, too."""
    journal = MemoryJournal(CountingClock())
    log = journal.create("run_1", STARTED)
    log.append(Reflected(1, "a", "none"))
    entries = journal._runs["run_1"].entries
    entries[0], entries[1] = entries[1], entries[0]
    assert journal.verify()
    entries.reverse()
    assert journal.verify() == []
    del entries[0]
    assert journal.verify()
