"""`remit mcp` as a person uses it: list, test, approve by digest, call, change, remove."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from integration.command import remit, result
from remit.config import config_folder

pytestmark = pytest.mark.sandbox
PYTHON = os.path.realpath(os.path.join(sys.base_prefix, "bin", "python3"))


def test_a_server_from_its_first_test_to_its_removal(tmp_path: Path) -> None:
    """Nothing is approved unread, a call works afterwards, a changed program is refused, and removal forgets."""
    program = tmp_path / "server.py"
    program.write_bytes((Path(__file__).parents[1] / "mcp_server.py").read_bytes())
    config_folder().mkdir(parents=True, exist_ok=True)
    (config_folder() / "remit.toml").write_text(
        f'[[mcp]]\nname = "notes"\ncommand = ["{PYTHON}", "-B", "{program}", "modern"]\nshow = ["{tmp_path}"]\n'
    )
    tried = result(remit("mcp", "test", "notes", "--json", cwd=tmp_path))
    assert (tried["state"], [t["state"] for t in tried["tools"]]) == ("not approved", ["new", "new"])

    unread = remit("mcp", "approve", "notes", cwd=tmp_path)
    assert (unread.returncode, tried["digest"] in unread.stderr) == (2, True)
    wrong = result(remit("mcp", "approve", "notes", "--digest", "00", "--json", cwd=tmp_path))
    assert wrong["error"]["code"] == "mcp_changed"
    assert result(remit("mcp", "approve", "notes", "--digest", tried["digest"], "--json", cwd=tmp_path))["approved"]

    call = ("mcp", "test", "notes", "--tool", "echo", "--arguments", '{"text":"hi"}', "--json")
    assert '"said": "hi"' in result(remit(*call, cwd=tmp_path))["result"]
    assert "mcp__notes__echo" in remit("tools", "list", cwd=tmp_path).stdout

    program.write_bytes(program.read_bytes() + b"\n")
    assert result(remit(*call, cwd=tmp_path))["error"]["code"] == "mcp_changed"
    assert result(remit("mcp", "list", "--json", cwd=tmp_path))["servers"][0]["state"] == "changed"
    assert result(remit("mcp", "remove", "notes", "--json", cwd=tmp_path))["removed"] is True
    assert result(remit("mcp", "test", "nobody", "--json", cwd=tmp_path))["error"]["code"] == "mcp_unknown"
