"""The folder is the registry: every file is a complete tool, former names work, a new file is enough."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import remit.adapters.tools as registry
from remit.adapters.tools import ALIASES, load, names
from remit.errors import Invalid

NAMES = (
    "apply_patch", "calculator", "content_search", "datetime", "encode_decode", "file_edit", "git", "glob_search",
    "hash", "http_request", "json_query", "list_directory", "read_file", "regex", "shell", "text_transform",
    "web_fetch", "write_file",
)  # fmt: skip
UNTRUSTED = {
    "read_file", "list_directory", "glob_search", "content_search", "shell", "git", "web_fetch", "http_request",
    "json_query",
}  # fmt: skip


def test_the_tools() -> None:
    """All of the first tools are there."""
    assert set(NAMES) <= set(names())


@pytest.mark.parametrize("name", NAMES)
def test_every_tool_is_complete(name: str) -> None:
    """Name, schema with a text for every parameter, trust of its results, grants where it touches the world."""
    tool = load(name)
    spec = tool.spec
    assert (tool.name, tool.builtin, spec.description != "") == (name, True, True)
    assert [p for p, field in spec.schema["properties"].items() if not field.get("description")] == []
    writes = {"write_file", "file_edit", "apply_patch"}
    assert tool.returns == ("untrusted" if name in UNTRUSTED else "system" if name in writes else "tool")
    pure = {"calculator", "datetime", "encode_decode", "regex", "text_transform"}
    assert (tool.needs is None) is (name in pure)
    unsafe = writes | {"shell", "http_request"}
    assert (tool.tier == "pure") is (name not in unsafe)


def test_former_names_lead_to_the_tools_of_today() -> None:
    """Each alias names a tool that exists, and is none itself."""
    assert {former: load(former).name for former in ALIASES} == ALIASES
    assert set(ALIASES) & set(names()) == set()


@pytest.mark.parametrize(
    ("name", "near"),
    [("red_file", "read_file"), ("reed_file", "read_file"), ("jsonquery", "json_query"), ("file_writer", "write_file")],
)
def test_an_unknown_tool_names_the_nearest(name: str, near: str) -> None:
    """tool_unknown, with what was probably meant."""
    with pytest.raises(Invalid, match=near) as caught:
        load(name)
    assert caught.value.code == "tool_unknown"


@pytest.mark.parametrize("name", ["", "_text", "__init__", "../x", "os", "read_file.py", "a" * 500, "README"])
def test_nothing_but_tools_can_be_loaded(name: str) -> None:
    """Private files, other modules and paths are unknown tools."""
    with pytest.raises(Invalid) as caught:
        load(name)
    assert caught.value.code == "tool_unknown"


def test_one_file_adds_a_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the folder is listed and loaded, with no table to edit."""
    (tmp_path / "dummy_echo.py").write_text(
        "from remit.core.tools import tool\n\n@tool(effect='read', builtin=True)\n"
        "def dummy_echo(text: str) -> str:\n    '''Echo.'''\n    return text\n"
    )
    monkeypatch.setattr(registry, "__path__", [str(tmp_path), *registry.__path__])
    assert names() == ("dummy_echo",)
    assert load("dummy_echo")("x") == "x"
    monkeypatch.delitem(sys.modules, "remit.adapters.tools.dummy_echo")


def test_listing_imports_no_tool() -> None:
    """Names are known without importing a single tool."""
    code = (
        "import sys, remit.adapters.tools as t; t.names(); print([m for m in sys.modules if m.startswith(t.__name__)])"
    )
    env = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "['remit.adapters.tools']\n"
