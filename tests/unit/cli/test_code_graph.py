"""`remit code map|find|calls|impact|context|deps`: one JSON object a question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remit.cli import main

FILES = {
    "m.py": "def f():\n    return 1\n\ndef g():\n    return f()\n",
    "test_m.py": "import m\ndef test_g():\n    m.g()\n",
}
PATCH = "--- a/m.py\n+++ b/m.py\n@@ -1,2 +1,2 @@\n def f():\n-    return 1\n+    return 2\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree, and a state folder of its own."""
    monkeypatch.setenv("REMIT_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "tree"
    root.mkdir()
    for path, text in FILES.items():
        (root / path).write_text(text)
    (tmp_path / "p.diff").write_text(PATCH)
    return root


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """The object that a question prints."""
    assert main(["code", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_calls_are_edges_with_their_places(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Edges and unread files in one object; --callers narrows."""
    (folder / "bad.py").write_text("def (:\n")
    found = asked(capsys, "calls", str(folder))
    assert found["edges"][0] == {
        "caller": "m.g", "callee": "m.f", "file": "m.py", "line": 5, "callee_file": "m.py", "callee_line": 1,
        "confidence": 1.0, "reason": "call",
    }  # fmt: skip
    assert found["unread"] == [{"file": "bad.py", "reason": "syntax error at line 1"}]
    narrowed = asked(capsys, "calls", str(folder), "--callers", "m.f")
    assert [e["caller"] for e in narrowed["edges"]] == ["m.g"]


def test_impact_of_a_patch(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Changed symbols, callers, tests as the runner names them, and the risk."""
    found = asked(capsys, "impact", str(folder), "--diff", str(folder.parent / "p.diff"))
    assert {key: found[key] for key in ("changed", "callers", "tests", "risk")} == {
        "changed": ["m.f"], "callers": ["m.g"], "tests": ["test_m.py::test_g"], "risk": "medium",
    }  # fmt: skip


def test_the_other_questions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """map, find, context and deps answer about the same tree, with a cache and without."""
    assert [s["name"] for s in asked(capsys, "map", str(folder))["symbols"]] == ["m.f", "m.g", "test_m.test_g"]
    assert asked(capsys, "find", "g", str(folder))["symbols"][0]["name"] == "m.g"
    assert asked(capsys, "context", "change g", str(folder), "--no-cache")["symbols"][0]["name"] == "m.g"
    assert asked(capsys, "deps", str(folder))["dependencies"][0]["inside"] == "m.py"
    assert main(["code", "map", str(folder)]) == 0
    assert "m.py:" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["impact", "."], ["map", ".", "--tokens", "0"], ["calls", "no-such-folder"]])
def test_a_wrong_question_is_usage(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a patch nor a symbol, no tokens, no folder: usage_invalid, exit 2."""
    assert main(["code", *words]) == 2
    assert "usage_invalid" in capsys.readouterr().err


def test_a_folder_before_the_name_is_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The order that people try first gets the right one as its hint."""
    assert main(["code", "find", str(folder), "f"]) == 2
    assert "remit code find NAME [DIR]" in capsys.readouterr().err
