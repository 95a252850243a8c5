"""`remit models discover`: five gated, journalled effects of one run; what the gate refuses is never sent."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from remit import Remit, cli
from remit.cli import _models_discover
from remit.core.events import EffectDenied, EffectDone, EffectIntent, RunDone
from remit.journal.chain import decode_event
from remit.runtime import Runtime

VARIABLES = {
    "ollama": "OLLAMA_BASE_URL", "llamacpp": "LLAMACPP_BASE_URL", "lmstudio": "LMSTUDIO_BASE_URL",
    "vllm": "VLLM_BASE_URL", "sglang": "SGLANG_BASE_URL",
}  # fmt: skip
MODELS = (200, b'{"data":[{"id":"llama3:8b"}]}')


@contextmanager
def serving(answer: Callable[[str], tuple[int, bytes]]) -> Iterator[tuple[str, list[Any]]]:
    """(address of a server on loopback, the requests that it got)."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            status, body = answer(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let every local provider be looked for below one address, each at its own path."""

    def point(address: str) -> None:
        for name, variable in VARIABLES.items():
            monkeypatch.setenv(variable, f"{address}/{name}/v1")

    return point


def discovered(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, list[str]]]:
    """(state, models) by provider, as the command says."""
    assert cli.main(["models", "discover", "--json"]) == 0
    servers = json.loads(capsys.readouterr().out)["servers"]
    return {row["provider"]: (row["state"], row["models"]) for row in servers}


def user_settings(text: str) -> None:
    """The user's own remit.toml."""
    folder = Path(os.environ["REMIT_CONFIG_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "remit.toml").write_text(text, encoding="utf-8")


def journalled(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The events of the newest run in the user's journal."""
    assert cli.main(["show", "last", "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_answers_is_found_and_journalled(
    capsys: pytest.CaptureFixture[str], everywhere: Callable[[str], None]
) -> None:
    """Models, a key that is wanted, another program, an error, nothing; each is an intent with its grant."""
    answers = {
        "/ollama/v1/models": MODELS,
        "/llamacpp/v1/models": (401, b"{}"),
        "/lmstudio/v1/models": (200, b"<html>"),
        "/vllm/v1/models": (500, b"{}"),
        "/sglang/v1/models": (200, json.dumps({"data": [f"m{i}" + "\x07" * (i == 1) for i in range(900)]}).encode()),
    }  # fmt: skip
    with serving(answers.__getitem__) as (address, asked):
        everywhere(address)
        found = discovered(capsys)
    assert found["ollama"] == ("running", ["llama3:8b"])
    assert found["llamacpp"] == ("running (wants a key)", [])
    assert found["lmstudio"] == ("unknown (something else answers there)", [])
    assert found["vllm"] == ("unknown (HTTP 500)", [])
    assert len(found["sglang"][1]) == 200 and "m1\x07" not in found["sglang"][1]
    assert sorted(path for path, _ in asked) == sorted(answers)
    assert not any(name.lower() == "authorization" for _, headers in asked for name in headers)
    events = journalled(capsys)
    begun = [e for e in events if e.get("decision") == "allowed" and "/call/" in e["key"]]
    assert sorted(e["arguments"]["url"] for e in begun) == sorted(address + path for path in answers)
    assert sum(e.get("phase") == "observe" for e in events) == 5


def test_a_denial_of_the_user_stands_against_it(
    capsys: pytest.CaptureFixture[str], everywhere: Callable[[str], None]
) -> None:
    """What the user's policies refuse is not asked; the others are; the journal holds the refusal."""
    with serving(lambda _: MODELS) as (address, asked):
        everywhere(address)

        async def main() -> tuple[list[dict[str, Any]], list[Any]]:
            ceiling = Remit.allow(f"net:{address}/**", "tool:*", "model:*").deny(f"net:{address}/vllm/**")
            async with Runtime(ceiling=ceiling, tune_gc=False) as runtime:
                rows = await _models_discover.discover(runtime.outside.provider_rows(os.environ))
                (run,) = runtime.journal.runs(10)
                return rows, [decode_event(entry.body) for entry in runtime.journal.read(run.run_id)]

        rows, events = asyncio.run(main())
    states = {row["provider"]: row["state"] for row in rows}
    assert states.pop("vllm") == "refused (denied_by_rule)"
    assert set(states.values()) == {"running"}
    assert sorted(path.split("/")[1] for path, _ in asked) == sorted(states)
    (denied,) = [e for e in events if isinstance(e, EffectDenied)]
    assert denied.code == "denied_by_rule" and denied.check == "grant"
    begun = [n for e in events if isinstance(e, EffectIntent) and "/call/" in e.key for n in e.needs]
    ended = [t for e in events if isinstance(e, EffectDone) and "/call/" in e.key for t in e.touched]
    assert sorted(begun) == sorted(ended) == sorted(f"net:GET {address}{path}" for path, _ in asked)
    assert isinstance(events[-1], RunDone)


def test_nothing_leaves_without_the_grant(everywhere: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its grants the verb sends nothing at all: whoever passes the gate around fails here."""
    from remit.cli import _one_call

    whole = _one_call.call_tools

    async def ungranted(agent: str, tool: Any, calls: Any, allow: Any) -> Any:
        assert len(allow) == len(calls) == 5
        return await whole(agent, tool, calls, [])

    monkeypatch.setattr(_one_call, "call_tools", ungranted)
    with serving(lambda _: MODELS) as (address, asked):
        everywhere(address)

        async def main() -> list[dict[str, Any]]:
            async with Runtime(tune_gc=False) as runtime:
                return await _models_discover.discover(runtime.outside.provider_rows(os.environ))

        rows = asyncio.run(main())
    assert {row["state"] for row in rows} == {"refused (not_granted)"} and asked == []


@pytest.mark.parametrize("level", ["pause", "effects"])
def test_the_emergency_stop_holds_for_it(
    level: str, capsys: pytest.CaptureFixture[str], everywhere: Callable[[str], None]
) -> None:
    """While everything is stopped, nothing is asked."""
    with serving(lambda _: MODELS) as (address, asked):
        everywhere(address)
        assert cli.main(["cancel", "--all", "--level", level]) == 0
        code = cli.main(["models", "discover", "--json"])
    assert asked == []
    assert code != 0 or "running" not in capsys.readouterr().out


def test_all_are_asked_at_once_and_none_for_longer_than_its_time(
    everywhere: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five slow servers take the time of one; what does not answer in time is absent; nobody there is absent."""

    def slowly(path: str) -> tuple[int, bytes]:
        time.sleep(1.0 if "vllm" in path else 0.15)
        return MODELS

    monkeypatch.setattr(_models_discover, "PROBE_S", 0.5)
    with serving(slowly) as (address, _):
        everywhere(address)
        monkeypatch.setenv("SGLANG_BASE_URL", "http://127.0.0.1:1/v1")
        began = time.monotonic()
        found = discovered(capsys)
        took = time.monotonic() - began
    states = {name: state for name, (state, _) in found.items()}
    assert states == {"ollama": "running", "llamacpp": "running", "lmstudio": "running", "vllm": "absent",
                      "sglang": "absent"}  # fmt: skip
    assert took < 5.0


@pytest.mark.parametrize("elsewhere", ["http://192.168.0.9:11434", "https://example.org", "http://box:1"])
def test_no_address_but_loopback_is_asked(
    elsewhere: str, capsys: pytest.CaptureFixture[str], everywhere: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A variable that leads elsewhere is named, and no effect is even tried there."""
    with serving(lambda _: MODELS) as (address, asked):
        everywhere(address)
        monkeypatch.setenv("OLLAMA_BASE_URL", elsewhere)
        assert discovered(capsys)["ollama"] == ("not local", [])
    assert len(asked) == 4
    assert not any(elsewhere in json.dumps(event) for event in journalled(capsys))
