"""Verbs that need no run: init, config, completion, doctor, and which process cancel may signal."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from remit import cli, config
from remit.cli import completion
from remit.cli._cancel import is_remit_run
from remit.journal.snapshots import Place
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import STARTED, CountingClock


def test_init_writes_a_valid_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The template is valid, narrows only, and names every key; an existing file or link is left as it is."""
    assert cli.main(["init", str(tmp_path)]) == 0
    path = tmp_path / "remit.toml"
    text = path.read_text(encoding="utf-8")
    assert config.load(str(tmp_path), env={}).check()["remit.deny"] == ("fs.read:**/.env",)
    keys = [
        key for section in config.ConfigFile.__struct_defaults__ for key in getattr(section, "__struct_fields__", ())
    ]
    assert [key for key in keys if f"{key} =" not in text and not key.endswith(("_tokens", "_calls"))] == []
    uncommented = "\n".join(line.removeprefix("# ") if " = " in line else line for line in text.splitlines())
    config.flatten(config.parse(uncommented.encode(), "template"), "template")
    path.write_text("mine", encoding="utf-8")
    assert cli.main(["init", str(tmp_path)]) == 2
    assert path.read_text(encoding="utf-8") == "mine"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    assert cli.main(["init", str(tmp_path)]) == 2
    assert not (tmp_path / "elsewhere").exists()
    assert "it is left as it is" in capsys.readouterr().err


def test_config_show_names_origins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every key with its value and place, as text and as JSON; an untrusted file's refused keys are said."""
    path = tmp_path / "remit.toml"
    path.write_text('[model]\nname = "x:y"\nmax_turns = 3\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["config", "show", "--origin"]) == 0
    shown = capsys.readouterr()
    assert f"model.max_turns = 3  # project {path}" in shown.out
    assert "model.name = null  # default" in shown.out
    assert f"remit config trust {path}" in shown.err
    assert cli.main(["config", "show", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"key": "model.max_turns", "value": 3, "origin": f"project {path}"} in found
    assert found[-1] == {"type": "result", "status": "ok", "refused": ["model.name"], "narrowed": None}
    path.write_text("[model", encoding="utf-8")
    assert cli.main(["config", "show"]) == 2
    assert "error config_invalid" in capsys.readouterr().err


def test_completion_knows_verbs_flags_and_subcommands() -> None:
    """The words come from the parsers themselves."""
    words = completion.flags_by_verb()
    assert set(words) == set(cli.verbs())
    assert {"--resume", "--allow", "--deadline-s", "--json"} <= set(words["run"])
    assert {"resolve", "done", "not-done", "retry", "--reason"} <= set(words["inbox"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_valid(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each script names every verb, and its shell (where it is installed) can read it."""
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(verb in script for verb in cli.verbs())
    if shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(script, encoding="utf-8")
        done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
    if shell == "bash" and shutil.which("bash"):
        probe = script + '\nCOMP_WORDS=(remit run --res); COMP_CWORD=2; _remit; echo "${COMPREPLY[*]}"'
        done = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, timeout=30, check=True)
        assert done.stdout == "--resume\n"


def test_doctor_drops_snapshots_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--drop-snapshots deletes the cache beside the journal; the journal is as before, and again is no error."""
    file = tmp_path / "j.db"

    async def make() -> None:
        journal = SqliteJournal(file, CountingClock())
        await journal.create("run_1", STARTED).release("waiting")
        assert journal.snapshots is not None
        assert journal.snapshots.add(Place("run_1", 1, b"h" * 32, b"c"), b"state", "", b"")
        await journal.aclose()

    asyncio.run(make())
    before = file.read_bytes()
    assert (tmp_path / "j.db-snapshots").exists()
    assert cli.main(["doctor", "--drop-snapshots", "--journal", f"sqlite:{file}"]) == 0
    assert "bytes of snapshots" in capsys.readouterr().out
    assert not (tmp_path / "j.db-snapshots").exists()
    assert file.read_bytes() == before
    assert cli.main(["doctor", "--drop-snapshots", "--json", "--journal", f"sqlite:{file}"]) == 0
    assert '"bytes":0' in capsys.readouterr().out


def test_doctor_tries_the_real_things(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every check has a line; a key is named and not shown; a journal that cannot be made is missing, exit 5."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["doctor", "--json"]) == 0
    out = capsys.readouterr().out
    found = {row["name"]: row for row in map(json.loads, out.splitlines()[:-1])}
    assert set(found) == {"python", "config", "journal", "encryption", "disk", "sandbox", "sandbox T1",
                          "sandbox T2", "git", "keys", "clock"}  # fmt: skip
    assert "chains intact" in found["journal"]["found"]
    assert (found["keys"]["found"], "sk-very" in out) == ("OPENAI_API_KEY", False)
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    assert cli.main(["doctor", "--json", "--journal", f"sqlite:{blocked}/x.db"]) == 5
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "journal" in last["missing"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["/x/bin/remit", "run", "task"], True),
        (["python3", "/x/bin/remit", "run"], True),
        (["python", "-m", "remit", "run", "x"], True),
        (["python", "-P", "-c", "from remit.cli import main; main()", "run", "x"], True),
        (["python", "/home/me/remit_job.py", "run"], False),
        (["python", "app.py", "remit", "watch", "run"], False),
        (["remit", "watch", "run_1"], False),
        (["python", "app.py"], False),
        ([], False),
    ],
)
def test_only_remit_run_is_signalled(command: list[str], expected: bool) -> None:
    """cancel ends a process by signal only when its command line is `remit run`."""
    assert is_remit_run(command) is expected


def test_flags_count_before_and_behind_a_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    """`remit inbox --json resolve ...` and `remit inbox resolve ... --json` both give the result line."""
    given = ["resolve", "doubt_x", "done", "--reason", "r"]
    for args in (["inbox", "--json", *given], ["inbox", *given, "--json"]):
        assert cli.main(args) == 2
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "item_unknown"
    assert cli.main(["inbox", "--json", "--journal", "sqlite:/nowhere/\0", *given]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "value_invalid"
