"""Write-ahead under fire: kill -9 at many points, and a disk that fails at many points.

    python tests/integration/audit_points.py [KILLS] [FAULTS] [ahead]

A run of an agent whose tool has effects that nobody can take back: each writes its key to a file of its own, past the
journal. A killed run is looked at afterwards: every effect that happened has its decision in the journal, durable and
signed. A run whose disk fails at some write goes on in the same process: no effect may happen after the failure.

In every second case the disk counts as fast from the beginning, so that events of the run are landed beside the log
first (remit/journal/landing.py): a decision may then be there, proven, and is signed when the file is opened.

The points are calls of functions in the journal, the gate and the loop, spread evenly over the whole run: the process
kills itself there (SIGKILL), in whatever thread makes that call. Prints one JSON line; exit code 1: a promise broke.
With `ahead` the gate does not wait for the commit: the same points must then find effects that nobody decided.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import apsw

from remit import Agent, Budget, Runtime, tool
from remit.adapters.clock import SystemClock
from remit.core.messages import ToolCall
from remit.errors import RemitError
from remit.journal.audit import verify_file
from remit.journal.landing import has_landed
from remit.journal.pace import Pace
from remit.journal.schema import connect
from remit.journal.signing_key import default_place
from remit.journal.sqlite import SqliteJournal, StoredRunLog
from remit.testing import ScriptedModel

TURNS = 4
WATCHED = ("/remit/journal/", "/remit/gate/", "/remit/agents/")


class Fast(Pace):
    """A disk that is always fast: events are landed."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = True

    def seen(self, seconds: float, *, here: bool) -> None:
        """Nothing changes that."""


async def _work(folder: Path, damage: Any = None, *, lands: bool = False) -> str:
    """One run; returns its status. `damage(runtime)` may break the journal's disk; `lands`: it counts as fast."""
    effects = os.open(folder / "effects", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @tool(effect="unsafe")
    async def pay(amount: int) -> str:
        """Pay `amount`: cannot be taken back."""
        os.write(effects, b"%d\n" % amount)
        return "paid"

    calls = [ToolCall(f"call_{number}", "pay", {"amount": number}) for number in range(TURNS)]
    agent = Agent("payer", ScriptedModel([*calls, "all paid"]), tools=[pay], budget=Budget(tool_calls=TURNS))
    try:
        async with Runtime(f"sqlite:{folder}/journal.db", tune_gc=False) as runtime:
            if lands:
                runtime.journal.writer._pace = Fast()  # type: ignore[attr-defined]
            if damage is not None:
                damage(runtime)
            done = await agent.run("Pay everybody")
            return f"{done.status} {done.error.code if done.error else ''}".strip()
    finally:
        os.close(effects)


class Counter:
    """Counts calls of watched functions in all threads; kills the process at one of them."""

    def __init__(self, kill_at: int = 0) -> None:
        self.count = 0
        self.kill_at = kill_at

    def start(self) -> None:
        threading.setprofile(self._called)
        sys.setprofile(self._called)

    def stop(self) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _called(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and any(part in frame.f_code.co_filename for part in WATCHED):
            self.count += 1
            if self.count == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


def _prepare(folder: Path) -> Path:
    """A folder of its own, with the audit key in it already: what is tested is the run."""
    folder.mkdir()
    os.environ["REMIT_STATE_DIR"] = str(folder / "state")
    return folder


def kill_once(folder: Path, at: int, *, lands: bool = False) -> int:
    """Run in a child that kills itself at call `at`; returns the signal that ended it, 0 when it ended itself."""
    child = os.fork()
    if not child:
        code = 70
        try:
            Counter(at).start()
            asyncio.run(_work(folder, lands=lands))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def check(folder: Path) -> list[str]:
    """What is wrong after the run: effects without a durable decision, effects done twice, a broken log."""
    effects = (folder / "effects").read_text().split() if (folder / "effects").exists() else []
    problems = [f"{amount} was paid twice" for amount in set(effects) if effects.count(amount) > 1]
    path = folder / "journal.db"
    if not path.exists() or not path.stat().st_size:
        return problems + [f"{amount} was paid without a journal" for amount in effects]
    connection = connect(str(path), 1000)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'events'").fetchone():
            return problems + [f"{amount} was paid without a journal" for amount in effects]
        decided = set()
        for (body,) in connection.execute("SELECT body FROM events UNION ALL SELECT body FROM landed"):
            event = json.loads(bytes(body))
            if event["type"] == "effect_intent" and event["kind"] == "tool":
                decided.add(str(event["arguments"]["amount"]))
        problems += [f"{amount} was paid without a decision" for amount in effects if amount not in decided]
        problems += verify_file(connection, str(path.resolve()), default_place()).problems
    finally:
        connection.close()
    journal = SqliteJournal(path, SystemClock())
    problems += [f"once it is opened: {text}" for text in journal.verify()]
    asyncio.run(journal.aclose())
    return problems


def kills(count: int, home: Path) -> dict[str, Any]:
    """Kill at `count` points spread over the run."""
    counter = Counter()
    folder = _prepare(home / "count")
    counter.start()
    asyncio.run(_work(folder, lands=True))
    counter.stop()
    total = counter.count
    killed, problems, effects, landed = 0, list[str](), 0, 0
    for number in range(count):
        folder = _prepare(home / "kill")
        killed += kill_once(folder, 1 + number * total // count, lands=number % 2 == 0) == signal.SIGKILL
        landed += _has_landed(folder)
        problems += [f"call {1 + number * total // count}: {text}" for text in check(folder)]
        if (folder / "effects").exists():
            effects += len((folder / "effects").read_text().split())
        shutil.rmtree(folder)
    counts = {"calls_in_a_run": total, "kills": killed, "effects_before_kills": effects, "with_landed_events": landed}
    return {**counts, "problems": problems[:5]}


def _has_landed(folder: Path) -> bool:
    """Whether the kill left events that are landed and not in the log."""
    if not (folder / "journal.db").exists():
        return False
    connection = connect(str(folder / "journal.db"), 1000, readonly=True)
    found = has_landed(connection)
    connection.close()
    return found


class FailingFile(apsw.VFSFile):
    """A file whose writes and syncs fail from one operation on."""

    def __init__(self, name: Any, flags: Any, disk: FailingDisk) -> None:
        super().__init__(disk.base, name, flags)
        self._disk = disk

    def xWrite(self, data: Any, offset: int) -> None:
        self._disk.operate()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._disk.operate()
        super().xSync(flags)


class FailingDisk(apsw.VFS):
    """A disk that is full, or whose hardware fails, from operation `fail_at` on, for good."""

    base = ""

    def __init__(self, name: str, fail_at: int, error: type[apsw.Error], effects: Path) -> None:
        super().__init__(name, self.base)
        self.name = name
        self.operations = 0
        self.failed = False
        self.before = -1
        """effects that had happened when it failed"""
        self._fail_at = fail_at
        self._error = error
        self._effects = effects

    def xOpen(self, name: Any, flags: Any) -> FailingFile:
        return FailingFile(name, flags, self)

    def operate(self) -> None:
        """One write or sync of the journal."""
        self.operations += 1
        if self._fail_at and self.operations >= self._fail_at:
            if not self.failed:
                self.failed = True
                self.before = len(self._effects.read_text().split())
            raise self._error("injected")


def fault(folder: Path, fail_at: int, error: type[apsw.Error], *, lands: bool) -> tuple[FailingDisk, list[str], str]:
    """(the disk, what is wrong, the run's status) of a run whose disk fails at operation `fail_at`."""
    path = f"{folder}/journal.db"
    disk = FailingDisk(f"failing-{folder.name}", fail_at, error, folder / "effects")

    def damage(runtime: Any) -> None:
        """Put the writer on the failing disk."""
        writer = runtime.journal.writer
        writer._connection.close()
        flags = apsw.SQLITE_OPEN_READWRITE
        writer._connection = apsw.Connection(path, flags=flags, vfs=disk.name)
        writer._connection.pragma("synchronous", "FULL")
        writer._landing._connection = writer._wal._connection = writer._connection

    try:
        status = asyncio.run(_work(folder, damage, lands=lands))
    except RemitError as failure:  # the journal cannot take the run's end either, and closing says so
        status = failure.code
    paid = len((folder / "effects").read_text().split())
    problems = [f"{paid - disk.before} effect(s) after the failure"] if disk.failed and paid > disk.before else []
    disk.unregister()
    return disk, problems + check(folder), status


def faults(count: int, home: Path) -> dict[str, Any]:
    """Fail at `count` operations, alternately full and broken."""
    disk, problems, status = fault(_prepare(home / "fault"), 0, apsw.FullError, lands=True)
    assert status == "ok" and not problems, (status, problems)
    statuses: dict[str, int] = {}
    failed = 0
    for number in range(count):
        folder = _prepare(home / f"fault{number}")
        at = 1 + number * disk.operations // count
        broken, found, status = fault(folder, at, (apsw.FullError, apsw.IOError)[number % 2], lands=number % 4 < 2)
        failed += broken.failed
        problems += [f"operation {at}: {text}" for text in found]
        statuses[status] = statuses.get(status, 0) + 1
        shutil.rmtree(folder)
    return {"operations_in_a_run": disk.operations, "faults": failed, "statuses": statuses, "problems": problems[:5]}


def main(kill_count: int, fault_count: int) -> dict[str, Any]:
    """Both; the figures."""
    before = os.environ.get("REMIT_STATE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        found = {"kill": kills(kill_count, home), "disk": faults(fault_count, home)}
    if before is not None:
        os.environ["REMIT_STATE_DIR"] = before
    return found


async def _at_once(_: StoredRunLog) -> None:
    """A flush that does not wait."""


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:3]]
    if sys.argv[3:] == ["ahead"]:
        StoredRunLog.flush = _at_once  # type: ignore[method-assign]
    result = main(*(numbers + [500, 120][len(numbers) :]))
    print(json.dumps(result))
    sys.exit(bool(result["kill"]["problems"] or result["disk"]["problems"]))
