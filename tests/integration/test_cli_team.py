"""`remit team`: a file is checked, estimated, run, and resumed; what it asks for beyond the grants is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remit.cli import main

PIPELINE = """
agents:
  first: {instructions: One.}
  second: {instructions: Two.}
team: {kind: pipeline, stages: [first, second]}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workflow file in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.yaml"
    path.write_text(PIPELINE)
    return path


def last(text: str) -> Any:
    return json.loads(text.strip().splitlines()[-1])


def test_init_check_and_estimate(file: Path, capsys: Any) -> None:
    """A template is written once, checked, and its model calls are said without a run."""
    assert main(["team", "init", "debate"]) == 0
    assert main(["team", "init", "debate"]) == 2
    assert main(["team", "init", "dance"]) == 2
    capsys.readouterr()
    assert main(["team", "check", "debate.yaml", "--json"]) == 0
    found = last(capsys.readouterr().out)
    assert (found["kind"], found["estimate"]["most"]) == ("debate", 5)
    assert main(["team", "run", "w.yaml", "go", "--estimate"]) == 0
    assert capsys.readouterr().out == "pipeline pipeline: model calls 2 = 2 stages\n"
    assert main(["team", "init", "graph"]) == 0
    assert main(["team", "check", "graph.yaml", "--mermaid"]) == 0
    assert capsys.readouterr().out.startswith("flowchart TD")


def test_a_file_runs_and_its_end_is_compared_with_the_estimate(file: Path, capsys: Any) -> None:
    """Events and one result line; the run is one of several in the journal, and can be asked for again."""
    command = ["team", "run", "w.yaml", "go", "--model", "builtin:surveyor", "--journal", "sqlite:j.db", "--json"]
    assert main(command) == 0
    found = last(capsys.readouterr().out)
    assert (found["status"], found["stages"], found["model_calls"], found["estimate"]["most"]) == ("ok", "2/2", 2, 2)
    assert main([*command[:3], "--resume", found["run_id"], *command[4:]]) == 0
    assert last(capsys.readouterr().out)["output"] == found["output"]


def test_a_file_grants_itself_nothing(file: Path, capsys: Any) -> None:
    """A model that only the file names, and grants that nobody gave, are refused with what would allow them."""
    file.write_text(PIPELINE.replace("{instructions: One.}", '{model: "openai:gpt-4o", instructions: One.}'))
    assert main(["team", "run", "w.yaml", "go", "--model", "builtin:surveyor", "--journal", "memory:"]) == 3
    assert '--allow "model:openai:gpt-4o"' in capsys.readouterr().err
    (file.parent / "secret.txt").write_text("the secret")
    asks = PIPELINE.replace("One.}", 'One., tools: [list_directory], remit: {allow: ["fs.read:**"]}}')
    file.write_text(asks)
    run = ["team", "run", "w.yaml", "survey this tree", "--model", "builtin:surveyor", "--journal", "memory:", "--json"]
    assert main(run) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    denied = [e for e in events if e["type"] == "effect_denied"]
    assert denied
    assert all(e["code"] == "not_granted" for e in denied)
    assert main([*run, "--allow", "fs.read:**"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e for e in events if e["type"] == "effect_denied"] == []


@pytest.mark.parametrize(
    "arguments",
    [["check", "missing.yaml"], ["run", "w.yaml"], ["run", "w.yaml", "go"],
     ["run", "w.yaml", "go", "--workspace", "no"], ["check", "w.yaml", "--mermaid"]],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_runs(file: Path, arguments: list[str], capsys: Any) -> None:
    """No file, no task, no model, no folder, no graph: exit code 2 with a hint."""
    assert main(["team", *arguments]) == 2
    assert "hint: " in capsys.readouterr().err
