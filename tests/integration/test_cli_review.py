"""`remit code review` on real files: what a person and what a program is shown, exit codes, changed lines, baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remit.cli import main
from remit.code import diff

CLEAN = '"""M."""\n'
BAD = (
    '"""M."""\nimport os\nfrom flask import request\n\n\ndef view():\n    """V."""\n    os.system(request.args["c"])\n'
)
MANY = "\n\n".join(f"def f{n}(x):\n    return x\n" for n in range(70))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one grave finding and 70 light ones, and a file that does not parse."""
    (tmp_path / "bad.py").write_text(BAD, encoding="utf-8")
    (tmp_path / "many.py").write_text(MANY, encoding="utf-8")
    (tmp_path / "broken.py").write_bytes(b"def f(:\n  ]]] = \n\x00")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *flags: str) -> Any:
    """The one result line of `--format json`."""
    main(["code", "review", ".", "--format", "json", *flags])
    return json.loads(capsys.readouterr().out)


def test_a_person_is_shown_the_gravest_and_a_program_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text: at most 50, the grave first with its way, then what to do and the verdict. JSON: every finding."""
    assert main(["code", "review", "."]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("bad.py:8:5: critical SEC004 CWE-78: ")
    assert lines[1].strip().startswith("bad.py:8: ")
    assert any(line.startswith("and ") and line.endswith(" more") for line in lines)
    assert "SEC004: Start the program with a list of arguments and no shell." in lines
    assert lines[-1].startswith("block: score ")
    made = said(capsys)
    assert made["total"] == len(made["findings"]) > 70
    assert made["not_reviewed"] == [{"file": "broken.py", "reason": "binary"}]
    assert len(said(capsys, "--max", "3")["findings"]) == 3


def test_the_exit_code_says_whether_the_limit_is_met(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 without --fail-on; 1 when something that grave is there; 0 when it is not."""
    assert main(["code", "review", ".", "--fail-on", "critical"]) == 1
    (folder / "bad.py").write_text(CLEAN, encoding="utf-8")
    assert main(["code", "review", ".", "--fail-on", "critical"]) == 0
    capsys.readouterr()


def test_a_patch_keeps_what_it_touches(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--diff with a patch file: findings on its lines alone."""
    (folder / "change.patch").write_text(diff(CLEAN, BAD, path="bad.py"), encoding="utf-8")
    made = said(capsys, "--diff", "change.patch")
    assert {one["file"] for one in made["findings"]} == {"bad.py"}
    assert "SEC004" in {one["rule_id"] for one in made["findings"]}


def test_a_baseline_knows_everything_that_was_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is written holds all findings, not only those shown; afterwards only new ones are left."""
    assert main(["code", "review", ".", "--write-baseline", "known.json"]) == 0
    capsys.readouterr()
    made = said(capsys, "--baseline", "known.json")
    assert (made["findings"], made["known"] > 70) == ([], True)
    (folder / "bad.py").write_text(BAD + "    os.system('x' + request.args['d'])\n", encoding="utf-8")
    assert [one["rule_id"] for one in said(capsys, "--baseline", "known.json")["findings"]] == ["SEC004"]


def test_sarif_holds_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A SARIF 2.1.0 log with every finding."""
    assert main(["code", "review", ".", "--format", "sarif"]) == 0
    log = json.loads(capsys.readouterr().out)
    assert (log["version"], len(log["runs"][0]["results"]) > 70) == ("2.1.0", True)
