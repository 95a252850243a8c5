"""kill -9 of a writing process at random moments: what was acknowledged is there, once, in an intact chain."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
import pytest

from remit.journal.open import open_journal
from remit.ports.conformance.journal import CountingClock
from remit.ports.journal import Journal

SOURCE: Final = Path(__file__).resolve().parents[2] / "src"
KILLS: Final = 32
RUNS: Final = 8

# Each run writes numbered findings; a line "RUN NUMBER" is printed only after flush() returned.
CHILD: Final = """
import asyncio, os, sys
from remit.core.events import Reflected, RunStarted
from remit.journal.open import open_journal
from remit.ports.conformance.journal import CountingClock
spec, runs = sys.argv[1], int(sys.argv[2])
async def write(journal, run_id, number):
    if number:
        log = await journal.activate(run_id)
    else:
        log = journal.create(run_id, RunStarted("crash", "test"))
    while True:
        number += 1
        big = "x" * 70_000 if number % 50 == 0 else "x" * (number % 7)
        log.append(Reflected(number, big, "none"))
        if number % 3 == 0:
            continue
        await log.flush()
        os.write(1, f"{run_id} {number}\\n".encode())
async def main():
    journal = open_journal(spec, CountingClock())
    known = {row.run_id: row.events for row in journal.runs(1000)}
    async with asyncio.TaskGroup() as group:
        for index in range(runs):
            run_id = f"run_{index}"
            count = sum(b'"reflected"' in e.body for e in journal.read(run_id)) if run_id in known else 0
            group.create_task(write(journal, run_id, count))
asyncio.run(main())
"""


def _written(journal: Journal, run_id: str) -> list[int]:
    """The numbers of the run's findings, in order."""
    events = [msgspec.json.decode(entry.body) for entry in journal.read(run_id)]
    return [event["turn"] for event in events if event["type"] == "reflected"]


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_no_acknowledged_event_is_lost_or_doubled_by_kill_9(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """32 kills at random moments on one journal: every acknowledged event is there, none twice, the chain is intact."""
    rng = random.Random(11)
    spec = f"sqlite:{tmp_path}/journal.db"
    if store == "postgres":
        spec = request.getfixturevalue("postgres").address()
    acknowledged: dict[str, int] = {}
    killed_while_writing = 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, spec, str(RUNS)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        assert process.stdout is not None
        lines = [process.stdout.readline()]  # it writes now
        try:
            process.wait(timeout=rng.uniform(0.0, 0.12))
        except subprocess.TimeoutExpired:
            killed_while_writing += 1
        process.kill()
        rest, _ = process.communicate()
        for line in (lines[0] + rest).decode().splitlines(keepends=True):
            run_id, _, number = line.partition(" ")
            if line.endswith("\n"):
                acknowledged[run_id] = max(acknowledged.get(run_id, 0), int(number))
        journal = open_journal(spec, CountingClock())
        try:
            assert list(journal.verify()) == []
            for row in journal.runs(1000):
                numbers = _written(journal, row.run_id)
                assert numbers == list(range(1, len(numbers) + 1)), row.run_id
                assert len(numbers) >= acknowledged.get(row.run_id, 0), row.run_id
                assert row.status == "interrupted"
        finally:
            asyncio.run(journal.aclose())
    assert killed_while_writing == KILLS
    assert set(acknowledged) == {f"run_{index}" for index in range(RUNS)}
