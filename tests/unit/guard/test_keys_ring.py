"""The ring's file: every changed byte is refused, whatever it was."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import RemitError
from remit.guard.keys import KeyRing
from remit.guard.keys_ring import decode_ring, read_anchor, write_anchor
from remit.guard.keys_sources import LocalKey

KEK = secrets.token_bytes(32)


def ring_in(folder: Path) -> KeyRing:
    """A ring with three keys, one of them retired."""
    return KeyRing(str(folder / "state"), str(folder / "config" / "anchor"), lambda _: LocalKey(KEK))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A written ring."""
    path = tmp_path_factory.mktemp("ring")
    ring = ring_in(path)
    ring.data_key("vault")
    ring.data_key("journal")
    ring.rotate("vault")
    ring.erase(["ab" * 16])
    return path


def test_every_flipped_bit_is_refused(folder: Path) -> None:
    """One flipped bit anywhere in the ring is refused before a key is used."""
    path = folder / "state" / "keys.ring"
    whole = path.read_bytes()
    chosen = secrets.SystemRandom().sample(range(len(whole) * 8), 400)
    try:
        for bit in [*chosen, len(whole) * 8 - 1, 0]:
            changed = bytearray(whole)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            with pytest.raises(RemitError) as caught:
                ring_in(folder)
            assert caught.value.code in ("record_altered", "key_wrong"), (bit, caught.value)
    finally:
        path.write_bytes(whole)
    assert len(ring_in(folder).listing()) == 3


@given(st.data())
def test_hostile_rings_are_refused(folder: Path, data: st.DataObject) -> None:
    """Cut, spliced and random bytes are record_altered; nothing else is ever raised by the decoder."""
    whole = (folder / "state" / "keys.ring").read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    cut = data.draw(st.integers(0, 80))
    raw = whole[:at] + data.draw(st.binary(max_size=40)) + whole[at + cut :]
    try:
        decode_ring(raw)
    except RemitError as error:
        assert error.code == "record_altered"


def test_a_row_cannot_be_moved(folder: Path) -> None:
    """Even with the right MAC a wrapped key opens under its own purpose and id only."""
    ring = ring_in(folder)
    vault, journal = [row for row in ring._ring.keys if row.state == "active"][:2]
    from msgspec.structs import replace

    with pytest.raises(RemitError, match="record_altered"):
        ring._key(replace(vault, id="0" * 16, wrapped=journal.wrapped))


@pytest.mark.parametrize("raw", [b"", b"x", b"aa 1\n", b"0011223344556677 1 0000000000000000\n", b"\xff" * 40])
def test_a_damaged_anchor_is_refused(tmp_path: Path, raw: bytes) -> None:
    """What is no anchor is record_altered, never an older generation."""
    (tmp_path / "anchor").write_bytes(raw)
    with pytest.raises(RemitError, match="record_altered"):
        read_anchor(str(tmp_path / "anchor"))


def test_an_anchor_reads_back(tmp_path: Path) -> None:
    """The anchor says ring and generation; a missing one is None."""
    path = str(tmp_path / "deep" / "anchor")
    assert read_anchor(path) is None
    write_anchor(path, "0011223344556677", 12)
    assert read_anchor(path) == ("0011223344556677", 12)
