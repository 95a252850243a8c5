"""What of a workspace a program must not see: found by walking the tree, once, before the program starts.

Idea: the kernel cannot be told a pattern, so patterns are turned into the entries that exist. The walk goes
from the top, never follows a link, and stops at an entry that is masked as a whole. A masked file that has
further hard links is masked under each of its names in the tree; a link that is named like a secret has its
target masked when that lies in the tree. Sockets, pipes and devices are masked too: a read-only mount does not
keep a program from connecting to a socket in it.

What a folder holds is remembered with its identity and time of change, so that the next program's walk asks the kernel
one question a folder instead of one an entry (a tree of 80,000 entries: 0.36 s, then 0.13 s). Not remembered: a folder
that changed within the last second (two changes can have one time), and one with a masked file or link: what they are
known by elsewhere changes without it.

Invariants: bounded in time and in number (`sandbox_failed`, never a partial answer); a folder that cannot be
listed is masked, because its files could still be opened by name.

Source: the time bound is DESIGN 7, row T3. MAX_MASKS is lower than there: bubblewrap reads the growing mount
table for each mount, so a start takes 0.1 s with 100 masks, 0.9 s with 500, 2.3 s with 1,000 (measured, 2 cores).
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import Final

from msgspec import Struct

from remit.core.globs import GlobSet
from remit.core.sensitive import sensitive_entry
from remit.errors import Unavailable

MAX_MASKS: Final = 500
WALK_BUDGET_S: Final = 0.2
"""CPU seconds of the walk; CPU, not wall: a busy machine must not refuse work"""
GUARDED_NAMES: Final = frozenset({".git", ".hg", ".svn", ".remit", "remit.toml"})
"""Names that are read-only wherever they stand in a tree (the last segments of core.sensitive.PROTECTED)."""
_CHECK_EVERY: Final = 512
_STEADY_NS: Final = 1_000_000_000
_MAX_KNOWN: Final = 50_000  # folders; about 20 MB


class TreeMasks(Struct, frozen=True):
    """Paths relative to the workspace, parents before children."""

    files: tuple[str, ...]
    """to be made unreadable"""
    folders: tuple[str, ...]
    """to be replaced by an empty, closed folder"""
    guarded: tuple[str, ...]
    """VCS state, remit.toml and remit's folder that are not masked: read-only wherever they stand"""


class _Folder(Struct, frozen=True, gc=False):
    """What a walk found in one folder, while the folder stays as it is."""

    state: tuple[int, int, int]
    """device, inode, time of change in ns"""
    entries: int
    inner: tuple[str, ...]
    """folders to go down into"""
    files: tuple[str, ...]
    folders: tuple[str, ...]
    guarded: tuple[str, ...]


class _Walk:
    """One walk; `found` grows as it goes.

    Args:
        known: what earlier walks of the same tree with the same rules found, by folder; it is brought up to date.
    """

    def __init__(
        self,
        root: str,
        denied: tuple[str, ...],
        exact: frozenset[str],
        budget_s: float,
        known: dict[str, _Folder] | None = None,
    ) -> None:
        self.root = root
        self.known = {} if known is None else known
        self.steady_ns = time.time_ns() - _STEADY_NS  # noqa: TID251  # compared with times of the file system
        self.alone = True
        self.denied = GlobSet(denied)
        self.exact = exact
        self.ends = time.thread_time() + budget_s
        self.seen = 0
        self.files: list[str] = []
        self.folders: list[str] = []
        self.guarded: list[str] = []
        self.linked: set[int] = set()  # inodes of masked files that have further names

    def charge(self, entries: int = 1) -> None:
        """Count entries; refuse over the bounds."""
        before, self.seen = self.seen, self.seen + entries
        if before // _CHECK_EVERY != self.seen // _CHECK_EVERY and time.thread_time() > self.ends:
            raise Unavailable(
                "sandbox_failed",
                f"the workspace is too large to be checked: {self.seen} entries in the time allowed",
                hint="Give a smaller folder as the workspace.",
                retryable=False,
            )
        if len(self.files) + len(self.folders) > MAX_MASKS:
            raise Unavailable(
                "sandbox_failed",
                f"more than {MAX_MASKS} entries would have to be masked",
                hint="Deny whole folders (DIR/**), which cost one mask each, or give a smaller workspace.",
                retryable=False,
            )

    def secret(self, name: str, path: str) -> bool:
        """Whether the entry is masked."""
        return self.denied.match_entry(name, path) or (sensitive_entry(name, path) and path not in self.exact)

    def listing(self, folder: str) -> list[os.DirEntry[str]]:
        """The entries of `folder`; one that cannot be listed is masked and counts as empty."""
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:
                return list(entries)
        except FileNotFoundError:
            return []
        except OSError:
            self.folders.append(folder)
            return []

    def take(self, entry: os.DirEntry[str], path: str) -> bool:
        """Sort one entry; whether to go down into it."""
        self.charge()
        is_folder = entry.is_dir(follow_symlinks=False)
        if self.secret(entry.name, path):
            # A further name of a secret may be made in another folder, which changes nothing in this one.
            self.alone = self.alone and is_folder
            if entry.is_symlink():
                self.mask_target(path)
                return False
            (self.folders if is_folder else self.files).append(path)
            if not is_folder and entry.stat(follow_symlinks=False).st_nlink > 1:
                self.linked.add(entry.inode())
            return False
        if entry.name.lower() in GUARDED_NAMES:
            self.guarded.append(path)
        if not is_folder and not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
            self.files.append(path)
        return is_folder

    def mask_target(self, path: str) -> None:
        """Mask what a link with a secret's name points to, when it lies in the tree."""
        target = os.path.realpath(os.path.join(self.root, path))
        if target.startswith(self.root + "/") and os.path.lexists(target):
            found = self.folders if os.path.isdir(target) else self.files
            found.append(os.path.relpath(target, self.root))

    def run(self) -> TreeMasks:
        pending = [""]
        while pending:
            folder = pending.pop()
            found = self.known.get(folder)
            if found is not None and found.state == self.state(folder):
                self.charge(found.entries)
                self.files += found.files
                self.folders += found.folders
                self.guarded += found.guarded
                pending += found.inner
            else:
                pending += self.look(folder)
        if self.linked:
            self.find_hard_links()
        folders = _outermost(self.folders)
        files = tuple(sorted(p for p in set(self.files) if not _beneath(p, folders)))
        guarded = tuple(sorted(p for p in self.guarded if not _beneath(p, folders) and p not in files))
        return TreeMasks(files, tuple(sorted(folders)), guarded)

    def state(self, folder: str) -> tuple[int, int, int] | None:
        """What changes whenever an entry of the folder is made, renamed or removed; None = it cannot be said."""
        try:
            found = os.lstat(os.path.join(self.root, folder))
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_ctime_ns

    def look(self, folder: str) -> list[str]:
        """Sort the entries of a folder, and remember it where that is sound; returns the folders to go down into."""
        state = self.state(folder)  # before the list: a change meanwhile makes it another one
        at = len(self.files), len(self.folders), len(self.guarded), self.seen
        self.alone = True
        inner = []
        for entry in self.listing(folder):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if self.take(entry, path):
                inner.append(path)
        self.known.pop(folder, None)
        closed = folder in self.folders[at[1] :]  # it could not be listed
        if state is not None and state[2] < self.steady_ns and self.alone and not closed:
            found = (tuple(self.files[at[0] :]), tuple(self.folders[at[1] :]), tuple(self.guarded[at[2] :]))
            self.known[folder] = _Folder(state, self.seen - at[3], tuple(inner), *found)
        return inner

    def find_hard_links(self) -> None:
        """Mask the further names of masked files."""
        closed = set(self.folders)
        pending = [""]
        while pending:
            folder = pending.pop()
            for entry in self.listing(folder):
                self.charge()
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if path not in closed:
                        pending.append(path)
                elif entry.inode() in self.linked:
                    self.files.append(path)


def _outermost(folders: list[str]) -> frozenset[str]:
    """`folders` without those that lie in another one."""
    kept = set(folders)
    return frozenset(folder for folder in kept if not _beneath(os.path.dirname(folder), kept))


def _beneath(path: str, folders: frozenset[str] | set[str]) -> bool:
    """Whether `path` is one of `folders` or lies in one."""
    while path:
        if path in folders:
            return True
        path = os.path.dirname(path)
    return False


def find_masks(
    root: str, denied: tuple[str, ...], exact: frozenset[str] = frozenset(), budget_s: float = WALK_BUDGET_S
) -> TreeMasks:
    """Everything beneath `root` that a program must not see or change.

    Args: `root` is a resolved absolute path; `denied` are globs relative to it; `exact` are paths that a grant
    names exactly, which excuses them from the sensitive-path list (never from `denied`).
    Raises: Invalid `grant_invalid`; Unavailable `sandbox_failed` over the bounds.
    """
    known = _known(root, denied, exact)
    if len(known) > _MAX_KNOWN:
        known.clear()
    return _Walk(root, denied, exact, budget_s, known).run()


@lru_cache(maxsize=4)
def _known(root: str, denied: tuple[str, ...], exact: frozenset[str]) -> dict[str, _Folder]:
    """What is remembered of a tree under these rules; threads may share it, because each use is checked."""
    return {}
