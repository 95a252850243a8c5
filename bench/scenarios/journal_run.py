"""Durable journal events a second: 1,000 writers, each waiting until its event is on disk before it writes the next.

    journal_run.py remit|encrypted|sealed|floor PATH WRITERS EVENTS
    journal_run.py sequential|sequential-encrypted PATH 1 EVENTS

`remit` is the journal as the runtime uses it: one run a writer, hash chain, group commit; `encrypted` the same in an
encrypted file; `sealed` an encrypted file with the contents of each event sealed under its subject's key. `floor` is
what SQLite itself gives: one thread, rows of the same size, 512 a transaction, no chain, no waiting tasks. All use WAL
and synchronous=FULL. The count is read back from the file, and the chain is verified, before the line is printed.
`sequential` is one writer alone, in turns with two plain files that get the same bytes and one fdatasync an event: one
that grows, as whoever appends to a log has it, and one whose space was written before.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from typing import Any

BATCH = 512
WARM = 100  # events before the first that counts: the journal measures the disk first, and makes its WAL longer
COLUMNS = "run_id, seq, epoch, at_ms, body, prev, hash"


def _result(events: int, wall: float, cpu: float) -> dict[str, Any]:
    return {"runs": events, "events_per_s": events / wall, "cpu_us": cpu / events * 1e6, "wall": wall, "cpu": cpu}


def at_rest(what: str, folder: str) -> Any:
    """How the file is protected: keys and seals of a ring beside it, made for this measurement."""
    import secrets

    from remit.guard.keys import KeyRing
    from remit.guard.keys_sources import LocalKey
    from remit.guard.subjects import Subjects
    from remit.journal.encrypted import PLAIN, AtRest

    if what in ("remit", "sequential"):
        return PLAIN
    kek = LocalKey(secrets.token_bytes(32))
    ring = KeyRing(folder, os.path.join(folder, "anchor"), lambda _: kek)
    return AtRest(ring.keys("journal"), Subjects(ring, folder, sealing=what == "sealed"))


async def subject(path: str, writers: int, events: int, protection: Any) -> dict[str, Any]:
    """Measure remit's journal."""
    from remit.adapters.clock import SystemClock
    from remit.core.events import EffectIntent, RunStarted
    from remit.core.ids import new_id
    from remit.journal.open import open_journal

    clock = SystemClock()
    journal = open_journal(f"sqlite:{path}", clock, lambda: protection)
    ids = [new_id("run", clock.now_ms(), clock.random_bits(80)) for _ in range(writers)]
    logs = [journal.create(run_id, RunStarted(agent="bench", task="count")) for run_id in ids]
    await asyncio.gather(*[log.flush() for log in logs])
    latency: list[float] = []

    async def write(log: Any) -> None:
        for number in range(events):
            start = time.perf_counter()
            log.append(
                EffectIntent(f"turn/{number}/call/0", "tool", "population", "0" * 64, arguments={"city": "Rome"})
            )
            await log.flush()
            latency.append(time.perf_counter() - start)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*[write(log) for log in logs])
    result = _result(writers * events, time.perf_counter() - wall, time.process_time() - cpu)
    await asyncio.gather(*[log.release("cancelled") for log in logs])
    stored = sum(b'"effect_intent"' in entry.body for run_id in ids for entry in journal.read(run_id))
    problems = list(journal.verify())
    await journal.aclose()
    if stored != writers * events or problems:
        raise SystemExit(f"{stored} of {writers * events} events stored; problems: {problems[:3]}")
    return result | {"p99": sorted(latency)[int(len(latency) * 0.99)]}


async def sequential(path: str, events: int, protection: Any) -> dict[str, Any]:
    """Measure one writer beside one fdatasync an event, in turns, so all meet the same disk."""
    from remit.adapters.clock import SystemClock
    from remit.core.events import EffectIntent, RunStarted
    from remit.core.ids import new_id
    from remit.journal.open import open_journal

    clock = SystemClock()
    journal = open_journal(f"sqlite:{path}", clock, lambda: protection)
    run_id = new_id("run", clock.now_ms(), clock.random_bits(80))
    log = journal.create(run_id, RunStarted(agent="bench", task="count"))
    await log.flush()
    files = {"growing": _file(f"{path}.plain", 0), "allocated": _file(f"{path}.ready", 8 * 1024 * 1024)}
    times: dict[str, list[float]] = {name: [] for name in ("durable", *files)}
    for number in range(WARM + events):
        event = EffectIntent(f"turn/{number}/call/0", "tool", "population", "0" * 64, arguments={"city": "Rome"})
        start = time.perf_counter()
        entry = log.append(event)
        await log.flush()
        times["durable"].append(time.perf_counter() - start)
        for name, file in files.items():
            start = time.perf_counter()
            os.write(file, entry.body)
            os.fdatasync(file)
            times[name].append(time.perf_counter() - start)
    for file in files.values():
        os.close(file)
    await log.release("cancelled")
    stored, problems = sum(1 for _ in journal.read(run_id)), list(journal.verify())
    await journal.aclose()
    if stored < WARM + events + 1 or problems:
        raise SystemExit(f"{stored} of {events} events stored; problems: {problems[:3]}")
    seen = {name: values[WARM:] for name, values in times.items()}
    sums = {name: sum(values) for name, values in seen.items()}
    middle = {name: statistics.median(values) for name, values in seen.items()}
    return {
        "events": events, "ratio": sums["durable"] / sums["growing"], "allocated": sums["durable"] / sums["allocated"],
        "p50": middle["durable"], "bare_p50": middle["growing"], "allocated_p50": middle["allocated"],
        "middle": middle["durable"] / middle["growing"],
    }  # fmt: skip


def _file(path: str, size: int) -> int:
    """A file with `size` bytes of zeros that are on the disk, open at its beginning."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(file, bytes(size))
    os.fsync(file)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def floor(path: str, writers: int, events: int) -> dict[str, Any]:
    """Measure plain SQLite."""
    import sqlite3

    body = json.dumps(
        {"type": "effect_intent", "key": "turn/1/call/0", "digest": "0" * 64, "arguments": {"city": "Rome"}}
    )
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(f"CREATE TABLE events ({COLUMNS}, PRIMARY KEY (run_id, seq)) WITHOUT ROWID")
    rows = [(f"run_{w:026}", n, 1, 0, body, b"0" * 32, b"0" * 32) for n in range(events) for w in range(writers)]
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(rows), BATCH):
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows[start : start + BATCH])
        database.execute("COMMIT")
    result = _result(len(rows), time.perf_counter() - wall, time.process_time() - cpu)
    stored = database.execute("SELECT count(*) FROM events").fetchone()[0]
    database.close()
    if stored != len(rows):
        raise SystemExit(f"{stored} of {len(rows)} rows stored")
    return result


def main() -> None:
    """Measure what the command line names and print one JSON line."""
    what, path, writers, events = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if what == "floor":
        result = floor(path, writers, events)
    else:
        try:
            from uvloop import run
        except ImportError:
            from asyncio import run
        with tempfile.TemporaryDirectory() as folder:
            protection = at_rest(what, folder)
            alone = what.startswith("sequential")
            result = run(sequential(path, events, protection) if alone else subject(path, writers, events, protection))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
