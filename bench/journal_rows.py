"""What durability costs: the journal's rows of run.py, and by itself the bars of durable runs (`make bench-journal`).

    python bench/journal_rows.py [--events 50] [--rounds 3] [--runs 100] [--steps 10]

1. 1,000 writers that each wait for the disk, plain and encrypted, beside plain SQLite: durable events a second.
2. One writer alone beside plain files with one fdatasync an event, in turns. It is judged by the whole time beside the
   file that grows: that is what a log is to whoever appends to it. A file whose space was written before is shown, too:
   its sync writes no metadata, which the journal saves by the same means.
3. A durable step beside LangGraph with its SQLite checkpointer and DBOS on SQLite: RUNS at once, then one run alone.
Each in processes of their own, in rounds by turns; the median is shown. Ends with 1 when a bar is missed.

The files lie beside the results, on the project's file system, because /tmp may be memory, where a sync costs nothing.
The cost of one sync differs by a factor of thirty between disks, so a figure means something only beside the floor's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
from pathlib import Path

from measure import HERE, SCENARIOS, Cell, Figures, Invalid, environment, timed

WRITERS = 1000
ALONE = 1000  # events of one writer alone, and its bar below: each is a sync three times
BARS = {"remit": 20_000, "remit+encrypted": 14_000}  # events a second. Source: issue 4
AT_MOST = 2.0  # x one fdatasync an event
AT_LEAST = 20.0  # x faster a durable step than each peer
LIMIT_S = 100.0
NUMBERS = itertools.count()
SYSTEMS = {"remit": "remit", "remit+encrypted": "encrypted", "remit+sealed": "sealed", "sqlite floor": "floor"}


def fill(cells: dict[tuple[str, str], Cell], home: Path, quick: bool) -> None:
    """Measure all, interleaved, and put the rounds into `cells`."""
    rounds, events = (1, 20) if quick else (3, 50)
    for number in range(rounds):
        for name, argument in SYSTEMS.items():
            cell = cells.setdefault((name, "journal"), Cell())
            path = home / f"journal-{argument}-{number}.db"
            script = str(SCENARIOS / "journal_run.py")
            command = [sys.executable, script, argument, str(path), str(WRITERS), str(events)]
            try:
                cell.rounds.append(json.loads(timed(command, environment(home))["out"]))
            except Invalid as problem:
                cell.reason = str(problem)
            for file in home.glob(f"{path.name}*"):
                file.unlink()


def measured(script: str, home: Path, *arguments: str, python: str = sys.executable) -> Figures | str:
    """The line of one scenario process on a file of its own, or why there is none."""
    path = home / f"bench-{next(NUMBERS)}.db"  # the audit heads of a journal outlive its file: never a name twice
    first, *rest = arguments
    words = [first, str(path), *rest] if script == "journal_run.py" else [str(path), *arguments]
    try:
        done = timed([python, str(SCENARIOS / script), *words], environment(home), limit_s=LIMIT_S)
        found: Figures = json.loads(done["out"].splitlines()[-1])
        return found
    except (Invalid, IndexError) as problem:
        return str(problem) or "printed nothing"
    finally:
        for file in home.glob("bench-*"):
            file.unlink()


def verdict(good: bool, bar: str) -> str:
    """The last column."""
    return f"{'pass' if good else 'FAIL'}  {bar}"


def writers(home: Path, events: int, rounds: int) -> bool:
    """1,000 writers."""
    cells: dict[tuple[str, str], Cell] = {}
    for _ in range(rounds):
        for name in ("sqlite floor", *BARS):
            cell = cells.setdefault((name, "journal"), Cell())
            found = measured("journal_run.py", home, SYSTEMS[name], str(WRITERS), str(events))
            cell.rounds += [found] if isinstance(found, dict) else []
            cell.reason = str(found)
    good = True
    base = cells["sqlite floor", "journal"].median("events_per_s") or 0.0
    for (name, _), cell in cells.items():
        rate, bar = cell.median("events_per_s"), BARS.get(name)
        held = bar is None or (rate is not None and rate >= bar)
        good &= held
        shown = f"{rate:10,.0f} events/s, {rate / base if base else 0:4.2f} of the floor" if rate else cell.reason
        counts = f"{len(cell.rounds)} rounds of {WRITERS * events:,} events"
        print(f"{name:20} {shown}, {counts}  {verdict(held, f'at least {bar:,}') if bar else ''}", flush=True)
    return good


def alone(home: Path, rounds: int) -> bool:
    """One writer."""
    good = True
    for what in ("sequential", "sequential-encrypted"):
        rows = [measured("journal_run.py", home, what, "1", str(ALONE)) for _ in range(rounds)]
        found = [row for row in rows if isinstance(row, dict)]
        if not found:
            print(f"{what:20} {rows[0]}")
            good = False
            continue
        middle = {name: statistics.median([row[name] for row in found]) for name in found[0]}
        held = middle["ratio"] <= AT_MOST
        good &= held
        times = f"p50 {middle['p50'] * 1e3:.3f} ms an event, {middle['middle']:.2f} x that of one fdatasync"
        times += f" ({middle['bare_p50'] * 1e3:.3f} ms; space written before {middle['allocated_p50'] * 1e3:.3f} ms)"
        ratios = f"{middle['ratio']:.2f} x in all ({middle['allocated']:.2f} x)"
        print(f"{what:20} {times}, {ratios}, {len(found)} rounds of {ALONE:,} events  ", end="")
        print(verdict(held, f"at most {AT_MOST:.0f} x"), flush=True)
    return good


def beside(home: Path, runs: int, steps: int, rounds: int, bar: float) -> bool:
    """A durable step of remit and of the peers, `runs` runs at once."""
    pythons = {"remit": sys.executable} | {
        name: str(HERE / ".venvs" / name / "bin" / "python") for name in ("langgraph", "dbos")
    }
    walls: dict[str, list[float]] = {name: [] for name in pythons}
    why = dict.fromkeys(pythons, "not installed")
    for _ in range(rounds):
        for name, python in pythons.items():
            if not Path(python).exists():
                continue
            found = measured(f"steps_{name}.py", home, str(runs), str(steps), python=python)
            if isinstance(found, str):
                why[name] = found
            else:
                walls[name].append(found["wall"] / found["steps"] * 1e6)
    own = statistics.median(walls["remit"]) if walls["remit"] else 0.0
    good = own > 0
    for name, values in walls.items():
        label = f"step, {runs} at once" if runs > 1 else "step, one run"
        if not values or not own:
            good = False
            print(f"{label}: {name}: {why[name]}  {'FAIL' if bar else ''}")
            continue
        each = statistics.median(values)
        held = name == "remit" or each / own >= bar
        good &= held
        shown = verdict(held, f"at least {bar:.0f} x") if bar and name != "remit" else ""
        counts = f"{len(values)} rounds of {runs * steps:,} steps"
        print(f"{label}: {name:10} {each:10,.1f} us, {each / own:6.1f} x remit, {counts}  {shown}", flush=True)
    return good


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("events", 50), ("rounds", 3), ("runs", 100), ("steps", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="work-", dir=folder) as name:
        home = Path(name)
        good = writers(home, given.events, given.rounds)
        good &= alone(home, given.rounds)
        good &= beside(home, given.runs, given.steps, given.rounds, AT_LEAST)
        beside(home, 1, 50, given.rounds, 0.0)  # one run alone is one sync a step whoever writes it: shown, no bar
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
