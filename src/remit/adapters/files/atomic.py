"""Atomic replacement of one file inside an open folder.

The idea: the new content is written beside the target, made durable, and renamed over it; every
step names files relative to the folder's descriptor, so the folder may be moved meanwhile. A crash
leaves the old file or the new one, and at most one temporary file that no reader takes for either.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

TEMP_PREFIX: Final = ".remit-write-"
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class WriteTarget(NamedTuple):
    """Where a write goes."""

    folder: int
    """descriptor of the folder"""
    name: str
    before: os.stat_result | None
    """the file that is replaced; None = a new one"""


def write_atomically(target: WriteTarget, data: bytes) -> None:
    """Write `data` to `target`; the mode of a replaced file is kept (without set-id bits).

    Raises:
        OSError: what the system said; the target is then unchanged and the temporary file gone.
    """
    temp = TEMP_PREFIX + os.urandom(8).hex()
    mode = 0o666 if target.before is None else target.before.st_mode & 0o777
    fd = os.open(temp, _NEW, mode, dir_fd=target.folder)
    try:
        try:
            if target.before is not None:
                os.fchmod(fd, mode)  # the mode at creation passed the umask
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temp, target.name, src_dir_fd=target.folder, dst_dir_fd=target.folder)
    except BaseException:
        os.unlink(temp, dir_fd=target.folder)
        raise
    os.fsync(target.folder)
