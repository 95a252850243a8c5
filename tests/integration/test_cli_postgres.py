"""The command line on a journal in Postgres: audit, proofs, rotation, inbox and doctor do what they do on a file."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from remit.adapters.clock import SystemClock
from remit.core.events import Reflected, RunDone, RunStarted
from remit.journal.open import open_journal
from remit.ports.conformance.journal import ASKED

ROOT = Path(__file__).resolve().parents[2]


def remit(spec: str, *arguments: str, code: int = 0) -> Any:
    """The last JSON line of a command."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "remit", *arguments, "--journal", spec]
    done = subprocess.run(
        command, cwd=os.environ["HOME"], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout.splitlines()[-1])


def write_runs(spec: str) -> None:
    """A run that ended (with a large event) and one that asks."""

    async def case() -> None:
        journal: Any = open_journal(spec, SystemClock())
        ended = journal.create("run_ended", RunStarted("a", "t"))
        ended.append(Reflected(1, "x" * 100_000, "none"))
        ended.append(RunDone("ok"))
        await ended.release("ok")
        asks = journal.create("run_asks", RunStarted("a", "t"))
        asks.append(ASKED)
        await asks.release("waiting")
        await journal.aclose()

    asyncio.run(case())


def test_audit_verbs_work_on_postgres(postgres: Any) -> None:
    """verify is intact, proofs name their record, rotation drops an ended run's content and verify still holds."""
    spec = postgres.address()
    write_runs(spec)
    found = remit(spec, "audit", "verify", "--json")
    assert (found["intact"], found["records"], found["runs"]) == (True, 5, 2)
    assert found["kept_outside"] == 5
    assert remit(spec, "audit", "proof", "run_ended", "2")["record"]["seq"] == 2
    assert remit(spec, "audit", "rotate", "--keep-days", "0", "--json")["runs"] == 1
    found = remit(spec, "audit", "verify", "--json")
    assert (found["intact"], found["records"]) == (True, 5)
    with postgres.admin() as admin:
        schema = spec.partition("schema=")[2].partition("&")[0]
        assert admin.execute(f"SELECT count(*) FROM {schema}.blobs").fetchone() == (0,)
        admin.execute(f"DELETE FROM {schema}.events WHERE run_id = 'run_asks' AND seq = 2")
    assert remit(spec, "audit", "verify", "--json", code=6)["intact"] is False


def test_inbox_and_doctor_work_on_postgres(postgres: Any) -> None:
    """The question is listed and answered once; doctor says that the journal can be written."""
    spec = postgres.address()
    write_runs(spec)
    assert remit(spec, "inbox", "--json")["status"] == "ok"
    assert remit(spec, "approve", "item_1", "--json")["status"] == "ok"
    remit(spec, "approve", "item_1", "--json", code=6)
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "remit", "doctor", "--json", "--journal", spec]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["ok"] for line in lines if line.get("name") == "journal"] == [True], done.stdout
