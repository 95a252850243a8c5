"""One file adds a thing: no table is edited, and the thing works end to end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from house.tree import ROOT

TOOL = '''"""shout: a word in capitals."""

from remit.core.tools import tool


@tool(effect="read", builtin=True)
def shout(word: str) -> str:
    """Repeat `word` in capitals."""
    return word.upper()
'''
USE_TOOL = """
from remit import Agent, Remit, Reply, ToolCall, ToolResult
from remit.testing import FunctionModel

async def script(request):
    results = [part for part in request.messages[-1].parts if isinstance(part, ToolResult)]
    return Reply(results[0].text) if results else Reply(ToolCall("1", "shout", {"word": "hello"}))

for remit in (Remit.allow("tool:shout"), Remit.allow("tool:shout").deny("tool:shout")):
    print(Agent("a", model=FunctionModel(script), tools=["shout"], remit=remit).run_sync("go").output)
"""
PROVIDER = '''"""Acme: a provider that speaks openai-chat."""

from remit.ports.provider import Profile

PROFILE = Profile(name="acme", wire="openai-chat", base_url_env=("ACME_BASE_URL",), key_env=("ACME_API_KEY",))
'''
USE_PROVIDER = """
import http.server, json, os, threading

class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = {"role": "assistant", "content": f"{self.path} {asked['model']} {self.headers['authorization']}"}
        body = {"id": "1", "model": asked["model"], "choices": [{"index": 0, "finish_reason": "stop", "message": said}]}
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["ACME_BASE_URL"] = f"http://127.0.0.1:{server.server_port}/v1"
os.environ["ACME_API_KEY"] = "k"

from remit import Agent
print(Agent("a", model="acme:tiny").run_sync("hello").output)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package that a test may add files to."""
    folder = tmp_path / "src"
    shutil.copytree(ROOT / "src/remit", folder / "remit", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def python(copy: Path, *arguments: str) -> str:
    """What this interpreter prints with the copied package; an error fails the test."""
    env = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, "-P", *arguments]
    done = subprocess.run(command, cwd=copy.parent, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_adds_a_tool(copy: Path) -> None:
    """A file in adapters/tools is a built-in tool: an agent calls it when granted, and not when denied."""
    (copy / "remit/adapters/tools/shout.py").write_text(TOOL, encoding="utf-8")
    granted, denied = python(copy, "-c", USE_TOOL).splitlines()
    assert granted == "HELLO"
    assert "denied_by_rule" in denied


def test_a_file_adds_a_provider(copy: Path) -> None:
    """A file in adapters/providers is a provider: an agent names it, and address and key come from its variables."""
    (copy / "remit/adapters/providers/acme.py").write_text(PROVIDER, encoding="utf-8")
    assert python(copy, "-c", USE_PROVIDER).strip() == "/v1/chat/completions tiny Bearer k"


COMMAND = '''"""Say how many runs there are."""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """--json, as everywhere."""
    parser.add_argument("--json", action="store_true")


def run(args: Any) -> int:
    """Print the number."""
    from remit.cli import _output

    _output.json_line({"type": "result", "runs": 0}) if args.json else _output.data("0 runs")
    return 0
'''


def test_a_file_adds_a_command(copy: Path) -> None:
    """A file in cli is a verb: the overview lists it with its first line, and it parses its own flags."""
    (copy / "remit/cli/howmany.py").write_text(COMMAND, encoding="utf-8")
    assert "howmany" in python(copy, "-m", "remit", "--help")
    assert "Say how many runs there are" in python(copy, "-m", "remit", "howmany", "--help")
    assert python(copy, "-m", "remit", "howmany", "--json").strip() == '{"type":"result","runs":0}'


PATTERN = '''"""Relay: one member writes, the other one mends."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from remit.teams.patterns._shared import MemberName
from remit.teams.team import Team


class Relay(Team):
    """When: ... When not: ... Cost: 2 model calls."""

    def __init__(self, *, writer: Any, mender: Any, name: str = "relay") -> None:
        async def body(work: Any, task: Any) -> Any:
            first = await work.ask(writer, task, key="write")
            return (await work.ask(mender, first.text, key="mend", reads=[first])).output

        super().__init__(name, body, members={"writer": writer, "mender": mender}, kind="relay")


class Spec(Struct, forbid_unknown_fields=True):
    """Of a workflow file."""

    writer: MemberName
    mender: MemberName


PATTERN, SPEC = Relay, Spec
'''
USE_PATTERN = """
from remit.teams import patterns
from remit.teams.files import team_of
from remit.testing import FunctionModel

data = {"agents": {"a": {"instructions": "one"}, "b": {"instructions": "two"}},
        "team": {"kind": "relay", "writer": "a", "mender": "b"}}
team = team_of(data, model=FunctionModel(lambda r: f"{r.messages[0].text}({r.messages[-1].text})"))
print("relay" in patterns.names(), team.run_sync("go").output)
"""


def test_a_file_adds_a_pattern(copy: Path) -> None:
    """A file in teams/patterns is a pattern: workflow files name it, and its members are found by their type."""
    (copy / "remit/teams/patterns/relay.py").write_text(PATTERN, encoding="utf-8")
    assert python(copy, "-c", USE_PATTERN).strip() == "True two(one(go))"
