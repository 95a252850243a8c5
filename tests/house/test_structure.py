"""Who may know whom, and what a first import may cost."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

from house.tree import ROOT, comments, sources, texts
from remit.errors import CODES

MAX_FIRST_IMPORT_MODULES = 30
MAX_PUBLIC_NAMES = 40
FORBIDDEN_AT_IMPORT = ("asyncio", "pydantic", "starlette", "wasmtime")
FORBIDDEN_AT_RUN_TIME = {"anthropic", "httpx", "openai", "pickle", "pydantic", "requests", "shelve"}
# Who owns what is banned elsewhere: the only places of the package where these modules or calls may stand.
OWNERS = {
    "subprocess": ("adapters/sandboxes/",),
    "asyncio.create_subprocess_exec": ("adapters/sandboxes/",),
    "socket": ("adapters/http/", "ports/conformance/"),
    "random": (),
    "pickle": (),
    "time.time": ("adapters/clock.py",),
    "time.time_ns": ("adapters/clock.py",),
    "datetime.now": ("adapters/clock.py",),
    "asyncio.create_task": ("ports/conformance/",),
    "asyncio.ensure_future": ("ports/conformance/",),
    "yaml": ("teams/files/reading.py",),
    "os.system": (),
    "os.popen": (),
    "os.execve": ("adapters/sandboxes/",),
    "os.fork": ("adapters/sandboxes/forwarder.py",),
}
FIRST_IMPORT = """
import sys, json
import msgspec
before = set(sys.modules)
from remit import Agent, Remit, tool
print(json.dumps(sorted(name for name in set(sys.modules) - before if not name.startswith("msgspec"))))
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter at the root of the checkout."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_floors_hold() -> None:
    """import-linter keeps every contract of pyproject.toml."""
    call = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as c; c()"
    done = python("-c", call, "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_is_content() -> None:
    """No rule of pyproject.toml is broken: complexity, bans of processes, sockets, clocks and the rest."""
    done = python("-m", "ruff", "check", "--no-cache", "--output-format", "concise", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_ban_is_real(tmp_path: Path) -> None:
    """Each banned call is found by ruff in a file of the package, so a ban cannot be a dead letter."""
    banned = {
        "import subprocess": "TID251", "import socket": "TID251", "import pickle": "TID251", "import random": "TID251",
        "import time\ntime.time()": "TID251", "import datetime\ndatetime.datetime.now()": "TID251",
        "import asyncio\nasyncio.create_task(None)": "TID251", "eval('1')": "S307", "exec('1')": "S102",
        "import os\nos.system('id')": "S605",
    }  # fmt: skip
    for number, (text, code) in enumerate(banned.items()):
        probe = tmp_path / f"probe{number}.py"
        probe.write_text(text + "\n", encoding="utf-8")
        config = str(ROOT / "pyproject.toml")
        done = python("-m", "ruff", "check", "--no-cache", "--config", config, "--output-format", "json", str(probe))
        assert code in {row["code"] for row in json.loads(done.stdout)}, text


def test_what_is_banned_stands_only_with_its_owner() -> None:
    """Processes, sockets, clocks, randomness and loose tasks are used in their owner's files and nowhere else."""
    strays = []
    for source in sources():
        remarks = comments(source.text)
        for node in ast.walk(source.tree):
            line = getattr(node, "lineno", 0)
            for used in _uses(node):
                owners = OWNERS.get(used)
                if owners is None or source.name.removeprefix("src/remit/").startswith(owners):
                    continue
                # One line may be exempt with its reason beside it (test_hygiene asks for the reason).
                if "noqa: TID251" not in remarks.get(line, ""):
                    strays.append(f"{source.name}:{line} {used}")
    assert strays == [], "\n".join(["", *strays])


def test_listeners_are_opened_by_the_gateway_only() -> None:
    """Beside it: doubles, suites, the demo's probes of the gate, a sandbox's own loopback, the broker's unix socket."""
    allowed = ("gateway/server.py", "testing/", "ports/conformance/", "cli/_demo_attack.py",
               "adapters/sandboxes/forwarder.py", "adapters/http/broker.py")  # fmt: skip
    found = {
        source.name.removeprefix("src/remit/")
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute)
        and (
            re.fullmatch(r"(create|start)(_unix)?_server", node.attr)
            or (node.attr == "listen" and re.search(r"^\s*import socket$", source.text, re.M))
        )
    }
    assert "gateway/server.py" in found
    assert [name for name in found if not name.startswith(allowed)] == []


def _uses(node: ast.AST) -> list[str]:
    """The modules that a node imports, or the `module.name` that it reads."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return [f"{node.value.id}.{node.attr}"]
    return []


def test_nobody_in_the_package_imports_the_public_table() -> None:
    """Rooms import rooms; `from remit import Name` inside the package would hide an upward import."""
    rooms = {path.stem for path in (ROOT / "src/remit").iterdir()}
    sideways = [
        f"{source.name}:{node.lineno}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "remit"
        and not {alias.name for alias in node.names} <= rooms | {"__version__"}
    ]
    assert sideways == [], "\n".join(["", *sideways])


def test_no_run_time_code_needs_a_test_peer() -> None:
    """Official SDKs, pydantic and object reconstruction are imported by nobody in the package."""
    found = [
        f"{source.name}:{node.lineno} {name}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        if name.split(".")[0] in FORBIDDEN_AT_RUN_TIME
    ]
    assert found == [], "\n".join(["", *found])


def test_the_first_import_is_light() -> None:
    """`from remit import Agent, Remit, tool` loads at most 30 modules beyond msgspec's, and no event loop."""
    done = python("-P", "-c", "import sys; sys.path.insert(0, 'src')\n" + FIRST_IMPORT)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    heavy = [name for name in loaded if name.split(".")[0] in FORBIDDEN_AT_IMPORT]
    assert heavy == []
    assert len(loaded) <= MAX_FIRST_IMPORT_MODULES, loaded


def test_public_names_are_few_and_exist() -> None:
    """The root package names at most 40 things, each can be imported, and its two tables of them are one."""
    code = "import sys; sys.path.insert(0, 'src'); import remit, json; "
    code += "print(json.dumps({n: getattr(getattr(remit, n), '__name__', '') for n in dir(remit) if n[0] != '_'}))"
    done = python("-P", "-c", code)
    assert done.returncode == 0, done.stderr
    names = json.loads(done.stdout)
    assert {"Agent", "Remit", "Budget", "tool", "model", "Runtime", "Message", "Text", "ToolCall"} <= set(names)
    assert len(names) <= MAX_PUBLIC_NAMES
    root = ast.parse(texts()["src/remit/__init__.py"])
    typed = {
        alias.asname or alias.name: (node.module or "").removeprefix("remit.")
        for block in ast.walk(root)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    tables = [node.value for node in root.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)]
    assert typed in [ast.literal_eval(table) for table in tables]


def test_every_error_code_is_raised_by_the_package_and_by_a_test() -> None:
    """No code of the table is dead: the package uses it, and a test outside this folder and docs expects it."""
    package = "\n".join(s.text for s in sources("src/") if s.name != "src/remit/errors.py")
    tests = "\n".join(s.text for s in sources("tests/") if not s.name.startswith(("tests/house/", "tests/docs/")))
    unused = [code for code in CODES if not re.search(rf"['\"]{code}['\"]", package)]
    untested = [code for code in CODES if not re.search(rf"['\"]{code}['\"]", tests)]
    assert {"never raised": unused, "never tested": untested} == {"never raised": [], "never tested": []}


def test_every_code_that_is_raised_is_in_the_table() -> None:
    """A RemitError is raised with a literal code of the table (or with a variable that a test covers)."""
    families = {"Invalid", "Denied", "Exhausted", "Unavailable", "ModelError", "Conflict", "NonDeterminism"}
    families |= {"InternalError", "Deny"}
    unknown = [
        f"{source.name}:{node.lineno} {node.args[0].value}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in families
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value not in CODES
    ]
    assert unknown == [], "\n".join(["", *unknown])


def test_continuous_integration_runs_what_people_run() -> None:
    """.ci/run calls the same targets as a person."""
    for target in ("make test", "make lint", "make types"):
        assert target in texts()[".ci/run"].split("\n")
