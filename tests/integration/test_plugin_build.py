"""A plugin in Python from template to result, as an author makes it: built, signed, installed, called by an agent."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from remit import cli

PLUGIN = """
import os
from remit_plugin import log, read_file, tool


@tool
def count_words(text: str) -> dict:
    log(2, "counting")
    found = {}
    for name, act in (("file", lambda: open("/etc/passwd").read()), ("granted", lambda: read_file("data/a.txt")),
                      ("other", lambda: read_file("b.txt")), ("environment", lambda: os.environ["HOME"])):
        try:
            found[name] = act()
        except Exception as error:
            found[name] = type(error).__name__
    return {"words": len(text.split()), **found}
"""


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("componentize_py") is None, reason="componentize-py is not installed (requirements/guest.txt)"
)
def test_a_python_plugin_from_template_to_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the file that manifest and user grant, and nothing else of the machine."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("granted text")
    (tmp_path / "b.txt").write_text("other text")
    assert cli.main(["plugin", "new", "words"]) == 0
    (tmp_path / "words" / "plugin.py").write_text(PLUGIN)
    toml = tmp_path / "words" / "plugin.toml"
    toml.write_text(
        toml.read_text()
        .replace('imports = ["log"]', 'imports = ["log", "files"]')
        .replace("grants = []", 'grants = ["fs.read:data/**"]')
    )
    capsys.readouterr()
    arguments = ["plugin", "test", "words", "count_words", '{"text": "a b c"}', "--allow", "fs.read:data/**", "--json"]
    assert cli.main(arguments) == 0
    result = json.loads(json.loads(capsys.readouterr().out.splitlines()[-1])["result"])
    assert result == {
        "words": 3,
        "file": "FileNotFoundError",
        "granted": "granted text",
        "other": "PermissionError",
        "environment": "KeyError",
    }
