"""Dispatch: verbs by folder, errors by family, help without weight."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from remit import cli
from remit.errors import CODES, Conflict, Denied, Exhausted, InternalError, Invalid, ModelError, RemitError, Unavailable

HEAVY = {"asyncio", "apsw", "uvloop", "tomllib", "remit.runtime", "remit.journal.sqlite", "ssl", "inspect", "argparse"}


def test_the_overview_lists_every_verb_with_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    """`remit`, `remit --help` and `remit help` print each verb and what it does; the promised verbs are there."""
    printed = []
    for args in ([], ["--help"], ["help"]):
        assert cli.main(args) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] == printed[2]
    promised = {"run", "runs", "show", "watch", "inbox", "approve", "cancel", "audit", "doctor", "config", "init"}
    assert promised | {"completion"} <= set(cli.verbs())
    assert all(f"\n  {verb} " in printed[0] for verb in cli.verbs())
    assert "exit codes:" in printed[0]


def test_help_loads_nothing_heavy() -> None:
    """The overview imports no event loop, no database, no parser of arguments, and few modules at all."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from remit.cli import main\n"
        "main(['--help'])\n"
        "print(*sorted(set(sys.modules) - before), sep='\\n', file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True,
                          env={"PYTHONPATH": str(Path(cli.__file__).parents[2])})  # fmt: skip
    loaded = set(done.stderr.split())
    assert loaded & HEAVY == set()
    assert len([name for name in loaded if name.startswith("remit")]) <= 8


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Invalid("usage_invalid", "x"), 2),
        (Denied("not_granted", "x"), 3),
        (Exhausted("turns_exceeded", "x"), 4),
        (Unavailable("network_failed", "x"), 5),
        (ModelError("model_auth", "x"), 5),
        (Conflict("run_active", "x"), 6),
        (InternalError("internal", "x"), 7),
    ],
)
def test_an_error_has_the_exit_code_of_its_family(error: RemitError, code: int) -> None:
    """Each family has its own exit code; a run's status comes first."""
    assert cli.exit_of("failed", error) == code
    assert [cli.exit_of(status, error) for status in ("ok", "waiting", "cancelled")] == [0, 8, 130]
    assert cli.exit_of("failed") == 1


def test_every_family_has_an_exit_code() -> None:
    """No family of the error table is without a code."""
    assert {family for family, _ in CODES.values()} == set(cli.EXIT_OF_FAMILY)


def test_an_unknown_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped verb is usage_invalid with the nearest one; parts of verbs are none."""
    assert cli.main(["runz"]) == 2
    assert "hint: Did you mean: remit run" in capsys.readouterr().err
    assert cli.main(["_run"]) == 2
    assert cli.main(["../runtime"]) == 2


def test_a_defect_is_reported_with_a_code(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody expected gives exit 7 and an internal error, as text and as JSON, not a traceback."""
    from remit.cli import init

    def broken(args: object) -> int:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(init, "run", broken)
    assert cli.main(["init", "--json"]) == 7
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == "internal"
    assert "ZeroDivisionError: a defect" in shown.err
    assert "Traceback" not in shown.err


def test_a_verb_is_one_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file in the folder is a verb: listed, explained, run; nothing else names it."""
    text = Path(cli.__file__).with_name("README.md").read_text(encoding="utf-8")
    program = text.split("```python\n")[1].split("```")[0]
    folder = tmp_path / "cli"
    folder.mkdir()
    (folder / "greet.py").write_text(program, encoding="utf-8")
    monkeypatch.setattr(cli, "__file__", str(folder / "__init__.py"))
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(folder)])
    assert cli.verbs() == ("greet",)
    assert cli.main(["--help"]) == 0
    assert "  greet       Greet somebody." in capsys.readouterr().out
    assert cli.main(["greet", "Ada", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"type": "result", "status": "ok", "name": "Ada"}


def test_arguments_that_are_no_text_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A lone surrogate (an argument that is not UTF-8) is usage_invalid, before it can break the journal's JSON."""
    assert cli.main(["run", "bad \udcff", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage_invalid"
