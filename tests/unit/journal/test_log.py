"""The signed log: one checkpoint a commit, in the same transaction, also with several writers on one file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest

from remit.core.events import Reflected
from remit.errors import RemitError
from remit.journal.log import PLACE, log_id, read_leaves, root_at
from remit.journal.merkle import leaf_hash, range_root
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import ASKED, STARTED, CountingClock, approve


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def sql(path: Path, statement: str, *values: Any) -> list[Any]:
    connection = apsw.Connection(str(path))
    try:
        return list(connection.execute(statement, values))
    finally:
        connection.close()


def test_every_commit_has_one_checkpoint_over_all_its_events(path: Path) -> None:
    """Commits of runs, activations and answers: positions without gaps, leaves of the entries, root and size."""

    async def work() -> tuple[int, int]:
        journal = SqliteJournal(path, CountingClock())
        logs = [journal.create(f"run_{number}", STARTED) for number in range(5)]
        for turn in range(3):
            for log in logs:
                log.append(Reflected(turn, "", "none"))
            await asyncio.gather(*[log.flush() for log in logs])
        logs[0].append(ASKED)
        for log in logs:
            await log.release("waiting")
        await journal.answer("item_1", approve)
        again = await journal.activate("run_0")
        await again.release("ok")
        counts = journal.writer.commits, journal.writer.events
        await journal.aclose()
        return counts

    commits, _ = asyncio.run(work())
    found = sql(path, "SELECT after, size FROM checkpoints ORDER BY after")
    assert len(found) <= commits
    assert [after for after, _ in found] == [0, *[size for _, size in found[:-1]]]
    rows = sql(path, "SELECT position, run_id, seq, hash FROM events ORDER BY position")
    assert [row[0] for row in rows] == list(range(1, found[-1][1] + 1))
    connection = apsw.Connection(str(path))
    leaves = [leaf_hash(row[3]) for row in rows]
    assert list(read_leaves(connection, 0, len(rows))) == leaves
    assert list(read_leaves(connection, 3, 9)) == leaves[3:9]
    assert {root_at(connection, size) == range_root(leaves[:size]) for _, size in found} == {True}
    assert root_at(connection, 10**6) == b""
    connection.close()


def test_places_name_every_record(path: Path) -> None:
    """Position of the run's first event, seq and count: enough to name each record of the commit."""

    async def work() -> None:
        journal = SqliteJournal(path, CountingClock())
        one, two = journal.create("run_1", STARTED), journal.create("run_2", STARTED)
        one.append(Reflected(1, "", "none"))
        await asyncio.gather(one.flush(), two.flush())
        two.append(Reflected(1, "", "none"))
        await two.flush()
        await journal.aclose()
        journal = SqliteJournal(path, CountingClock())  # a process that has not seen the run's beginning
        again = await journal.activate("run_1")
        await again.flush()
        await journal.aclose()

    asyncio.run(work())
    rows = sql(path, "SELECT places, begun FROM checkpoints ORDER BY after")
    placed = [list(PLACE.iter_unpack(places)) for places, _ in rows]
    assert [place for each in placed for place in each] == [(1, 1, 2), (3, 1, 1), (3, 2, 1), (1, 3, 1)]
    assert b"".join(begun for _, begun in rows).count(b"run_") == 2


def test_two_writers_share_one_tree(path: Path) -> None:
    """Two journals on one file write by turns; each sees the other's end of the tree, and all of it verifies."""

    async def work() -> list[str]:
        first, second = SqliteJournal(path, CountingClock()), SqliteJournal(path, CountingClock())
        logs = [first.create("run_1", STARTED), second.create("run_2", STARTED)]
        for turn in range(10):
            for log in logs:
                log.append(Reflected(turn, "", "none"))
                await log.flush()
        problems = first.verify()
        await asyncio.gather(*[log.release("ok") for log in logs])
        await first.aclose()
        problems += second.verify()
        await second.aclose()
        return problems

    assert asyncio.run(work()) == []
    assert sql(path, "SELECT count(*) FROM events")[0][0] == sql(path, "SELECT max(size) FROM checkpoints")[0][0] == 24


def test_a_batch_that_fails_leaves_the_tree_as_it_was(path: Path) -> None:
    """After a rolled-back commit the next one continues the tree of what is stored."""

    async def work() -> list[str]:
        journal = SqliteJournal(path, CountingClock())
        log, other = journal.create("run_1", STARTED), journal.create("run_2", STARTED)
        await asyncio.gather(log.flush(), other.flush())
        pages = sql(path, "PRAGMA page_count")[0][0]
        await journal.writer.call(lambda connection, _: connection.pragma("max_page_count", pages))
        log.append(Reflected(1, "x" * 60_000, "none"))
        with pytest.raises(RemitError, match="disk_failed"):
            await log.flush()
        await journal.writer.call(lambda connection, _: connection.pragma("max_page_count", 2**30))
        other.append(Reflected(1, "", "none"))
        await other.flush()
        problems = journal.verify()
        await journal.aclose()
        return problems

    assert asyncio.run(work()) == []


def test_a_row_at_the_next_position_stops_every_writer(path: Path) -> None:
    """Somebody else's row where the log goes on: chain_broken for all, because nothing could be proven after it."""

    async def work() -> list[str]:
        journal = SqliteJournal(path, CountingClock())
        log = journal.create("run_1", STARTED)
        await log.flush()
        sql(path, "INSERT INTO events VALUES (2, 'run_x', 1, 1, 1, x'7b7d', NULL, x'00')")
        codes = []
        log.append(Reflected(1, "", "none"))
        for begin in (lambda: log, lambda: journal.create("run_2", STARTED)):
            with pytest.raises(RemitError) as caught:
                await begin().flush()
            codes.append(caught.value.code)
        await journal.aclose()
        return codes

    assert asyncio.run(work()) == ["chain_broken", "chain_broken"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoints SET peaks = x'00' WHERE after = 0",
        "DELETE FROM meta WHERE key = 'log'",
        "UPDATE meta SET value = 'zz' WHERE key = 'log'",
    ],
)
def test_a_log_that_cannot_be_continued_stops_the_writer(path: Path, statement: str) -> None:
    """A damaged last checkpoint or a missing log id: nothing is written on top of it."""

    async def begin(code: str) -> None:
        journal = SqliteJournal(path, CountingClock())
        log = journal.create(f"run_{code}", STARTED)
        try:
            await log.flush()
            assert code == "1"
        except RemitError as error:
            assert error.code == code
        await journal.aclose()

    asyncio.run(begin("1"))
    sql(path, statement)
    asyncio.run(begin("chain_broken"))
    assert sql(path, "SELECT count(*) FROM events") == [(1,)]


def test_every_log_has_an_id_of_its_own(tmp_path: Path) -> None:
    """32 hex digits, made with the file."""
    found = []
    for name in ("a.db", "b.db"):
        journal = SqliteJournal(tmp_path / name, CountingClock())
        with journal.reading() as connection:
            found.append(log_id(connection))
        asyncio.run(journal.aclose())
    assert len(set(found)) == 2
    assert {len(bytes.fromhex(each)) for each in found} == {16}


def test_a_commit_costs_one_more_statement(path: Path) -> None:
    """Whatever the number of events: what is landed, heads, checkpoint, events; BEGIN and COMMIT; one fsync."""

    async def work() -> list[str]:
        journal = SqliteJournal(path, CountingClock())
        log = journal.create("run_1", STARTED)
        await log.flush()
        statements: list[str] = []

        def trace(_: Any, sql: str, __: Any) -> bool:
            statements.append(sql.split()[0])
            return True

        journal.writer._connection.exec_trace = trace
        for turn in range(300):
            log.append(Reflected(turn, "", "none"))
        await log.flush()
        journal.writer._connection.exec_trace = None
        await journal.aclose()
        return statements

    statements = asyncio.run(work())
    commits = statements.count("COMMIT")
    assert len(statements) == 6 * commits
    assert sorted(set(statements)) == ["BEGIN", "COMMIT", "INSERT", "SELECT", "UPDATE"]
