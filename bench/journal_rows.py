"""The journal rows: durable events a second, remit's journal beside plain SQLite, in processes of their own.

The files lie beside the results, on the project's file system, because /tmp may be memory, where a sync costs nothing.
The cost of one sync differs by a factor of thirty between disks, so a figure means something only beside the floor's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from measure import SCENARIOS, Cell, Invalid, environment, timed

WRITERS = 1000
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
