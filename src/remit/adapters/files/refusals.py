"""What a workspace refuses, in words without the host's paths."""

from __future__ import annotations

import errno
import os
import stat
from typing import NoReturn

from remit.errors import Denied, Invalid, Unavailable


def refuse_link(parent: int, name: str, shown: str) -> None:
    """Raise path_denied where `name` is a symbolic link (or was one a moment ago)."""
    try:
        is_link = stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except OSError:
        return
    if is_link:
        raise Denied("path_denied", f"{shown} is a symbolic link; links are not followed", hint="Use the real path.")


def refuse_hard_link(status: os.stat_result, shown: str) -> None:
    """Raise path_denied for a file that has another name somewhere."""
    if status.st_nlink > 1:
        raise Denied(
            "path_denied",
            f"{shown} has {status.st_nlink} hard links; another name of it may be out of bounds",
            hint="Copy the file, so that it has one name.",
        )


def require_regular(status: os.stat_result, shown: str) -> None:
    """Raise unless it is a regular file: value_invalid for a folder, path_denied for a link or a device."""
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return
    if stat.S_ISLNK(mode):
        raise Denied("path_denied", f"{shown} is a symbolic link; links are not followed", hint="Use the real path.")
    if stat.S_ISDIR(mode):
        raise Invalid("value_invalid", f"{shown} is a folder, not a file", hint="List it with list_directory.")
    raise Denied("path_denied", f"{shown} is a device, pipe or socket, not a file")


def fail(error: OSError, shown: str) -> NoReturn:
    """The system's error without the host's paths."""
    if isinstance(error, FileNotFoundError):
        raise Unavailable("tool_failed", f"{shown} does not exist") from None
    if isinstance(error, NotADirectoryError):
        raise Invalid("value_invalid", f"a part of {shown} is a file, not a folder") from None
    if error.errno == errno.ELOOP:
        raise Denied("path_denied", f"{shown} passes a symbolic link; links are not followed") from None
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise Unavailable("disk_failed", f"{shown}: {error.strerror}") from None
    if error.errno == errno.EBADF:
        raise Denied("revoked", "the workspace is closed") from None
    raise Unavailable("tool_failed", f"{shown}: {error.strerror or 'the system refused it'}") from None
