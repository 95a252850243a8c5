"""Data at rest: what an attacker with the files can read and change, and each mechanism unplugged once."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import Any

import pytest

from remit import cli
from remit.core.events import RunStarted
from remit.errors import RemitError
from remit.guard import envelope, keys_ring
from remit.guard.keys import KeyRing
from remit.guard.keys_ring import RingStore
from remit.guard.keys_sources import LocalKey
from remit.guard.stores import EncryptedStore
from remit.guard.subjects import Subjects
from remit.journal import schema, sealed
from remit.journal.encrypted import AtRest
from remit.journal.sqlite import SqliteJournal
from remit.ports.sandbox import SandboxJob
from remit.testing.clock import FakeClock
from security import at_rest

KEY_TEXT = secrets.token_hex(32)


def test_one_flipped_bit_of_any_record_is_refused() -> None:
    """In records, subject keys, vault, key ring, anchor, journal pages and its log, every flipped bit is refused."""
    refused = at_rest.flips(40, secrets.randbits(32))
    assert refused == dict.fromkeys(refused, 40)
    assert len(refused) == 7


def test_a_rotation_that_is_stopped_loses_nothing() -> None:
    """Stopped half way and continued, a rotation moves every record and loses none."""
    assert at_rest.rotation(300) == {
        "records": 300,
        "moved_after_a_stop": 108,
        "left_by_it": 108,
        "old_left": 0,
        "lost": 0,
    }


def test_no_file_holds_plaintext() -> None:
    """A marker in task, subject, replies, arguments and results is in no file unless encryption is off."""
    found = at_rest.markers()
    assert (found["off"] > 0, found["encrypted"], found["full"]) == (True, 0, 0)


# ---- unplugged


def test_unplugged_page_encryption_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the page key the journal file would hold the marker."""
    monkeypatch.setattr(schema, "unlock", lambda *_: None)
    monkeypatch.setattr(sealed.RunSeal, "__call__", lambda self, seq, body: body)
    found = at_rest.markers()
    assert found["encrypted"] > 0
    assert found["full"] > 0


def run_and_erase(folder: Path) -> tuple[bool, str]:
    """(whether the file held the task, what the list shows of it) after a run of a subject that was then erased."""

    async def main() -> tuple[bool, str]:
        subjects = Subjects(at_rest.ring_in(folder), str(folder / "state"), sealing=True)
        journal = SqliteJournal(folder / "journal.db", FakeClock(), at_rest=AtRest((), subjects))
        await journal.create("run_1", RunStarted("a", "the task", subject="ann")).release("waiting")
        subjects.erase("ann")
        shown = journal.runs()[0].task
        held = any(b"the task" in path.read_bytes() for path in folder.glob("journal.db*"))
        await journal.aclose()
        return held, shown

    return asyncio.run(main())


def test_unplugged_sealing_is_readable_after_erasure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the seal, contents would stand in the events and survive an erasure."""
    assert run_and_erase(tmp_path / "a") == (False, "[erased]")
    monkeypatch.setattr(sealed.RunSeal, "__call__", lambda self, seq, body: body)
    assert run_and_erase(tmp_path / "b") == (True, "the task")


def test_unplugged_places_let_records_be_swapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the authenticated place, one record could be put in the place of another."""

    def swapped(folder: Path) -> Any:
        store = EncryptedStore(at_rest.ring_in(folder), str(folder / "state"), "sessions")
        store.put("a", "of a")
        store.put("b", "of b")
        a, b = (store._path(store._stem(name)) for name in "ab")
        Path(b).write_bytes(Path(a).read_bytes())
        try:
            return store._read(store._stem("b"))
        finally:
            store.delete("b")  # and does not mind what is there

    with pytest.raises(RemitError, match="record_altered"):
        swapped(tmp_path / "a")
    monkeypatch.setattr(envelope, "place_bytes", lambda _: b"")
    assert swapped(tmp_path / "b")[0].id == "a"


def test_unplugged_ring_mac_lets_states_be_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the MAC, whoever can write the ring could change what it says of a key."""
    ring = at_rest.ring_in(tmp_path)
    ring.data_key("vault")
    path = tmp_path / "state" / "keys.ring"
    path.write_bytes(path.read_bytes().replace(b'"active"', b'"retired"'))
    with pytest.raises(RemitError, match="record_altered"):
        at_rest.ring_in(tmp_path)
    monkeypatch.setattr(keys_ring, "check_ring", lambda *_: None)
    assert at_rest.ring_in(tmp_path).listing()[0].state == "retired"


def test_unplugged_anchor_lets_an_old_ring_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the anchor, an erased subject would come back with an old ring."""
    ring = at_rest.ring_in(tmp_path)
    ring.data_key("vault")
    path = tmp_path / "state" / "keys.ring"
    old = path.read_bytes()
    ring.erase(["0" * 32])
    path.write_bytes(old)
    with pytest.raises(RemitError, match="key_rollback"):
        at_rest.ring_in(tmp_path)
    monkeypatch.setattr(RingStore, "_check_anchor", lambda *_: None)
    assert not at_rest.ring_in(tmp_path).is_erased("0" * 32)


# ---- where the key must not go


@pytest.mark.sandbox
def test_the_key_reaches_no_child_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in the sandbox sees no variable of the key, in its environment or in that of any process it sees."""
    from remit.adapters.sandboxes.bubblewrap import Bubblewrap

    for name in ("REMIT_DATA_KEY", "ENCRYPTION_KEY"):
        monkeypatch.setenv(name, KEY_TEXT)
    script = "env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null"
    job = SandboxJob(argv=("sh", "-c", script), workspace=str(tmp_path), timeout_s=20)
    result = asyncio.run(Bubblewrap().run(job))
    assert b"PATH" in result.stdout
    assert KEY_TEXT.encode() not in result.stdout + result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["doctor"],
        ["doctor", "--json"],
        ["config", "show", "--origin"],
        ["vault", "keys", "init"],
        ["vault", "keys", "list", "--json"],
        ["vault", "keys", "encrypt"],
        ["runs"],
    ],
    ids=" ".join,
)
def test_the_key_is_never_shown(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No command prints the key, however it is written, also when it is wrong or encryption is on."""
    for text in (KEY_TEXT, KEY_TEXT[:-2], f"{KEY_TEXT}zz"):
        for mode in ("off", "full"):
            monkeypatch.setenv("REMIT_DATA_KEY", text)
            monkeypatch.setenv("REMIT_ENCRYPTION", mode)
            cli.main(words)
            shown = capsys.readouterr()
            assert KEY_TEXT[:-2] not in shown.out + shown.err
            assert shown.out + shown.err


def test_a_model_key_cannot_be_the_data_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """`model.api_key = "env:REMIT_DATA_KEY"` would send the key to a provider: it is refused."""
    from remit.config import resolve_secret

    monkeypatch.setenv("REMIT_DATA_KEY", KEY_TEXT)
    for name in ("REMIT_DATA_KEY", "ENCRYPTION_KEY"):
        with pytest.raises(RemitError, match="config_invalid"):
            resolve_secret(f"env:{name}", os.environ)


def test_a_wrong_key_opens_nothing(tmp_path: Path) -> None:
    """With another key-encryption key the ring says key_wrong and names both ids, no key."""
    at_rest.ring_in(tmp_path).data_key("vault")
    with pytest.raises(RemitError, match="key_wrong"):
        KeyRing(str(tmp_path / "state"), str(tmp_path / "config" / "anchor"), lambda _: LocalKey(bytes(range(32))))
