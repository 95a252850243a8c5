"""`remit plugin` and `remit tools`: what they print, and what they refuse. Building is in tests/integration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from remit import cli
from remit.adapters.plugins.package import Package, write_package
from remit.adapters.plugins.signing import sign

TOML = """
id = "words"
version = "1.0.0"
imports = ["log", "files"]
grants = ["fs.read:data/**"]

[[tools]]
name = "count"
description = "Count."
input_schema = {type = "object"}
"""
COMPONENT = '(component (import "remit:plugin/log@1.0.0" (instance)))'


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and result line."""
    code = cli.main(["plugin", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_plugin_of_another_toolchain_goes_the_whole_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """key, build, verify, install, list, show, remove: each answers with one line, and grants are the user's choice."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "plugin.toml").write_text(TOML)
    (tmp_path / "words" / "plugin.wasm").write_bytes(bytes(wasmtime.wat2wasm(COMPONENT)))
    code, key = command(capsys, "key", "k")
    assert (code, len(key["public_key"])) == (0, 64)
    assert command(capsys, "key", "k")[0] == 3
    code, built = command(capsys, "build", "words", "--key", "k")
    assert (code, built["package"], built["id"]) == (0, "words/words-1.0.0.rplugin", "words")
    assert command(capsys, "verify", built["package"])[0] == 3
    code, checked = command(capsys, "verify", built["package"], "--key", key["public_key"])
    assert (code, checked["signer"], checked["asks_for"]) == (0, key["public_key"], ["fs.read:data/**"])
    assert command(capsys, "install", built["package"], "--key", "00" * 32)[1]["error"]["code"] == "denied_by_rule"
    assert command(capsys, "list")[1]["plugins"] == []
    code, installed = command(capsys, "install", built["package"], "--key", key["public_key"])
    assert (code, installed["granted"], installed["imports"]) == (0, [], ["log", "files"])
    code, installed = command(capsys, "install", built["package"], "--allow", "fs.read:data/**")
    assert (code, installed["granted"]) == (0, ["fs.read:data/**"])
    assert command(capsys, "install", built["package"], "--allow", "fs.read:**")[1]["error"]["code"] == "not_granted"
    code, shown = command(capsys, "show", "words")
    assert (code, shown["tools"][0]["name"], shown["tools"][0]["needs"]) == (
        0,
        "wasm_words_count",
        ["tool:wasm_words_count"],
    )
    assert command(capsys, "list")[1]["plugins"] == [
        {"id": "words", "version": "1.0.0", "signer": key["public_key"], "tools": "wasm_words_count", "problem": ""}
    ]
    assert cli.main(["tools", "show", "wasm_words_count", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["sandbox"], facts["grants"], facts["returns"]) == ("T2", ["tool:wasm_words_count"], "untrusted")
    assert command(capsys, "remove", "words") == (0, {"type": "result", "status": "ok", "removed": "words"})
    assert command(capsys, "show", "words")[1]["error"]["code"] == "tool_unknown"


def test_a_component_that_imports_more_is_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signed package whose component wants what its manifest hides is refused at install."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "plugin.toml").write_text(TOML)
    greedy = '(component (import "remit:plugin/http@1.0.0" (instance)))'
    (tmp_path / "words" / "plugin.wasm").write_bytes(bytes(wasmtime.wat2wasm(greedy)))
    key = command(capsys, "key", "k")[1]["public_key"]
    built = command(capsys, "build", "words", "--key", "k")[1]
    code, answer = command(capsys, "install", built["package"], "--key", key)
    assert (code, answer["error"]["code"], "remit:plugin/http" in answer["error"]["message"]) == (
        2,
        "value_invalid",
        True,
    )
    assert command(capsys, "list")[1]["plugins"] == []


def test_new_writes_a_template_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both languages have a template that is a valid manifest; nothing is written over; bad ids make nothing."""
    monkeypatch.chdir(tmp_path)
    assert command(capsys, "new", "words")[1]["files"] == ["plugin.py", "plugin.toml"]
    assert command(capsys, "new", "other", "--language", "javascript")[1]["files"] == [
        "package.json", "plugin.js", "plugin.toml",
    ]  # fmt: skip
    assert 'id = "other"' in (tmp_path / "other" / "plugin.toml").read_text()
    assert command(capsys, "new", "words")[0] == 3
    assert command(capsys, "new", "../x", "--folder", "made")[0] == 2
    assert not (tmp_path / "made").exists()
    assert command(capsys, "test", "words", "count_words", "[]")[1]["error"]["code"] == "usage_invalid"


def test_a_package_must_be_a_plain_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder, a device, garbage or an absent file is refused with a code, never a defect."""
    (tmp_path / "garbage").write_bytes(b"x" * 1000)
    for path in (tmp_path, Path("/dev/null"), tmp_path / "garbage", tmp_path / "absent"):
        code, answer = command(capsys, "install", str(path))
        assert (code in (2, 5), answer["error"]["code"] in ("value_invalid", "disk_failed")) == (True, True), path
    key = tmp_path / "k"
    assert command(capsys, "key", str(key))[0] == 0
    (tmp_path / "p").write_bytes(write_package(Package(b"{}", b"\0asm", sign(b"{}", str(key)))))
    assert command(capsys, "install", str(tmp_path / "p"))[0] == 2


def test_tools_list_names_every_built_in(capsys: pytest.CaptureFixture[str]) -> None:
    """All built-in tools, with their grants; a name that is none has near ones."""
    from remit.adapters import tools

    assert cli.main(["tools", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["tools"]
    assert [row["name"] for row in found] == list(tools.names())
    assert cli.main(["tools", "list"]) == 0
    assert "code_interpreter" in capsys.readouterr().out
    assert cli.main(["tools", "show", "read_fil"]) == 2
    assert "read_file" in capsys.readouterr().err
