"""The escape corpus (tests/security/escapes): hostile code in T1, T2 and T3 reaches nothing and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processes import new_processes
from remit.adapters.sandboxes.bubblewrap import Bubblewrap
from remit.adapters.sandboxes.monty import Monty
from remit.adapters.sandboxes.process_tree import descendants
from remit.adapters.sandboxes.wasm import Wasm
from remit.ports.code_sandbox import CodeJob, CodeResult
from remit.ports.sandbox import SandboxJob
from wasm_interpreter import interpreter_folder

FOLDER = Path(__file__).parent / "escapes"
ENV_NAME = "ESCAPE_PROBE"
FILE_CANARY, ENV_CANARY = "canary-file-7f3a", "canary-env-91bc"
DEADLINE_S = 0.4
PYTHON = os.path.realpath(os.path.join(sys.base_prefix, "bin", "python3"))


def cases(tier: str) -> list[dict[str, Any]]:
    return list(tomllib.loads((FOLDER / f"{tier}.toml").read_text(encoding="utf-8"))["case"])


class Canaries:
    """What must not be reached: a file, an environment value, a server, a path, processes."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (base / "ws").mkdir()
        (base / "secrets").mkdir()
        self.workspace = base / "ws"
        self.file = base / "secrets" / "key.txt"
        self.denied = self.workspace / "hidden.key"
        self.out = base / "secrets" / "made"
        self.reset()
        monkeypatch.setenv(ENV_NAME, ENV_CANARY)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.setblocking(False)

    def reset(self) -> None:
        self.file.write_text(FILE_CANARY)
        self.denied.write_text(FILE_CANARY)
        if self.out.is_symlink() or self.out.is_file():
            self.out.unlink()
        elif self.out.is_dir():
            self.out.rmdir()
        (self.workspace / "hidden.key.copy").unlink(missing_ok=True)

    def filled(self, code: str) -> str:
        words = {"FILE": str(self.file), "OUT": str(self.out), "DENIED": str(self.denied), "ENV": ENV_NAME}
        for word, value in {**words, "CANARY": FILE_CANARY, "PORT": str(self.server.getsockname()[1])}.items():
            code = code.replace(word, value)
        return code

    def breaches(self, said: str) -> list[str]:
        """What was reached, and put back as it was."""
        found = [name for name, canary in (("file", FILE_CANARY), ("environment", ENV_CANARY)) if canary in said]
        if os.path.lexists(self.out) or not self.file.exists() or self.file.read_text() != FILE_CANARY:
            found.append("written")
        if self.denied.read_text() != FILE_CANARY:
            found.append("workspace")
        try:
            self.server.accept()[0].close()
            found.append("network")
        except BlockingIOError:
            pass  # nobody came
        self.reset()
        return found


@pytest.fixture
def canaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canaries]:
    made = Canaries(tmp_path, monkeypatch)
    yield made
    made.server.close()


async def run_corpus(sandbox: Any, tier: str, canaries: Canaries) -> list[str]:
    """Breaches, and resource cases that were not ended by a limit."""
    found = []
    for case in cases(tier):
        result: CodeResult = await sandbox.run(CodeJob(canaries.filled(case["code"]), timeout_s=DEADLINE_S))
        for breach in canaries.breaches(repr(result)):
            found.append(f"{case['name']}: {breach}")
        if len(result.output) > 256 * 1024 + 100 or len(repr(result.value)) > 1024 * 1024 * 17:
            found.append(f"{case['name']}: output of {len(result.output)}")
        if result.duration_ms > 20_000:
            found.append(f"{case['name']}: {result.duration_ms} ms")
    again = await sandbox.run(CodeJob("1 + 1"))
    if again.value != 2:
        found.append(f"afterwards: {again}")
    await sandbox.aclose()
    return found


def test_the_corpus_is_large_and_its_cases_have_names() -> None:
    """At least 80 snippets over the three tiers, each tier with files, network, processes and resources."""
    tiers = {tier: cases(tier) for tier in ("t1", "t2", "t3")}
    assert sum(map(len, tiers.values())) >= 80
    for tier, rows in tiers.items():
        assert len({row["name"] for row in rows}) == len(rows), tier
        assert {"files", "environment", "network", "process", "resources", "output", "signals"} <= {
            row["kind"] for row in rows
        }


def test_nothing_escapes_from_t1(canaries: Canaries) -> None:
    """0 files, sockets, environment values; every bomb ends; no process is left."""
    before = set(descendants(os.getpid(), 1000))
    assert asyncio.run(run_corpus(Monty(), "t1", canaries)) == []
    assert new_processes(before) == set()


def test_nothing_escapes_from_t2(canaries: Canaries) -> None:
    """0 files, sockets, environment values; every bomb ends; no process is left."""
    folder = interpreter_folder()
    before = set(descendants(os.getpid(), 1000))
    assert asyncio.run(run_corpus(Wasm(folder), "t2", canaries)) == []
    assert new_processes(before) == set()


@pytest.mark.sandbox
def test_nothing_escapes_from_t3(canaries: Canaries) -> None:
    """0 files, sockets, environment values; every bomb ends; no process is left."""
    sandbox, found = Bubblewrap(), []
    before = set(descendants(os.getpid(), 1000))
    for case in cases("t3"):
        job = SandboxJob(
            (PYTHON, "-I", "-S", "-c", canaries.filled(case["code"])),
            str(canaries.workspace),
            denied=("*.key",),
            timeout_s=1.0,
            max_memory_bytes=256 * 1024 * 1024,
            max_processes=32,
        )
        result = sandbox.run_blocking(job)
        said = (result.stdout + result.stderr).decode("utf-8", "replace")
        said = said.replace(job.argv[-1], "")  # a traceback shows the line that holds the word
        found += [f"{case['name']}: {breach}" for breach in canaries.breaches(said)]
    assert found == []
    assert new_processes(before) == set()


class PlainInterpreter:
    """A deliberately weak stub: the code runs in a plain child process, with all that this process has."""

    async def run(self, job: CodeJob) -> CodeResult:
        done = subprocess.run([sys.executable, "-c", job.code], capture_output=True, timeout=20, check=False)
        return CodeResult(None, (done.stdout + done.stderr).decode("utf-8", "replace"))


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["t1", "t2", "t3"])
def test_the_corpus_breaches_a_weak_sandbox(tier: str, canaries: Canaries) -> None:
    """Unplugged: each case that is marked weak reaches a canary when the sandbox is only a child process."""
    harmless = []
    for case in [each for each in cases(tier) if each.get("weak")]:
        result = asyncio.run(PlainInterpreter().run(CodeJob(canaries.filled(case["code"]))))
        if not canaries.breaches(result.output):
            harmless.append(case["name"])
    assert harmless == []
