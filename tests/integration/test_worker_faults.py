"""Workers that are killed and frozen, servers that restart, one limit for many: small runs of the two scripts."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import postgres_server
import temporal_server
from remit.adapters.clock import SystemClock
from remit.journal.open import open_journal

HERE = Path(__file__).resolve().parent


def experiment(real_env: dict[str, str], *arguments: str) -> dict[str, Any]:
    """The JSON line of worker_faults.py; fails with its words."""
    command = [sys.executable, str(HERE / "worker_faults.py"), *arguments]
    environ = {**real_env, "FAULT_STEPS": "8", "HOME": os.environ["HOME"]}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout.strip(), done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_runs_of_a_killed_worker_are_finished_by_the_others(real_env: dict[str, str]) -> None:
    """Three workers without a dispatcher's server, one killed, Postgres restarted: all runs end, chains hold."""
    if postgres_server.trouble():
        pytest.skip(postgres_server.trouble())
    found = experiment(real_env, "9", "--dispatcher", "local", "--restart", "postgres")
    assert (found["ended"], found["statuses"], found["problems"]) == (9, ["ok"], [])
    assert found["taken_over"] >= 1


@pytest.mark.slow
def test_a_frozen_worker_loses_its_runs_and_writes_nothing(real_env: dict[str, str]) -> None:
    """Over Temporal: one worker killed, one frozen and thawed after others took its runs: all end, it wrote 0 rows."""
    for trouble in (postgres_server.trouble(), temporal_server.trouble()):
        if trouble:
            pytest.skip(trouble)
    found = experiment(real_env, "9", "--restart", "temporal")
    assert (found["ended"], found["statuses"], found["problems"]) == (9, ["ok"], [])
    assert found["held_when_frozen"] >= 1
    assert found["taken_from_frozen"] == found["held_when_frozen"]
    assert found["rows_by_the_frozen"] == 0


@pytest.mark.slow
def test_processes_share_one_limit(postgres: Any) -> None:
    """Three saturated processes under 6,000 calls a minute for 3 s: together not above it, and near it."""
    from integration import shared_limit

    spec = postgres.address()
    asyncio.run(open_journal(spec, SystemClock()).aclose())
    found = shared_limit.measure(spec, 3.0, 3, 6000)
    # In so short a time the burst (60 calls) and the slots that may be used late (50) weigh 20 times as much.
    assert 0.7 <= found["share"] <= 1.0 + (60 + 50) / 300 + 0.02
    assert min(found["counts"]) > 0
