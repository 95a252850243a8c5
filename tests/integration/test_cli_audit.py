"""`remit audit` as people use it: verify, prove, export, follow, rotate; and the file is attacked in between."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from integration.command import begin, kill, lines, remit, result
from remit.journal.notes import key_text

KINDS = {"agent_lifecycle", "llm_request", "llm_response", "scope_denied", "tool_call", "tool_result"}


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The user's journal with one run of the built-in surveyor in it."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.py").write_text("def f() -> int:\n    return 1\n")
    done = remit("run", "Survey", "--model", "builtin:surveyor", "--allow", "fs.read:**", cwd=tmp_path / "tree")
    assert done.returncode in (0, 1, 3), done.stderr
    return Path(os.environ["REMIT_STATE_DIR"], "journal.db")


def test_verify_says_what_is_covered(journal: Path) -> None:
    """Records, checkpoints, the copy outside, the key and the window; the same as JSON."""
    text = remit("audit", "verify").stdout
    assert text.startswith("intact: 1 run(s)\nrecords: ")
    assert "key: remit-audit+" in text
    assert "unprotected window: 0 records" in text
    found = result(remit("audit", "verify", "--json"))
    assert (found["intact"], found["runs"], found["unprotected_records"]) == (True, 1, 0)
    assert found["records"] == found["kept_outside"] > 5
    assert remit("audit", "key").stdout.split() == found["keys"]


def test_a_named_key_counts_and_another_does_not(journal: Path) -> None:
    """--key replaces what is kept in the state folder; a key that is none is refused."""
    (key,) = remit("audit", "key").stdout.split()
    assert remit("audit", "verify", "--key", key).returncode == 0
    other = key_text(bytes(range(32)))
    done = remit("audit", "verify", "--key", other)
    assert done.returncode == 6
    assert "the signature of the checkpoint does not hold" in done.stdout + done.stderr
    assert remit("audit", "verify", "--key", "x", "--json").returncode == 2


@pytest.mark.parametrize("how", ["emptied", "removed", "run deleted"])
def test_a_journal_without_its_run_is_found(journal: Path, how: str) -> None:
    """Cut to 0 bytes, deleted, or without every row of its only run: exit 6."""
    if how == "run deleted":
        connection = apsw.Connection(str(journal))
        (run_id,) = connection.execute("SELECT run_id FROM runs").fetchone()
        for table in ("events", "runs", "inbox", "blobs"):
            connection.execute(f"DELETE FROM {table}")
        connection.close()
        expected = f"run {run_id} seq 1: the record at position 1 was deleted"
    else:
        journal.write_bytes(b"") if how == "emptied" else journal.unlink()
        expected = "it was replaced"
    done = remit("audit", "verify")
    assert (done.returncode, expected in done.stdout) == (6, True)


def test_a_proof_verifies_without_remit(journal: Path, tmp_path: Path) -> None:
    """What `proof`, `export` and `verifier` print is all that another machine needs."""
    (tmp_path / "verifier.py").write_text(remit("audit", "verifier").stdout)
    (key,) = remit("audit", "key").stdout.split()
    size = result(remit("audit", "verify", "--json"))["records"]
    for arguments in (
        ("proof", "last", "2"), ("proof", "--between", str(size)), ("export", "--format", "bundle"),
        ("export", "--format", "bundle", "--run", "last"),
    ):  # fmt: skip
        (tmp_path / "given").write_text(remit("audit", *arguments).stdout)
        command = [sys.executable, "-I", str(tmp_path / "verifier.py"), str(tmp_path / "given"), "--key", key]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:10]) == (0, "verified: "), (arguments, done.stdout, done.stderr)
    for wrong in (("proof",), ("proof", "last"), ("proof", "last", "2", "--between", "1"), ("proof", "last", "999")):
        assert remit("audit", *wrong).returncode == 2, wrong


def test_exports_hold_every_decision(journal: Path) -> None:
    """The same records in every format; filters by run, kind and time; a bundle takes no filter that hides."""
    records = lines(remit("audit", "export"))
    assert {record["kind"] for record in records} <= KINDS
    assert [record["position"] for record in records] == sorted(record["position"] for record in records)
    for name in ("ocsf", "cef", "csv"):
        assert len(remit("audit", "export", "--format", name).stdout.splitlines()) == len(records) + (name == "csv")
    rows = list(csv.DictReader(remit("audit", "export", "--format", "csv").stdout.splitlines()))
    assert [row["hash"] for row in rows] == [record["hash"] for record in records]
    calls = lines(remit("audit", "export", "--kind", "tool_call", "--run", "last", "--since", "2h"))
    assert calls == [record for record in records if record["kind"] == "tool_call"]
    assert remit("audit", "export", "--since", "2099-01-01").stdout == ""
    for wrong in (("--kind", "x"), ("--since", "soon"), ("--format", "bundle", "--since", "2h"), ("--run", "zzz")):
        assert remit("audit", "export", *wrong).returncode == 2, wrong


def test_tail_shows_the_newest_and_follows(journal: Path) -> None:
    """The last N, the same as JSON, and with -f what comes later, from another process."""
    records = lines(remit("audit", "export"))
    assert lines(remit("audit", "tail", "-n", "3", "--json")) == records[-3:]
    assert len(remit("audit", "tail", "-n", "2").stdout.splitlines()) == 2
    follower = begin("audit", "tail", "-f", "-n", "1", "--json")
    try:
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline()) == records[-1]  # it follows from here
        remit("run", "Survey", "--model", "builtin:surveyor", cwd=journal.parent)
        first = json.loads(follower.stdout.readline())
        assert (first["position"], first["decision"]) == (records[-1]["position"] + 1, "started")
    finally:
        kill(follower)


def test_rotation_archives_and_drops(journal: Path, tmp_path: Path) -> None:
    """Content into a new gzip file first, then out of the journal; it verifies, the run can no longer be shown."""
    events = result(remit("audit", "verify", "--json"))["records"]
    dry = result(remit("audit", "rotate", "--keep-days", "0", "--dry-run", "--json"))
    assert (dry["runs"], dry["events"], dry["dropped"]) == (1, events, False)
    assert result(remit("audit", "rotate", "--keep-days", "1", "--json"))["runs"] == 0
    archive = tmp_path / "archive.gz"
    found = result(remit("audit", "rotate", "--keep-days", "0", "--archive", str(archive), "--json"))
    assert (found["runs"], found["events"], found["dropped"]) == (1, events, True)
    with gzip.open(archive, "rt", encoding="utf-8") as file:
        kept = [line for line in map(json.loads, file) if line["type"] == "record"]
    assert ([record["position"] for record in kept], "body" in kept[0]) == (list(range(1, events + 1)), True)
    assert archive.stat().st_mode & 0o777 == 0o600
    assert result(remit("audit", "verify", "--json"))["intact"] is True
    shown = remit("show", "last", "--json")
    assert (shown.returncode, result(shown)["error"]["code"]) == (2, "run_rotated")
    again = remit("audit", "rotate", "--keep-days", "0", "--archive", str(archive), "--json")
    assert result(again)["runs"] == 0
    for wrong in (("--keep-days", "-1"), ("--keep-days", "nan"), ()):
        assert remit("audit", "rotate", *wrong).returncode == 2


def test_a_journal_in_memory_has_no_log() -> None:
    """One clear error."""
    done = remit("audit", "verify", "--journal", "memory:", "--json")
    assert (done.returncode, result(done)["error"]["code"]) == (2, "value_invalid")


def test_a_witness_is_configured_and_used(tmp_path: Path) -> None:
    """[journal] witness in the user's file: checkpoints go there, and `verify` compares them without a flag."""
    folder = Path(os.environ["REMIT_CONFIG_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "remit.toml").write_text(f'[journal]\nwitness = "{tmp_path}/witness"\n')
    remit("run", "Survey", "--model", "builtin:surveyor", cwd=tmp_path)
    assert (tmp_path / "witness").read_text().startswith("remit/audit/")
    assert result(remit("audit", "verify", "--json"))["intact"] is True
    Path(os.environ["REMIT_STATE_DIR"], "journal.db").unlink()
    done = remit("audit", "verify", "--json")
    assert {line["text"].partition(":")[0] for line in lines(done)[:-1]} == {"kept head", "witness"}


def test_a_project_cannot_name_a_witness(tmp_path: Path) -> None:
    """A cloned repository must not have checkpoints written where it wants: config_untrusted."""
    (tmp_path / "remit.toml").write_text('[journal]\nwitness = "x"\n')
    done = remit("run", "Survey", "--model", "builtin:surveyor", "--json", cwd=tmp_path)
    assert (done.returncode, result(done)["error"]["code"]) == (2, "config_untrusted")


def test_without_a_private_key_nothing_is_done(tmp_path: Path) -> None:
    """A signing key that others can read: audit_key, and the run ends before its first tool."""
    audit = Path(os.environ["REMIT_STATE_DIR"], "audit")
    audit.mkdir(parents=True)
    (audit / "key").write_text("ab" * 32)
    (audit / "key").chmod(0o644)
    (tmp_path / "a.py").write_text("x = 1\n")
    done = remit("run", "Survey", "--model", "builtin:surveyor", "--allow", "fs.write:**", "--json", cwd=tmp_path)
    assert (done.returncode, result(done)["error"]["code"]) == (2, "audit_key")
    assert sorted(os.listdir(tmp_path)) == ["a.py"]


def test_tail_sends_to_sinks(journal: Path, tmp_path: Path) -> None:
    """--to: everything, then only what is new; filters that would leave holes and unknown sinks are refused."""
    records = lines(remit("audit", "export"))
    to = ("--to", f"jsonl:{tmp_path}/out.jsonl", "--to", f"sqlite:{tmp_path}/out.db", "--redact", "reason", "--json")
    assert result(remit("audit", "tail", *to))["sent"] == len(records)
    assert result(remit("audit", "tail", *to))["sent"] == 0
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert found == [{**record, "reason": "[redacted]"} for record in records]
    for wrong in (("--to", "x"), ("--to", "jsonl:"), ("--to", f"jsonl:{tmp_path}/a", "--kind", "tool_call")):
        assert remit("audit", "tail", *wrong).returncode == 2, wrong


def test_a_reader_that_goes_away_is_no_error_of_the_journal(journal: Path) -> None:
    """`remit audit export | head -1`: the exit code of a broken pipe, and no word about the disk."""
    process = begin("audit", "export", "--format", "bundle")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    text = process.stderr.read()
    process.stderr.close()
    assert (process.wait(30), "disk_failed" in text) == (141, False)
