"""Overhead of a graph's step: remit beside LangGraph in one run. `python bench/graph.py [STEPS]` (2,000 by default).

A node adds one to a number; what is measured is everything around it. remit's journal is on in every row: in memory,
or SQLite with synchronous=FULL. LangGraph runs without a checkpointer, and with its SQLite one. Targets: 30 us a step
in memory, 150 us durable, by CPU time, which a loaded machine does not stretch. LangGraph is installed by
install_peers.py; where it is missing its rows say so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TARGETS = {"in memory": 30.0, "durable": 150.0}  # us of CPU a step. Source: issue 6
NODES = 10_000


def rows(python: str, script: str, *arguments: str) -> list[dict[str, Any]]:
    """What a scenario prints."""
    command = [python, str(HERE / "scenarios" / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        print(f"{script}: failed: {done.stderr.strip().splitlines()[-1] if done.stderr else done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def main(steps: int) -> int:
    """Print the rows and whether the targets hold."""
    found = rows(sys.executable, "graph_remit.py", str(steps), str(NODES))
    peer = HERE / ".venvs/langgraph/bin/python"
    if peer.exists():
        found += rows(str(peer), "graph_langgraph.py", str(steps))
    else:
        print("langgraph: not installed (python bench/install_peers.py langgraph)")
    print(f"{'system':10} {'what':26} {'steps':>8} {'wall us':>9} {'CPU us':>9}  target")
    failed = False
    for row in found:
        target = next((limit for name, limit in TARGETS.items() if row["what"].endswith(name)), None)
        good = row["system"] != "remit" or target is None or row["cpu_us"] <= target
        failed |= not good
        shown = f"{target:.0f} us {'pass' if good else 'FAIL'}" if row["system"] == "remit" and target else ""
        print(
            f"{row['system']:10} {row['what']:26} {row['steps']:8,} {row['wall_us']:9.1f} {row['cpu_us']:9.1f}  {shown}"
        )
    for what in ("cycle, in memory", "cycle, durable"):
        pair = {row["system"]: row["cpu_us"] for row in found if row["what"] == what}
        if len(pair) == 2:
            print(f"{what}: langgraph / remit = {pair['langgraph'] / pair['remit']:.1f} (CPU)")
    for row in found:
        if "build_s" in row and row["what"].startswith("nodes"):
            print(f"{NODES:,} nodes built and checked in {row['build_s']:.2f} s; peak memory {row['rss_mb']:.0f} MB")
            break
    return int(failed or not found)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000))
