"""Private files: atomic, bounded, and never through a link."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from remit.errors import RemitError
from remit.guard import private_file
from remit.guard.private_file import locked, make_folder, read_private, remove_private, write_private


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """A write replaces the content with mode 0600 and leaves nothing else behind."""
    path = tmp_path / "a"
    write_private(str(path), b"first")
    write_private(str(path), b"second")
    assert read_private(str(path), 100) == b"second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a"]


def test_a_failed_write_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails before the rename, the old content stands and no temporary file is left."""
    path = tmp_path / "a"
    write_private(str(path), b"first")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_file.os, "fsync", fail)
    with pytest.raises(RemitError, match="disk_failed"):
        write_private(str(path), b"second")
    monkeypatch.undo()
    assert read_private(str(path), 100) == b"first"
    assert os.listdir(tmp_path) == ["a"]


def test_reading_is_bounded_and_follows_no_link(tmp_path: Path) -> None:
    """A missing file is None; too much, a link, a folder and a pipe are refused without hanging."""
    assert read_private(str(tmp_path / "gone"), 10) is None
    (tmp_path / "big").write_bytes(b"x" * 11)
    os.symlink(tmp_path / "big", tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    for name, code in (("big", "record_altered"), ("link", "disk_failed"), ("pipe", "record_altered")):
        with pytest.raises(RemitError, match=code):
            read_private(str(tmp_path / name), 10)
    with pytest.raises(RemitError, match=r"record_altered|disk_failed"):
        read_private(str(tmp_path), 10)


def test_removing_overwrites(tmp_path: Path) -> None:
    """A removed file's content is overwritten first: a hard link of it holds zeros."""
    path = tmp_path / "a"
    write_private(str(path), b"secret")
    os.link(path, tmp_path / "other")
    assert remove_private(str(path))
    assert not remove_private(str(path))
    assert (tmp_path / "other").read_bytes() == bytes(6)


def test_a_lock_is_exclusive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one holds the lock another waits, and gives up with disk_failed; afterwards it gets it."""
    monkeypatch.setattr(private_file, "LOCK_S", 0.05)
    path = str(tmp_path / "lock")
    seen: list[str] = []

    def other() -> None:
        try:
            with locked(path):
                seen.append("got")
        except RemitError as error:
            seen.append(error.code)

    for hold in (True, False):
        if hold:
            with locked(path):
                thread = threading.Thread(target=other)
                thread.start()
                thread.join()
        else:
            other()
    assert seen == ["disk_failed", "got"]


def test_folders_are_private(tmp_path: Path) -> None:
    """Every folder that is made has mode 0700; a file in the way is disk_failed."""
    make_folder(str(tmp_path / "a" / "b"))
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")] == [0o700, 0o700]
    (tmp_path / "file").touch()
    with pytest.raises(RemitError, match="disk_failed"):
        make_folder(str(tmp_path / "file" / "x"))


def test_a_key_file_of_others_is_refused(tmp_path: Path) -> None:
    """Group or world bits are key_invalid, looked at on the open file; a missing file is None."""
    path = tmp_path / "key"
    path.touch(0o600)
    assert read_private(str(path), 10, only_owner=True) == b""
    path.chmod(0o644)
    with pytest.raises(RemitError, match="key_invalid"):
        read_private(str(path), 10, only_owner=True)
    assert read_private(str(path), 10) == b""
    assert read_private(str(tmp_path / "gone"), 10, only_owner=True) is None
