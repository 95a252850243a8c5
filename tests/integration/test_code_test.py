"""`remit code test` end to end: gate, sandbox, runner, oracle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from remit import cli

NODE = "/usr/bin/node"
TEXT = """const test = require('node:test');
const assert = require('node:assert');
test('adds', () => assert.equal(1 + 1, 2));
test('fails', () => assert.equal(1 + 1, 3));
"""


@pytest.mark.sandbox
def test_a_folder_is_tested_in_the_sandbox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tests of a folder run where nothing else is reached, and what they say comes back as values."""
    if shutil.which(NODE) is None:
        pytest.skip("node is not installed where the sandbox sees it")
    (tmp_path / "a.test.js").write_text(TEXT)
    assert cli.main(["code", "test", str(tmp_path), "--json", "--no-cache"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["runner"], said["counts"]["passed"], said["counts"]["failed"]) == ("node", 1, 1)
    assert [failure["test"] for failure in said["failures"]] == ["fails"]


def test_what_is_wrong_is_said_before_anything_runs(tmp_path: Path) -> None:
    """No folder, no runner, no such runner."""
    assert cli.main(["code", "test", str(tmp_path / "none")]) != 0
    assert cli.main(["code", "test", str(tmp_path)]) != 0
    assert cli.main(["code", "test", str(tmp_path), "--runner", "make"]) != 0
