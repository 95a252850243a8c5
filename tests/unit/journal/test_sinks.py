"""Sinks: every record arrives, in order, also after a crash; files rotate; what is redacted does not leave."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from pathlib import Path
from typing import Any

import apsw
import pytest

from remit.core.events import EffectDenied, EffectIntent
from remit.errors import RemitError
from remit.journal.sinks import MAX_RECORD, CompositeSink, FileSink, MemorySink, Selection, SqliteSink, ship
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import STARTED, CountingClock

DAY_MS = 86_400_000


async def _add(journal: SqliteJournal, run_id: str, count: int, why: str = "because") -> None:
    log = journal.create(run_id, STARTED)
    for number in range(count):
        log.append(EffectIntent(f"k{number}", "tool", "write_file", "d"))
        log.append(EffectDenied(f"k{number}", "write_file", "flow", "flow_denied", why))
    await log.release("ok")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def fill(path: Path, run_id: str, count: int, why: str = "because") -> None:
    async def work() -> None:
        journal = SqliteJournal(path, CountingClock())
        await _add(journal, run_id, count, why)
        await journal.aclose()

    asyncio.run(work())


def sent(path: Path, sink: Any, selection: Selection | None = None) -> int:
    journal = SqliteJournal(path, CountingClock())
    with journal.reading() as connection:
        count = ship(connection, sink, selection or Selection())
    asyncio.run(journal.aclose())
    return count


def whole(folder: Path, name: str) -> list[dict[str, Any]]:
    """All records of a rotating file, the oldest first."""
    packed = sorted(folder.glob(f"{name}.*.gz"), key=lambda file: -int(file.suffixes[-2][1:]))
    texts = [gzip.decompress(file.read_bytes()).decode() for file in packed]
    current = folder / name
    texts.append(current.read_text() if current.exists() else "")
    return [json.loads(line) for line in "".join(texts).splitlines()]


def test_every_sink_gets_every_record_once(path: Path, tmp_path: Path) -> None:
    """File, database, memory and all three together hold the same records, and go on where they stopped."""
    fill(path, "run_1", 3)
    file, database, memory = FileSink(f"{tmp_path}/a.jsonl", lambda: 0), SqliteSink(f"{tmp_path}/a.db"), MemorySink()
    assert sent(path, memory) == 8
    both = CompositeSink([file, database, memory])
    assert sent(path, both) == 8  # memory has them already and gets none twice
    fill(path, "run_2", 2)
    assert (sent(path, both), sent(path, both)) == (6, 0)
    records = whole(tmp_path, "a.jsonl")
    assert [record["position"] for record in records] == list(range(1, 15))
    assert [json.loads(raw) for raw in memory.records] == records
    connection = apsw.Connection(f"{tmp_path}/a.db")
    rows = connection.execute("SELECT record FROM decisions ORDER BY position").fetchall()
    connection.close()
    assert [json.loads(text) for (text,) in rows] == records
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("a.jsonl", "a.db")} == {0o600}


def test_a_file_rotates_by_size_and_keeps_what_it_should(path: Path, tmp_path: Path) -> None:
    """No file passes the size, packed files are numbered from the newest, and only `keep` of them stay."""
    for number in range(12):
        fill(path, f"run_{number}", 3)
        assert sent(path, FileSink(f"{tmp_path}/a.jsonl", lambda: 0, max_bytes=7_000, every="", keep=4)) == 8
    assert sorted(name for name in os.listdir(tmp_path) if name.startswith("a.")) == [
        "a.jsonl", "a.jsonl.1.gz", "a.jsonl.2.gz", "a.jsonl.3.gz", "a.jsonl.4.gz"
    ]  # fmt: skip
    assert (tmp_path / "a.jsonl").stat().st_size <= 7_000
    positions = [record["position"] for record in whole(tmp_path, "a.jsonl")]
    assert positions == list(range(97 - len(positions), 97))


@pytest.mark.parametrize(("every", "passed_ms", "rotated"), [("day", DAY_MS, 1), ("hour", DAY_MS, 1), ("", DAY_MS, 0)])
def test_a_file_rotates_by_time(path: Path, tmp_path: Path, every: Any, passed_ms: int, rotated: int) -> None:
    """When another day or hour has begun since the last record."""
    fill(path, "run_1", 1)
    sent(path, FileSink(f"{tmp_path}/a.jsonl", lambda: 0, every=every))
    now = (tmp_path / "a.jsonl").stat().st_mtime_ns // 1_000_000
    fill(path, "run_2", 1)
    sent(path, FileSink(f"{tmp_path}/a.jsonl", lambda: now + passed_ms, every=every))
    assert len(list(tmp_path.glob("a.jsonl.*.gz"))) == rotated
    assert len(whole(tmp_path, "a.jsonl")) == 8


def test_a_line_that_a_crash_cut_is_sent_again(path: Path, tmp_path: Path) -> None:
    """Whatever was left of the last line: it is removed and written whole; nothing is lost or doubled."""
    fill(path, "run_1", 3)
    place = tmp_path / "a.jsonl"
    sent(path, FileSink(str(place), lambda: 0))
    raw = place.read_bytes()
    for cut in (1, 2, 50, len(raw.splitlines()[-1]), len(raw)):
        place.write_bytes(raw[:-cut])
        sent(path, FileSink(str(place), lambda: 0))
        assert place.read_bytes() == raw


def test_levels_and_redaction(path: Path) -> None:
    """Only this level and worse; redacted fields nowhere in what is sent; a long reason stays in the log."""
    fill(path, "run_1", 1, "secret reason")
    fill(path, "run_2", 1, "x" * 50_000)
    sink = MemorySink()
    assert sent(path, sink, Selection("critical", ("reason", "needs"))) == 2
    assert b"secret" not in b"".join(sink.records)
    assert [json.loads(raw)["reason"] for raw in sink.records] == ["[redacted]"] * 2
    plain = MemorySink()
    sent(path, plain, Selection("warning"))
    assert max(len(raw) for raw in plain.records) <= MAX_RECORD
    assert {json.loads(raw)["level"] for raw in plain.records} == {"critical"}
    assert sum("too long" in json.loads(raw)["reason"] for raw in plain.records) == 1
    for wrong in (Selection("loud"), Selection("info", ("hash",))):
        with pytest.raises(RemitError, match="value_invalid"):
            wrong.check()


def test_memory_is_bounded(path: Path) -> None:
    """The newest records are kept."""
    fill(path, "run_1", 10)
    sink = MemorySink(limit=5)
    assert sent(path, sink) == 22
    assert [json.loads(raw)["position"] for raw in sink.records] == [18, 19, 20, 21, 22]


def test_a_link_is_not_written_through(path: Path, tmp_path: Path) -> None:
    """A sink's file that is a link to another one is refused."""
    fill(path, "run_1", 1)
    (tmp_path / "other").write_text("")
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic link"):
        sent(path, FileSink(f"{tmp_path}/a.jsonl", lambda: 0))
    assert (tmp_path / "other").read_text() == ""
