"""The SQLite journal: durability, group commit, fencing, failing disks, several processes on one file."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

import remit.journal.writer as writer_module
from remit.core.events import EffectIntent, Reflected, RunStarted, WaitOpened
from remit.errors import RemitError
from remit.journal import owner
from remit.journal.open import open_journal
from remit.journal.pace import Pace
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import ASKED, STARTED, CountingClock, approve

DEAD = "4194303:1:00000000-0000-0000-0000-000000000000"
SOURCE = Path(__file__).resolve().parents[3] / "src"


def run(path: Path, case: Callable[[SqliteJournal], Awaitable[None]]) -> None:
    """Run `case` on a journal at `path`, closed afterwards."""

    async def opened() -> None:
        journal = SqliteJournal(path, CountingClock())
        try:
            async with asyncio.timeout(60):
                await case(journal)
        finally:
            await journal.aclose()

    asyncio.run(opened())


async def code_of(call: Awaitable[Any]) -> str:
    """The error code of an awaitable; "" when it returns."""
    try:
        await call
    except RemitError as error:
        return error.code
    return ""


def sql(path: Path, statement: str, *values: Any) -> list[Any]:
    """Run one statement as another program would."""
    connection = apsw.Connection(str(path))
    try:
        return list(connection.execute(statement, values))
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture(params=["thread", "loop"])
def committer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who commits for a run alone, whatever this disk is like."""
    monkeypatch.setattr(Pace, "__init__", lambda _: None)
    monkeypatch.setattr(Pace, "seen", lambda *_, **__: None)
    monkeypatch.setattr(Pace, "allowed", request.param == "loop")


def test_what_was_flushed_is_there_after_reopening(path: Path) -> None:
    """Entries, inbox and list rows survive a close; an unreleased run shows as interrupted and can go on."""
    kept: list[Any] = []

    async def before(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        await log.flush()
        assert [row.status for row in journal.runs()] == ["running"]
        kept.append((journal.read("run_1"), journal.inbox()))

    async def after(journal: SqliteJournal) -> None:
        assert (journal.read("run_1"), journal.inbox()) == kept[0]
        assert [row.status for row in journal.runs()] == ["interrupted"]
        log = await journal.activate("run_1")
        assert [row.status for row in journal.runs()] == ["running"]
        await log.release("ok")
        assert [(row.status, row.events, row.epoch) for row in journal.runs()] == [("ok", 4, 2)]
        assert journal.verify() == []

    run(path, before)
    run(path, after)


def test_many_writers_share_commits_and_wake_ups(path: Path) -> None:
    """2,400 flushed events of 200 writers need at most a twentieth as many commits, and one wake-up a commit."""

    async def case(journal: SqliteJournal) -> None:
        loop = asyncio.get_running_loop()
        wake_ups = 0
        original = loop.call_soon_threadsafe

        def counting(*args: Any, **options: Any) -> Any:
            nonlocal wake_ups
            wake_ups += 1
            return original(*args, **options)

        loop.call_soon_threadsafe = counting  # type: ignore[method-assign]

        async def one(number: int) -> None:
            log = journal.create(f"run_{number}", STARTED)
            for turn in range(10):
                log.append(Reflected(turn, "none", "none"))
                await log.flush()
            await log.release("ok")

        async with asyncio.TaskGroup() as group:
            for number in range(200):
                group.create_task(one(number))
        assert journal.writer.events == 2400
        assert journal.writer.commits <= 120
        assert wake_ups <= journal.writer.commits
        loop.call_soon_threadsafe = original  # type: ignore[method-assign]

    run(path, case)


def test_a_burst_nobody_waits_for_is_written_in_few_commits(path: Path) -> None:
    """Appends without flush become durable by themselves, gathered into batches of at most 512 rows."""

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        for turn in range(2000):
            log.append(Reflected(turn, "none", "none"))
        for _ in range(500):
            if journal.writer.events == 2001:
                break
            await asyncio.sleep(0.01)
        assert journal.writer.events == 2001
        assert 4 <= journal.writer.commits <= 100
        assert len(journal.read("run_1")) == 2001

    run(path, case)


@pytest.mark.usefixtures("committer")
def test_flush_returns_only_when_all_is_durable(path: Path) -> None:
    """A flush of more rows than a batch holds waits for the last batch, as another connection sees it."""

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        for burst in range(3):
            for turn in range(3000):
                log.append(Reflected(turn, "none", "none"))
            await log.flush()
            assert sql(path, "SELECT count(*) FROM events") == [((burst + 1) * 3000 + 1,)]

    run(path, case)


def test_flush_waits_for_a_batch_that_is_being_written(path: Path) -> None:
    """An event that the writer already took, but has not committed, is not durable: flush and release wait for it."""

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        await log.flush()
        for end in (log.flush, lambda: log.release("waiting")):
            blocker = apsw.Connection(str(path))
            blocker.execute("BEGIN IMMEDIATE")
            log.append(Reflected(1, "", "none"))
            await asyncio.sleep(0.1)  # the writer has it and waits for the lock
            assert not log._pending.entries
            waiting = asyncio.ensure_future(end())
            await asyncio.sleep(0.1)
            assert not waiting.done()
            before = len(journal.read("run_1"))
            blocker.execute("COMMIT")
            blocker.close()
            await waiting
            assert len(journal.read("run_1")) == before + 1

    run(path, case)


@pytest.mark.usefixtures("committer")
def test_an_answer_is_for_the_question_that_was_asked(path: Path) -> None:
    """A question whose arguments were edited in the file is shown as damaged and cannot be approved."""

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        await log.release("waiting")
        body = journal.read("run_1")[1].body.replace(b"a@b.c", b"x@y.z")
        sql(path, "UPDATE events SET body = ? WHERE seq = 2", body)
        assert [(row.arguments, row.question[:8]) for row in journal.inbox()] == [(None, "damaged:")]
        assert await code_of(journal.answer("item_1", approve)) == "chain_broken"
        assert len(journal.read("run_1")) == 2

    run(path, case)


def test_a_process_that_ends_without_closing_ends(path: Path) -> None:
    """No aclose(): the process still exits by itself, and what was flushed is there."""
    code = CHILD.replace("    await journal.aclose()\n", "").replace("sys.stdin.readline()", "pass")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), "write", "run_x"],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\ndone\n", "")

    async def check(journal: SqliteJournal) -> None:
        assert {(row.status, row.events) for row in journal.runs()} == {("ok", 12)}
        assert journal.verify() == []

    run(path, check)


@pytest.mark.usefixtures("committer")
def test_an_older_epoch_writes_nothing(path: Path) -> None:
    """A revived process whose run was taken over gets stale_epoch; other runs of its batch are written."""

    async def case(journal: SqliteJournal) -> None:
        zombie = journal.create("run_1", STARTED)
        healthy = journal.create("run_2", STARTED)
        await zombie.flush()
        sql(path, "UPDATE runs SET owner = ? WHERE run_id = 'run_1'", DEAD)
        journal._live.discard("run_1")  # as in a process of its own
        taken = await journal.activate("run_1")
        blocker = apsw.Connection(str(path))
        blocker.execute("BEGIN IMMEDIATE")  # so that both events get into one batch
        warm = journal.create("run_3", STARTED)
        waiting = [asyncio.ensure_future(warm.flush())]
        await asyncio.sleep(0.05)
        zombie.append(Reflected(1, "late", "none"))
        healthy.append(Reflected(1, "fine", "none"))
        waiting += [asyncio.ensure_future(zombie.flush()), asyncio.ensure_future(healthy.flush())]
        blocker.execute("COMMIT")
        blocker.close()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [getattr(result, "code", result) for result in results] == [None, "stale_epoch", None]
        with pytest.raises(RemitError, match="stale_epoch"):
            zombie.append(Reflected(2, "late", "none"))
        assert await code_of(zombie.release("ok")) == "stale_epoch"
        taken.append(Reflected(1, "mine", "none"))
        await taken.flush()
        assert [entry.epoch for entry in journal.read("run_1")] == [1, 2, 2]
        assert len(journal.read("run_2")) == 2
        assert journal.verify() == []

    run(path, case)


@pytest.mark.usefixtures("committer")
def test_a_full_disk_fails_its_runs_and_nothing_else(path: Path) -> None:
    """SQLITE_FULL: disk_failed now and later, nothing half-written, reads go on, a new activation resumes."""

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        other = journal.create("run_2", STARTED)
        await log.flush()
        await other.flush()
        pages = sql(path, "PRAGMA page_count")[0][0]
        await journal.writer.call(lambda connection, _: connection.pragma("max_page_count", pages + 2))
        log.append(Reflected(1, "x" * 60_000, "none"))
        waits = [code_of(log.flush()) for _ in range(3)]
        assert await asyncio.gather(*waits) == ["disk_failed"] * 3
        with pytest.raises(RemitError, match="disk_failed"):
            log.append(Reflected(2, "", "none"))
        assert await code_of(log.flush()) == await code_of(log.release("failed")) == "disk_failed"
        assert len(journal.read("run_1")) == 1
        assert journal.verify() == []
        await journal.writer.call(lambda connection, _: connection.pragma("max_page_count", 2**30))
        other.append(Reflected(1, "alive", "none"))
        await other.flush()
        assert sql(path, "SELECT owner FROM runs WHERE run_id = 'run_1'") == [("",)]  # free for other processes
        again = await journal.activate("run_1")
        await again.release("ok")
        assert [entry.epoch for entry in journal.read("run_1")] == [1, 2, 2]
        assert journal.verify() == []

    run(path, case)


@pytest.mark.usefixtures("committer")
def test_a_disk_that_refuses_writes_is_disk_failed(path: Path) -> None:
    """A read-only database: activations, answers, new runs and appends raise disk_failed; reading works."""

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        await log.release("waiting")
        journal.writer._connection.pragma("query_only", True)
        fresh = journal.create("run_2", STARTED)
        assert await code_of(fresh.flush()) == "disk_failed"
        assert await code_of(journal.activate("run_1")) == "disk_failed"
        assert await code_of(journal.answer("item_1", approve)) == "disk_failed"
        assert len(journal.inbox()) == len(journal.runs()) == 1
        journal.writer._connection.pragma("query_only", False)
        assert await journal.answer("item_1", approve) == "run_1"
        again = await journal.activate("run_1")
        await again.release("ok")

    run(path, case)


def test_a_read_only_file_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal file without write permission is listed, shown and verified; writing is disk_failed."""
    folder = Path(tempfile.mkdtemp())  # an unprivileged user cannot enter pytest's own folders

    async def fill(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        await log.release("waiting")

    async def read() -> None:
        journal = open_journal(f"sqlite:{folder}/journal.db", CountingClock())
        assert (len(journal.read("run_1")), len(journal.runs()), len(journal.inbox())) == (2, 1, 1)
        assert journal.verify() == []
        assert await code_of(journal.answer("item_1", approve)) == "disk_failed"
        assert await code_of(journal.create("run_2", STARTED).flush()) == "disk_failed"
        await journal.aclose()

    user = os.geteuid()
    try:
        monkeypatch.setenv("REMIT_STATE_DIR", str(folder / "state"))
        run(folder / "journal.db", fill)
        (folder / "journal.db").chmod(0o444)
        if user == 0:  # root may write anything
            for place in (folder, *folder.rglob("state"), *folder.rglob("state/**/*")):
                os.chown(place, 65534, 65534)
            os.seteuid(65534)
        asyncio.run(read())
    finally:
        os.seteuid(user)
        shutil.rmtree(folder)


@pytest.mark.usefixtures("committer")
def test_closing_reports_what_could_not_be_written(path: Path) -> None:
    """aclose() raises disk_failed when queued events could not be written; afterwards everything says closed."""

    async def case() -> None:
        journal = SqliteJournal(path, CountingClock())
        log = journal.create("run_1", STARTED)
        await log.flush()
        journal.writer._connection.pragma("query_only", True)
        log.append(Reflected(1, "", "none"))
        assert await code_of(journal.aclose()) == "disk_failed"
        for call in (log.flush(), journal.activate("run_1"), journal.answer("item_1", approve)):
            assert await code_of(call) == "disk_failed"
        for read in (journal.runs, journal.inbox, lambda: journal.read("run_1")):
            with pytest.raises(RemitError, match="disk_failed"):
                read()
        with pytest.raises(RemitError, match="disk_failed"):
            journal.create("run_2", STARTED)

    asyncio.run(case())


def test_a_slow_disk_refuses_appends_before_memory_runs_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound append raises queue_full and changes nothing; the chain goes on when the disk does."""
    monkeypatch.setattr(writer_module, "MAX_PENDING_ROWS", 20)

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        await log.flush()
        blocker = apsw.Connection(str(path))
        blocker.execute("BEGIN IMMEDIATE")
        taken, code = 0, ""
        while not code and taken < 2000:
            try:
                log.append(Reflected(taken, "", "none"))
                taken += 1
                await asyncio.sleep(0)
            except RemitError as error:
                code = error.code
        blocker.execute("COMMIT")
        blocker.close()
        assert code == "queue_full"
        await log.flush()
        log.append(Reflected(taken, "after", "none"))
        await log.flush()
        assert len(journal.read("run_1")) == taken + 2
        assert journal.verify() == []

    run(path, case)


@pytest.mark.usefixtures("committer")
def test_a_run_id_that_is_in_the_file_is_not_written_over(path: Path) -> None:
    """Creating a run whose id is in the file fails at flush with run_active; the old run is untouched."""

    async def first(journal: SqliteJournal) -> None:
        await journal.create("run_1", STARTED).release("ok")

    async def second(journal: SqliteJournal) -> None:
        log = journal.create("run_1", RunStarted("thief", "other"))
        fine = journal.create("run_2", STARTED)
        assert await asyncio.gather(code_of(log.flush()), code_of(fine.flush())) == ["run_active", ""]
        assert [row.agent for row in journal.runs()] == ["analyst", "analyst"]
        assert journal.verify() == []

    run(path, first)
    run(path, second)


@pytest.mark.usefixtures("committer")
def test_one_colliding_run_does_not_hurt_the_batch(path: Path) -> None:
    """A row that already stands at the next seq (a foreign edit) fails its run; other runs are written."""

    async def case(journal: SqliteJournal) -> None:
        bad, good = journal.create("run_1", STARTED), journal.create("run_2", STARTED)
        await asyncio.gather(bad.flush(), good.flush())
        sql(path, "INSERT INTO events VALUES (99, 'run_1', 2, 1, 1, x'7b7d', NULL, x'00')")
        bad.append(Reflected(1, "", "none"))
        good.append(Reflected(1, "", "none"))
        assert await asyncio.gather(code_of(bad.flush()), code_of(good.flush())) == ["chain_broken", ""]
        assert any("run_1" in problem for problem in journal.verify())
        assert journal.verify("run_2") == []

    run(path, case)


@pytest.mark.usefixtures("committer")
def test_a_cancelled_flush_or_activation_leaves_no_trace(path: Path) -> None:
    """Cancelling a flush keeps the events; cancelling an activation leaves the run free."""

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        task = asyncio.ensure_future(log.flush())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await log.release("waiting")
        for delay in (0.0, 0.001, 0.002, 0.004):
            activation = asyncio.ensure_future(journal.activate("run_1"))
            await asyncio.sleep(delay)
            activation.cancel()
            (result,) = await asyncio.gather(activation, return_exceptions=True)
            if not isinstance(result, BaseException):
                await result.release("waiting")
        again = await journal.activate("run_1")
        await again.release("ok")
        assert journal.verify() == []

    run(path, case)


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ("UPDATE events SET body = x'7b7d' WHERE seq = 2", "chain_broken"),
        ("DELETE FROM events WHERE seq = 3", "chain_broken"),
        ("UPDATE runs SET seq = 2", "chain_broken"),
        ("DELETE FROM events WHERE seq = 3; UPDATE runs SET seq = 2", "chain_broken"),
    ],
)
def test_an_altered_run_is_not_continued(path: Path, edit: str, code: str) -> None:
    """activate checks the whole chain and its anchors first, and answer the question's own entry."""

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        log.append(Reflected(1, "", "none"))
        await log.release("waiting")
        sql(path, edit)
        assert await code_of(journal.activate("run_1")) == code
        if "body" in edit:
            assert await code_of(journal.answer("item_1", approve)) == code
            assert [row.question[:8] for row in journal.inbox()] == ["damaged:"]

    run(path, case)


def test_an_event_of_a_newer_remit_stops_the_resume(path: Path) -> None:
    """An unknown kind of event in an intact chain is journal_format on activation and a problem in verify."""
    from remit.journal.chain import Tip, hash_entry, run_prefix

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        await log.release("waiting")
        last = journal.read("run_1")[-1]
        body = b'{"type":"teleported","to":"x"}'
        digest = hash_entry(last.hash, run_prefix("run_1"), (2, 1, 5), body)
        assert Tip("run_1", epoch=1).seq == 0
        sql(path, "INSERT INTO events VALUES (2, 'run_1', 2, 1, 5, ?, NULL, ?)", body, digest)
        sql(path, "UPDATE runs SET seq = 2, hash = ?, updated_ms = 5", digest)
        assert await code_of(journal.activate("run_1")) == "journal_format"
        assert journal.verify() == [
            "run run_1 seq 2: no checkpoint signs a record at position 2",
            "run run_1 seq 2: unknown kind of event: 'teleported'",
        ]

    run(path, case)


@pytest.mark.parametrize(
    ("statements", "code"),
    [
        (["UPDATE meta SET value = '4' WHERE key = 'format'"], "journal_format"),
        (["UPDATE meta SET value = 'x' WHERE key = 'format'"], "chain_broken"),
        (["CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM events; END"], "chain_broken"),
        (["CREATE VIEW v AS SELECT 1"], "chain_broken"),
        (["DROP TABLE inbox"], "chain_broken"),
        (["PRAGMA application_id = 7"], "value_invalid"),
    ],
)
def test_a_strange_file_is_refused(path: Path, statements: list[str], code: str) -> None:
    """A newer format, a changed schema, another program's file: refused when opened, with its own code."""

    async def nothing(journal: SqliteJournal) -> None:
        assert journal.runs() == []

    run(path, nothing)
    for statement in statements:
        sql(path, statement)
    with pytest.raises(RemitError) as caught:
        run(path, nothing)
    assert caught.value.code == code


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Text, or a folder, in the place of the journal is an error with a code, and the file is untouched."""
    text = tmp_path / "notes.txt"
    text.write_text("shopping list\n" * 100)
    for place in (text, tmp_path):
        with pytest.raises(RemitError) as caught:
            SqliteJournal(place, CountingClock())
        assert caught.value.code in ("chain_broken", "disk_failed")
    assert text.read_text() == "shopping list\n" * 100
    with pytest.raises(RemitError, match="value_invalid"):
        SqliteJournal(tmp_path / "j.db", CountingClock(), synchronous="OFF")


CHILD = """
import asyncio, sys, time
from remit.core.events import Reflected, RunStarted, WaitClosed
from remit.errors import RemitError
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import ASKED, CountingClock, approve
path, what, name = sys.argv[1:]
async def main():
    journal = SqliteJournal(path, CountingClock())
    if what == "hold":
        log = journal.create(name, RunStarted("child", "t"))
        log.append(ASKED)
        await log.flush()
        print("held", flush=True)
        sys.stdin.readline()
    elif what == "answer":
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            print(await journal.answer("item_1", approve), flush=True)
        except RemitError as error:
            print(error.code, flush=True)
    elif what == "write":
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(20):
            log = journal.create(f"{name}_{number}", RunStarted("child", "t"))
            for turn in range(10):
                log.append(Reflected(turn, "none", "none"))
                await log.flush()
            await log.release("ok")
        print("done", flush=True)
    await journal.aclose()
asyncio.run(main())
"""


def child(path: Path, what: str, name: str) -> subprocess.Popen[str]:
    """Another process on the same file, past its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), what, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() in ("held", "ready")
    return process


def finish(process: subprocess.Popen[str], line: str = "\n") -> str:
    """Let the child go on and end; its last output."""
    output, _ = process.communicate(line, timeout=60)
    assert process.returncode == 0
    return output.strip()


def test_a_live_process_keeps_its_run_and_a_dead_one_loses_it(path: Path) -> None:
    """Another process's run is run_active while that process lives; after kill -9 it is interrupted and free."""
    process = child(path, "hold", "run_1")

    async def while_alive(journal: SqliteJournal) -> None:
        assert [row.status for row in journal.runs()] == ["running"]
        assert await code_of(journal.activate("run_1")) == "run_active"
        assert await code_of(journal.answer("item_1", approve)) == "run_active"
        assert journal.holder("run_1").split(":")[0] == str(process.pid)

    async def after_death(journal: SqliteJournal) -> None:
        assert [row.status for row in journal.runs()] == ["interrupted"]
        assert journal.holder("run_1") == ""
        assert await journal.answer("item_1", approve) == "run_1"
        log = await journal.activate("run_1")
        assert log.epoch == 3
        await log.release("ok")
        assert journal.verify() == []

    run(path, while_alive)
    process.kill()
    process.communicate()
    run(path, after_death)


def test_racing_answers_of_processes_have_one_winner(path: Path) -> None:
    """Three processes answer one item at once: one decision is written, the others get approval_used."""

    async def ask(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        await log.release("waiting")

    async def check(journal: SqliteJournal) -> None:
        assert len(journal.read("run_1")) == 3
        assert journal.verify() == []

    run(path, ask)
    racers = [child(path, "answer", "") for _ in range(3)]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    assert sorted(finish(racer, "") for racer in racers) == ["approval_used", "approval_used", "run_1"]
    run(path, check)


def test_processes_write_one_file_at_the_same_time(path: Path) -> None:
    """Two children and the parent write at once; every event of all is there and every chain is intact."""
    children = [child(path, "write", f"run_{name}") for name in ("a", "b")]

    async def case(journal: SqliteJournal) -> None:
        for process in children:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for number in range(20):
            log = journal.create(f"run_p_{number}", STARTED)
            for turn in range(10):
                log.append(EffectIntent(f"turn/{turn}", "tool", "t", "d", "unsafe"))
                await log.flush()
            await log.release("ok")
        for process in children:
            assert await asyncio.to_thread(finish, process, "") == "done"
        rows = journal.runs(1000)
        assert (len(rows), {row.events for row in rows}) == (60, {12})
        assert journal.verify() == []

    run(path, case)


def test_a_journal_can_be_read_from_other_threads(path: Path) -> None:
    """Threads may read, list and verify while the loop writes."""

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        await log.flush()

        def reader() -> int:
            for _ in range(30):
                assert journal.read("run_1")
                assert len(journal.runs()) == 1
                assert journal.inbox() == []
                assert journal.verify("run_1") == []
            return 1

        readers = [asyncio.to_thread(reader) for _ in range(3)]

        async def write() -> int:
            for turn in range(100):
                log.append(Reflected(turn, "", "none"))
                await log.flush()
            return 1

        assert await asyncio.gather(*readers, write()) == [1] * 4

    run(path, case)


def test_a_log_can_be_flushed_from_two_loops_after_each_other(path: Path) -> None:
    """A journal outlives its event loop: waiters of a closed loop do not disturb the next one."""

    async def first() -> SqliteJournal:
        journal = SqliteJournal(path, CountingClock())
        await journal.create("run_1", STARTED).release("waiting")
        return journal

    async def second(journal: SqliteJournal) -> None:
        log = await journal.activate("run_1")
        log.append(WaitOpened("k", "i", "t", "d", "q"))
        await log.release("waiting")
        assert [row.id for row in journal.inbox()] == ["i"]
        await journal.aclose()

    journal = asyncio.run(first())
    asyncio.run(second(journal))


def test_the_owner_is_this_process(path: Path) -> None:
    """runs.owner names pid, start time and boot while a run is held, and nobody after release."""

    async def case(journal: SqliteJournal) -> None:
        log = journal.create("run_1", STARTED)
        await log.flush()
        assert sql(path, "SELECT owner FROM runs") == [(owner.this_process(),)]
        await log.release("waiting")
        assert sql(path, "SELECT owner FROM runs") == [("",)]

    run(path, case)
