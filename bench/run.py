"""`make bench`: remit, three hand-written floors and the peers, side by side, in one run.

    python bench/run.py [--quick] [--only MODE[,MODE]] [--systems NAME[,NAME]]

Rounds are interleaved (A B C A B C) and a row shows medians, because the machine's speed drifts; CPU time stands beside
wall time, because other processes share the cores. Missing peers are reported as not installed. The full mode takes
under six minutes, `--quick` under one. Exit code 0 even when a target is missed: a benchmark is not a test.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import report
from measure import HERE, Cell, Invalid, Server, System, environment, scenario, timed

SYSTEMS = [
    System("bare python", "", "floor", "sys", "bare"),
    System("floor raw", "floor_raw.py", "floor", "floor_raw", "floor"),
    System("floor wreq", "floor_wreq.py", "floor", "floor_wreq", "floor"),
    System("floor aiohttp", "floor_aiohttp.py", "floor", "floor_aiohttp", "floor"),
    System("remit", "remit_run.py", "remit", "remit; remit.Agent, remit.Remit, remit.tool", "remit"),
    System("remit+sqlite", "remit_run.py", "remit", "", "remit", journal="sqlite:"),
    System("autoagents", "autoagents_run.py", "autoagents", "autoagents_py", "peer"),
    System("agno", "agno_run.py", "agno", "agno.agent, agno.models.openai", "peer", slow=True),
    System("pydantic-ai", "pydantic_ai_run.py", "pydantic-ai", "pydantic_ai.models.openai", "peer", slow=True),
]
ALL = frozenset(system.name for system in SYSTEMS if system.script)
IN_MEMORY = ALL - {"remit+sqlite"}
PEERS_OF_SPEED = frozenset({"floor raw", "floor wreq", "remit", "autoagents"})
GROWING = frozenset({"floor raw", "floor wreq", "remit", "remit+sqlite"})


@dataclass(frozen=True)
class Step:
    """One mode with its loads: (rounds, count, rounds in the process, warm) for fast and for slow systems."""

    mode: str
    fast: tuple[int, int, int, int]
    slow: tuple[int, int, int, int]
    names: frozenset[str] = ALL
    limit_s: float = 60


NONE = (0, 0, 0, 0)
FULL = [
    Step("seq", (5, 1500, 1, 50), (2, 150, 1, 20)),
    Step("concurrent", (3, 1000, 4, 1000), (1, 1000, 1, 50)),
    Step("calls", (3, 300, 1, 30), (1, 30, 1, 5), IN_MEMORY),
    Step("idle", (1, 5000, 1, 0), (1, 300, 1, 0), IN_MEMORY),
    Step("growth", (1, 10_000, 1, 2000), NONE, GROWING),
    Step("waiting", (2, 10_000, 1, 0), (1, 1000, 1, 0), ALL),
]
# The quick loads leave out what decides no check: aiohttp's floor, slow peers that cannot be the best.
QUICK = [
    Step("seq", (2, 400, 1, 50), (1, 40, 1, 10), ALL - {"floor aiohttp"}),
    Step("concurrent", (2, 1000, 2, 1000), (1, 60, 1, 10), ALL - {"floor aiohttp"}),
    Step("calls", (1, 150, 1, 20), NONE, PEERS_OF_SPEED),
    Step("idle", (1, 2000, 1, 0), NONE, PEERS_OF_SPEED),
    Step("growth", (1, 1000, 1, 500), NONE, GROWING - {"floor raw"}),
    Step("waiting", (1, 10_000, 1, 0), NONE, PEERS_OF_SPEED - {"autoagents"}),
]


class Bench:
    """One benchmark run: the systems that take part, the server, and the cells filled so far."""

    def __init__(self, server: Server, home: Path, systems: list[System]) -> None:
        self.server = server
        self.home = home
        self.systems = systems
        self.cells: dict[tuple[str, str], Cell] = {}

    def cell(self, system: System, mode: str) -> Cell:
        """Return the cell of a system and a mode."""
        return self.cells.setdefault((system.name, mode), Cell())

    def start_up(self, rounds: int, slow_rounds: int) -> None:
        """Measure import, CLI help and cold start; the first, uncounted round writes the byte code.

        Slow peers skip that round: pip wrote theirs when it installed them.
        """
        for number in range(rounds + 1):
            for system in self.systems:
                if not system.slow or 0 < number <= slow_rounds:
                    for mode in self._starts(system):
                        self._start(system, mode, number > 0)

    def _starts(self, system: System) -> tuple[str, ...]:
        if system.kind == "bare":
            return ("import",)
        if system.journal:
            return ()
        return ("import", "help", "cold") if system.name == report.SUBJECT else ("import", "cold")

    def _start(self, system: System, mode: str, counted: bool) -> None:
        cell = self.cell(system, mode)
        python = system.python()
        if python is None:
            cell.reason = "not installed"
            return
        command = {
            "import": [str(python), "-c", f"import {system.imports}"],
            "help": [str(python), "-m", "remit", "--help"],
        }
        try:
            if mode == "cold":
                figures = scenario(system, self.server, self.home, ("cold",))
            else:
                figures = timed(command[mode], environment(self.home))
                del figures["out"]
        except Invalid as problem:
            cell.reason = str(problem)
            return
        if counted:
            cell.rounds.append(figures)

    def step(self, step: Step) -> None:
        """Measure one mode: every system once a round."""
        for number in range(max(step.fast[0], step.slow[0])):
            for system in self.systems:
                rounds, count, inner, warm = step.slow if system.slow else step.fast
                if system.name not in step.names or number >= rounds:
                    continue
                cell = self.cell(system, step.mode)
                if number and not cell.rounds:
                    continue  # it failed before; one reason is enough
                command = (step.mode, str(count), str(inner), str(warm))
                try:
                    figures = scenario(system, self.server, self.home, command, step.limit_s)
                except Invalid as problem:
                    cell.reason = str(problem)
                else:
                    cell.rounds.append(figures | {"at_once": count})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure remit, the hand-written floors and the peers side by side.")
    parser.add_argument("--quick", action="store_true", help="smaller loads, under one minute")
    parser.add_argument("--only", default="", help="of start, seq, concurrent, calls, idle, growth, waiting, journal")
    parser.add_argument("--systems", default="", help="names of the systems to run (default: all)")
    return parser.parse_args()


def _measure(bench: Bench, quick: bool, only: set[str]) -> None:
    def wanted(mode: str) -> bool:
        return not only or mode in only

    if wanted("start"):
        print("start ...", file=sys.stderr, flush=True)
        bench.start_up(2 if quick else 5, 1 if quick else 2)
    for step in QUICK if quick else FULL:
        if wanted(step.mode):
            print(f"{step.mode} ...", file=sys.stderr, flush=True)
            bench.step(step)
    if wanted("journal"):
        import journal_rows

        print("journal ...", file=sys.stderr, flush=True)
        journal_rows.fill(bench.cells, bench.home, quick)


def main() -> int:
    """Run the benchmark and write results/latest.json and results/latest.md."""
    options = _arguments()
    known = {system.name for system in SYSTEMS}
    names = {name for name in options.systems.split(",") if name} or set(known)
    if names - known:
        raise SystemExit(f"unknown system: {', '.join(sorted(names - known))}; known: {', '.join(sorted(known))}")
    start = time.perf_counter()
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    server = Server()
    with tempfile.TemporaryDirectory(prefix="work-", dir=folder) as home:
        bench = Bench(server, Path(home), [system for system in SYSTEMS if system.name in names])
        try:
            _measure(bench, options.quick, {mode for mode in options.only.split(",") if mode})
        finally:
            server.stop()
    head = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "mode": "quick" if options.quick else "full",
        "python": platform.python_version(),
        "machine": f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}",
        "load": os.getloadavg()[0],
        "seconds": round(time.perf_counter() - start, 1),
        "peers": (HERE / "peers.txt").read_text(encoding="utf-8").splitlines()[2:],
    }
    results = report.Results(bench.systems, bench.cells)
    (folder / "latest.json").write_text(json.dumps(report.as_json(results, head), indent=1), encoding="utf-8")
    lines = [f"- {name}: {value}" for name, value in head.items() if name != "peers"]
    (folder / "latest.md").write_text(report.markdown(results, lines) + "\n", encoding="utf-8")
    print(report.plain(results))
    print(f"\n{head['mode']} mode, {head['seconds']} s; raw figures: bench/results/latest.json")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
