"""What the journal in Postgres costs: events a second, CPU an event here and in the server, commits, round trips.

    python bench/postgres_costs.py [WRITERS] [EVENTS_A_WRITER] [PROCESSES]

Starts a Postgres of its own on this machine (fsync on), so client and server share the processors. One JSON line for
one writer at a time, one for WRITERS in one process, one for PROCESSES that share one log, one for PROCESSES with a
tenant each. docs/how-to/scale-out.md sizes from these figures.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from postgres_server import Server  # noqa: E402
from remit.adapters.clock import SystemClock  # noqa: E402
from remit.core.events import EffectIntent, RunStarted  # noqa: E402
from remit.journal.open import open_journal  # noqa: E402

EVENT = {"path": "src/remit/journal/postgres.py", "after": "x" * 160}
TICKS = os.sysconf("SC_CLK_TCK")


async def _writer(journal: Any, name: str, events: int) -> None:
    log = journal.create(name, RunStarted("bench", "write"))
    for number in range(events):
        log.append(EffectIntent(f"turn/{number}/call/0", "tool", "read_file", "d" * 64, "unsafe", EVENT))
        await log.flush()
    await log.release("ok")


async def measure(spec: str, writers: int, events: int) -> dict[str, Any]:
    """One process."""
    journal: Any = open_journal(spec, SystemClock())
    name = f"run_{os.getpid()}"
    await _writer(journal, f"{name}_first", 20)
    commits, cpu, begun = journal.writer.commits, time.process_time(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(writers):
            group.create_task(_writer(journal, f"{name}_{number}", events))
    seconds, used = time.monotonic() - begun, time.process_time() - cpu
    count = writers * (events + 2)
    commits = journal.writer.commits - commits
    await journal.aclose()
    return {"events": count, "seconds": seconds, "cpu_s": used, "commits": commits}


def server_cpu_s(server: Server) -> float:
    """CPU of the server and its living and ended sessions."""
    assert server.process is not None
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(entry.name) == server.process.pid:
                total += sum(map(int, fields[11:15]))  # and of its ended children
            elif int(fields[1]) == server.process.pid:
                total += sum(map(int, fields[11:13]))
    return total / TICKS


def shown(label: str, found: list[dict[str, Any]], server_s: float) -> dict[str, Any]:
    """The JSON line of one or more processes that wrote at once."""
    events = sum(each["events"] for each in found)
    seconds = max(each["seconds"] for each in found)
    commits = sum(each["commits"] for each in found)
    return {
        "case": label,
        "events": events,
        "events_per_s": round(events / seconds),
        "events_per_commit": round(events / commits, 1),
        "ms_per_commit": round(seconds * 1000 / commits * len(found), 2),
        "client_us_per_event": round(sum(each["cpu_s"] for each in found) * 1e6 / events, 1),
        "server_us_per_event": round(server_s * 1e6 / events, 1),
    }


def processes(specs: list[str], writers: int, events: int) -> list[dict[str, Any]]:
    """One child a spec, at once."""
    command = [sys.executable, str(Path(__file__)), "--one"]
    children = [
        subprocess.Popen([*command, spec, str(writers), str(events)], stdout=subprocess.PIPE, text=True)
        for spec in specs
    ]
    return [json.loads(child.communicate(timeout=600)[0]) for child in children]


def main() -> None:
    """The command line."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(asyncio.run(measure(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))))
        return
    writers, events, count = [int(text) for text in sys.argv[1:]] + [1000, 20, 3][len(sys.argv) - 1 :]
    with Server() as server:
        one = server.address()
        many = [server.address(tenant=f"t{number}", schema="tenants") for number in range(count)]
        for spec in (one, *many):
            asyncio.run(open_journal(spec, SystemClock()).aclose())
        for label, specs, size, each in (
            ("one writer", [one], 1, 200),
            (f"{writers} writers, one process", [one], writers, events),
            (f"{count} processes, one log", [one] * count, writers // count, events),
            (f"{count} processes, a tenant each", many, writers // count, events),
        ):
            before = server_cpu_s(server)
            found = processes(specs, size, each)
            print(json.dumps(shown(label, found, server_cpu_s(server) - before)), flush=True)


if __name__ == "__main__":
    main()
