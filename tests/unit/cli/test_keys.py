"""`remit vault keys`: from a plain journal to an encrypted one and back, rotation, erasure, and what is refused."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from remit import cli, config
from remit.core.events import RunDone, RunStarted
from remit.core.sections import EncryptionSection
from remit.guard.keys_open import open_ring
from remit.journal.encrypted import is_encrypted
from remit.runtime import Runtime


def encryption(mode: str, key: str = "") -> EncryptionSection:
    """Write the user's file; returns its section."""
    folder = config.config_folder()
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["[encryption]", f'mode = "{mode}"', *([f'key = "{key}"'] if key else [])]
    (folder / "remit.toml").write_text("\n".join(lines), encoding="utf-8")
    return config.load(str(folder)).encryption


def write_run(section: EncryptionSection, run_id: str, subject: str = "") -> None:
    """A finished run in the user's journal."""

    async def main() -> None:
        async with Runtime(f"sqlite:{journal_path()}", encryption=section, tune_gc=False) as runtime:
            log = runtime.journal.create(run_id, RunStarted("a", f"the task of {run_id}", subject=subject))
            log.append(RunDone("ok", "x"))
            await log.release("ok")

    asyncio.run(main())


def journal_path() -> str:
    """The user's own journal."""
    return str(config.state_folder() / "journal.db")


def command(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    """The result line of a command that ends with `code`."""
    capsys.readouterr()
    assert cli.main([*words, "--json"]) == code, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def tasks(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Run -> task, as `remit runs` shows them."""
    capsys.readouterr()
    assert cli.main(["runs", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {row["run_id"]: row["task"] for row in rows if "run_id" in row}


def test_from_plain_to_encrypted_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    """init makes a private key file; encrypt and decrypt keep the runs; file and configuration must agree."""
    write_run(encryption("off"), "run_1")
    command(capsys, "vault", "keys", "list", code=2)
    command(capsys, "vault", "keys", "init")
    key_file = config.config_folder() / "data.key"
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert command(capsys, "vault", "keys", "encrypt")["rows"] > 0
    assert is_encrypted(journal_path())
    assert command(capsys, "runs", code=2)["error"]["code"] == "key_missing"
    encryption("encrypted")
    assert tasks(capsys) == {"run_1": "the task of run_1"}
    assert command(capsys, "vault", "keys", "encrypt")["rows"] == 0
    assert command(capsys, "audit", "verify")["status"] == "ok"
    assert command(capsys, "vault", "keys", "decrypt")["rows"] > 0
    assert command(capsys, "runs", code=6)["error"]["code"] == "encryption_mismatch"
    encryption("off")
    assert tasks(capsys) == {"run_1": "the task of run_1"}
    assert command(capsys, "vault", "keys", "init")["generation"] >= 2


def test_rotation_keeps_everything_readable(capsys: pytest.CaptureFixture[str]) -> None:
    """New data keys for journal, subjects and vault; runs and secrets are there; one purpose alone; an unknown one."""
    command(capsys, "vault", "keys", "init")
    write_run(encryption("full"), "run_1", "ann")
    ring = open_ring(EncryptionSection(), os.environ)
    from remit.guard.vault_file import Entry, VaultFile

    with VaultFile(str(config.state_folder()), lambda: ring).changing() as entries:
        entries["token"] = Entry("token", "value")
    result = command(capsys, "vault", "keys", "rotate")
    assert result["rotated"] == ["journal", "store/subjects", "vault"]
    assert result["moved"] > 3
    assert tasks(capsys) == {"run_1": "the task of run_1"}
    assert [entry.value for entry in VaultFile(str(config.state_folder()), lambda: ring).read()] == ["value"]
    states = {(key.purpose, key.state) for key in ring.listing() if not key.purpose.startswith("index/")}
    assert states == {("journal", "active"), ("journal", "retired"), ("store/subjects", "active"),
                      ("store/subjects", "destroyed"), ("vault", "active"), ("vault", "destroyed")}  # fmt: skip
    assert command(capsys, "vault", "keys", "rotate", "store/subjects")["moved"] == 1
    assert command(capsys, "vault", "keys", "re-encrypt")["moved"] == 0
    command(capsys, "vault", "keys", "rotate", "nothing", code=2)


def test_another_key_for_the_ring(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`rotate --key` wraps the ring with another key; the old one is key_wrong from then on, the runs are there."""
    command(capsys, "vault", "keys", "init")
    write_run(encryption("full"), "run_1")
    from remit.guard.keys_sources import new_key_file

    new_key_file(str(tmp_path / "other.key"))
    reference = f"file:{tmp_path / 'other.key'}"
    old = command(capsys, "vault", "keys", "list")["source"]
    assert command(capsys, "vault", "keys", "rotate", "--key", reference)["source"] != old
    assert command(capsys, "runs", code=2)["error"]["code"] == "key_wrong"
    encryption("full", reference)
    assert tasks(capsys) == {"run_1": "the task of run_1"}


def test_erasing_a_subject(capsys: pytest.CaptureFixture[str]) -> None:
    """Only with --yes; then the subject's runs read [erased], the others do not, and the audit log is intact."""
    command(capsys, "vault", "keys", "init")
    section = encryption("full")
    write_run(section, "run_1", "ann")
    write_run(section, "run_2", "bob")
    command(capsys, "vault", "keys", "erase", "ann", code=2)
    assert tasks(capsys)["run_1"] == "the task of run_1"
    assert command(capsys, "vault", "keys", "erase", "ann", "--yes", "--rotate")["known"] is True
    assert tasks(capsys) == {"run_1": "[erased]", "run_2": "the task of run_2"}
    assert command(capsys, "audit", "verify")["status"] == "ok"
    assert cli.main(["show", "run_1"]) == 0
    assert "the task" not in capsys.readouterr().out
    assert command(capsys, "vault", "keys", "erase", "ann", "--yes")["known"] is False


def test_a_restored_ring_is_accepted_by_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    """An old ring is key_rollback for every command until `accept`."""
    command(capsys, "vault", "keys", "init")
    path = config.state_folder() / "keys.ring"
    old = path.read_bytes()
    write_run(encryption("encrypted"), "run_1")
    new = path.read_bytes()
    path.write_bytes(old)
    assert command(capsys, "runs", code=6)["error"]["code"] == "key_rollback"
    path.write_bytes(new)
    assert tasks(capsys) == {"run_1": "the task of run_1"}
    path.write_bytes(old)
    command(capsys, "vault", "keys", "accept")
    assert command(capsys, "vault", "keys", "list")["generation"] == 1


def test_doctor_says_what_is_encrypted(capsys: pytest.CaptureFixture[str]) -> None:
    """Off, on without a key, and on: doctor names the state and what to do, and ids instead of keys."""

    def line() -> dict[str, Any]:
        capsys.readouterr()
        cli.main(["doctor", "--json"])
        rows = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
        found: dict[str, Any] = next(row for row in rows if row.get("name") == "encryption")
        return found

    assert (line()["ok"], line()["needed"], line()["found"][:4]) == (True, False, "off:")
    encryption("full")
    assert (line()["ok"], line()["needed"], "key_missing" in line()["found"]) == (False, True, True)
    command(capsys, "vault", "keys", "init")
    assert (line()["ok"], "contents by subject" in line()["found"]) == (True, True)


def test_only_the_user_turns_encryption_off(tmp_path: Path) -> None:
    """A project's own file may set none of the encryption keys; a value that is no mode is config_invalid."""
    from remit.errors import RemitError

    (tmp_path / "remit.toml").write_text('[encryption]\nmode = "off"\nkey = "env:X"\n', encoding="utf-8")
    encryption("full")
    settings = config.load(str(tmp_path))
    assert settings.refused == ("encryption.mode", "encryption.key")
    assert settings.encryption.mode == "full"
    with pytest.raises(RemitError, match="config_invalid"):
        config.load(str(tmp_path), env={"REMIT_ENCRYPTION": "some"})
    for text in ('mode = "on"', 'key = "c2VjcmV0"', 'key = "env:"', 'algorithm = "des"'):
        with pytest.raises(RemitError, match="config_invalid") as caught:
            config.flatten(config.parse(f"[encryption]\n{text}\n".encode(), "/x/remit.toml"), "/x/remit.toml")
        assert "c2VjcmV0" not in str(caught.value)
    parsed = config.parse(b'[encryption]\nkey = "file:my.key"\n', "/x/remit.toml")
    assert config.flatten(parsed, "/x/remit.toml") == {"encryption.key": "file:/x/my.key"}
