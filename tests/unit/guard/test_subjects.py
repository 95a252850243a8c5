"""Keys by subject: what one erasure takes away, everywhere."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

import pytest

from remit.errors import RemitError
from remit.guard.keys import KeyRing
from remit.guard.keys_sources import LocalKey
from remit.guard.subjects import Subjects
from remit.ports.payloads import Payloads

KEK = secrets.token_bytes(32)


def subjects_in(folder: Path, **options: str) -> Subjects:
    """Subjects over a ring object of their own, as another process has them."""
    ring = KeyRing(str(folder / "state"), str(folder / "config" / "anchor"), lambda _: LocalKey(KEK))
    return Subjects(ring, str(folder / "state"), sealing=True, **options)


def test_each_subject_has_a_key(tmp_path: Path) -> None:
    """A subject's name is not stored; its contents open in every process, and under no other subject or record."""
    subjects: Payloads = subjects_in(tmp_path)
    ann, bob = subjects.subject("ann.of.the.eleventh"), subjects.subject("bob")
    sealed = subjects.seal(ann, b"text", "run/1")
    assert (subjects.subject("ann.of.the.eleventh"), subjects_in(tmp_path).open(ann, sealed, "run/1")) == (ann, b"text")
    for subject, record in ((bob, "run/1"), (ann, "run/2")):
        with pytest.raises(RemitError, match="record_altered"):
            subjects.open(subject, sealed, record)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"ann.of.the.eleventh" not in stored


def test_erasure_reaches_every_process(tmp_path: Path) -> None:
    """Once erased, a subject opens and seals nothing, also for a process that held the key; others are untouched."""
    subjects, reader = subjects_in(tmp_path), subjects_in(tmp_path)
    ann, bob = subjects.subject("ann.of.the.eleventh"), subjects.subject("bob")
    sealed, other = subjects.seal(ann, b"a", "r"), subjects.seal(bob, b"b", "r")
    assert reader.open(ann, sealed, "r") == b"a"
    assert [subjects.erase("ann.of.the.eleventh"), subjects.erase("ann.of.the.eleventh"), subjects.erase("nobody")] == [
        True,
        False,
        False,
    ]
    for each in (subjects, reader, subjects_in(tmp_path)):
        for use in (
            lambda s: s.open(ann, sealed, "r"),
            lambda s: s.seal(ann, b"a", "r"),
            lambda s: s.subject("ann.of.the.eleventh"),
            lambda s: s.check(ann),
        ):
            with pytest.raises(RemitError, match="key_destroyed"):
                use(each)
        assert each.open(bob, other, "r") == b"b"


def test_a_key_file_that_is_put_back_stays_refused(tmp_path: Path) -> None:
    """The ring remembers who was erased, so a copy of the key file brings nothing back."""
    subjects = subjects_in(tmp_path)
    ann = subjects.subject("ann.of.the.eleventh")
    sealed = subjects.seal(ann, b"a", "r")
    shutil.copytree(tmp_path / "state" / "subjects", tmp_path / "copy")
    subjects.erase("ann.of.the.eleventh")
    shutil.copytree(tmp_path / "copy", tmp_path / "state" / "subjects", dirs_exist_ok=True)
    with pytest.raises(RemitError, match="key_destroyed"):
        subjects_in(tmp_path).open(ann, sealed, "r")


def test_a_thorough_erasure_destroys_what_sealed_the_key(tmp_path: Path) -> None:
    """With `rotate` a copy of the key file does not open under today's ring at all; other subjects still do."""
    subjects = subjects_in(tmp_path)
    ann, bob = subjects.subject("ann.of.the.eleventh"), subjects.subject("bob")
    other = subjects.seal(bob, b"b", "r")
    shutil.copytree(tmp_path / "state" / "subjects", tmp_path / "copy")
    assert subjects.erase("ann.of.the.eleventh", rotate=True)
    shutil.copytree(tmp_path / "copy", tmp_path / "state" / "subjects", dirs_exist_ok=True)
    fresh = subjects_in(tmp_path)
    with pytest.raises(RemitError, match="key_destroyed"):
        fresh._store.get(ann)
    (tmp_path / "copy" / "x").mkdir()
    assert subjects.open(bob, other, "r") == b"b"


def test_runs_that_name_nobody_have_the_default_subject(tmp_path: Path) -> None:
    """The empty name stands for the configured subject."""
    assert subjects_in(tmp_path, default="me").subject("") == subjects_in(tmp_path).subject("me")


def test_a_lost_key_is_not_made_again(tmp_path: Path) -> None:
    """When a key file vanished without an erasure, it is record_altered: no new key takes its place."""
    subjects = subjects_in(tmp_path)
    ann = subjects.subject("ann.of.the.eleventh")
    sealed = subjects.seal(ann, b"a", "r")
    for path in (tmp_path / "state" / "subjects").glob("*.rec"):
        path.unlink()
    with pytest.raises(RemitError, match="record_altered"):
        subjects_in(tmp_path).open(ann, sealed, "r")


@pytest.mark.parametrize("name", ["x" * 257, "a\nb"])
def test_what_is_no_subject_is_refused(tmp_path: Path, name: str) -> None:
    """A subject has at most 256 printable characters."""
    with pytest.raises(RemitError, match="value_invalid"):
        subjects_in(tmp_path).subject(name)


def test_a_forged_pseudonym_is_refused(tmp_path: Path) -> None:
    """What is no pseudonym reaches no file."""
    with pytest.raises(RemitError, match="record_altered"):
        subjects_in(tmp_path).open("../../etc", b"x" * 60, "r")
