"""Effects and their decisions when the process is killed, or its disk fails, at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from integration.command import ROOT, environment


def _points(*arguments: str) -> tuple[int, dict[str, Any]]:
    """(exit code, figures) of the command: in a process of its own, because it forks."""
    script = str(Path(__file__).with_name("audit_points.py"))
    done = subprocess.run(
        [sys.executable, script, *arguments], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.slow
def test_no_effect_without_a_durable_decision() -> None:
    """kill -9 at 60 points and a failing disk at 60: no effect without a decision, none after the failure."""
    code, found = _points("60", "60")
    assert (code, found["kill"]["problems"], found["disk"]["problems"]) == (0, [], [])
    assert found["kill"]["kills"] >= 55
    assert found["disk"]["faults"] >= 55
    assert found["kill"]["effects_before_kills"] > 60
    assert found["disk"]["statuses"]["failed disk_failed"] > 40


@pytest.mark.slow
def test_without_the_wait_effects_run_ahead() -> None:
    """When the gate does not wait for the commit, the same points find effects that nobody decided."""
    code, found = _points("30", "20", "ahead")
    assert code == 1
    assert found["kill"]["problems"]
    assert found["disk"]["problems"]
