"""kill -9 at any moment, then `remit run --resume`: nothing lost, nothing done twice silently, the chain valid."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from integration.command import begin, kill, remit, result, rows
from integration.openai_server import Server, results

EDITS = 3
# (how many lines of the event stream are read before the kill, milliseconds waited after the last of them)
MOMENTS = [(line, 0) for line in range(1, 17)] + [(4, 2), (4, 6), (5, 1), (8, 3), (9, 4), (12, 2), (13, 5)]


def answer(body: dict[str, Any]) -> Any:
    """Three edits, one a turn, each of which would show if it were done twice; then the answer."""
    done = len(results(body))
    if done == EDITS:
        return "all edits are done"
    return [("file_edit", {"path": "log.txt", "old": "END", "new": f"edit {done}\nEND"})]


def finish(run_id: str, log: Path) -> dict[str, Any]:
    """Resume until the run has ended, settling what is in doubt by looking at the file, as a person would."""
    for _ in range(EDITS + 2):
        done = remit("run", "--resume", run_id, "--json")
        found = result(done)
        if found["status"] != "waiting":
            return found
        assert done.returncode == 8
        waiting = rows("inbox")
        assert [(row["kind"], row["tool"], row["run_id"]) for row in waiting] == [("in_doubt", "file_edit", run_id)]
        happened = waiting[0]["arguments"]["new"] in log.read_text(encoding="utf-8")
        verdict = "done" if happened else "not-done"
        settled = remit("inbox", "resolve", waiting[0]["id"], verdict, "--reason", "looked at the file", "--json")
        assert (settled.returncode, result(settled)["decision"]) == (0, verdict)
    raise AssertionError("the run did not end")


@pytest.mark.slow
@pytest.mark.parametrize(("line", "wait_ms"), MOMENTS)
def test_a_killed_run_goes_on_where_it_was(line: int, wait_ms: int, tmp_path: Path) -> None:
    """Whatever the moment of the kill, the resumed run ends ok with every edit made exactly once."""
    log = tmp_path / "log.txt"
    log.write_text("END\n", encoding="utf-8")
    with Server(answer) as server:
        process = begin(
            "run", "edit the log", "--workspace", str(tmp_path), "--model", "openai-chat:m", "--base-url", server.url,
            "--allow", "fs.read:**", "--allow", "fs.write:**", "--json",
        )  # fmt: skip
        assert process.stdout is not None
        for _ in range(line):
            process.stdout.readline()
        time.sleep(wait_ms / 1000)
        kill(process)
        run_id = rows("runs")[0]["run_id"]
        before = log.read_text(encoding="utf-8")
        found = finish(run_id, log)
    assert found["error"] is None
    assert (found["run_id"], found["status"], found["output"]) == (run_id, "ok", "all edits are done")
    assert log.read_text(encoding="utf-8") == "edit 0\nedit 1\nedit 2\nEND\n", f"it was {before!r} at the kill"
    assert rows("inbox") == []
    assert remit("audit", "verify").returncode == 0


def test_a_run_that_was_resumed_twice_is_held_once(tmp_path: Path) -> None:
    """While a live process holds a run, another one cannot resume it (run_active), and cannot answer for it."""
    with Server(lambda body: time.sleep(3) or "late") as server:
        process = begin(
            "run", "wait", "--workspace", str(tmp_path), "--model", "openai-chat:m", "--base-url", server.url, "--json"
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        second = remit("run", "--resume", "last", "--json")
        assert (second.returncode, result(second)["error"]["code"]) == (6, "run_active")
        assert rows("runs")[0]["status"] == "running"
        kill(process)
    assert rows("runs")[0]["status"] == "interrupted"


@pytest.mark.sandbox
@pytest.mark.parametrize(("verdict", "again"), [("done", False), ("not-done", True), ("retry", True)])
def test_an_effect_in_doubt_is_shown_and_settled_by_a_person(verdict: str, again: bool, tmp_path: Path) -> None:
    """A program that was running at the kill is never started again silently: it waits in the inbox for a verdict."""
    (tmp_path / "out").mkdir()
    calls = [("shell", {"argv": ["touch", "out/ran"]}), ("shell", {"argv": ["sleep", "4"]})]
    with Server(lambda body: "end" if len(results(body)) == 2 else [calls[len(results(body))]]) as server:
        process = begin(
            "run", "x", "--workspace", str(tmp_path), "--model", "openai-chat:m", "--base-url", server.url,
            "--allow", "shell:touch", "--allow", "shell:sleep", "--allow", "fs.write:out/**", "--json",
        )  # fmt: skip
        assert process.stdout is not None
        while '"argv":["sleep","4"]' not in (line := process.stdout.readline()) or '"effect_intent"' not in line:
            assert line, "the run ended early"
        time.sleep(0.3)
        kill(process)
        parked = remit("run", "--resume", "last", "--json")
        assert (result(parked)["status"], parked.returncode) == ("waiting", 8)
        waiting = rows("inbox")
        run_id = rows("runs")[0]["run_id"]
        assert waiting == [
            {
                "id": waiting[0]["id"],
                "kind": "in_doubt",
                "run_id": run_id,
                "tool": "shell",
                "arguments": {"argv": ["sleep", "4"]},
            }
        ]
        assert remit("inbox", "resolve", waiting[0]["id"], verdict).returncode == 2, "a verdict needs a reason"
        assert remit("inbox", "resolve", waiting[0]["id"], verdict, "--reason", "a test").returncode == 0
        events = len(rows("show", run_id, "--events"))
        done = remit("run", "--resume", run_id, "--json")
    assert result(done)["status"] == "ok", done.stderr
    intents = [
        e for e in rows("show", run_id, "--events")[events:] if e["type"] == "effect_intent" and e["kind"] == "tool"
    ]
    assert [e["arguments"] for e in intents] == ([{"argv": ["sleep", "4"]}] if again else [])
