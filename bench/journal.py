"""What the journal costs: group commit against a bare executemany, single-writer latency, append in memory.

    python bench/journal.py [EVENTS] [WRITERS] [--encrypted]

With --encrypted the floor and all files are encrypted with a raw key, as [encryption] mode = "encrypted" does it.
Counts (events, commits = fsyncs of the log) are exact; rates are ratios within this run.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import apsw

from remit.core.events import EffectIntent, RunStarted
from remit.journal.encrypted import PLAIN, AtRest
from remit.journal.memory import MemoryJournal
from remit.journal.schema import MAX_ROWS, connect, prepare
from remit.journal.sqlite import SqliteJournal
from remit.ports.journal import Entry

AT_REST = AtRest((secrets.token_bytes(32),)) if "--encrypted" in sys.argv else PLAIN
EVENT = EffectIntent("turn/1/call/0", "tool", "read_file", "ab" * 32, "pure", {"path": "src/remit/core/events.py"})


class WallClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def random_bits(self, bits: int) -> int:
        return int.from_bytes(os.urandom((bits + 7) // 8)) >> (-bits % 8)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def memory_entries(count: int, runs: int) -> list[Entry]:
    """`count` entries of `runs` runs, interleaved as concurrent writers make them."""
    journal = MemoryJournal(WallClock(), max_runs=runs)
    logs = [journal.create(f"run_{number:06}", RunStarted("bench", "task")) for number in range(runs)]
    return [logs[number % runs].append(EVENT) for number in range(count)]


def floor(folder: Path, entries: list[Entry]) -> float:
    """Events a second of a bare executemany of the same rows in transactions of MAX_ROWS (FULL, WAL)."""
    path = str(folder / "floor.db")
    connection = connect(path, 1000, key=AT_REST.keys[0] if AT_REST.keys else None)
    prepare(connection, path, 1000)
    rows = [(e.run_id, e.seq, e.epoch, e.at_ms, e.body, None, e.hash) for e in entries]
    begun = time.perf_counter()
    for at in range(0, len(rows), MAX_ROWS):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO events (run_id, seq, epoch, at_ms, body, blob, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows[at : at + MAX_ROWS],
        )
        connection.execute("COMMIT")
    rate = len(rows) / (time.perf_counter() - begun)
    connection.close()
    return rate


async def concurrent(folder: Path, events: int, writers: int) -> tuple[float, int, int]:
    """(events a second, events, commits) of `writers` tasks that append and flush in a loop."""
    journal = SqliteJournal(folder / "journal.db", WallClock(), at_rest=AT_REST)
    logs = [journal.create(f"run_{number:06}", RunStarted("bench", "task")) for number in range(writers)]
    await asyncio.gather(*[log.flush() for log in logs])
    commits, written = journal.writer.commits, journal.writer.events

    async def one(number: int) -> None:
        log = logs[number]
        for _ in range(events // writers):
            log.append(EVENT)
            await log.flush()

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(writers):
            group.create_task(one(number))
    seconds = time.perf_counter() - begun
    counts = journal.writer.events - written, journal.writer.commits - commits
    await asyncio.gather(*[log.release("ok") for log in logs])
    begun = time.perf_counter()
    problems = journal.verify()
    print(f"verify: {journal.writer.events / (time.perf_counter() - begun):,.0f} events/s, {len(problems)} problems")
    await journal.aclose()
    return counts[0] / seconds, *counts


async def single(folder: Path, events: int) -> list[float]:
    """Milliseconds of append + flush of one writer alone."""
    journal = SqliteJournal(folder / "single.db", WallClock(), at_rest=AT_REST)
    log = journal.create("run_1", RunStarted("bench", "task"))
    await log.flush()
    times = []
    for _ in range(events):
        begun = time.perf_counter()
        log.append(EVENT)
        await log.flush()
        times.append((time.perf_counter() - begun) * 1e3)
    await log.release("ok")
    await journal.aclose()
    return times


async def beside_work(folder: Path, events: int) -> tuple[float, float]:
    """Microseconds an append takes in a loop that never rests, and events a second that the writer kept up with."""
    journal = SqliteJournal(folder / "busy.db", WallClock(), at_rest=AT_REST)
    logs = [journal.create(f"run_{number:03}", RunStarted("bench", "task")) for number in range(100)]
    begun = time.perf_counter()
    for number in range(events):
        logs[number % 100].append(EVENT)
    append_us = (time.perf_counter() - begun) / events * 1e6
    await asyncio.gather(*[log.flush() for log in logs])
    rate = events / (time.perf_counter() - begun)
    await journal.aclose()
    return append_us, rate


async def memory(events: int) -> tuple[float, float]:
    """Microseconds of an append and of a flush in memory."""
    log = MemoryJournal(WallClock()).create("run_1", RunStarted("bench", "task"))
    begun = time.perf_counter()
    for _ in range(events):
        log.append(EVENT)
    append_us = (time.perf_counter() - begun) / events * 1e6
    begun = time.perf_counter()
    for _ in range(events):
        await log.flush()
    return append_us, (time.perf_counter() - begun) / events * 1e6


def main() -> None:
    """Print the table."""
    numbers = [int(text) for text in sys.argv[1:] if text != "--encrypted"]
    events, writers = [*numbers, *(50_000, 1_000)[len(numbers) :]]
    folder = Path(tempfile.mkdtemp(prefix="remit-bench-"))
    os.environ["REMIT_STATE_DIR"] = str(folder)  # the audit key of this measurement
    try:
        form = "encrypted" if AT_REST.keys else "plain"
        print(f"SQLite {apsw.sqlite_lib_version()}, {form}, WAL, synchronous=FULL, {threading.active_count()} thread")
        bare = floor(folder, memory_entries(events, writers))
        rate, written, commits = asyncio.run(concurrent(folder, events, writers))
        print(f"floor (executemany, {MAX_ROWS} rows a transaction): {bare:,.0f} events/s")
        print(f"{writers} writers, append + flush: {written} events, {commits} commits = fsyncs, {rate:,.0f} events/s")
        print(f"ratio to the floor: {rate / bare:.2f}")
        times = sorted(asyncio.run(single(folder, 500)))
        p99 = times[int(len(times) * 0.99)]
        print(f"one writer, append + flush: p50 {statistics.median(times):.3f} ms, p99 {p99:.3f} ms")
        append_us, kept = asyncio.run(beside_work(folder, min(events, 50_000)))
        print(f"busy loop, no flush: append {append_us:.2f} us, durable at {kept:,.0f} events/s")
        append_us, flush_us = asyncio.run(memory(events))
        print(f"memory: append {append_us:.2f} us, flush {flush_us:.2f} us")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
