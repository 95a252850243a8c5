"""The command line in processes of its own, against a small provider: ends, exits, approvals, deadlines, cancels."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from integration.command import COMMAND, begin, environment, lines, remit, result, rows
from integration.openai_server import Odd, Server, results

MODEL = ("--model", "openai-chat:m")
NOTHING_USED = {"input_tokens": 0, "cached_tokens": 0, "output_tokens": 0, "reasoning_tokens": 0}


def hang(body: dict[str, Any]) -> Odd:
    """A provider that never finishes its answer."""
    return Odd(body=b"data: ", content_type="text/event-stream", hang=True)


def asks_after_reading(server: list[Server]) -> Any:
    """A model that reads a file, then makes a request: that asks a person."""

    def answer(body: dict[str, Any]) -> Any:
        done = results(body)
        if not done:
            return [("read_file", {"path": "a.txt"})]
        if len(done) == 1:
            return [("http_request", {"url": server[0].url.replace("/v1", "/told"), "method": "GET"})]
        return f"done: {done[1]}"

    return answer


def waiting_run(folder: Path, server: Server) -> str:
    """Start a run that stops at a question; returns its id."""
    (folder / "a.txt").write_text("from a file\n", encoding="utf-8")
    host = server.url.split("/")[2]
    done = remit(
        "run", "tell", "--workspace", str(folder), *MODEL, "--base-url", server.url, "--allow", "fs.read:**",
        "--allow", f"net:http://{host}/**", "--json",
    )  # fmt: skip
    assert (done.returncode, result(done)["status"], result(done)["error"]) == (8, "waiting", None), done.stderr
    return str(result(done)["run_id"])


def test_a_run_prints_events_and_one_result(tmp_path: Path) -> None:
    """Every event line has run_id, type, seq and at_ms; the result line has exactly the promised keys."""
    (tmp_path / "a.txt").write_text("hello\n", encoding="utf-8")

    def answer(body: dict[str, Any]) -> Any:
        return "read it" if results(body) else [("read_file", {"path": "a.txt"}), ("read_file", {"path": "../b"})]

    with Server(answer) as server:
        done = remit(
            "run", "read", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--allow", "fs.read:**",
            "--json",
        )  # fmt: skip
    found = lines(done)
    run_id = found[-1]["run_id"]
    assert done.returncode == 0
    assert found[-1] == {
        "type": "result",
        "run_id": run_id,
        "status": "ok",
        "output": "read it",
        "usage": {"input_tokens": 20, "cached_tokens": 8, "output_tokens": 10, "reasoning_tokens": 0},
        "cost_usd": None,
        "tool_calls": 2,
        "denied": 1,
        "error": None,
    }
    assert [line["seq"] for line in found[:-1]] == list(range(1, len(found)))
    assert {line["run_id"] for line in found} == {run_id}
    assert all(isinstance(line["at_ms"], int) for line in found[:-1])
    assert [line["type"] for line in found[:2]] == ["run_started", "effect_intent"]
    assert found[-2]["type"] == "run_done"


def test_people_see_refusals_as_they_happen(tmp_path: Path) -> None:
    """Without --json the answer is on stdout, and stderr has each step; a refusal with check, code and hint."""

    def answer(body: dict[str, Any]) -> Any:
        return "no\x1b[2Jpe \x9b31m" if results(body) else [("write_file", {"path": "x", "content": "y"})]

    with Server(answer) as server:
        done = remit("run", "write", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url)
    assert done.stdout == "no\\x1b[2Jpe \\x9b31m\n"
    assert "Act      write_file" in done.stderr
    assert "refused by grant: not_granted" in done.stderr
    assert "hint: Grant it with --allow" in done.stderr
    assert done.stderr.splitlines()[-1].startswith(
        "ok: 2 turns, 1 tool calls, 1 refused, 30 tokens, unknown cost, run_"
    )
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "error"),
    [
        (["run", "x", "--model", "openai-chat:m", "--allow", "fs.reed:x"], 2, "grant_invalid"),
        (["run", "x", "--model", "nonsense"], 2, "model_unknown"),
        (["run", "x", "--model", "nobody:m"], 2, "model_unknown"),
        (["run", "x"], 2, "model_unknown"),
        (["run", "", "--model", "openai-chat:m"], 2, "usage_invalid"),
        (["run", "x", "--model", "openai-chat:m", "--deadline-s", "0"], 2, "usage_invalid"),
        (["run", "x", "--model", "openai-chat:m", "--budget-usd", "nan"], 2, "usage_invalid"),
        (["run", "x", "--model", "openai-chat:m", "--workspace", "missing"], 2, "usage_invalid"),
        (["run", "x", "--model", "openai-chat:m", "--tools", "teleport"], 2, "tool_unknown"),
        (["run", "x", "--model", "openai-chat:m", "--frobnicate"], 2, "usage_invalid"),
        (["run", "--resume", "run_0"], 2, "run_unknown"),
        (["run", "x", "--model", "openai-chat:m", "--journal", "sqlite:/dev/full/x"], 5, "disk_failed"),
        (["run", "x", "--model", "openai-chat:m", "--journal", "postgres:x"], 2, "value_invalid"),
    ],
)
def test_a_run_that_cannot_start_has_a_result_line_too(
    arguments: list[str], exit_code: int, error: str, tmp_path: Path
) -> None:
    """Bad grants, models, flags, ids and a broken journal: one result line with run_id null and the error."""
    done = remit(*arguments, "--json", cwd=tmp_path)
    found = result(done)
    assert (done.returncode, found["error"]["code"]) == (exit_code, error), done.stderr
    assert set(found["error"]) == {"code", "message", "hint", "retryable"}
    del found["error"]
    assert found == {
        "type": "result", "run_id": None, "status": "failed", "output": None, "usage": NOTHING_USED, "cost_usd": 0.0,
        "tool_calls": 0, "denied": 0,
    }  # fmt: skip
    assert f"error {error}: " in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        (Odd(body=b"{not json"), "model_bad_reply"),
        (Odd(body=b"[1, 2]"), "model_bad_reply"),
        (Odd(body=b"data: {oops\n\n", content_type="text/event-stream"), "model_bad_reply"),
        (Odd(body=b"", content_type="text/event-stream"), ""),
        (Odd(400, b'{"error": {"message": "no \\u001b[31m"}}'), "model_bad_request"),
        (Odd(401, b"{}"), "model_auth"),
        (Odd(404, b"nothing here"), "model_not_found"),
    ],
)
def test_a_lying_provider_is_a_clear_error(odd: Odd, code: str, tmp_path: Path) -> None:
    """Wrong JSON, empty streams and error statuses: status failed, exit 5, a model error, no escape sequences."""
    with Server(lambda body: odd) as server:
        done = remit(
            "run", "x", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--deadline-s", "20", "--json"
        )
    found = result(done)
    assert found["run_id"] is not None
    assert (found["status"] in ("failed", "exhausted"), done.returncode != 0) == (True, True)
    if code:
        assert (found["status"], found["error"]["code"], done.returncode) == ("failed", code, 5), done.stderr
    assert "\x1b" not in done.stderr
    assert rows("runs")[0]["status"] == found["status"]


def test_an_unreachable_provider_is_a_clear_error(tmp_path: Path) -> None:
    """A refused connection within the deadline ends the run with a model error or at the deadline."""
    done = remit(
        "run", "x", "--workspace", str(tmp_path), *MODEL, "--base-url", "http://127.0.0.1:9/v1", "--deadline-s", "1",
        "--json",
    )  # fmt: skip
    assert result(done)["error"]["code"] in ("deadline_exceeded", "model_connection")
    assert done.returncode in (4, 5)


@pytest.mark.parametrize("resumed", [False, True])
def test_the_deadline_bounds_the_whole_run(resumed: bool, tmp_path: Path) -> None:
    """A provider that hangs ends the run at its deadline (status exhausted, exit 4), on resume too."""
    with Server(hang) as server:
        base = ("--workspace", str(tmp_path), *MODEL, "--base-url", server.url)
        if resumed:
            process = begin("run", "x", *base, "--json")
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.readline()
            process.kill()
            process.communicate()
            started = time.monotonic()
            done = remit("run", "--resume", "last", "--deadline-s", "1", "--json")
        else:
            started = time.monotonic()
            done = remit("run", "x", *base, "--deadline-s", "1", "--json")
        took_s = time.monotonic() - started
    found = result(done)
    assert (found["status"], found["error"]["code"], done.returncode) == ("exhausted", "deadline_exceeded", 4)
    assert took_s < 15, "the provider would have hung for 60 s"
    assert rows("runs")[0]["status"] == "exhausted"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_run_well(name: str, tmp_path: Path) -> None:
    """SIGINT and SIGTERM: status cancelled, exit 130, a result line, an ended run with an intact chain."""
    with Server(hang) as server:
        process = begin("run", "x", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--json")
        assert process.stdout is not None
        first = process.stdout.readline() + process.stdout.readline()
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=20)
    found = [json.loads(line) for line in (first + out).splitlines()]
    assert process.returncode == 130, err
    assert (found[-1]["type"], found[-1]["status"], found[-1]["error"]["code"]) == ("result", "cancelled", "cancelled")
    assert rows("runs")[0]["status"] == "cancelled"
    assert remit("audit", "verify").returncode == 0


def test_an_approval_is_asked_given_and_used_once(tmp_path: Path) -> None:
    """Without a terminal the run waits; `remit approve` answers once; resumed, it makes the call and ends."""
    made: list[Server] = []
    with Server(asks_after_reading(made)) as server:
        made.append(server)
        run_id = waiting_run(tmp_path, server)
        waiting = rows("inbox")
        assert [sorted(row) for row in waiting] == [["arguments", "id", "kind", "run_id", "tool"]]
        assert (waiting[0]["kind"], waiting[0]["run_id"], waiting[0]["tool"]) == ("approval", run_id, "http_request")
        assert server.gets == []
        item = waiting[0]["id"]
        assert remit("inbox", "resolve", item, "done", "--reason", "x").returncode == 2
        given = remit("approve", item, "--reason", "it is our own server", "--json")
        assert (given.returncode, result(given)) == (
            0, {"type": "result", "status": "ok", "item": item, "decision": "approved", "run_id": run_id}
        )  # fmt: skip
        again = remit("approve", item, "--json")
        assert (again.returncode, result(again)["error"]["code"]) == (6, "approval_used")
        assert result(remit("approve", "ask_nothing", "--json"))["error"]["code"] == "item_unknown"
        done = remit("run", "--resume", run_id, "--json")
        assert result(done)["status"] == "ok", done.stderr
        assert server.gets == ["/told"]
    shown = remit("show", run_id)
    assert "it is our own server" in shown.stdout


@pytest.mark.parametrize(
    ("flags", "paths"), [(["--deny", "--reason", "no"], []), (["--edit", "{}"], []), (["--edit", "OTHER"], ["/other"])]
)
def test_denied_and_edited_calls(flags: list[str], paths: list[str], tmp_path: Path) -> None:
    """A denied call is not made; an edited one passes the gate again with its new arguments, bad ones are refused."""
    made: list[Server] = []
    with Server(asks_after_reading(made)) as server:
        made.append(server)
        run_id = waiting_run(tmp_path, server)
        other = json.dumps({"url": server.url.replace("/v1", "/other"), "method": "GET"})
        flags = [other if flag == "OTHER" else flag for flag in flags]
        answered = remit("approve", rows("inbox")[0]["id"], *flags)
        assert answered.returncode == 0, answered.stderr
        done = remit("run", "--resume", run_id, "--json")
        assert result(done)["status"] == "ok", done.stdout
        assert server.gets == paths


def test_cancelling_a_parked_run(tmp_path: Path) -> None:
    """`remit cancel` ends a waiting run; its question closes; a second cancel says that it has ended."""
    made: list[Server] = []
    with Server(asks_after_reading(made)) as server:
        made.append(server)
        run_id = waiting_run(tmp_path, server)
    done = remit("cancel", run_id[:20], "--reason", "not needed", "--json")
    assert result(done) == {"type": "result", "status": "ok", "run_id": run_id, "run_status": "cancelled"}
    assert rows("inbox") == []
    again = remit("cancel", "last", "--json")
    assert (again.returncode, result(again)["error"]["code"]) == (6, "run_active")
    assert "not needed" in remit("show", "last").stdout


def test_cancelling_a_live_run_of_another_process(tmp_path: Path) -> None:
    """`remit cancel` asks the process that holds the run; that one ends it with its result line."""
    with Server(hang) as server:
        process = begin("run", "x", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--json")
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        done = remit("cancel", "last", "--json")
        out, _ = process.communicate(timeout=20)
    assert (done.returncode, result(done)["run_status"]) == (0, "cancelled"), done.stderr
    assert (process.returncode, json.loads(out.splitlines()[-1])["status"]) == (130, "cancelled")


def test_a_program_of_ones_own_is_never_signalled(tmp_path: Path) -> None:
    """A run that is held by a process which is not `remit run` is refused (run_active), and goes on."""
    script = tmp_path / "program.py"
    script.write_text(
        "import asyncio, os\n"
        "from remit import Agent, Runtime\n"
        "from remit.testing import FunctionModel\n"
        "async def slow(request):\n"
        "    print('asked', flush=True)\n"
        "    await asyncio.sleep(30)\n"
        "async def main():\n"
        "    path = os.environ['REMIT_STATE_DIR'] + '/journal.db'\n"
        "    async with Runtime('sqlite:' + path) as runtime:\n"
        "        await runtime.run(Agent('own', model=FunctionModel(slow)), 'x', listener=lambda *_: None)\n"
        "asyncio.run(main())\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [COMMAND[0], str(script)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asked\n"
    done = remit("cancel", "last", "--json")
    assert (done.returncode, result(done)["error"]["code"]) == (6, "run_active")
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_watch_follows_a_live_run_to_its_end(tmp_path: Path) -> None:
    """`remit watch` shows what another process does as it happens, and ends with the run."""
    go_on = threading.Event()

    def answer(body: dict[str, Any]) -> Any:
        return ("the end" if go_on.wait(20) else "") if results(body) else [("calculator", {"expression": "1+1"})]

    with Server(answer) as server:
        process = begin("run", "x", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--json")
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        watch = begin("watch", "last", "--json")
        assert watch.stdout is not None
        seen = [json.loads(watch.stdout.readline()) for _ in range(5)]
        go_on.set()
        out = watch.stdout.read()  # not communicate(): it would lose what readline() has buffered
        watch.communicate(timeout=20)
        process.communicate(timeout=20)
    found = [*seen, *(json.loads(line) for line in out.splitlines())]
    assert [line["seq"] for line in found[:-1]] == list(range(1, len(found)))
    assert (found[-1]["type"], found[-1]["status"], watch.returncode) == ("result", "ok", 0)


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        (["--allow", "fs.read:a.txt"], False),
        (["--model", "openai-chat:other"], False),
        (["--max-turns", "3"], False),
        (["--tools", "shell"], False),
        (["--allow", "fs.read:**", "--model", "openai-chat:m", "--max-turns", "10"], True),
        (["--deny", "fs.read:**"], True),
    ],
)
def test_a_resumed_run_keeps_what_it_began_with(flags: list[str], kept: bool, tmp_path: Path) -> None:
    """Resuming with other grants, model or turns is refused; repeating the own ones, or denying more, is not."""
    made: list[Server] = []
    with Server(asks_after_reading(made)) as server:
        made.append(server)
        run_id = waiting_run(tmp_path, server)
        done = remit("run", "--resume", run_id, *flags, "--json")
    assert result(done)["status"] == ("waiting" if kept else "failed"), done.stderr
    assert kept or result(done)["error"]["code"] == "usage_invalid"


def test_a_closed_pipe_is_no_crash(tmp_path: Path) -> None:
    """A reader that goes away ends the command quietly: no traceback, and a run is cancelled, not lost."""
    with Server(hang) as server:
        process = begin("run", "x", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--json")
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        err = process.stderr.read()
        process.stderr.close()
        process.wait(timeout=20)
    assert "Traceback" not in err
    assert process.returncode != 0
    assert rows("runs")[0]["status"] == "cancelled"


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    """When the journal cannot grow any more, the run ends with disk_failed and a result line, and can be resumed."""

    def answer(body: dict[str, Any]) -> Any:
        return "end" if len(results(body)) > 3 else [("calculator", {"expression": "1+" * 20_000 + "1"})]

    with Server(answer) as server:
        base = ("--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--json")
        limited = subprocess.run(
            ["bash", "-c", 'ulimit -f 240; exec "$@"', "bash", *COMMAND, "run", "x", *base],
            env=environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        found = result(limited)
        assert (found["status"], found["error"]["code"], limited.returncode) == ("failed", "disk_failed", 5)
        assert "Traceback" not in limited.stderr
        assert found["run_id"] == rows("runs")[0]["run_id"]
        assert remit("audit", "verify").returncode == 0
        assert result(remit("run", "--resume", "last", "--json"))["status"] == "ok"


def test_an_untrusted_project_file_cannot_widen(tmp_path: Path) -> None:
    """A cloned repository that names its own server or model stops the run; trusted for its bytes, it works."""
    with Server(lambda body: "hello") as server:
        file = tmp_path / "remit.toml"
        file.write_text(f'[model]\nname = "openai-chat:m"\nbase_url = "{server.url}"\n', encoding="utf-8")
        refused = remit("run", "x", "--workspace", str(tmp_path), "--json")
        assert (refused.returncode, result(refused)["error"]["code"]) == (2, "config_untrusted")
        assert server.bodies == []
        assert remit("config", "trust", str(tmp_path)).returncode == 0
        assert result(remit("run", "x", "--workspace", str(tmp_path), "--json"))["output"] == "hello"
        file.write_text(file.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
        assert result(remit("run", "x", "--workspace", str(tmp_path), "--json"))["error"]["code"] == "config_untrusted"


def test_a_project_files_grants_only_narrow(tmp_path: Path) -> None:
    """allow in an untrusted project file takes away what the flags give beyond it, and adds nothing."""
    (tmp_path / "remit.toml").write_text('[remit]\nallow = ["fs.read:a/**", "fs.write:**"]\n', encoding="utf-8")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t").write_text("text", encoding="utf-8")
    calls = [
        ("read_file", {"path": "a/t"}),
        ("read_file", {"path": "b/t"}),
        ("write_file", {"path": "c", "content": "d"}),
    ]
    with Server(lambda body: "end" if results(body) else calls) as server:
        done = remit(
            "run",
            "x",
            "--workspace",
            str(tmp_path),
            *MODEL,
            "--base-url",
            server.url,
            "--allow",
            "fs.read:**",
            "--json",
        )
    assert (result(done)["status"], result(done)["denied"]) == ("ok", 2)
    denied = [line for line in lines(done) if line["type"] == "effect_denied"]
    assert [(line["code"], line["arguments"]["path"]) for line in denied] == [
        ("not_granted", "b/t"),
        ("not_granted", "c"),
    ]


def test_a_terminal_is_asked(tmp_path: Path) -> None:
    """With a terminal the question appears there; `y` lets the call run, and only then."""
    try:
        leader, follower = pty.openpty()
    except OSError as error:
        pytest.skip(f"this machine has no terminals to give: {error.strerror}")
    made: list[Server] = []
    (tmp_path / "a.txt").write_text("from a file\n", encoding="utf-8")
    with Server(asks_after_reading(made)) as server:
        made.append(server)
        host = server.url.split("/")[2]
        command = [
            *COMMAND, "run", "tell", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url,
            "--allow", "fs.read:**", "--allow", f"net:http://{host}/**",
        ]  # fmt: skip
        process = subprocess.Popen(
            command,
            env=environment({"TERM": "dumb"}),
            stdin=follower,
            stderr=follower,
            stdout=subprocess.PIPE,
            text=True,
        )
        os.close(follower)
        shown = _read_until(leader, b"y(es) n(o)")
        assert server.gets == [], "the call ran before it was approved"
        assert b"http_request" in shown
        os.write(leader, b"maybe\n")
        _read_until(leader, b"y(es) n(o)")
        assert server.gets == [], "maybe is not yes"
        os.write(leader, b"y\n")
        out, _ = process.communicate(timeout=20)
        os.close(leader)
    assert (process.returncode, server.gets) == (0, ["/told"])
    assert out.startswith("done: ")


def _read_until(descriptor: int, needle: bytes) -> bytes:
    """What a terminal shows until `needle`."""
    seen = b""
    while needle not in seen:
        ready, _, _ = select.select([descriptor], [], [], 20)
        assert ready, seen
        seen += os.read(descriptor, 65536)
    return seen


@pytest.mark.sandbox
@pytest.mark.parametrize("ended_by", ["deadline", "signal"])
def test_a_running_program_ends_with_its_run(ended_by: str, tmp_path: Path) -> None:
    """Deadline and SIGTERM end a program in the sandbox with the run; nothing of it goes on."""
    calls = [("shell", {"argv": ["sleep", "25"]})]
    with Server(lambda body: "end" if results(body) else calls) as server:
        more = ("--deadline-s", "2") if ended_by == "deadline" else ()
        started = time.monotonic()
        process = begin(
            "run", "x", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--json", "--allow",
            "shell:sleep", *more,
        )  # fmt: skip
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(4)]
        if ended_by == "signal":
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    found = json.loads((seen + out.splitlines())[-1])
    assert time.monotonic() - started < 15
    assert found["status"] == ("exhausted" if ended_by == "deadline" else "cancelled"), err
    assert process.returncode == (4 if ended_by == "deadline" else 130)


def test_the_views_of_a_run(tmp_path: Path) -> None:
    """runs, show, show --cost and show --events tell the same run, as text and as JSON, by id, prefix and `last`."""
    (tmp_path / "a.txt").write_text("text \x1b[5m\n", encoding="utf-8")

    def answer(body: dict[str, Any]) -> Any:
        return (
            "bye" if results(body) else [("read_file", {"path": "a.txt"}), ("write_file", {"path": "b", "content": ""})]
        )

    with Server(answer) as server:
        base = ("--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--allow", "fs.read:**", "--json")
        run_id = result(remit("run", "first\ntask", *base))["run_id"]
        remit("run", "second", *base)
    listed = rows("runs")
    assert [(row["task"], row["status"], row["agent"]) for row in listed] == [
        ("second", "ok", "cli"), ("first\ntask", "ok", "cli")
    ]  # fmt: skip
    assert len(rows("runs", "--limit", "1")) == 1
    text = remit("runs").stdout.splitlines()
    assert (len(text), text[2].split()[0]) == (3, run_id)
    shown = remit("show", run_id).stdout
    for words in ("denied", "grant: ", "hint: ", "[untrusted]", "bye", "write_file", "started"):
        assert words in shown
    assert "\x1b" not in shown
    steps = rows("show", run_id)
    assert [step["seq"] for step in steps] == list(range(1, len(steps) + 1))
    assert [e["seq"] for e in rows("show", run_id, "--events")] == [step["seq"] for step in steps]
    cost = result(remit("show", run_id, "--cost", "--json"))
    assert (cost["calls"], cost["usage"]["input_tokens"], cost["cost_usd"]) == (2, 20, None)
    assert "unknown cost" in remit("show", run_id, "--cost").stdout
    assert result(remit("show", "run_", "--json"))["error"]["code"] == "run_unknown"
    assert remit("show", listed[0]["run_id"][:-2]).stdout.startswith(listed[0]["run_id"])
    assert remit("show", "last").stdout.startswith(listed[0]["run_id"])


def test_an_altered_journal_is_found(tmp_path: Path) -> None:
    """One changed byte of an event: `audit verify` names the run and exits 6; the run is not resumed."""
    import apsw

    with Server(hang) as server:
        process = begin("run", "x", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--json")
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        process.kill()
        process.communicate()
    assert result(remit("audit", "verify", "last", "--json"))["intact"] is True
    connection = apsw.Connection(os.environ["REMIT_STATE_DIR"] + "/journal.db")
    connection.execute(
        "UPDATE events SET body = CAST(replace(CAST(body AS TEXT), '\"x\"', '\"y\"') AS BLOB) WHERE seq = 1"
    )
    connection.close()
    done = remit("audit", "verify", "--json")
    found = lines(done)
    assert (done.returncode, found[-1]["intact"], found[-1]["error"]["code"]) == (6, False, "chain_broken")
    assert rows("runs")[0]["run_id"] in found[0]["text"]
    refused = remit("run", "--resume", "last", "--json")
    assert (refused.returncode, result(refused)["error"]["code"]) == (6, "chain_broken")


def test_a_money_budget_needs_a_price(tmp_path: Path) -> None:
    """Under a money budget a model without a known price is refused before it is asked, with a hint."""
    with Server(lambda body: "never") as server:
        done = remit(
            "run", "x", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--budget-usd", "1", "--json"
        )
        assert server.bodies == []
    assert (result(done)["status"], result(done)["error"]["code"], done.returncode) == (
        "exhausted",
        "budget_unpriced",
        4,
    )


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", ">/dev/full"])
def test_closed_and_full_streams_are_no_crash(closed: str, tmp_path: Path) -> None:
    """With stdout, stderr or stdin closed, or stdout on a full device, a run ends without a traceback, and in order."""
    with Server(lambda body: "end") as server:
        command = [*COMMAND, "run", "x", "--workspace", str(tmp_path), *MODEL, "--base-url", server.url, "--json"]
        done = subprocess.run(
            ["bash", "-c", f'exec "$@" {closed}', "bash", *command], env=environment(), capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert rows("runs")[0]["status"] in ("ok", "cancelled")
    assert (done.returncode == 0) is (closed != ">/dev/full")
