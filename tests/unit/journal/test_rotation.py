"""Rotation: content goes, proofs stay, and nothing goes in its name that nobody signed."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import apsw
import pytest

from remit.core.events import Reflected, RunStarted, WaitOpened
from remit.errors import RemitError
from remit.journal.log_reader import DecisionReader, read_log
from remit.journal.proofs import inclusion_proof
from remit.journal.rotation import drop, old_runs, rotated_runs
from remit.journal.signing_key import trusted_keys
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import CountingClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


async def _fill(journal: SqliteJournal) -> None:
    """run_0 and run_1 ended (with a shared blob and one of its own), run_2 waits, run_3 ended last."""
    for number in range(4):
        log = journal.create(f"run_{number}", RunStarted("agent", "private task"))
        log.append(Reflected(1, "shared " * 20_000, "none"))
        log.append(Reflected(2, f"own {number} " * 20_000, "none"))
        log.append(Reflected(3, "small", "none"))
        log.append(WaitOpened("k", f"item_{number}", "t", "d", "q"))
        await log.release("waiting" if number == 2 else "ok")


async def _drop(journal: SqliteJournal, before_ms: int) -> list[tuple[str, int]]:
    with journal.reading() as connection:
        runs = old_runs(connection, before_ms)
    await journal.writer.call(partial(drop, runs=runs, at_ms=99))
    return runs


def test_old_runs_lose_their_content_and_nothing_else(path: Path) -> None:
    """Ended runs of the time are dropped; waiting and newer ones keep everything; all of it verifies, again later."""

    async def work() -> None:
        journal = SqliteJournal(path, CountingClock())
        await _fill(journal)
        with journal.reading() as connection:
            before = {run: inclusion_proof(connection, run, 2, {})["record"]["hash"] for run in ("run_0", "run_3")}
            first_three = sum(entry.entry.run_id < "run_3" for entry in read_log(connection))
        assert await _drop(journal, first_three + 1) == [("run_0", 6), ("run_1", 6)]
        assert journal.verify() == []
        assert [journal.verify(f"run_{number}") for number in range(4)] == [[]] * 4
        assert [(row.run_id, row.task) for row in journal.runs()] == [
            ("run_3", "private task"), ("run_2", "private task"), ("run_1", ""), ("run_0", "")
        ]  # fmt: skip
        assert [row.id for row in journal.inbox()] == ["item_2"]
        with journal.reading() as connection:
            proofs = {run: inclusion_proof(connection, run, 2, {})["record"] for run in before}
            assert {run: record["hash"] for run, record in proofs.items()} == before
            assert {run: "body" in record for run, record in proofs.items()} == {"run_0": False, "run_3": True}
            assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (3,)
            reader = DecisionReader(connection)
            kinds = [reader.read(record) for record in read_log(connection)]
            assert {found.run_id for found in kinds if found is not None} == {"run_2", "run_3"}
        with pytest.raises(RemitError, match="run_rotated"):
            journal.read("run_0")
        assert len(journal.read("run_3")) == 6
        assert await _drop(journal, first_three + 1) == []
        fresh = journal.create("run_4", RunStarted("agent", "later"))
        await fresh.release("ok")
        assert journal.verify() == []
        await journal.aclose()

    asyncio.run(work())


def test_a_note_counts_only_when_it_is_signed_for_this_log(path: Path) -> None:
    """A changed, moved or foreign note drops nothing: its rows are missing content, and the note is a problem."""

    async def work() -> None:
        journal = SqliteJournal(path, CountingClock())
        await _fill(journal)
        await _drop(journal, 10**6)
        await journal.aclose()

    asyncio.run(work())
    assert b"own 1 own 1" not in path.read_bytes()  # not even in free pages
    assert b"own 2 own 2" in path.read_bytes()
    connection = apsw.Connection(str(path))
    journal = SqliteJournal(path, CountingClock())
    keys = trusted_keys(journal.audit)
    assert rotated_runs(connection, keys) == ({"run_0", "run_1", "run_3"}, [])
    assert rotated_runs(connection, {})[0] == set()
    fault = "the note is not one that this log's key signed"
    for change in (
        "UPDATE rotations SET number = 2",
        "UPDATE rotations SET note = CAST(replace(CAST(note AS TEXT), 'run_0', 'run_2') AS BLOB)",
        "UPDATE rotations SET note = x'00'",
        "UPDATE meta SET value = lower(hex(zeroblob(16))) WHERE key = 'log'",
    ):
        connection.execute("BEGIN")
        connection.execute(change)
        runs, faults = rotated_runs(connection, keys)
        assert (runs, [text.partition(": ")[2] for text in faults]) == (set(), [fault])
        connection.execute("ROLLBACK")
    connection.execute("DELETE FROM rotations")
    assert "run run_0 seq 3: its content is missing" in journal.verify()
    connection.close()
    asyncio.run(journal.aclose())
