"""Who commits: the loop where few wait and the disk is fast, else the writer thread. And what the loop is spared."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import apsw
import pytest

import remit.journal.landing as landing_module
import remit.journal.writer as writer_module
from remit.core.events import Reflected
from remit.journal.pace import EASED, FEWEST, LIMIT_S, MOST, Pace
from remit.journal.sqlite import SqliteJournal
from remit.journal.wal import Wal
from remit.ports.conformance.journal import STARTED, CountingClock

FAST, SLOW = LIMIT_S / 10, LIMIT_S * 3


def test_the_loop_commits_only_after_several_fast_ones() -> None:
    """Nothing is known of a new disk: the thread measures it first."""
    pace = Pace()
    seen = []
    for _ in range(FEWEST):
        seen.append(pace.allowed)
        pace.seen(FAST, here=False)
    assert seen == [False] * FEWEST
    assert pace.allowed


def test_one_slow_commit_sends_the_next_ones_to_the_thread() -> None:
    """Each time that the loop was held up doubles how many fast commits it takes; fast ones in the loop ease that."""
    pace = Pace()
    waits = []
    for _ in range(10):
        while not pace.allowed:
            pace.seen(FAST, here=False)
        pace.seen(SLOW, here=True)
        assert not pace.allowed
        count = 0
        while not pace.allowed:
            pace.seen(FAST, here=False)
            count += 1
        waits.append(count)
    assert waits == [min(FEWEST * 2 ** (n + 1), MOST) for n in range(10)]
    for _ in range(EASED * 10):
        pace.seen(FAST, here=True)
    pace.seen(SLOW, here=False)
    for _ in range(FEWEST):
        pace.seen(FAST, here=False)
    assert pace.allowed


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that has been fast, whatever this machine's is like."""
    monkeypatch.setattr(Pace, "allowed", True)
    monkeypatch.setattr(Pace, "seen", lambda *_, **__: None)
    monkeypatch.setattr(Pace, "__init__", lambda _: None)


async def _warm(journal: SqliteJournal) -> Any:
    log = journal.create("run_0", STARTED)
    await log.flush()  # this one starts the thread
    while journal.writer._state != writer_module._IDLE:
        await asyncio.sleep(0.001)
    return log


@pytest.mark.usefixtures("fast")
def test_a_run_alone_is_written_without_the_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 events, each waited for: 100 commits, all of them in the loop's own thread."""
    monkeypatch.setattr(Wal, "due", False)  # the thread has nothing of its own to do
    monkeypatch.setattr(landing_module, "FOLD_S", 60.0)
    threads = []

    async def case() -> None:
        journal = SqliteJournal(tmp_path / "journal.db", CountingClock())
        log = await _warm(journal)
        commits = journal.writer.commits
        original = journal.writer._landing.land

        def land(part: Any) -> bool:
            threads.append(threading.get_ident())
            return original(part)

        monkeypatch.setattr(journal.writer._landing, "land", land)
        for turn in range(100):
            log.append(Reflected(turn, "none", "none"))
            await log.flush()
        assert journal.writer.commits == commits + 100
        assert len(journal.read("run_0")) == 101
        assert journal.verify() == []
        await log.release("ok")
        await journal.aclose()

    asyncio.run(case())
    assert threads == [threading.get_ident()] * 100


@pytest.mark.usefixtures("fast")
def test_what_is_ready_in_one_turn_shares_the_commit(tmp_path: Path) -> None:
    """Six runs that are ready at once, ten times: ten commits."""

    async def case() -> None:
        journal = SqliteJournal(tmp_path / "journal.db", CountingClock())
        await _warm(journal)
        logs = [journal.create(f"run_a{number}", STARTED) for number in range(6)]
        commits = journal.writer.commits
        for turn in range(10):
            for log in logs:
                log.append(Reflected(turn, "none", "none"))
            await asyncio.gather(*[log.flush() for log in logs])
        assert journal.writer.commits == commits + 10
        await journal.aclose()

    asyncio.run(case())


@pytest.mark.usefixtures("fast")
def test_another_process_holds_up_the_run_and_not_the_loop(tmp_path: Path) -> None:
    """While somebody else writes for 0.3 s the event waits and the loop goes on; then the event is durable."""
    ticks, over = [0], threading.Event()

    def tick() -> None:  # a clock that stands still when the whole process does
        while not over.wait(0.01):
            ticks[0] += 1

    async def case() -> None:
        journal = SqliteJournal(tmp_path / "journal.db", CountingClock())
        log = await _warm(journal)
        other = apsw.Connection(str(tmp_path / "journal.db"))
        other.execute("BEGIN IMMEDIATE")
        log.append(Reflected(1, "none", "none"))
        flushed = asyncio.ensure_future(log.flush())
        longest, begun = 0, ticks[0]
        while ticks[0] < begun + 30:
            last = ticks[0]
            await asyncio.sleep(0.001)
            longest = max(longest, ticks[0] - last)
        assert not flushed.done()
        other.execute("ROLLBACK")
        other.close()
        await asyncio.wait_for(flushed, 20)
        assert len(journal.read("run_0")) == 2
        assert longest < 20, longest
        await journal.aclose()

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        asyncio.run(case())
    finally:
        over.set()
        thread.join()


@pytest.mark.usefixtures("fast")
def test_an_event_whose_loop_ended_is_not_forgotten(tmp_path: Path) -> None:
    """What a loop put off and never came round to is written with the next event, in another loop, or at the close."""
    path = tmp_path / "journal.db"
    made: list[Any] = []

    async def first() -> None:
        made.append(SqliteJournal(path, CountingClock()))
        made.append(await _warm(made[0]))

    async def second() -> None:
        await asyncio.wait_for(made[1].flush(), 20)
        assert len(made[0].read("run_0")) == 2

    async def third() -> None:
        await made[0].aclose()

    asyncio.run(first())
    loop = asyncio.new_event_loop()

    async def append_and_stop() -> None:
        made[1].append(Reflected(1, "none", "none"))
        loop.stop()

    task = loop.create_task(append_and_stop())
    loop.run_forever()
    assert task.done()
    loop.close()
    asyncio.run(second())
    loop = asyncio.new_event_loop()

    async def again() -> None:
        made[1].append(Reflected(2, "none", "none"))
        loop.stop()

    task = loop.create_task(again())
    loop.run_forever()
    assert task.done()
    loop.close()
    asyncio.run(third())
    journal = SqliteJournal(path, CountingClock())
    assert len(journal.read("run_0")) == 3
    assert journal.verify() == []
    asyncio.run(journal.aclose())


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("landing", [True, False])
def test_an_interrupted_commit_fails_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, landing: bool) -> None:
    """An interrupt in the middle of a commit in the loop: the run accepts nothing more, others go on, all is sound."""

    async def case() -> None:
        journal = SqliteJournal(tmp_path / "journal.db", CountingClock())
        log = await _warm(journal)
        place = (journal.writer._landing, "_insert") if landing else (journal.writer._log, "checkpoint")
        original = getattr(*place)

        def interrupt(*_: Any) -> int:
            raise KeyboardInterrupt

        monkeypatch.setattr(journal.writer._landing, "_stopped", not landing)
        monkeypatch.setattr(*place, interrupt)
        log.append(Reflected(1, "none", "none"))
        journal.writer._waiting = 1  # as if somebody waited
        with pytest.raises(KeyboardInterrupt):
            journal.writer._turn()
        journal.writer._waiting = 0
        monkeypatch.setattr(*place, original)
        with pytest.raises(Exception, match="interrupted"):
            log.append(Reflected(2, "none", "none"))
        other = journal.create("run_1", STARTED)
        await other.flush()
        assert [len(journal.read(run)) for run in ("run_0", "run_1")] == [1, 1]
        assert journal.verify() == []
        await journal.aclose()

    asyncio.run(case())
