"""`remit code diff|apply|merge` on real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remit.cli import main
from remit.code import diff

OLD = "def f():\n    return 1\n"
NEW = "def f():\n    return 2\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with an old and a new file."""
    (tmp_path / "old.py").write_text(OLD, encoding="utf-8")
    (tmp_path / "new.py").write_text(NEW, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_diff_then_apply_then_back(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The printed diff applies to the folder, says what it does first, and is taken back."""
    assert main(["code", "diff", "old.py", "new.py", "--path", "old.py"]) == 0
    (folder / "p").write_bytes(capfdbinary.readouterr().out)
    assert main(["code", "apply", "p", "--check"]) == 0
    assert (folder / "old.py").read_text(encoding="utf-8") == OLD
    assert main(["code", "apply", "p", "--json"]) == 0
    assert (folder / "old.py").read_text(encoding="utf-8") == NEW
    said = capfdbinary.readouterr().out.decode().splitlines()
    assert said[0] == "modify  old.py  +1 -1"
    assert json.loads(said[1]) == {
        "type": "result",
        "status": "ok",
        "files": [{"path": "old.py", "kind": "modify", "added": 1, "removed": 1}],
        "error": None,
    }
    assert main(["code", "apply", "p", "--reverse"]) == 0
    assert (folder / "old.py").read_text(encoding="utf-8") == OLD


@pytest.mark.parametrize("path", ["../outside.py", "/etc/outside.py", "link/outside.py"])
def test_a_patch_writes_nowhere_else(folder: Path, path: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Paths that leave the folder are refused, and the file beside them is not written either."""
    inside = folder / "inside"
    inside.mkdir()
    (inside / "old.py").write_text(OLD, encoding="utf-8")
    (inside / "link").symlink_to(folder)
    patch = f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n" + diff(OLD, NEW, path="old.py")
    (folder / "p").write_text(patch.replace("b//etc", "/etc"), encoding="utf-8")
    assert main(["code", "apply", "p", "inside"]) != 0
    assert (inside / "old.py").read_text(encoding="utf-8") == OLD
    assert not (folder / "outside.py").exists()
    assert b"path_denied" in capfdbinary.readouterr().err


def test_merge_prints_and_says_conflicts(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Exit 0 with the text, or the exit code of a conflict with markers and their place."""
    (folder / "theirs.py").write_text("import os\n" + OLD, encoding="utf-8")
    assert main(["code", "merge", "old.py", "new.py", "theirs.py"]) == 0
    assert capfdbinary.readouterr().out.decode() == "import os\n" + NEW
    (folder / "theirs.py").write_text(OLD.replace("1", "3"), encoding="utf-8")
    assert main(["code", "merge", "old.py", "new.py", "theirs.py", "--out", "merged.py"]) == 6
    assert "line 2" in capfdbinary.readouterr().err.decode()
    assert (folder / "merged.py").read_text(encoding="utf-8").count("<<<<<<< new.py") == 1
