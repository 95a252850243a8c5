"""Small private files: read whole and bounded, replaced atomically, mode 0600, one writer at a time.

A crash leaves the old content or the new one; the folder is synced too, so a file that was reported as
written is there after a power cut. Links are not followed, in either direction.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from remit.errors import Conflict, Invalid, Unavailable

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
LOCK_S: Final = 10.0  # how long another process may hold a lock
TEMP_PREFIX: Final = ".new-"
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe in the place of a file must not hang


def make_folder(path: str) -> None:
    """Make `path` and what is missing above it, private. Raises disk_failed."""
    try:
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path) or "."
        for folder in reversed(missing):
            os.makedirs(folder, FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise failed(error, path) from None


def read_private(path: str, limit: int, *, only_owner: bool = False) -> bytes | None:
    """The whole file, or None when there is none.

    only_owner: refuse a file that others can read, or that another user owns (key_invalid).

    Raises record_altered (no plain file, too large), disk_failed.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failed(error, path) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Conflict("record_altered", f"not a plain file: {path}")
        if only_owner:
            _check_owner(found, path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise failed(error, path) from None
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise Conflict("record_altered", f"larger than the {limit} bytes that are written: {path}")
    return data


def write_private(path: str, data: bytes, *, durable_name: bool = True) -> None:
    """Replace `path` by `data`, durably. Raises disk_failed; then the old content stands.

    durable_name: sync the folder too; whoever writes many files syncs it once at the end.
    """
    folder, name = os.path.split(path)
    temp = os.path.join(folder, f"{TEMP_PREFIX}{os.urandom(8).hex()}-{name}")
    try:
        descriptor = os.open(temp, _NEW, FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.rename(temp, path)
        except BaseException:
            os.unlink(temp)
            raise
        if durable_name:
            sync_folder(folder)
    except OSError as error:
        raise failed(error, path) from None


def remove_private(path: str) -> bool:
    """Overwrite and remove `path`, durably; False when there was none. Raises disk_failed.

    Overwriting reaches the old blocks only where the file system writes in place; flash and copy-on-write
    storage keep them for a while. What must be beyond recovery is therefore sealed under a key that is destroyed.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise failed(error, path) from None
    try:
        with os.fdopen(descriptor, "r+b") as file:
            file.write(bytes(os.fstat(descriptor).st_size))
            file.flush()
            os.fsync(descriptor)
        os.unlink(path)
        sync_folder(os.path.dirname(path))
    except OSError as error:
        raise failed(error, path) from None
    return True


def sync_folder(path: str) -> None:
    """Make the names in `path` durable."""
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock file `path` against other processes; raises disk_failed after LOCK_S."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise failed(error, path) from None
    try:
        deadline = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise Unavailable("disk_failed", f"another process holds {path}", retryable=True) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)  # gives the lock back


def _check_owner(found: os.stat_result, path: str) -> None:
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise Invalid("key_invalid", f"others may use the key file (mode {mode:04o}): {path}", hint=f"chmod 600 {path}")
    if found.st_uid not in (os.geteuid(), 0):
        raise Invalid("key_invalid", f"the key file belongs to another user: {path}")


def failed(error: OSError, path: str) -> Unavailable:
    """The remit error of an OSError."""
    return Unavailable("disk_failed", f"{error.strerror or type(error).__name__}: {path}")
