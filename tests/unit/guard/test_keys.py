"""The key ring: keys by purpose, rotation, another key-encryption key, rollback, several processes."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest

from remit.errors import RemitError
from remit.guard.keys import KeyInfo, KeyRing
from remit.guard.keys_sources import LocalKey

KEK = secrets.token_bytes(32)


def ring_at(folder: Path, kek: bytes = KEK, **options: Any) -> KeyRing:
    """The ring in `folder`, its anchor in another folder."""
    return KeyRing(str(folder / "state"), str(folder / "config" / "anchor"), lambda _: LocalKey(kek), **options)


def test_a_purpose_has_one_key_for_ever(tmp_path: Path) -> None:
    """The key of a purpose is 32 random bytes, the same after reopening, and no other purpose has it."""
    ring = ring_at(tmp_path)
    key, other = ring.data_key("vault"), ring.data_key("store/sessions")
    again = ring_at(tmp_path)
    assert (len(key), again.data_key("vault"), again.data_key("store/sessions")) == (32, key, other)
    assert key != other


def test_no_key_stands_in_the_file(tmp_path: Path) -> None:
    """Neither data keys nor the key-encryption key are readable in the ring; the file is 0600, its folder 0700."""
    key = ring_at(tmp_path).data_key("vault")
    path = tmp_path / "state" / "keys.ring"
    raw = path.read_bytes()
    for secret in (key, KEK):
        assert secret not in raw
        assert secret.hex().encode() not in raw
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_rotated_key_still_opens(tmp_path: Path) -> None:
    """After `rotate` new records use the new key, old ones open, and `uses_active_key` tells them apart."""
    ring = ring_at(tmp_path)
    old = ring.seal("vault", b"old", "r")
    fresh_id = ring.rotate("vault")
    new = ring.seal("vault", b"new", "r")
    assert (ring.open("vault", old, "r"), ring.open("vault", new, "r")) == (b"old", b"new")
    assert (ring.uses_active_key("vault", old), ring.uses_active_key("vault", new)) == (False, True)
    assert [(key.id == fresh_id, key.state) for key in ring.listing()] == [(True, "active"), (False, "retired")]
    assert ring.keys("vault")[0] == ring.data_key("vault") != ring.keys("vault")[1]


def test_a_destroyed_key_opens_nothing(tmp_path: Path) -> None:
    """A retired key can be destroyed, an active one cannot; what it sealed is key_destroyed for every process."""
    ring, reader = ring_at(tmp_path), ring_at(tmp_path)
    sealed = ring.seal("vault", b"x", "r")
    assert reader.open("vault", sealed, "r") == b"x"
    old_id = ring.listing()[0].id
    with pytest.raises(RemitError, match="value_invalid"):
        ring.destroy("vault", old_id)
    ring.rotate("vault")
    ring.destroy("vault", old_id)
    for each in (ring, reader, ring_at(tmp_path)):
        with pytest.raises(RemitError, match="key_destroyed"):
            each.open("vault", sealed, "r")
    assert KeyInfo("vault", old_id, "destroyed", "aes-256-gcm") in ring.listing()


def test_another_process_sees_changes(tmp_path: Path) -> None:
    """Two rings over one file agree on the active key after either of them made or rotated it."""
    first, second = ring_at(tmp_path), ring_at(tmp_path)
    assert first.data_key("vault") == second.data_key("vault")
    second.rotate("vault")
    assert first.data_key("vault") == second.data_key("vault")
    first.erase(["0" * 32])
    assert second.is_erased("0" * 32)


def test_another_source_key(tmp_path: Path) -> None:
    """`change_source` keeps all data keys and records; the old key opens the ring no more, the new one does."""
    ring = ring_at(tmp_path)
    key, sealed, fresh = ring.data_key("vault"), ring.seal("store/a", b"x", "r"), secrets.token_bytes(32)
    ring.change_source(LocalKey(fresh))
    assert ring.open("store/a", sealed, "r") == b"x"
    again = ring_at(tmp_path, fresh)
    assert (again.data_key("vault"), again.open("store/a", sealed, "r")) == (key, b"x")
    with pytest.raises(RemitError, match="key_wrong"):
        ring_at(tmp_path)


def test_an_interrupted_change_of_source_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the new ring cannot be written, the old key still works, in this object and on disk."""
    ring = ring_at(tmp_path)
    sealed = ring.seal("vault", b"x", "r")

    def fail(*_: Any, **__: Any) -> None:
        raise RemitErrorFor.disk()

    monkeypatch.setattr("remit.guard.keys_ring.write_private", fail)
    with pytest.raises(RemitError, match="disk_failed"):
        ring.change_source(LocalKey(secrets.token_bytes(32)))
    monkeypatch.undo()
    assert ring.open("vault", sealed, "r") == ring_at(tmp_path).open("vault", sealed, "r") == b"x"
    ring.rotate("vault")
    assert ring_at(tmp_path).open("vault", sealed, "r") == b"x"


class RemitErrorFor:
    """Errors to raise."""

    @staticmethod
    def disk() -> RemitError:
        """A disk that does not write."""
        from remit.errors import Unavailable

        return Unavailable("disk_failed", "no space left")


def test_an_old_ring_is_noticed(tmp_path: Path) -> None:
    """An older ring that is put back, and a ring whose anchor was removed, are refused; a person may accept them."""
    ring = ring_at(tmp_path)
    ring.data_key("vault")
    path, anchor = tmp_path / "state" / "keys.ring", tmp_path / "config" / "anchor"
    old = path.read_bytes()
    ring.rotate("vault")
    path.write_bytes(old)
    for reopen in (lambda: ring_at(tmp_path), ring.listing):
        with pytest.raises(RemitError, match="key_rollback"):
            reopen()
    anchor.unlink()
    with pytest.raises(RemitError, match="key_rollback"):
        ring_at(tmp_path)
    accepted = ring_at(tmp_path, accept=True)
    assert ring_at(tmp_path).data_key("vault") == accepted.data_key("vault")


def test_a_lost_ring_is_not_replaced(tmp_path: Path) -> None:
    """When the ring vanished, no new one is made in its place: everything would be unreadable for ever."""
    ring_at(tmp_path).data_key("vault")
    (tmp_path / "state" / "keys.ring").unlink()
    with pytest.raises(RemitError, match="key_rollback"):
        ring_at(tmp_path)


def test_a_crash_between_ring_and_anchor_heals(tmp_path: Path) -> None:
    """An anchor that is one change behind (the process died between the two writes) is moved, not refused."""
    ring = ring_at(tmp_path)
    anchor = tmp_path / "config" / "anchor"
    before = anchor.read_bytes()
    key = ring.data_key("vault")
    anchor.write_bytes(before)
    assert ring_at(tmp_path).data_key("vault") == key
    assert anchor.read_bytes() != before


def test_a_ring_is_made_only_when_allowed(tmp_path: Path) -> None:
    """Without `create` a missing ring is key_missing, and nothing is written."""
    with pytest.raises(RemitError, match="key_missing"):
        ring_at(tmp_path, create=False)
    assert not (tmp_path / "state" / "keys.ring").exists()


def test_a_ring_of_another_place_is_refused(tmp_path: Path) -> None:
    """A whole ring of another installation under the same key is not taken for this one."""
    ring_at(tmp_path / "a").data_key("vault")
    ring_at(tmp_path / "b").data_key("vault")
    shutil.copy(tmp_path / "b/state/keys.ring", tmp_path / "a/state/keys.ring")
    with pytest.raises(RemitError, match="key_rollback"):
        ring_at(tmp_path / "a")


@pytest.mark.parametrize("purpose", ["", "Vault", "a" * 65, "../x", "a\n", "ä"])
def test_what_is_no_purpose_is_refused(tmp_path: Path, purpose: str) -> None:
    """A purpose is a short name of small letters."""
    with pytest.raises(RemitError, match="value_invalid"):
        ring_at(tmp_path).data_key(purpose)


def test_names_never_rotate(tmp_path: Path) -> None:
    """Pseudonyms are stable, differ by purpose and by ring, and their keys refuse rotation."""
    ring, other = ring_at(tmp_path / "a"), ring_at(tmp_path / "b")
    name = ring.pseudonym("subjects", "alice")
    assert name == ring_at(tmp_path / "a").pseudonym("subjects", "alice")
    assert len({name, ring.pseudonym("names/x", "alice"), other.pseudonym("subjects", "alice")}) == 3
    with pytest.raises(RemitError, match="value_invalid"):
        ring.rotate("index/subjects")


def test_closing_overwrites_the_keys(tmp_path: Path) -> None:
    """After `close` the buffers that held keys are zero, and the ring is key_missing for every use."""
    ring = ring_at(tmp_path)
    ring.data_key("vault")
    buffers = [ring._root, *ring._held.values()]
    assert all(any(buffer) for buffer in buffers)
    ring.close()
    assert not any(any(buffer) for buffer in buffers)
    with pytest.raises(RemitError, match="key_missing"):
        ring.data_key("vault")


def test_the_algorithm_of_new_keys(tmp_path: Path) -> None:
    """A ring opened for chacha20-poly1305 makes such keys and still opens what the other algorithm sealed."""
    sealed = ring_at(tmp_path).seal("vault", b"x", "r")
    ring = ring_at(tmp_path, algorithm="chacha20-poly1305")
    assert ring.open("vault", sealed, "r") == b"x"
    ring.rotate("vault")
    assert ring.cipher("vault").algorithm == "chacha20-poly1305"
    assert ring.open("vault", ring.seal("vault", b"y", "r"), "r") == b"y"
    with pytest.raises(RemitError, match="value_invalid"):
        ring_at(tmp_path, algorithm="des")
