"""A context without the gate: a workspace of the test's own, a scripted shell and a scripted web."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from remit.adapters.files.workspace import Workspace
from remit.ports.http import HttpReply
from remit.ports.sandbox import SandboxResult
from remit.ports.tool import Context


class ScriptedShell:
    """Answers every run with `results` in turn and keeps what was asked."""

    def __init__(self, *results: SandboxResult) -> None:
        self.results = list(results)
        self.calls: list[tuple[tuple[str, ...], str, bytes]] = []

    async def run(
        self, argv: tuple[str, ...], *, cwd: str = ".", stdin: bytes = b"", network: bool = False
    ) -> SandboxResult:
        self.calls.append((argv, cwd, stdin))
        return self.results.pop(0)


class ScriptedHttp:
    """Answers every fetch with `reply` and keeps what was asked."""

    def __init__(self, reply: HttpReply) -> None:
        self.reply = reply
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpReply:
        self.calls.append((method, url, dict(headers or {}), body))
        return self.reply


class Bench:
    """Makes contexts over one workspace."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = Workspace(root)

    def ctx(self, allows: Callable[[str, str], bool] = lambda verb, path: True, **handles: Any) -> Context[Any]:
        files = handles.get("files") or self.workspace.files(allows, lambda: False)
        given = SimpleNamespace(files=files, shell=handles.get("shell"), http=handles.get("http"))
        return Context(
            None,
            run_id="r1",
            agent="a",
            key="turn/0/call/0",
            idempotency_key="k",
            now_ms=1_700_000_000_000,
            handles=given,
        )

    def put(self, path: str, content: str | bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def get(self, path: str) -> str:
        return (self.root / path).read_bytes().decode()

    @staticmethod
    def shell(*results: SandboxResult) -> ScriptedShell:
        return ScriptedShell(*results)

    @staticmethod
    def http(status: int, body: bytes = b"", **headers: str) -> ScriptedHttp:
        return ScriptedHttp(HttpReply(status, {k.replace("_", "-"): v for k, v in headers.items()}, body))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    root = tmp_path / "ws"
    root.mkdir()
    made = Bench(root)
    yield made
    made.workspace.close()
