"""kill -9 of a real process at moments of its progress, again and again, until its run has ended.

    python tests/simulation/kill_sweep.py [KILLS] [--first SEED] [--postgres]

A child process works on one generated run: journal in a file (or in a server, a schema a run), effects appended to
another file. It prints a line at each append and in the middle of each effect; the parent kills it at a random one
of them. The next child settles what is in doubt by looking at the file, and goes on. At the end: the output is that of
a run nobody killed, no unsafe effect stands in the file twice, none is missing, every doubtful one was in the inbox,
the chains are valid.

Children are forked from a nursery that has done nothing but import: each is a process of its own, killed by its number,
and starts in milliseconds. A line a run says how far the sweep has come.
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
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from remit.core.events import EffectInDoubt, RunDone
from remit.journal.chain import decode_event
from remit.journal.open import open_journal
from remit.journal.pace import Pace
from remit.journal.schema import connect
from remit.journal.transactions import Transactions
from remit.ports.journal import Journal
from remit.ports.runtime import set_current
from remit.runtime import Runtime
from remit.testing.clock import FakeClock
from remit.testing.crashes import CrashingJournal, settle
from remit.testing.simulate import _alone
from remit.testing.workloads import Dice, World, generate

HERE = Path(__file__).resolve().parents[2]


class FileWorld(World):
    """A world whose unsafe and idempotent effects are lines of a file, each written at once."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        for line in path.read_text(encoding="utf-8").splitlines():
            kind, first, second = json.loads(line)
            if kind == "acted":
                self.acted.add((first, second))
            else:
                self.keyed[first] = second
        self.acted = _Lines(self, self.acted)  # type: ignore[assignment]  # only `add` and `in` are used
        self.keyed = _Keyed(self, self.keyed)  # type: ignore[assignment]  # only `[]=` and `in` are used

    def write(self, *line: str) -> None:
        """One effect."""
        os.write(self._file, json.dumps(line).encode() + b"\n")


class _Lines:
    def __init__(self, world: FileWorld, known: set[tuple[str, str]]) -> None:
        self._world, self._known = world, known

    def add(self, place: tuple[str, str]) -> None:
        """An unsafe effect: written however often it is done."""
        self._world.write("acted", *place)
        self._known.add(place)

    def __contains__(self, place: object) -> bool:
        return place in self._known


class _Keyed:
    def __init__(self, world: FileWorld, known: dict[str, str]) -> None:
        self._world, self._known = world, known

    def __setitem__(self, key: str, what: str) -> None:
        if key not in self._known:
            self._world.write("put", key, what)
        self._known[key] = what

    def __contains__(self, key: object) -> bool:
        return key in self._known


class FastDisk(Pace):
    """The disk counts as fast: the loop commits, and events of a run alone are landed before they are in the log."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = True

    def seen(self, seconds: float, *, here: bool) -> None:
        """Nothing changes that."""


def opened(folder: Path, clock: FakeClock) -> Journal:
    """The run's journal: in the folder, or where the folder says. A file takes the transactional tools of a server."""
    place = folder / "address"
    journal: Any
    if not place.exists():
        journal = open_journal(f"sqlite:{folder}/journal.db", clock)
        journal.writer._pace = FastDisk()
        return cast("Journal", journal)
    journal = open_journal(place.read_text(), clock)
    journal.transact = Transactions(lambda: connect(f"{folder}/tools.db", 1000)).perform
    return cast("Journal", journal)


class Told(CrashingJournal):
    """A journal that tells its progress."""

    def count(self) -> None:
        """Say that an append comes."""
        os.write(1, b"append\n")


async def child(folder: Path, seed: int) -> None:
    """One process: settle, then go on with the run until it ends or waits for a moment."""
    # Every process begins later than all that came before: what waited for a moment finds that it has passed.
    starts = len(list(folder.glob("start-*")))
    (folder / f"start-{starts}").touch()
    clock, world = (
        FakeClock(1_767_225_600_000 + starts * 10_000_000, seed=seed * 1000 + starts),
        FileWorld(folder / "world"),
    )

    async def middle() -> None:
        os.write(1, b"effect\n")
        await asyncio.sleep(0)

    world.pause = middle
    load = generate(seed, world)
    journal = opened(folder, clock)
    await settle(journal, world, clock)
    runtime = Runtime(Told(journal), clock=clock, tune_gc=False)  # type: ignore[arg-type]  # it has the port's methods
    set_current(runtime)
    run_id = f"run_{seed:026}"
    begun = runtime._exists(run_id)
    work = runtime.resume(run_id, load.root) if begun else runtime.run(load.root, load.task, run_id=run_id)
    run = await work
    await journal.aclose()
    os.write(1, f"end {run.status}\n".encode())


def nursery() -> None:
    """For each line `FOLDER SEED` of stdin one child; `gone` is printed when it is. Has no thread and no loop."""
    for line in sys.stdin:
        folder, seed = line.rsplit(" ", 1)
        pid = os.fork()
        if not pid:
            os.environ["REMIT_STATE_DIR"] = folder
            os.write(1, f"pid {os.getpid()}\n".encode())
            code = 1
            try:
                asyncio.run(child(Path(folder), int(seed)))
                code = 0
            except BaseException:  # a child must not go on as a second nursery
                traceback.print_exc()
            os._exit(code)
        os.waitpid(pid, 0)
        os.write(1, b"gone\n")


class Nursery:
    """The nursery's process, and what its children say."""

    def __init__(self) -> None:
        command = [sys.executable, __file__, "--nursery"]
        environment = {**os.environ, "PYTHONPATH": f"{HERE}/src"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def life(self, folder: Path, seed: int, left: int) -> tuple[bool, str]:
        """One child, killed at the `left`-th line of its progress (0 = never): (whether it was, how the run stands)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{folder} {seed}\n")
        self._process.stdin.flush()
        pid, sent, status = 0, False, ""
        for line in self._process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "gone":
                return sent and not status, status
            if word == "pid":
                pid = int(rest)
            elif word == "end":
                status = rest
            elif left:
                left -= 1
                if not left:
                    os.kill(pid, signal.SIGKILL)  # it is not waited for before it is gone: the number is still its own
                    sent = True
        raise AssertionError("the nursery has ended")


def killed(place: Nursery, folder: Path, seed: int, dice: Dice, kills: int) -> int:
    """Run children, killing each at a random line of its progress, until the run has ended; returns the kills made."""
    made = 0
    for _ in range(500):
        was, status = place.life(folder, seed, 1 + dice.below(dice.pick((3, 8, 25))) if made < kills else 0)
        made += was
        if status not in ("", "waiting"):
            return made
    raise AssertionError(f"seed {seed} does not end")


def wrong(folder: Path, seed: int) -> tuple[list[str], int]:
    """What does not hold at the end, and how many doubts were shown."""
    os.environ["REMIT_STATE_DIR"] = str(folder)
    clock = FakeClock(2_000_000_000_000)
    journal = opened(folder, clock)
    problems = list(journal.verify())
    event = decode_event(journal.read(f"run_{seed:026}")[-1].body)
    doubts = 0
    for row in journal.runs(1000):
        doubts += sum(isinstance(decode_event(e.body), EffectInDoubt) for e in journal.read(row.run_id))
    asyncio.run(journal.aclose())
    status, output, effects = asyncio.run(_alone(seed))
    if not isinstance(event, RunDone) or (event.status, event.output) != (status, output):
        problems.append(f"seed {seed}: {event!r:.300}, not {status} {output!r:.300}")
    lines: list[Any] = [json.loads(line) for line in (folder / "world").read_text(encoding="utf-8").splitlines()]
    acted = [tuple(line[1:]) for line in lines if line[0] == "acted"]
    if len(set(acted)) != len(acted) or len(acted) != sum(effects["unsafe"].values()):
        problems.append(
            f"seed {seed}: {len(acted)} unsafe effects, {len(set(acted))} different, not {effects['unsafe']}"
        )
    put = [line[1] for line in lines if line[0] == "put"]
    if len(set(put)) != len(put) or len(put) != sum(effects["idempotent"].values()):
        problems.append(f"seed {seed}: {len(put)} idempotent effects, not {effects['idempotent']}")
    return problems, doubts


def sweep(kills: int, first: int = 1, address: Callable[[], str] | None = None) -> tuple[int, int, int, list[str]]:
    """(runs, kills, doubts, problems) of at least `kills` kills; `address` gives each run a journal on a server."""
    made = doubts = runs = 0
    problems: list[str] = []
    with Nursery() as place:
        while made < kills:
            seed = first + runs
            with tempfile.TemporaryDirectory(prefix="remit-kill-") as name:
                if address is not None:
                    Path(name, "address").write_text(address())
                here = killed(place, Path(name), seed, Dice(f"kill {seed}"), kills - made)
                found, shown = wrong(Path(name), seed)
            made += here
            problems += found
            doubts += shown
            runs += 1
            print(f"seed {seed}: {here} kills, {shown} doubts, {len(found)} problems; {made} of {kills}", flush=True)
    return runs, made, doubts, problems


def main() -> int:
    """Kill and report."""
    if sys.argv[1:2] == ["--nursery"]:
        nursery()
        return 0
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kills", type=int, nargs="?", default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    if given.postgres:
        sys.path.insert(0, str(HERE / "tests"))
        from postgres_server import Server

        with Server() as server:
            runs, made, doubts, problems = sweep(given.kills, given.first, server.address)
    else:
        runs, made, doubts, problems = sweep(given.kills, given.first)
    for problem in problems:
        print(problem)
    print(f"{made} kills of {runs} runs: all ended, {doubts} doubtful effects shown, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
