# ruff: noqa: E501  # hostile data and scripts are one line each
"""A fresh install without configuration: 0 listeners, 0 connections, 0 grants, no telemetry.

Each case runs in a process of its own with an empty home. An audit hook notes every socket call that Python makes;
at the end the process looks at its own descriptors and at the kernel's tables for what native code opened.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from remit.core.effects import Need
from remit.core.remit import UNSET

PRELUDE = """
import json, os, socket, sys
calls, unplugged = [], len(sys.argv) > 1

def hook(event, args):
    if event in ("socket.bind", "socket.connect", "socket.listen", "socket.sendto", "socket.getaddrinfo"):
        family = getattr(args[0], "family", None)
        if family != socket.AF_UNIX:
            calls.append(event)

sys.addaudithook(hook)

def inet_sockets():
    "Descriptors of this process that stand in the kernel's tables of TCP and UDP, now."
    mine = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            mine.add(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            pass
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6", "raw"):
        try:
            lines = open(f"/proc/self/net/{table}").read().splitlines()[1:]
        except OSError:
            continue
        found += [table for line in lines if f"socket:[{line.split()[9]}]" in mine]
    return found

def report(**more):
    modules = [m for m in sys.modules if m.split(".")[0] in ("opentelemetry", "sentry_sdk", "posthog", "requests")]
    print("REPORT" + json.dumps({"calls": calls, "sockets": inet_sockets(), "modules": modules, **more}))

if unplugged:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
"""
LIBRARY = """
import asyncio
from remit import Agent, tool
from remit.runtime import Runtime
from remit.testing import ScriptedModel
from remit.core.messages import ToolCall

@tool(effect="read")
def own() -> str:
    "A tool."
    return "x"

names = ["read_file", "write_file", "http_request", "shell"]
arguments = {"read_file": {"path": "a"}, "write_file": {"path": "a", "content": "x"},
             "http_request": {"url": "https://example.org/"}, "shell": {"command": "ls"}}

async def main():
    async with Runtime() as runtime:
        calls = [ToolCall(n, n, arguments[n]) for n in names]
        run = await runtime.run(Agent("a", ScriptedModel([calls, "done"]), tools=[own, *names]), "go")
        report(status=run.status, denied=run.denied, files=os.listdir("."))

asyncio.run(main())
"""
COMMANDS = """
from remit.cli import main
codes = [main(argv) for argv in (["--version"], ["runs"], ["inbox"], ["config", "show"], ["cancel", "--status"], ["doctor"])]
report(codes=codes)
"""


def fresh(tmp_path: Path, script: str, *arguments: str) -> dict[str, object]:
    """The report of a process with an empty home and nothing of ours in its environment."""
    home = tmp_path / "home"
    work = tmp_path / "work"
    for folder in (home, work):
        folder.mkdir()
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", PRELUDE + script, *arguments], cwd=work, env=env, capture_output=True,
                          text=True, timeout=120, check=False)  # fmt: skip
    line = next((line for line in done.stdout.splitlines() if line.startswith("REPORT")), "")
    assert line, done.stderr[-2000:]
    report: dict[str, object] = json.loads(line.removeprefix("REPORT"))
    return report


def test_a_run_opens_nothing_and_may_nothing(tmp_path: Path) -> None:
    """A runtime that nobody configured listens nowhere, connects nowhere, and refuses every built-in that touches."""
    assert fresh(tmp_path, LIBRARY) == {
        "calls": [], "sockets": [], "modules": [], "status": "ok", "denied": 4, "files": [],
    }  # fmt: skip


def test_commands_open_nothing(tmp_path: Path) -> None:
    """Neither does the command line: version, runs, inbox, configuration, stop, doctor."""
    report = fresh(tmp_path, COMMANDS)
    assert (report["calls"], report["sockets"], report["modules"]) == ([], [], [])


def test_a_listener_would_be_seen(tmp_path: Path) -> None:
    """Unplugged: a process that listens is found by both ways of looking."""
    report = fresh(tmp_path, LIBRARY, "listen")
    assert (report["calls"], report["sockets"]) == (["socket.bind"], ["tcp"])


@pytest.mark.parametrize(
    "need",
    [Need("fs.read", "a"), Need("fs.write", "a"), Need("shell", "ls", ("ls",)), Need("model", "openai:x"),
     Need("net", "GET https://example.org/", ("GET", "https", "example.org", "443", "/")), Need("env", "HOME"),
     Need("secret", "x@example.org"), Need("memory", "x"), Need("tool", "x")],
    ids=str,
)  # fmt: skip
def test_nothing_is_granted(need: Need) -> None:
    """The remit of somebody who says nothing allows nothing, whatever the verb."""
    assert UNSET.allows(need, 0) is False
