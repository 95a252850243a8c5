"""Start the mock server, run scenario processes against it, and check that each run did what it claims.

A cell is one (system, mode): a list of raw measurements, one a round, or the reason why there is none. A measurement is
kept only when the server counted two requests a run, the tool ran as often as it was asked to, and nothing was refused.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE / "scenarios"
SOURCE = HERE.parent / "src"
PORTS = 12
Figures = dict[str, Any]


@dataclass(frozen=True)
class System:
    """What is measured: name, scenario script, environment (None: this interpreter), and how to import it."""

    name: str
    script: str
    environment: str | None
    imports: str
    kind: str  # floor | remit | peer
    slow: bool = False
    journal: str = ""

    def python(self) -> Path | None:
        """Return the interpreter, or None when the environment is not installed."""
        if self.environment is None:
            return Path(sys.executable)
        python = HERE / ".venvs" / self.environment / "bin" / "python"
        return python if python.exists() and (python.parents[1] / "installed.txt").exists() else None


@dataclass
class Cell:
    """The rounds of one system in one mode."""

    rounds: list[Figures] = field(default_factory=list)
    reason: str = "not run"

    def median(self, figure: str) -> float | None:
        """Return the median of one figure over the rounds, or None."""
        values = [one[figure] for one in self.rounds if figure in one]
        return statistics.median(values) if values else None


class Invalid(Exception):
    """A measurement that must not be shown as a number."""


def environment(home: Path, journal: str = "") -> dict[str, str]:
    """Return the variables of a measured process: none of the user's own keys, proxies or settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return kept | {
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(SCENARIOS), str(SOURCE)]),
        "PYTHONHASHSEED": "0",
        "PYTHONWARNINGS": "ignore",
        "BENCH_JOURNAL": journal or "memory:",
    }


class Server:
    """The mock server's process."""

    def __init__(self) -> None:
        floor = HERE / ".venvs" / "floor" / "bin" / "python"
        python = floor if floor.exists() else Path(sys.executable)
        self.process = subprocess.Popen(
            [str(python), str(HERE / "server.py"), str(PORTS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the mock server did not start: run `python bench/install_peers.py floor`")
        self.ports: list[int] = json.loads(line)["ports"]
        self.used = 0

    def url(self, prefix: str = "") -> str:
        """Return the base_url on the next port: ports rotate, so closed connections do not exhaust local ports."""
        self.used += 1
        return f"http://127.0.0.1:{self.ports[self.used % len(self.ports)]}{prefix}/v1"

    def stats(self) -> dict[str, int]:
        """Return the server's counters."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[0]}/stats", timeout=30) as reply:
            counters: dict[str, int] = json.load(reply)
        return counters

    def stop(self) -> None:
        """Close its stdin, which ends it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def timed(command: list[str], variables: dict[str, str], *, until: bytes = b"", limit_s: float = 60) -> Figures:
    """Run a process; return wall seconds to its end (or to the line `until`), its CPU seconds and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watchdog = threading.Timer(limit_s, process.kill)
    watchdog.start()
    assert process.stdout is not None
    line = process.stdout.readline() if until else b""
    seen = time.perf_counter() - start if until and line.strip() == until else None
    out, err = process.communicate()
    wall = seen if seen is not None else time.perf_counter() - start
    watchdog.cancel()
    watchdog.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode == -signal.SIGKILL:
        raise Invalid(f"> {limit_s:.0f} s")
    if process.returncode:
        last = err.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise Invalid(f"failed: {last[0][:100]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu, "out": out}


def check(figures: Figures, before: dict[str, int], after: dict[str, int]) -> None:
    """Raise Invalid unless scenario and server agree: a run = 2 requests + the tool calls that were asked for."""
    runs = figures["total"]
    first, final, refused = (after[name] - before[name] for name in ("first", "final", "refused"))
    tools = figures.get("expected_tool_calls", runs)
    if (first, final, refused, figures["tool_calls"]) != (runs, runs, 0, tools):
        raise Invalid(
            f"invalid: {runs} runs, but {first} first + {final} final requests, {refused} refused, "
            f"{figures['tool_calls']} of {tools} tool calls"
        )


def scenario(system: System, server: Server, home: Path, command: tuple[str, ...], limit_s: float = 60) -> Figures:
    """Run one scenario process in one mode and return its checked figures.

    `command` is (mode, count, rounds, warm); `waiting` gets a URL whose answers come one second later.
    """
    python = system.python()
    if python is None:
        raise Invalid("not installed")
    mode = command[0]
    url = server.url("/delay/1000" if mode == "waiting" else "")
    journal = system.journal
    if journal.startswith("sqlite:"):
        journal = f"sqlite:{home / f'bench-{server.used}.db'}"
    before = server.stats()
    arguments = [str(python), str(SCENARIOS / system.script), mode, url, *command[1:]]
    until = b"finished" if mode == "cold" else b""
    result = timed(arguments, environment(home, journal), until=until, limit_s=limit_s)
    lines = result["out"].splitlines()
    if not lines:
        raise Invalid("failed: the scenario printed nothing")
    figures: Figures = json.loads(lines[-1])
    if mode == "cold":
        figures |= {"wall": result["wall"], "cpu": result["cpu"]}
    check(figures, before, server.stats())
    return figures
