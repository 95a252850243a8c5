"""Signed notes: exact texts, keys as people write them, and nothing but exact texts is accepted."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import RemitError
from remit.journal.notes import (
    Checkpoint,
    is_signed,
    join_note,
    key_id,
    key_text,
    parse_checkpoint,
    parse_key,
    split_note,
)
from remit.journal.signing_key import AuditPlace, SigningKey, trusted_keys

FOUND = Checkpoint("ab" * 16, 57, bytes(range(32)), 1_700_000_000_000, bytes(32))


def test_a_checkpoint_is_written_and_read_exactly() -> None:
    """The text is the C2SP form: origin, size, root, then what remit adds; reading gives the same values."""
    text = FOUND.text()
    assert text.decode().splitlines() == [
        "remit/audit/" + "ab" * 16,
        "57",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "time 1700000000000",
        "places AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ]
    assert parse_checkpoint(text) == FOUND


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("57", "057"),
        ("57", "+57"),
        ("57", "5_7"),
        ("57", ""),
        ("time ", ""),
        ("remit/audit/", "other/"),
        ("\n", "\n\n"),
    ],
)
def test_another_spelling_of_the_same_checkpoint_is_refused(old: str, new: str) -> None:
    """One checkpoint has one text: nothing that only reads alike is taken."""
    with pytest.raises(ValueError):
        parse_checkpoint(FOUND.text().decode().replace(old, new, 1).encode())


def test_a_note_is_signed_by_the_key_and_by_no_other(tmp_path: Path) -> None:
    """The signature holds under the key that made it; any flipped bit of text or signature breaks it."""
    key, other = SigningKey(str(tmp_path / "a")), SigningKey(str(tmp_path / "b"))
    text = FOUND.text()
    signature = key.sign(text)
    other.sign(text)
    keys, others = (trusted_keys(AuditPlace(str(tmp_path / name))) for name in "ab")
    assert split_note(join_note(text, signature)) == (text, signature)
    assert is_signed(text, signature, keys)
    assert not is_signed(text, signature, others)
    assert not is_signed(text, signature, {})
    assert not is_signed(text, signature, {signature[:4]: next(iter(others.values()))})
    rng = random.Random(5)
    for raw, place in ((text, 0), (signature, 1)) * 20:
        changed = bytearray(raw)
        changed[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        assert not is_signed(*((bytes(changed), signature) if place == 0 else (text, bytes(changed))), keys)


def test_a_public_key_is_written_and_read() -> None:
    """Name, id and key; whatever does not fit together is value_invalid."""
    public = bytes(range(32))
    text = key_text(public)
    assert text.startswith(f"remit-audit+{key_id(public).hex()}+")
    assert parse_key(f" {text}\n") == public
    for wrong in ("", "remit-audit", text.replace("remit-audit", "other"), text[:-4], text + "AAAA", "remit-audit+x+y"):
        with pytest.raises(RemitError, match="value_invalid"):
            parse_key(wrong)


@given(st.binary(max_size=400))
def test_no_bytes_make_the_readers_fail_otherwise(raw: bytes) -> None:
    """Hostile notes are ValueError, whatever they are."""
    for read in (split_note, parse_checkpoint):
        with pytest.raises(ValueError):
            read(raw)
