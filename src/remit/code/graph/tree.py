"""The source files of a folder, bounded: links are not followed, sizes and counts are capped, all of it is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from remit.code.graph.values import Unread
from remit.errors import Invalid

MAX_FILES: Final = 200_000
MAX_ENTRIES: Final = 2_000_000
MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""A larger text is generated or hostile."""
MAX_LINE_BYTES: Final = 200_000
LANGUAGES: Final = {
    ".py": "python", ".pyi": "stub", ".go": "go", ".rs": "rust", ".js": "javascript", ".jsx": "javascript",
    ".mjs": "javascript", ".cjs": "javascript", ".ts": "typescript", ".mts": "typescript", ".cts": "typescript",
    ".tsx": "tsx",
}  # fmt: skip
MANIFESTS: Final = frozenset(["package.json", "tsconfig.json", "jsconfig.json", "Cargo.toml"])
"""Files that say what imports mean; they are read beside the sources."""
SKIPPED: Final = {
    ".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache",
    ".ruff_cache", ".pytest_cache", ".eggs", "site-packages",
}  # fmt: skip


Stat = tuple[int, int, int, int]
"""Time of the last change of the content and of the entry in nanoseconds, size in bytes, inode."""


def listed(root: str, unread: list[Unread]) -> list[tuple[str, Stat]]:
    """(path beneath the root with slashes, stat) in the order of paths; what is skipped goes to `unread`.

    Raises usage_invalid when `root` is no folder.
    """
    if not Path(root).is_dir():
        raise Invalid("usage_invalid", f"not a folder: {root}")
    found = sorted(_walk(root, unread))
    if len(found) > MAX_FILES:
        unread.append(Unread(found[MAX_FILES][0], f"more than {MAX_FILES} files; this and those after it are left out"))
    return found[:MAX_FILES]


def sources(root: str, unread: list[Unread]) -> Iterator[tuple[str, str, bytes]]:
    """(path, language, text) in the order of paths; what is skipped goes to `unread`. Raises usage_invalid."""
    for path, _ in listed(root, unread):
        text, why = text_of(os.path.join(root, path))
        if why:
            unread.append(Unread(path, why))
        else:
            yield path, LANGUAGES.get(os.path.splitext(path)[1], "manifest"), text


def _walk(root: str, unread: list[Unread]) -> Iterator[tuple[str, Stat]]:
    rest = [""]
    entries = 0
    while rest:
        folder = rest.pop()
        try:
            listing = list(os.scandir(os.path.join(root, folder)))
        except OSError as error:
            unread.append(Unread(folder or ".", f"cannot be listed: {error.strerror}"))
            continue
        for entry in listing:
            entries += 1
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entries > MAX_ENTRIES:
                unread.append(Unread(path, f"more than {MAX_ENTRIES} entries; the rest of the folder is left out"))
                return
            source = os.path.splitext(entry.name)[1] in LANGUAGES or entry.name in MANIFESTS
            if entry.is_symlink():
                if source:
                    unread.append(Unread(path, "symbolic link"))
            elif entry.is_dir(follow_symlinks=False):
                if entry.name not in SKIPPED:
                    rest.append(path)
            elif source:
                yield path, _stat(entry)


def _stat(entry: os.DirEntry[str]) -> Stat:
    """Times, size and inode; nothing where they cannot be had, which reading it says."""
    try:
        stat = entry.stat(follow_symlinks=False)
    except OSError:
        return 0, 0, 0, 0
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


def text_of(path: str) -> tuple[bytes, str]:
    """The text of a file, or why it is not read."""
    try:
        if not os.path.isfile(path):
            return b"", "not a regular file"
        size = os.path.getsize(path)
        if size > MAX_FILE_BYTES:
            return b"", f"{size} bytes; at most {MAX_FILE_BYTES} are read"
        raw = Path(path).read_bytes()
    except OSError as error:
        return b"", f"cannot be read: {error.strerror}"
    if b"\0" in raw:
        return b"", "binary"
    if len(raw) > MAX_LINE_BYTES and max(map(len, raw.split(b"\n"))) > MAX_LINE_BYTES:
        return b"", f"a line longer than {MAX_LINE_BYTES} bytes"
    return raw, ""
