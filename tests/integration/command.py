"""Running the command line in a process of its own, as a person or a script does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-P", "-m", "remit"]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The test's environment (its own state and config folders), with the package importable and a key for the mock."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OPENAI_API_KEY": "test", "NO_COLOR": "1", **(more or {})}


def remit(*arguments: str, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, env=environment(), input=stdin, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The NDJSON of a command's stdout."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The result line: the last one, and the only one of its type."""
    found = lines(done)
    assert [line["type"] for line in found].count("result") == 1, done.stdout + done.stderr
    assert found[-1]["type"] == "result", done.stdout
    return found[-1]


def rows(*arguments: str) -> list[dict[str, Any]]:
    """The rows of a listing verb, without its result line."""
    return lines(remit(*arguments, "--json"))[:-1]


def begin(*arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Start a command and leave it running."""
    return subprocess.Popen(
        [*COMMAND, *arguments], cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9, and wait."""
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
