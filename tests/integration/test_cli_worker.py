"""`remit run --pool` and `remit worker`: a run that is left to a pool is finished by another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def remit(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests/integration'}", "FAULT_STEPS": "2"}
    command = [sys.executable, "-m", "remit", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_pool_finishes_a_run_of_another_process(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """`run --pool` prints the id and ends; a worker that runs until idle ends the run; other pools do not touch it."""
    spec = f"sqlite:{tmp_path}/j.db" if store == "sqlite" else request.getfixturevalue("postgres").address()
    left = remit("run", "survey", "--model", "builtin:surveyor", "--allow", "fs.read:**", "--pool", "p1",
                 "--journal", spec, "--json", folder=tmp_path)  # fmt: skip
    assert left.returncode == 0, left.stderr
    result: dict[str, Any] = json.loads(left.stdout.splitlines()[-1])
    assert (result["pool"], result["status"]) == ("p1", "ok")

    def status() -> str:
        shown = remit("runs", "--json", "--journal", spec, folder=tmp_path)
        rows = [json.loads(line) for line in shown.stdout.splitlines()]
        return next(str(row["status"]) for row in rows if row.get("run_id") == result["run_id"])

    assert status() == "interrupted"
    other = remit("worker", "--pool", "p2", "--until-idle", "--journal", spec, folder=tmp_path)
    assert (other.returncode, status()) == (0, "interrupted")
    mine = remit("worker", "--pool", "p1", "--until-idle", "--sweep-s", "0.2", "--journal", spec, folder=tmp_path)
    assert mine.returncode == 0, mine.stderr
    assert status() == "ok"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("worker", "--pool", "A b"), "--pool"),
        (("worker", "--concurrency", "0"), "--concurrency"),
        (("worker", "--tenant", "acme", "--journal", "sqlite:x.db"), "only a journal in Postgres has tenants"),
        (("worker", "--app", "nowhere:agents"), "--app"),
        (("worker", "--app", "os:environ"), "something else than agents"),
        (("run", "x", "--model", "builtin:surveyor", "--pool", "p", "--resume", "last"), "--pool does not go with"),
    ],
)
def test_wrong_uses_are_refused(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    """Wrong flags end with exit code 2 and say what is wrong."""
    done = remit(*arguments, folder=tmp_path)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
