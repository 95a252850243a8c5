"""`remit serve`: runs over HTTP, their events, approvals, cancellation, restarts; in one process and through a pool."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="needs uvicorn (extra server)")
pytest.importorskip("starlette", reason="needs starlette (extra server)")

from gateway_server import CONFIG, serving
from remit import Agent, Remit, ToolCall, tool
from remit.core.events import EffectDenied
from remit.journal.chain import decode_event
from remit.testing import ScriptedModel

DONE: list[str] = []


@tool(effect="write")
def note(text: str) -> str:
    """Note it."""
    DONE.append(text)
    return text


@tool(effect="read", returns="untrusted")
def look() -> str:
    """Look outside."""
    return "something"


@tool(effect="write")
async def wait_long() -> str:
    """Wait for longer than the test lasts."""
    DONE.append("began")
    await asyncio.sleep(60)
    return ""


@pytest.fixture(autouse=True)
def _fresh() -> None:
    DONE.clear()


def agents() -> dict[str, Agent]:
    """What the program brings: one that notes, one that needs an approval first, one that takes long."""
    noting = [ToolCall("c", "note", {"text": "one"}), "noted"]
    asking = [ToolCall("c", "look", {}), ToolCall("d", "note", {"text": "two"}), "noted"]
    made = [
        Agent("noter", ScriptedModel(noting), tools=[note], remit=Remit.allow("tool:note")),
        Agent("asker", ScriptedModel(asking), tools=[look, note], remit=Remit.allow("tool:look", "tool:note")),
        Agent("slow", ScriptedModel([ToolCall("c", "wait_long", {}), "x"]), tools=[wait_long]),
    ]
    return {agent.name: agent for agent in made}


def test_a_run_from_submission_to_its_end(tmp_path: Path) -> None:
    """Submitted, durable, followed, listed; the page says output and cost."""

    async def main() -> None:
        async with serving(tmp_path, agents()) as served:
            key = served.key()
            page = await served.run(key, {"task": "go", "agent": "noter"})
            assert (page["status"], page["output"], page["error"], DONE) == ("ok", "noted", None, ["one"])
            _, _, found = await served.ask("GET", "/v1/runs?limit=5&status=ok", key=key)
            assert [row["run_id"] for row in found["runs"]] == [page["run_id"]]
            events = await served.events(key, page["run_id"])
            assert events[0]["event"] == "run_started" and events[-2]["event"] == "run_done"
            assert events[-1] == {"event": "end", "data": "run_done"}

    asyncio.run(main())


def test_last_event_id_replays_exactly(tmp_path: Path) -> None:
    """From every place on: the events after it, each once, with the journal's own sequence numbers."""

    async def main() -> None:
        async with serving(tmp_path, agents()) as served:
            key = served.key()
            page = await served.run(key, {"task": "go", "agent": "noter"})
            whole = [e for e in await served.events(key, page["run_id"]) if "id" in e]
            assert [int(e["id"]) for e in whole] == list(range(1, page["events"] + 1))
            assert [json.loads(e["data"])["seq"] for e in whole] == list(range(1, page["events"] + 1))
            for last in (1, len(whole) - 1, len(whole)):
                again = [e for e in await served.events(key, page["run_id"], last) if "id" in e]
                assert again == whole[last:]

    asyncio.run(main())


def test_the_standard_agent_stays_within_the_server(tmp_path: Path) -> None:
    """Without an agent the server's own model works with its grants, less what the request gives up."""
    docs = tmp_path / "work/docs"
    docs.mkdir(parents=True)
    (docs / "a.md").write_text("hello", encoding="utf-8")

    async def main() -> None:
        async with serving(tmp_path) as served:
            key = served.key()
            free = await served.run(key, {"task": "Look at docs/a.md"})
            less = await served.run(key, {"task": "Look at docs/a.md", "deny": ["fs.read:docs/a.md"]})
            kinds = []
            for page in (free, less):
                entries = served.runtime.journal.read(page["run_id"])
                kinds.append(
                    [e.code for e in map(decode_event, (x.body for x in entries)) if isinstance(e, EffectDenied)]
                )
            assert (free["status"], kinds) == ("ok", [[], ["denied_by_rule"]])

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "status", "done"),
    [
        ({"decision": "approved"}, "ok", ["two"]),
        ({"decision": "denied", "reason": "no"}, "ok", []),
        ({"decision": "edited", "arguments": {"text": "three"}}, "ok", ["three"]),
    ],
)
def test_an_approval_is_answered_once(body: dict[str, Any], status: str, done: list[str], tmp_path: Path) -> None:
    """Listed with what it asks; answered by somebody who may manage; the second answer is a conflict."""

    async def main() -> None:
        async with serving(tmp_path, agents()) as served:
            key, boss = served.key(), served.key("runs:manage", name="boss")
            page = await served.run(key, {"task": "go", "agent": "asker"})
            assert page["status"] == "waiting"
            _, _, found = await served.ask("GET", "/v1/approvals", key=key)
            (item,) = found["approvals"]
            assert (item["tool"], item["arguments"], item["id"]) == ("note", {"text": "two"}, page["waiting_for"][0])
            path = f"/v1/approvals/{item['id']}"
            refused, _, problem = await served.ask("POST", path, body, key=key)
            assert (refused, problem["code"]) == (403, "scope_denied")
            other, _, problem = await served.ask("POST", path, {**body, "digest": "00"}, key=boss)
            assert (other, problem["code"]) == (409, "approval_used")
            twice = await asyncio.gather(*(served.ask("POST", path, body, key=boss) for _ in range(2)))
            assert sorted(each[0] for each in twice) == [200, 409]
            ended = await served.until(key, page["run_id"], ("ok", "denied", "failed"))
            assert (ended["status"], DONE) == (status, done)
            late, _, problem = await served.ask("POST", path, body, key=boss)
            assert (late, problem["code"]) == (409, "approval_used")

    asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    [{"decision": "done"}, {"decision": "edited"}, {"decision": "approved", "arguments": {}}, {"decision": "maybe"},
     {"decision": "approved", "more": 1}, {}],
)  # fmt: skip
def test_an_answer_that_does_not_fit_is_refused(body: dict[str, Any], tmp_path: Path) -> None:
    """Another kind's decision, arguments without an edit, an unknown field: 400, and the item stays open."""

    async def main() -> None:
        async with serving(tmp_path, agents()) as served:
            boss = served.key("admin", name="boss")
            page = await served.run(boss, {"task": "go", "agent": "asker"})
            status, _, problem = await served.ask("POST", f"/v1/approvals/{page['waiting_for'][0]}", body, key=boss)
            assert (status, problem["code"] in ("answer_invalid", "request_invalid")) == (400, True)
            assert len(served.runtime.journal.inbox()) == 1

    asyncio.run(main())


def test_cancelling_reaches_a_call_under_way(tmp_path: Path) -> None:
    """A live run ends as cancelled; a second cancellation is a conflict; resuming an ended run, too."""

    async def main() -> None:
        async with serving(tmp_path, agents()) as served:
            key = served.key()
            _, _, found = await served.ask("POST", "/v1/runs", {"task": "go", "agent": "slow"}, key=key)
            path = f"/v1/runs/{found['run_id']}"
            while not DONE:
                await asyncio.sleep(0.02)
            assert (await served.ask("POST", f"{path}/resume", {}, key=key))[0] == 409
            assert (await served.ask("POST", f"{path}/cancel", {"reason": "enough"}, key=key))[0] == 200
            page = await served.until(key, found["run_id"])
            assert page["status"] == "cancelled"
            assert (await served.ask("POST", f"{path}/cancel", {}, key=key))[0] == 409
            assert (await served.ask("POST", f"{path}/resume", {}, key=key))[0] == 409

    asyncio.run(main())


def test_runs_under_way_are_parked_and_go_on_at_the_next_start(tmp_path: Path) -> None:
    """The server ends while a run works: it stands as interrupted, not cancelled, and the next server takes it up."""

    async def main() -> None:
        async with serving(tmp_path, agents()) as served:
            key = served.key()
            _, _, found = await served.ask("POST", "/v1/runs", {"task": "go", "agent": "slow"}, key=key)
            while not DONE:
                await asyncio.sleep(0.02)
        # The next process's script begins behind the call that the journal holds.
        again = {"slow": Agent("slow", ScriptedModel(["x"]), tools=[wait_long])}
        async with serving(tmp_path, again) as served:
            page = await served.until(key, found["run_id"])
            # `wait_long` writes and was cut: whether it happened nobody knows, so a person says.
            items = served.runtime.journal.inbox()
            assert (page["status"], [item.kind for item in items]) == ("waiting", ["in_doubt"])
            boss = served.key("admin", name="boss")
            answer = {"decision": "done", "reason": "seen it"}
            status, _, body = await served.ask("POST", f"/v1/approvals/{items[0].id}", answer, key=boss)
            assert status == 200, body
            assert (await served.until(key, found["run_id"], ("ok", "failed")))["status"] == "ok"
        assert DONE == ["began"]

    asyncio.run(main())


def test_a_server_that_ends_takes_no_more_runs(tmp_path: Path) -> None:
    """Draining: /ready and new runs are 503 with a code that says try again; open streams end and say why."""

    async def main() -> None:
        async with serving(tmp_path, agents()) as served:
            key = served.key()
            _, _, found = await served.ask("POST", "/v1/runs", {"task": "go", "agent": "slow"}, key=key)
            stream = asyncio.ensure_future(served.events(key, found["run_id"]))
            await asyncio.sleep(0.3)
            served.gateway.draining = True
            status, headers, problem = await served.ask("POST", "/v1/runs", {"task": "x", "agent": "noter"}, key=key)
            assert (status, problem["code"], problem["retryable"], headers["retry-after"]) == (
                503, "shutting_down", True, "1",
            )  # fmt: skip
            assert (await served.ask("GET", "/ready", key=key))[0] == 503
            assert (await served.ask("GET", "/health"))[0] == 200
            assert (await stream)[-1] == {"event": "end", "data": "shutting_down"}

    asyncio.run(main())


def test_the_description_names_every_route(tmp_path: Path) -> None:
    """OpenAPI holds all paths and methods, what bodies look like, and that credentials are needed."""

    async def main() -> None:
        async with serving(tmp_path) as served:
            _, _, found = await served.ask("GET", "/v1/openapi.json", key=served.key())
            rows = {(row.path, row.method.lower()) for row in served.gateway.rows} | {("/health", "get")}
            assert {(path, method) for path, row in found["paths"].items() for method in row} == rows
            task = found["components"]["schemas"]["RunRequest"]["properties"]["task"]
            assert (task["maxLength"], found["security"]) == (100_000, [{"key": []}, {"token": []}])

    asyncio.run(main())


def test_a_pool_carries_the_runs_out(postgres: Any, tmp_path: Path) -> None:
    """With --pool on Postgres the server only submits: a worker process ends the run; cancel reaches a parked one."""
    import os
    import subprocess
    import sys

    spec, root = postgres.address(), Path(__file__).resolve().parents[2]

    async def main() -> None:
        async with serving(tmp_path, config=CONFIG, journal=spec, pool="p1") as served:
            key = served.key()
            _, _, found = await served.ask("POST", "/v1/runs", {"task": "Look at docs/a.md"}, key=key)
            assert found["pool"] == "p1"
            await asyncio.sleep(0.3)
            page = await served.until(key, found["run_id"], ("interrupted",))
            command = [sys.executable, "-m", "remit", "worker", "--pool", "p1", "--until-idle", "--sweep-s", "0.2",
                       "--journal", spec]  # fmt: skip
            env = {**os.environ, "PYTHONPATH": str(root / "src")}
            done = await asyncio.to_thread(
                subprocess.run, command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr
            page = await served.until(key, found["run_id"])
            assert page["status"] == "ok"
            _, _, second = await served.ask("POST", "/v1/runs", {"task": "again"}, key=key)
            assert (await served.ask("POST", f"/v1/runs/{second['run_id']}/cancel", {}, key=key))[0] == 200
            assert (await served.until(key, second["run_id"]))["status"] == "cancelled"

    asyncio.run(main())
