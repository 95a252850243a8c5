"""Granted write patterns as folders and files that may be bound writable, and what stays read-only in them.

A pattern is `DIR/**` (or `**`) or an existing file. Each part of its path is opened without following links
and held open until the sandbox stands, when the supervisor compares what was mounted with what is held: a
folder that was swapped for a link in between is found out. A missing DIR is made.

VCS state, remit.toml and remit's folder decide what runs later on the user's machine. Those that exist are
bound read-only on themselves, which also keeps them from being renamed or removed. In each writable folder
the names that are absent are taken by empty placeholders for the time of the run. Deeper down a program can
still make such a name, so after the run the writable folders are searched and what is new is moved aside
(NAME.refused-by-remit): no tool looks under that name, and nothing of the user's is lost.

Invariants: no path is followed through a link, before or after; a placeholder is removed only while it is
still the empty thing that was made here. After a kill -9 of remit itself, empty placeholders may stay: git
ignores an empty `.git`, and an empty remit.toml says nothing.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from typing import Final

from remit.adapters.sandboxes.tree_masks import GUARDED_NAMES
from remit.core.sensitive import is_protected
from remit.errors import Denied, Unavailable

PLACEHOLDERS: Final = ((".git", True), (".remit", True), ("remit.toml", False))  # (name, is a folder)
SEARCH_BUDGET_S: Final = 5.0
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HINT: Final = "Grant fs.write:DIR/** or one existing file, beneath the workspace and without links."
_lock = threading.Lock()
_held: dict[tuple[int, int, str], list[int]] = {}  # placeholder (folder's device and inode, name) -> [users, inode]


def _refuse(pattern: str, why: str) -> Denied:
    return Denied("path_denied", f"cannot make {pattern!r} writable in the sandbox: {why}", hint=_HINT)


class WritableRoot:
    """One writable folder or file, held open."""

    def __init__(self, workspace: str, pattern: str) -> None:
        self.pattern = pattern
        path = pattern.removesuffix("**").rstrip("/") if pattern.endswith("/**") or pattern == "**" else pattern
        self.is_folder = path != pattern
        self.parts = [part for part in path.split("/") if part not in ("", ".")]
        if pattern.startswith("/") or set(path) & set("*?[\0") or ".." in self.parts:
            raise _refuse(pattern, "it is neither DIR/** nor an existing file")
        if not self.parts and not self.is_folder:
            raise _refuse(pattern, "it names nothing")
        self.relative = "/".join(self.parts)
        if self.relative and is_protected(self.relative):
            raise _refuse(pattern, "VCS state and remit's own files are always read-only")
        self.path = os.path.join(workspace, self.relative) if self.relative else workspace
        self.fd = self._open(workspace)
        status = os.fstat(self.fd)
        self.identity = (status.st_dev, status.st_ino)
        if not self.is_folder and (not stat.S_ISREG(status.st_mode) or status.st_nlink != 1):
            self.close()
            raise _refuse(pattern, "it is not a plain file, or it has further hard links")

    def _open(self, workspace: str) -> int:
        """The held descriptor, reached part by part without following links."""
        fd = os.open(workspace, _FOLDER)
        try:
            for index, part in enumerate(self.parts):
                if index == len(self.parts) - 1 and not self.is_folder:
                    step = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
                else:
                    step = self._enter(fd, part)
                os.close(fd)
                fd = step
        except OSError as error:
            os.close(fd)
            raise _refuse(self.pattern, error.strerror or "it cannot be opened") from None
        return fd

    def _enter(self, fd: int, part: str) -> int:
        try:
            return os.open(part, _FOLDER, dir_fd=fd)
        except FileNotFoundError:
            if not self.is_folder:
                raise
            os.mkdir(part, 0o755, dir_fd=fd)
            return os.open(part, _FOLDER, dir_fd=fd)

    def close(self) -> None:
        """Let go of the descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def take_placeholders(self) -> list[str]:
        """Take the absent names; the names now taken by a placeholder of ours."""
        taken = []
        with _lock:
            for name, is_folder in PLACEHOLDERS if self.is_folder else ():
                key = (*self.identity, name)
                if key in _held:
                    _held[key][0] += 1
                    taken.append(name)
                    continue
                try:
                    if is_folder:
                        os.mkdir(name, 0o755, dir_fd=self.fd)
                    else:
                        os.close(
                            os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=self.fd)
                        )
                except FileExistsError:
                    continue
                inode = os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_ino
                _held[key] = [1, inode]
                taken.append(name)
        return taken

    def drop_placeholders(self, taken: list[str]) -> None:
        """Give the names back; the last user removes what is still the empty thing that was made."""
        with _lock:
            for name in taken:
                key = (*self.identity, name)
                users, inode = _held[key]
                _held[key][0] -= 1
                if users > 1:
                    continue
                del _held[key]
                try:
                    status = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
                    if status.st_ino != inode:
                        continue
                    if stat.S_ISDIR(status.st_mode):
                        os.rmdir(name, dir_fd=self.fd)
                    elif status.st_size == 0:
                        os.unlink(name, dir_fd=self.fd)
                except OSError:
                    continue  # somebody has put something there: it is theirs

    def move_aside(self, known: frozenset[tuple[int, int]]) -> list[str]:
        """Rename every guarded name beneath this folder whose (device, inode) is not `known`; their new paths.

        Raises: Unavailable `sandbox_failed` when the search passes its bound.
        """
        if not self.is_folder:
            return []
        ends = time.thread_time() + SEARCH_BUDGET_S
        moved: list[str] = []
        pending: list[tuple[str, ...]] = [()]
        try:
            while pending:
                pending += self._search(pending.pop(), known, moved)
                if time.thread_time() > ends:
                    raise _unsearched(self.relative)
        except OSError as error:
            raise _unsearched(self.relative) from error
        return moved

    def _search(
        self, folder: tuple[str, ...], known: frozenset[tuple[int, int]], moved: list[str]
    ) -> list[tuple[str, ...]]:
        """One folder of `move_aside`; the folders to go on with."""
        fd = os.open(".", _FOLDER, dir_fd=self.fd)
        try:
            for part in folder:
                step = os.open(part, _FOLDER, dir_fd=fd)
                os.close(fd)
                fd = step
            with os.scandir(fd) as entries:
                listing = list(entries)
            deeper = []
            for entry in listing:
                if entry.name.lower() in GUARDED_NAMES:
                    status = entry.stat(follow_symlinks=False)
                    if (status.st_dev, status.st_ino) not in known:
                        moved.append("/".join((*self.parts, *folder, _rename_aside(fd, entry.name))))
                elif entry.is_dir(follow_symlinks=False):
                    deeper.append((*folder, entry.name))
            return deeper
        except PermissionError:
            return []  # closed to this user too; the next run masks it as a whole
        finally:
            os.close(fd)


def _unsearched(relative: str) -> Unavailable:
    return Unavailable(
        "sandbox_failed",
        f"what the program left in {relative or '.'} could not be searched for planted configuration",
        hint="Look at the folder, remove what is too deep or too much, and run again.",
        retryable=False,
    )


def _rename_aside(fd: int, name: str) -> str:
    """Rename `name` in the folder `fd` to a free name, which is returned."""
    for number in range(1, 1000):
        target = f"{name}.refused-by-remit" + (f"-{number}" if number > 1 else "")
        try:
            os.stat(target, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, target, src_dir_fd=fd, dst_dir_fd=fd)
            return target
    raise OSError("no free name")


def open_roots(workspace: str, patterns: tuple[str, ...]) -> list[WritableRoot]:
    """The writable roots of `patterns`, outermost first, without those that lie in another.

    Raises: Denied `path_denied`.
    """
    roots: list[WritableRoot] = []
    try:
        for pattern in patterns:
            roots.append(WritableRoot(workspace, pattern))
    except BaseException:
        for root in roots:
            root.close()
        raise
    roots.sort(key=lambda root: (len(root.parts), root.relative, not root.is_folder))
    kept: list[WritableRoot] = []
    for root in roots:
        if any((r.is_folder and root.parts[: len(r.parts)] == r.parts) or r.path == root.path for r in kept):
            root.close()
        else:
            kept.append(root)
    return kept
