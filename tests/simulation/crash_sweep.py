"""Crash at every journal append of generated runs: the final state must equal that of the run without a crash.

    python tests/simulation/crash_sweep.py [RUNS] [memory|sqlite|encrypted|postgres] [--first SEED]

Each run is crashed at each of its appends twice: with what was appended before kept, and with what was not flushed
lost. Prints a line a run, one a problem, and the counts; ends with 1 when there was a problem.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import apsw

from remit.journal.encrypted import AtRest
from remit.journal.open import open_journal
from remit.journal.transactions import Transactions
from remit.ports.clock import Clock
from remit.ports.journal import Journal
from remit.testing.crashes import Open, Sweep, sweep


def opener(kind: str, folder: Path) -> Open:
    """Journals of one kind: the same store for the same name."""
    held: dict[str, Journal] = {}

    def in_memory(clock: Clock, name: str) -> Journal:
        if name not in held:
            held.clear()
            held[name] = open_journal("memory:", clock)
        return held[name]

    def in_file(clock: Clock, name: str) -> Journal:
        at_rest = AtRest((b"k" * 32,)) if kind == "encrypted" else AtRest()
        return open_journal(f"sqlite:{folder}/{name}.db", clock, lambda: at_rest)

    return in_memory if kind == "memory" else in_file


def postgres_opener(server: Any, folder: Path) -> Open:
    """Journals in Postgres, a tenant a name. Transactional tools, which it refuses, get a file beside it."""

    def opened(clock: Clock, name: str) -> Journal:
        tenant = "t" + "".join(letter if letter.isalnum() else "-" for letter in name.lower())
        journal: Any = open_journal(server.address("crashes", tenant), clock)
        journal.transact = Transactions(lambda: apsw.Connection(f"{folder}/{name}.db")).perform
        return cast("Journal", journal)

    return opened


async def sweeps(first: int, runs: int, open_one: Open) -> list[Sweep]:
    """Both kinds of crash for each seed."""
    found = []
    for seed in range(first, first + runs):
        here = [await sweep(seed, open_one), await sweep(seed, open_one, lost=True)]
        crashes, problems = sum(each.crashes for each in here), sum(len(each.problems) for each in here)
        print(f"seed {seed}: {crashes} crashes, {problems} problems", flush=True)
        found += here
    return found


def main() -> int:
    """Sweep and report."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    runs = int(words[0]) if words else 50
    kind = words[1] if len(words) > 1 else "memory"
    first = int(sys.argv[sys.argv.index("--first") + 1]) if "--first" in sys.argv else 1
    with tempfile.TemporaryDirectory(prefix="remit-crash-") as folder:
        os.environ["REMIT_STATE_DIR"] = folder
        if kind == "postgres":
            sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
            from postgres_server import Server

            with Server() as server:
                found = asyncio.run(sweeps(first, runs, postgres_opener(server, Path(folder))))
        else:
            found = asyncio.run(sweeps(first, runs, opener(kind, Path(folder))))
    problems = [problem for each in found for problem in each.problems]
    for problem in problems:
        print(problem)
    crashes, doubts = sum(each.crashes for each in found), sum(each.doubts for each in found)
    print(f"{runs} runs ({kind}), {crashes} crashes, {doubts} doubts shown, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
