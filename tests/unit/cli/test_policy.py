"""`remit policy`: check answers as the gate would, explain says it in words, suggest covers what a run did."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from remit import Agent, Remit, Runtime, ToolCall, cli
from remit.core.grants import parse_grant
from remit.testing import ScriptedModel


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REMIT_STATE_DIR", "REMIT_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    (tmp_path / "work" / "docs").mkdir(parents=True)
    for name in "abcd":
        (tmp_path / "work" / "docs" / f"{name}.md").write_text(name)
    monkeypatch.chdir(tmp_path / "work")


def remit(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, list[Any]]:
    """Exit code and JSON lines."""
    code = cli.main(["policy", *args, "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


CHECKS: list[tuple[tuple[str, ...], int, str, str]] = [
    (("fs.read:docs/a", "--allow", "fs.read:docs/**"), 0, "allow", ""),
    (("fs.read:docs/a",), 3, "deny", "not_granted"),
    (("fs.read:docs/a", "--allow", "fs.read:**", "--deny", "fs.read:docs/**"), 3, "deny", "denied_by_rule"),
    (("net:POST https://x.org/v1", "--allow", "net:x.org"), 3, "deny", "not_granted"),
    (("shell:git status", "--allow", "shell:git"), 0, "allow", ""),
    (("model:openai:x", "--model", "openai:x"), 0, "allow", ""),
    (("--tool", "write_file", "--args", '{"path": "o", "content": "x"}', "--allow", "fs.write:o"), 0, "allow", ""),
    (("--tool", "write_file", "--args", '{"path": "o.txt", "content": "x"}', "--allow", "fs.write:**", "--deny",
      "tool:write_file"), 3, "deny", "denied_by_rule"),
    (("--tool", "pay", "--args", '{"n": 5}', "--allow", "tool:pay where arg.n<=5"), 0, "allow", ""),
    (("--tool", "pay", "--args", '{"n": 6}', "--allow", "tool:pay where arg.n<=5"), 3, "deny", "grant_bound"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "code", "decision", "error"), CHECKS, ids=str)
def test_check_answers_as_the_gate(
    args: tuple[str, ...], code: int, decision: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The decision, its code and the exit code; a denial says what to do."""
    found, lines = remit(capsys, "check", *args)
    assert (found, lines[-1]["decision"], lines[-1]["code"]) == (code, decision, error)
    assert bool(lines[-1]["hint"]) is (decision == "deny")


def test_check_knows_modes_and_site_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mode default asks (exit code 8); the site file's rule is named."""
    folder = tmp_path / "REMIT_CONFIG_DIR"
    folder.mkdir()
    (folder / "remit.toml").write_text('[policy]\nmode = "default"\nsite = "site.toml"\n')
    (folder / "site.toml").write_text('[[rules]]\nname = "docs"\nfilesystem = ["docs/**"]\ndecision = "allow"\n')
    assert remit(capsys, "check", "fs.read:docs/a")[0] == 8
    code, lines = remit(capsys, "check", "fs.read:docs/a", "--allow", "fs.read:**")
    assert (code, any("docs" in rule for rule in lines[-1]["rules"])) == (0, True)
    assert remit(capsys, "check", "fs.read:etc/a", "--allow", "fs.read:**")[0] == 3


@pytest.mark.parametrize(
    "args", [("check",), ("check", "nonsense"), ("check", "--tool", "x", "--args", "[1]"), ("fly",)]
)
def test_wrong_questions_are_usage_errors(args: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, with a code."""
    assert remit(capsys, *args)[0] == 2


def test_explain_and_suggest_read_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In words with ids; the suggestion lets the same run pass again, and nothing beside it."""
    journal = f"sqlite:{tmp_path / 'j.db'}"
    wide = Remit.allow("fs.read:**", "fs.write:**").deny("fs.read:**/.env")
    calls = [ToolCall("c", "read_file", {"path": f"docs/{n}.md"}) for n in "abc"]
    calls.append(ToolCall("c", "write_file", {"path": "out.txt", "content": "x"}))

    async def run(held: Remit) -> Any:
        async with Runtime(journal, workspace=str(tmp_path / "work")) as runtime:
            agent = Agent("a", ScriptedModel([*calls, "end"]), tools=["read_file", "write_file"], remit=held)
            return await runtime.run(agent, "go")

    done = asyncio.run(run(wide))
    code, lines = remit(capsys, "suggest", done.id, "--journal", journal)
    assert (code, lines[-1]["allow"]) == (0, ["fs.read:docs/*.md", "fs.write:out.txt"])
    assert lines[-1]["uncovered"] == []
    again = asyncio.run(run(Remit.allow(*lines[-1]["allow"])))
    assert (again.status, again.denied) == ("ok", 0)
    code, lines = remit(capsys, "explain", done.id, "--journal", journal)
    assert {
        "type": "may",
        "text": "read files matching **",
        "id": parse_grant("fs.read:**").id,
        "grant": "fs.read:**",
    } in lines
    assert any(line["type"] == "never" and ".env" in line["text"] for line in lines)
    assert cli.main(["policy", "suggest", done.id, "--journal", journal]) == 0
    shown = capsys.readouterr().out
    assert '[remit]\nallow = [\n  "fs.read:docs/*.md",' in shown and "--allow" in shown
