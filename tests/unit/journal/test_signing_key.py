"""The signing key: made once, private, shared by processes, refused when it is not private."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from remit.errors import RemitError
from remit.journal.notes import is_signed
from remit.journal.signing_key import AuditPlace, SigningKey, default_place, trusted_keys


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    """Mode 0600 in a folder of mode 0700; a second user of the folder signs with the same key."""
    folder = tmp_path / "audit"
    first = SigningKey(str(folder)).sign(b"a")
    assert SigningKey(str(folder)).sign(b"a") == first
    assert [(folder / name).stat().st_mode & 0o777 for name in ("", "key", "keys.pub")] == [0o700, 0o600, 0o600]
    assert sorted(os.listdir(folder)) == ["key", "keys.pub"]
    assert list(trusted_keys(AuditPlace(str(folder)))) == [first[:4]]


def test_many_at_once_make_one_key(tmp_path: Path) -> None:
    """Whoever comes second uses the first one's key."""
    signatures: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: signatures.append(SigningKey(str(tmp_path)).sign(b"a"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(signatures) == 8
    assert len(set(signatures)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """audit_key: somebody else may have signed with it."""
    SigningKey(str(tmp_path)).sign(b"a")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(RemitError, match="audit_key"):
        SigningKey(str(tmp_path)).sign(b"a")


@pytest.mark.parametrize("text", ["", "xyz", "ab" * 31, "ab" * 33, "g" * 64])
def test_a_damaged_key_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    """audit_key, and the file stays as it is: a new key would hide that the old one is lost."""
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(RemitError, match="audit_key"):
        SigningKey(str(tmp_path)).sign(b"a")
    assert path.read_text() == text


def test_a_link_in_place_of_the_key_is_not_followed(tmp_path: Path) -> None:
    """Neither the key nor the list of public keys is read through a link that somebody put there."""
    (tmp_path / "elsewhere").write_text("ab" * 32)
    (tmp_path / "elsewhere").chmod(0o600)
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RemitError, match="disk_failed"):
        SigningKey(str(tmp_path)).sign(b"a")


def test_after_a_new_key_old_signatures_still_count(tmp_path: Path) -> None:
    """keys.pub keeps every key that this user's logs were signed with; keys that are named replace it."""
    old = SigningKey(str(tmp_path)).sign(b"a")
    (tmp_path / "key").unlink()
    new = SigningKey(str(tmp_path)).sign(b"a")
    keys = trusted_keys(AuditPlace(str(tmp_path)))
    assert (is_signed(b"a", old, keys), is_signed(b"a", new, keys), len(keys)) == (True, True, 2)
    named = AuditPlace(str(tmp_path), keys=((tmp_path / "keys.pub").read_text().splitlines()[1],))
    assert (is_signed(b"a", old, trusted_keys(named)), is_signed(b"a", new, trusted_keys(named))) == (False, True)


def test_no_key_yet_is_no_key(tmp_path: Path) -> None:
    """Without keys.pub nothing is trusted; the default place is in the user's state folder."""
    assert trusted_keys(AuditPlace(str(tmp_path))) == {}
    assert default_place().folder == os.path.join(os.environ["REMIT_STATE_DIR"], "audit")
