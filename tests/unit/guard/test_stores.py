"""Encrypted records: what comes back, what is refused, rotation that loses nothing."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from remit.errors import RemitError
from remit.guard.keys import KeyRing
from remit.guard.keys_sources import LocalKey
from remit.guard.stores import MAX_ID, EncryptedStore, Record

KEK = secrets.token_bytes(32)


def ring_in(folder: Path) -> KeyRing:
    """A ring."""
    return KeyRing(str(folder / "state"), str(folder / "config" / "anchor"), lambda _: LocalKey(KEK))


def store_in(folder: Path, name: str = "sessions", ring: KeyRing | None = None) -> EncryptedStore:
    """A store of its own ring object, as another process has it."""
    return EncryptedStore(ring or ring_in(folder), str(folder / "state"), name)


def files(folder: Path, name: str = "sessions") -> list[Path]:
    """The record files."""
    return sorted((folder / "state" / name).glob("*.rec"))


class Session(Struct, frozen=True):
    """A typed value."""

    user: str
    turns: int = 0


def test_a_record_comes_back(tmp_path: Path) -> None:
    """Put, get, typed get, delete, and the ids; versions count the puts."""
    store = store_in(tmp_path)
    assert store.get("a") is None
    assert [store.put("a", Session("Ann", 3)), store.put("a", Session("Ann", 4)), store.put("b/ü", [1])] == [1, 2, 1]
    again = store_in(tmp_path)
    assert again.get("a", Session) == Record("a", Session("Ann", 4), 2)
    assert again.get("a") == Record("a", {"user": "Ann", "turns": 4}, 2)
    assert again.ids() == ["a", "b/ü"]
    assert [again.delete("a"), again.delete("a"), again.get("a")] == [True, False, None]
    assert store.put("a", 1, only_new=True) == 1
    assert (store.put("a", 2, only_new=True), store.get("a")) == (1, Record("a", 1, 1))
    assert again.problems() == []


def test_files_tell_nothing(tmp_path: Path) -> None:
    """Neither ids nor values stand in names or contents; files are 0600."""
    store_in(tmp_path).put("customer-4711", "MARKER")
    (path,) = files(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.name.encode() + path.read_bytes()
    assert b"4711" not in text
    assert b"MARKER" not in text


def test_every_flipped_bit_is_refused(tmp_path: Path) -> None:
    """One flipped bit anywhere in a record file, its version included, is record_altered."""
    store = store_in(tmp_path)
    store.put("a", "value")
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    for bit in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(RemitError, match="record_altered"):
            store.get("a")
    assert len(store.problems()) == 1


def test_a_swapped_record_is_refused(tmp_path: Path) -> None:
    """A record file copied over another one, renamed, or taken from another store does not open."""
    store, other = store_in(tmp_path), store_in(tmp_path, "memory")
    store.put("a", "of a")
    mine = files(tmp_path)[0]
    store.put("b", "of b")
    theirs = next(path for path in files(tmp_path) if path != mine)
    saved = theirs.read_bytes()
    shutil.copy(mine, theirs)
    with pytest.raises(RemitError, match="record_altered"):
        store.get("b")
    theirs.write_bytes(saved)
    mine.rename(mine.with_name("0" * 32 + ".rec"))
    with pytest.raises(RemitError, match="record_altered"):
        store.ids()
    other.put("x", 1)
    shutil.copy(theirs, files(tmp_path, "memory")[0])
    with pytest.raises(RemitError, match="record_altered"):
        other.get("x")


def test_an_older_version_is_refused_where_it_is_known(tmp_path: Path) -> None:
    """A caller who knows the version notices an old copy of the same record."""
    store = store_in(tmp_path)
    store.put("a", "old")
    (path,) = files(tmp_path)
    old = path.read_bytes()
    version = store.put("a", "new")
    path.write_bytes(old)
    assert store.get("a") == Record("a", "old", 1)
    with pytest.raises(RemitError, match="record_altered"):
        store.get("a", at_least=version)


@pytest.mark.parametrize("raw", [b"", b"x", bytes(8), bytes(200)])
def test_what_is_no_record_is_refused(tmp_path: Path, raw: bytes) -> None:
    """Empty, cut and foreign files are record_altered for get, put, ids and re-encryption."""
    store = store_in(tmp_path)
    store.put("a", 1)
    files(tmp_path)[0].write_bytes(raw)
    for use in (lambda: store.get("a"), lambda: store.put("a", 2), store.ids, store.rotate):
        with pytest.raises(RemitError, match="record_altered"):
            use()


def test_a_foreign_file_is_noticed(tmp_path: Path) -> None:
    """A file that is no record is named; a left-over of an interrupted write is not in the way."""
    store = store_in(tmp_path)
    store.put("a", 1)
    folder = tmp_path / "state" / "sessions"
    (folder / ".new-00-x.rec").write_bytes(b"left over")
    assert store.ids() == ["a"]
    (folder / "notes.txt").write_bytes(b"x")
    with pytest.raises(RemitError, match=r"record_altered.*notes\.txt"):
        store.ids()


@pytest.mark.parametrize("record_id", ["", "x" * (MAX_ID + 1), "\ud800"])
def test_what_is_no_id_is_refused(tmp_path: Path, record_id: str) -> None:
    """An id has 1 to MAX_ID characters that are text."""
    for use in (lambda s: s.put(record_id, 1), lambda s: s.get(record_id), lambda s: s.delete(record_id)):
        with pytest.raises(RemitError, match="value_invalid"):
            use(store_in(tmp_path))


def test_what_is_no_value_is_refused(tmp_path: Path) -> None:
    """A value that JSON cannot hold, one of another type, and a wrong store name are value_invalid."""
    store = store_in(tmp_path)
    with pytest.raises(RemitError, match="value_invalid"):
        store.put("a", object())
    store.put("a", "text")
    with pytest.raises(RemitError, match="value_invalid"):
        store.get("a", Session)
    for name in ("", "../x", "A", "a" * 40):
        with pytest.raises(RemitError, match="value_invalid"):
            store_in(tmp_path, name)


def test_rotation_keeps_every_record(tmp_path: Path) -> None:
    """After `rotate` all records are there under the new key only, and the old key is destroyed."""
    store = store_in(tmp_path)
    for number in range(150):
        store.put(f"r{number}", number)
    told: list[tuple[int, int]] = []
    assert store.rotate(lambda done, total: told.append((done, total))) == 150
    assert told[-1] == (150, 150)
    assert (store.outdated(), len(store.ids())) == (0, 150)
    again = store_in(tmp_path)
    assert [again.get(f"r{number}") for number in range(150)] == [Record(f"r{n}", n, 1) for n in range(150)]
    states = [key.state for key in ring_in(tmp_path).listing() if key.purpose == store.purpose]
    assert states == ["active", "destroyed"]


def test_an_interrupted_rotation_goes_on(tmp_path: Path) -> None:
    """Stopped in the middle, records of both keys are readable and writable; a second call moves the rest."""
    store = store_in(tmp_path)
    for number in range(150):
        store.put(f"r{number}", number)

    class StopError(Exception):
        """The process dies."""

    def stop(done: int, total: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        store.rotate(stop)
    again = store_in(tmp_path)
    assert 0 < again.outdated() < 150
    assert [again.get(f"r{number}").value for number in range(150)] == list(range(150))  # type: ignore[union-attr]
    again.put("r7", "changed")
    left = again.outdated()
    assert again.re_encrypt() == left
    assert (again.outdated(), len(again.ids()), again.get("r7", str)) == (0, 150, Record("r7", "changed", 2))


def test_a_late_record_of_another_process_is_moved(tmp_path: Path) -> None:
    """A record that another process puts during the rotation is under the new key or moved; none is lost."""
    store, other = store_in(tmp_path), store_in(tmp_path)
    for number in range(100):
        store.put(f"r{number}", number)
    other.put("warm", 0)

    def put_more(done: int, total: int) -> None:
        other.put(f"late{done}", done)

    store.rotate(put_more)
    fresh = store_in(tmp_path)
    assert (fresh.outdated(), fresh.problems(), len(fresh.ids())) == (0, [], 103)


def test_a_damaged_record_stops_the_rotation_before_a_key_is_destroyed(tmp_path: Path) -> None:
    """When a record does not open, re-encryption says so and the old key still opens the others."""
    store = store_in(tmp_path)
    for number in range(5):
        store.put(f"r{number}", number)
    path = files(tmp_path)[2]
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(RemitError, match="record_altered"):
        store.rotate()
    states = {key.state for key in ring_in(tmp_path).listing() if key.purpose == store.purpose}
    assert states == {"active", "retired"}
    values: list[Any] = []
    for number in range(5):
        try:
            found = store.get(f"r{number}")
        except RemitError:
            continue
        values.append(found and found.value)
    assert len(values) == 4
