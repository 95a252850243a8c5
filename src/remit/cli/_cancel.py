"""Ending a run from outside its process.

A run that nobody holds is taken over and ended in the journal. A run that a live `remit run` of the same user
holds is ended by that process: it gets SIGTERM through a pidfd, after pid, start time and command line were
compared, so a used-again pid is never signalled. A run that a worker holds, or a process of another machine, is
taken from it: from that moment it writes nothing of the run, and a worker stops working on it at its next look.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from typing import Any, Final

from remit.cli import _output
from remit.cli._answer import who
from remit.cli._open import MAX_LISTED_RUNS, find_run
from remit.core.events import CancelRequested
from remit.errors import Conflict
from remit.journal import owner
from remit.ports.bus import READY
from remit.ports.journal import Journal, RunRow

WAIT_S: Final = 15.0
POLL_S: Final = 0.1


async def cancel(journal: Journal, args: Any) -> int:
    """End the run that `args.run` names; prints its status."""
    run_id = find_run(journal, args.run)
    row = _row(journal, run_id)
    if row.status == "running":
        await _stop(journal, run_id)
        row = _row(journal, run_id)
    elif row.status not in ("waiting", "interrupted"):
        raise Conflict("run_active", f"run {run_id} has ended: {row.status}", hint=f"See it with: remit show {run_id}")
    if row.status in ("waiting", "interrupted"):
        log = await journal.activate(run_id)
        log.append(CancelRequested(who(), args.reason))
        await log.release("cancelled")
        await _tell(journal)
        row = _row(journal, run_id)
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "run_id": run_id, "run_status": row.status})
    else:
        _output.data(f"{run_id}: {row.status}")
    return 0


async def _stop(journal: Journal, run_id: str) -> None:
    """Have the run's holder end it, or take it from a holder that can be spared; raises run_active."""
    holder = journal.holder(run_id)
    process = holder.partition("/")[0]  # a holder in Postgres has the number of its session behind it
    pid = process.partition(":")[0]
    if owner.is_here(process) and not (owner.alive(process) and _verb(_command(int(pid)), "worker")):
        ask_to_end(run_id, process)
        await _ended(journal, run_id, process)
    else:
        await journal.fence(run_id, holder)


async def _tell(journal: Journal) -> None:
    """Have workers look: one of them may still work on the run."""
    bus = journal.bus()
    bus.tell(READY)
    await bus.aclose()


def _row(journal: Journal, run_id: str) -> RunRow:
    return next(row for row in journal.runs(MAX_LISTED_RUNS) if row.run_id == run_id)


def ask_to_end(run_id: str, holder: str) -> None:
    """Ask the process that holds the run to end it; raises run_active when it is not a `remit run` of this user."""
    pid = int(holder.partition(":")[0] or 0)
    try:
        descriptor = os.pidfd_open(pid)
    except (ProcessLookupError, OSError):
        return  # it has ended in this moment
    try:
        # With the pidfd held, the pid cannot be used again: what is compared now is what gets the signal.
        if not owner.alive(holder):
            return
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid() or not is_remit_run(_command(pid)):
            raise Conflict(
                "run_active",
                f"run {run_id} is held by process {pid}, which is not a `remit run` of yours",
                hint="Stop it in that program: runtime.cancel(run_id), or end the process and cancel again.",
            )
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
    except ProcessLookupError:
        return  # it has ended in this moment
    finally:
        os.close(descriptor)


def is_remit_run(command: list[str]) -> bool:
    """Whether an argv is the command line's verb `run`, however it was started."""
    return _verb(command, "run")


def _verb(command: list[str], verb: str) -> bool:
    for before, word in itertools.pairwise(command):
        program = before.rpartition("/")[2]
        if word == verb and (program in ("remit", "__main__.py") or "remit.cli" in before):
            return True
    return False


def _command(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(1024 * 1024).decode("utf-8", "replace").split("\0")
    except OSError:
        return []  # it has ended in this moment


async def _ended(journal: Journal, run_id: str, holder: str) -> None:
    """Wait until the run is no longer running; raises run_active when it goes on."""
    for _ in range(round(WAIT_S / POLL_S)):
        if _row(journal, run_id).status != "running":
            return
        await asyncio.sleep(POLL_S)
    raise Conflict("run_active", f"process {holder.partition(':')[0]} was asked to end run {run_id}, and it still runs")
