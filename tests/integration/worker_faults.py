"""Three workers on one Postgres: one is killed, one is frozen and thawed, the server and the dispatcher restart.

    python tests/integration/worker_faults.py [RUNS] [--dispatcher temporal|local] [--restart postgres,temporal]

Prints one JSON line: whether all runs ended, seconds from the faults to the last end, and how many rows the frozen
worker wrote after it was frozen under an activation that it held then (0 = it was fenced). With `local` nobody is
frozen: taking a run from a frozen process needs the heartbeats of a dispatcher.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests"), str(HERE.parent)]

from postgres_server import Server  # noqa: E402
from remit.agents.dispatch import submit  # noqa: E402
from remit.journal.heads import FINAL  # noqa: E402
from remit.journal.open import open_journal  # noqa: E402
from remit.ports.bus import READY  # noqa: E402
from remit.ports.conformance.journal import CountingClock  # noqa: E402
from remit.ports.dispatcher import DEFAULT_TENANT, Dispatcher  # noqa: E402
from remit.runtime import Runtime, make_dispatcher  # noqa: E402
from temporal_server import TemporalServer  # noqa: E402

POOL = "faults"
HEARTBEAT_S = 3.0
LIMIT_S = 40.0
POLL_S = 0.2


class Field:
    """The servers, the workers and the journal of one experiment."""

    def __init__(self, stack: ExitStack, dispatcher: str, environ: dict[str, str]) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="remit-faults-")))
        self.postgres = stack.enter_context(Server())
        self.temporal = stack.enter_context(TemporalServer()) if dispatcher == "temporal" else None
        self.spec = self.postgres.address()
        config = self.folder / "config"
        config.mkdir()
        section = f"[dispatch]\nheartbeat_s = {HEARTBEAT_S}\n"
        if self.temporal is not None:
            section += f'temporal = "{self.temporal.address}"\n'
        (config / "remit.toml").write_text(section)
        self.env = {
            **environ,
            "PYTHONPATH": f"{ROOT / 'src'}:{HERE.parent}",
            "REMIT_CONFIG_DIR": str(config),
            "REMIT_STATE_DIR": str(self.folder / "state"),
        }
        os.environ["REMIT_STATE_DIR"] = self.env["REMIT_STATE_DIR"]
        self.workers: list[subprocess.Popen[bytes]] = []
        stack.callback(self.stop)

    def start_worker(self, concurrency: int) -> None:
        """One `remit worker` process."""
        command = [sys.executable, "-m", "remit", "worker", "--pool", POOL, "--journal", self.spec]
        command += ["--app", "fault_app:agents", "--concurrency", str(concurrency), "--sweep-s", "2"]
        with open(self.folder / f"worker{len(self.workers)}.log", "wb") as log:
            self.workers.append(
                subprocess.Popen(
                    command, env=self.env, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL
                )
            )

    def ready(self) -> bool:
        """Whether all workers serve."""
        logs = [(self.folder / f"worker{number}.log").read_text() for number in range(len(self.workers))]
        return all("worker " in log for log in logs)

    def stop(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def held_by(self, journal: Any, pid: int) -> dict[str, tuple[int, int]]:
        """{run: (epoch, seq)} of the runs that a process holds."""
        with journal.reading() as connection:
            rows = connection.execute("SELECT run_id, epoch, seq, owner FROM runs WHERE owner <> ''").fetchall()
        return {run_id: (epoch, seq) for run_id, epoch, seq, owner in rows if owner.startswith(f"{pid}:")}


async def submit_runs(field: Field, runs: int) -> list[str]:
    """Submit the runs, as a program does."""
    import fault_app

    from remit.core.sections import DispatchSection

    section = DispatchSection(temporal=field.temporal.address if field.temporal else None, heartbeat_s=HEARTBEAT_S)
    async with Runtime(field.spec, tune_gc=False) as runtime:
        dispatcher: Dispatcher = make_dispatcher(section, runtime.clock)
        found = [await submit(runtime, fault_app.agents[0], f"run {number}", pool=POOL) for number in range(runs)]
        if field.temporal is not None:
            for run_id in found:
                await dispatcher.submit(run_id, POOL, DEFAULT_TENANT)
        bus = runtime.journal.bus()
        bus.tell(READY)
        await bus.aclose()
        await dispatcher.aclose()
    return found


def ended(journal: Any, runs: list[str]) -> int:
    """How many of the runs have ended."""
    states = {row.run_id: row.status for row in journal.runs(100_000)}
    return sum(states.get(run) in FINAL for run in runs)


def until(what: str, holds: Any, limit_s: float) -> float:
    """Wait until `holds()`; returns the seconds, raises TimeoutError."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > limit_s:
            raise TimeoutError(f"{what} took more than {limit_s:g} s")
        time.sleep(POLL_S)
    return time.monotonic() - begun


def taken(journal: Any, held: dict[str, tuple[int, int]]) -> list[str]:
    """Those of the runs that another activation has taken."""
    return [run for run, (epoch, _) in held.items() if journal.read(run)[-1].epoch > epoch]


def faults(field: Field, journal: Any, runs: list[str], restart: tuple[str, ...]) -> dict[str, Any]:
    """Do the harm while the runs are under way, wait for their end, and count."""
    workers = field.workers
    until("the begin", lambda: all(field.held_by(journal, worker.pid) for worker in workers), 60)
    workers[0].kill()
    frozen: dict[str, tuple[int, int]] = {}
    begun = time.monotonic()
    if field.temporal is not None:
        os.kill(workers[1].pid, signal.SIGSTOP)
        time.sleep(0.3)  # what it had sent is written by now
        frozen = field.held_by(journal, workers[1].pid)
    if "postgres" in restart:
        field.postgres.restart("immediate")
    if "temporal" in restart and field.temporal is not None:
        field.temporal.kill()
        time.sleep(0.5)
        field.temporal.start()
    if frozen:  # thawed only when others have its runs: before that it may rightly go on
        until("taking the frozen worker's runs", lambda: len(taken(journal, frozen)) == len(frozen), 60)
        os.kill(workers[1].pid, signal.SIGCONT)
    until("the end of all runs", lambda: ended(journal, runs) == len(runs), 120)
    seconds = time.monotonic() - begun
    time.sleep(1.0)  # whatever the thawed one still tries
    late = [
        (run, entry.seq)
        for run, (epoch, seq) in frozen.items()
        for entry in journal.read(run, seq)
        if entry.epoch == epoch
    ]
    return {
        "seconds": round(seconds, 1),
        "held_when_frozen": len(frozen),
        "taken_from_frozen": len(taken(journal, frozen)),
        "rows_by_the_frozen": len(late),
        "statuses": sorted({row.status for row in journal.runs(100_000)}),
        "taken_over": sum(row.epoch > 2 for row in journal.runs(100_000)),
        "problems": journal.verify()[:5],
    }


def experiment(runs: int, dispatcher: str = "temporal", restart: tuple[str, ...] = ()) -> dict[str, Any]:
    """One experiment; returns what the JSON line says."""
    with ExitStack() as stack:
        field = Field(stack, dispatcher, dict(os.environ))
        journal: Any = open_journal(field.spec, CountingClock())
        for _ in range(3):
            field.start_worker(runs // 3 + 1)
        until("the start of the workers", field.ready, 60)
        try:
            names = asyncio.run(submit_runs(field, runs))
            found = faults(field, journal, names, restart)
            return {
                "runs": runs,
                "dispatcher": dispatcher,
                "restarted": list(restart),
                "ended": ended(journal, names),
                **found,
            }
        except TimeoutError:
            for worker in range(3):
                sys.stderr.write((field.folder / f"worker{worker}.log").read_text()[-1500:])
            raise
        finally:
            asyncio.run(journal.aclose())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=30)
    parser.add_argument("--dispatcher", choices=("temporal", "local"), default="temporal")
    parser.add_argument("--restart", default="", help="postgres,temporal: what restarts while the runs are under way")
    args = parser.parse_args()
    found = experiment(args.runs, args.dispatcher, tuple(name for name in args.restart.split(",") if name))
    print(json.dumps(found))
    right = found["ended"] == args.runs and not found["rows_by_the_frozen"] and not found["problems"]
    sys.exit(0 if right and found["seconds"] <= LIMIT_S else 1)


if __name__ == "__main__":
    main()
