"""`remit run --pool` and `remit worker`: a run that is left to a pool is finished by another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
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


@pytest.mark.parametrize(("address", "code"), [("no port", 2), ("127.0.0.1:1", 5)])
def test_a_dispatcher_that_cannot_be_reached_is_said(address: str, code: int, tmp_path: Path) -> None:
    """A wrong address is a mistake in the configuration, a server that is down is unavailable; both end the worker."""
    pytest.importorskip("temporalio")
    flags = ("--temporal", address, "--until-idle", "--journal", f"sqlite:{tmp_path}/j.db")
    done = remit("worker", *flags, folder=tmp_path)
    assert (done.returncode, "[dispatch] temporal" in done.stderr) == (code, True), done.stderr


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


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_cancelling_a_run_that_a_worker_holds(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """`remit cancel` takes the run from a live worker: it ends as cancelled, the worker stops it and takes the next."""
    spec = f"sqlite:{tmp_path}/j.db" if store == "sqlite" else request.getfixturevalue("postgres").address()
    script = tmp_path / "leave.py"
    script.write_text(LEAVE.format(spec=spec), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests/integration'}", "FAULT_STEPS": "200"}
    left = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, timeout=60, check=True)
    run_id = left.stdout.strip()
    flags = ["--journal", spec, "--pool", "p1", "--app", "fault_app:agents", "--sweep-s", "0.2"]
    worker = subprocess.Popen([sys.executable, "-m", "remit", "worker", *flags], cwd=tmp_path, env=env, text=True)
    try:
        deadline = time.monotonic() + 60
        while '"work"' not in remit("show", run_id, "--json", "--journal", spec, folder=tmp_path).stdout:
            assert time.monotonic() < deadline
        done = remit("cancel", run_id, "--reason", "wrong task", "--json", "--journal", spec, folder=tmp_path)
        assert (done.returncode, json.loads(done.stdout)["run_status"]) == (0, "cancelled"), done.stderr
        count = len(remit("show", run_id, "--json", "--journal", spec, folder=tmp_path).stdout.splitlines())
        left = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, timeout=60, check=True)
        while '"work"' not in remit("show", left.stdout.strip(), "--json", "--journal", spec, folder=tmp_path).stdout:
            assert time.monotonic() < deadline
        shown = remit("show", run_id, "--json", "--journal", spec, folder=tmp_path).stdout
        assert (len(shown.splitlines()), worker.poll()) == (count, None)
        assert remit("audit", "verify", "--journal", spec, folder=tmp_path).returncode == 0
    finally:
        worker.terminate()
        worker.wait(timeout=30)


LEAVE = """import asyncio
from fault_app import agents
from remit import Runtime
from remit.agents.dispatch import submit

async def main():
    async with Runtime("{spec}") as runtime:
        print(await submit(runtime, agents[0], "work", pool="p1"))

asyncio.run(main())
"""
