"""`remit audit tail --alerts`, and the webhook that gets records with a signed checkpoint."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.command import lines, remit, result
from remit import Agent, Remit, Runtime, ToolCall, tool
from remit.core.labels import SYSTEM
from remit.journal.alerts import CONDITIONS, Alerts
from remit.journal.projections.decisions import Decision
from remit.testing import ScriptedModel


def decision(time_ms: int, decided: str = "deny", rule: str = "grant:not_granted") -> Decision:
    return Decision("r", 1, time_ms, "scope_denied", "warning", "agent:a", "", "t", "k", "", (), SYSTEM, decided, rule,
                    "", "", "")  # fmt: skip


def test_conditions_count_within_their_window_and_cool_down() -> None:
    """Ten refusals in a minute alert once in five minutes; nine, or ten in two minutes, do not."""
    alerts = Alerts()
    assert [a.name for n in range(9) for a in alerts.feed(n, decision(n * 1000))] == []
    assert [(a.name, a.count) for a in alerts.feed(9, decision(9_000))] == [("refusals", 10)]
    assert [a for n in range(50) for a in alerts.feed(n, decision(10_000 + n))] == []
    assert [a.name for a in alerts.feed(99, decision(309_000 - 1))] == []
    slow = Alerts()
    assert [a for n in range(30) for a in slow.feed(n, decision(n * 10_000))] == []


@pytest.mark.parametrize(
    ("decided", "rule", "name"),
    [
        ("deny", "flow:flow_denied", "flow"),
        ("deny", "effect:secret_leak", "secret"),
        ("block", "guardrail:pii", "guardrail"),
        ("revoked", "g_1", "revoked"),
        ("deny", "grant:estop", "stopped"),
        ("in_doubt", "", "doubt"),
    ],
)
def test_what_alerts_at_once(decided: str, rule: str, name: str) -> None:
    """The conditions that need no second time; there are eight in all."""
    assert [a.name for a in Alerts().feed(1, decision(1, decided, rule))] == [name]
    assert len(CONDITIONS) == 8


@tool(effect="read")
def peek(n: int) -> str:
    """Look."""
    return "seen"


def refused_run(path: Path) -> None:
    model = ScriptedModel([*[ToolCall(str(n), "peek", {"n": n}) for n in range(12)], "end"])
    agent = Agent("a", model, tools=[peek], remit=Remit.allow("tool:peek").deny("tool:peek"), max_turns=20)

    async def main() -> None:
        async with Runtime(f"sqlite:{path}", tune_gc=False) as runtime:
            await runtime.run(agent, "go")

    asyncio.run(main())


@pytest.fixture
def hook() -> Iterator[tuple[str, list[Any]]]:
    got: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = 204 if self.path == "/kept" else 500
            got.append(json.loads(body))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_alerts_and_the_webhook(tmp_path: Path, hook: tuple[str, list[Any]]) -> None:
    """Refusals alert; the webhook gets every record once, with a signed checkpoint, and again what it refused."""
    path = tmp_path / "j.db"
    refused_run(path)
    shown = lines(remit("audit", "tail", "--alerts", "--json", "--journal", f"sqlite:{path}"))
    assert [(a["type"], a["name"]) for a in shown if a["name"] == "refusals"] == [("alert", "refusals")]

    url, got = hook
    to = ("audit", "tail", "--json", "--journal", f"sqlite:{path}", "--to")
    failed = remit(*to, f"webhook:{url}/refuses")
    assert (failed.returncode != 0, "did not keep" in failed.stdout + failed.stderr) == (True, True)
    first = result(remit(*to, f"webhook:{url}/kept"))["sent"]
    assert first > 10
    assert result(remit(*to, f"webhook:{url}/kept"))["sent"] == 0
    kept = got[-1]
    assert kept["checkpoint"].startswith("remit/audit/")
    assert len({r["hash"] for r in kept["records"]}) == first  # hashes arrive whole, none was taken for a key
