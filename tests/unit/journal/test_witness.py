"""Copies outside the file: what was kept is never lost to a shorter or another log."""

from __future__ import annotations

import asyncio
import os
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

import remit.journal.witness as witness_module
from remit.core.events import Reflected
from remit.errors import RemitError
from remit.journal.signing_key import AuditPlace
from remit.journal.sqlite import SqliteJournal
from remit.journal.witness import MAX_SLOTS, SLOT_BYTES, KeptHead, WitnessFile, read_witness
from remit.ports.conformance.journal import STARTED, CountingClock


async def add(path: Path, run_id: str, turns: int = 3, witness: str = "") -> None:
    """A run of turns + 2 events, each turn flushed."""
    journal = SqliteJournal(path, CountingClock(), audit=AuditPlace(str(path.parent / "audit"), witness))
    log = journal.create(run_id, STARTED)
    for turn in range(turns):
        log.append(Reflected(turn, "", "none"))
        await log.flush()
    await log.release("ok")
    await journal.aclose()


def verify(path: Path, witness: str = "") -> list[str]:
    journal = SqliteJournal(path, CountingClock(), audit=AuditPlace(str(path.parent / "audit"), witness))
    problems = journal.verify()
    asyncio.run(journal.aclose())
    return problems


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def head_of(path: Path) -> KeptHead:
    return KeptHead(str(path.parent / "audit"), str(path))


def test_an_emptied_file_is_not_an_empty_journal(path: Path) -> None:
    """Cut to 0 bytes, or removed, the journal verifies as replaced, also after new runs were written."""
    asyncio.run(add(path, "run_1"))
    path.write_bytes(b"")
    for count in (1, 2):
        text = "kept head: another log of 5 records stood here until 1970-01-01T00:00:00+00:00; it was replaced"
        assert verify(path) == [text] * count
        asyncio.run(add(path, "run_2"))
        path.with_name("journal.db-wal").unlink(missing_ok=True)
        path.unlink()


def test_an_older_copy_is_found_and_stays_found(path: Path) -> None:
    """A file that is put back to an earlier state was cut; going on with it does not cover the traces."""
    asyncio.run(add(path, "run_1"))
    shutil.copyfile(path, path.with_suffix(".old"))
    asyncio.run(add(path, "run_2"))
    assert verify(path) == []
    shutil.copyfile(path.with_suffix(".old"), path)
    assert verify(path) == ["kept head: the log was cut: it has 5 records, 10 were signed"]
    asyncio.run(add(path, "run_3", turns=20))
    (problem,) = verify(path)
    assert problem.startswith("kept head: the log was rewritten: its first 10 records had the root ")
    assert len(head_of(path).read()) == 2  # the evidence, and the log that goes on


def test_the_head_follows_every_commit(path: Path) -> None:
    """After each flush the copy holds the checkpoint of the newest record: the window is 0 records."""

    async def work() -> list[int]:
        journal = SqliteJournal(path, CountingClock(), audit=AuditPlace(str(path.parent / "audit")))
        log = journal.create("run_1", STARTED)
        sizes = []
        for turn in range(4):
            log.append(Reflected(turn, "", "none"))
            await log.flush()
            sizes.append(int(head_of(path).read()[0].split(b"\n")[1]))
        await journal.aclose()
        return sizes

    assert asyncio.run(work()) == [2, 3, 4, 5]
    assert (head_of(path).path and Path(head_of(path).path).read_bytes()[:5]) == b"path "
    assert Path(head_of(path).path).stat().st_mode & 0o777 == 0o600


def test_a_damaged_copy_is_a_problem_and_is_not_written_over(path: Path) -> None:
    """A slot that cannot be read stays; the log begins another one."""
    asyncio.run(add(path, "run_1"))
    place = Path(head_of(path).path)
    raw = bytearray(place.read_bytes())
    raw[SLOT_BYTES + 60] ^= 1
    place.write_bytes(raw)
    assert len(verify(path)) == 1
    asyncio.run(add(path, "run_2"))
    assert len(head_of(path).read()) == 2
    (problem,) = verify(path)
    assert problem.startswith("kept head: ")


def test_the_number_of_slots_is_bounded(path: Path) -> None:
    """A path at which a journal is made again and again keeps its first 62 logs and the newest."""
    asyncio.run(add(path, "run_1"))
    place = Path(head_of(path).path)
    first = place.read_bytes()[SLOT_BYTES : 2 * SLOT_BYTES]
    place.write_bytes(
        place.read_bytes()[:SLOT_BYTES] + first.replace(b"remit/audit/", b"remit/other/") * (MAX_SLOTS - 1)
    )
    asyncio.run(add(path, "run_2"))
    assert place.stat().st_size == SLOT_BYTES * MAX_SLOTS
    assert head_of(path).read()[-1].split(b"\n")[1] == b"10"


def test_a_copy_that_fails_stops_the_next_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """disk_failed until the copy can be written again: at most one commit is without one."""

    async def work() -> list[str]:
        journal = SqliteJournal(path, CountingClock(), audit=AuditPlace(str(path.parent / "audit")))
        codes = []

        def fails(*_: object) -> int:
            raise OSError(28, "No space left on device")

        real = os.pwrite
        for number, write in enumerate((real, fails, fails, real)):
            monkeypatch.setattr(witness_module.os, "pwrite", write)
            log = journal.create(f"run_{number}", STARTED)
            try:
                await log.flush()
                codes.append("")
            except RemitError as error:
                codes.append(error.code)
        assert [row.run_id for row in journal.runs()] == ["run_3", "run_1", "run_0"]
        await journal.aclose()
        return codes

    assert asyncio.run(work()) == ["", "", "disk_failed", ""]
    assert verify(path) == []


def test_a_witness_file_gets_checkpoints_and_finds_a_cut(path: Path) -> None:
    """One note at least every 100 records or second, the last one at the close; a cut below any of them is found."""
    witness = str(path.parent / "elsewhere")
    asyncio.run(add(path, "run_1", 30, witness))
    shutil.copyfile(path, path.with_suffix(".old"))
    asyncio.run(add(path, "run_2", 250, witness))
    sizes = [int(note.split(b"\n")[1]) for note in read_witness(witness)]
    assert (sizes[-1], sizes) == (32 + 252, sorted(sizes))
    assert max(b - a for a, b in pairwise(sizes)) <= 101
    assert verify(path, witness) == []
    shutil.copyfile(path.with_suffix(".old"), path)
    shutil.rmtree(path.parent / "audit" / "heads")  # whoever cut the file cut the copy in the state folder with it
    assert verify(path) == []
    assert verify(path, witness)[0].startswith("witness: the log was cut: it has 32 records, ")


def test_what_waits_for_a_witness_is_written_after_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without more records the waiting note is due one second after it came."""
    now = [100.0]
    monkeypatch.setattr(witness_module.time, "monotonic", lambda: now[0])
    file = WitnessFile(str(tmp_path / "w"))
    from remit.journal.notes import Checkpoint

    file.add(Checkpoint("ab" * 16, 3, bytes(32), 1, bytes(32)), b"a\n\nb\n")
    assert (file.due_s(), os.path.exists(tmp_path / "w")) == (1.0, False)
    now[0] += 0.75
    assert file.due_s() == 0.25
    now[0] += 1
    assert file.due_s() == 0
    file.flush()
    file.flush()
    file.close()
    assert (file.due_s(), (tmp_path / "w").read_bytes()) == (-1, b"a\n\nb\n\n")


def test_a_note_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    """Only whole notes are read; no file is no notes."""
    (tmp_path / "w").write_bytes(b"one\n\nsigned\n\ntwo\n\nsig")
    assert read_witness(str(tmp_path / "w")) == [b"one\n\nsigned\n"]
    assert read_witness(str(tmp_path / "none")) == read_witness("") == []
