"""Patches over many files: applied all or nothing, with statistics.

A file is a text; bytes that are not UTF-8 are surrogate escapes, so any file can be one.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from remit.code.patches.applying import apply_hunks
from remit.code.patches.lines import split
from remit.code.patches.reading import parse
from remit.code.patches.unified import reverse
from remit.code.patches.values import FileChange
from remit.errors import Conflict


class FileStat(Struct, frozen=True):
    """What a change does to one file."""

    path: str
    """afterwards; of a deleted file, before"""
    kind: str
    """create | modify | delete | rename | copy"""
    added: int
    removed: int


class Plan(Struct, frozen=True):
    """The outcome of a patch over some files; nothing is written anywhere."""

    files: dict[str, str]
    """path -> text, of all files afterwards"""
    stats: tuple[FileStat, ...]
    modes: dict[str, str]
    """path -> new mode, where the patch sets one ("100755")"""

    @property
    def added(self) -> int:
        """Added lines in all."""
        return sum(stat.added for stat in self.stats)

    @property
    def removed(self) -> int:
        """Removed lines in all."""
        return sum(stat.removed for stat in self.stats)


def apply(patch: str, files: Mapping[str, str], *, backwards: bool = False) -> dict[str, str]:
    """All files after the patch; the given ones are not touched.

    Args:
        patch: a unified diff, search/replace blocks or an envelope; numbers may be wrong or missing.
        files: path -> text.
        backwards: take the patch back instead.
    Raises:
        Invalid: patch_invalid. Conflict: patch_conflict, with file, hunk and reason. Exhausted: output_too_large.
    """
    return plan(patch, files, backwards=backwards).files


def paths_of(patch: str) -> tuple[str, ...]:
    """Every path that the patch names, so that a caller can read just these; raises as `parse`."""
    changes = parse(patch)
    return tuple(dict.fromkeys(p for c in changes for p in (c.old_path, c.new_path) if p is not None))


def plan(patch: str, files: Mapping[str, str], *, backwards: bool = False) -> Plan:
    """The same, with what is done to each file; raises as `apply`."""
    changes = parse(patch)
    if backwards:
        changes = [reverse(change) for change in reversed(changes)]
    after = dict(files)
    stats = []
    modes = {}
    for change in changes:
        stats.append(_apply_one(change, after))
        if change.new_path is not None and change.new_mode:
            modes[stats[-1].path] = change.new_mode
    return Plan(after, tuple(stats), modes)


def _apply_one(change: FileChange, files: dict[str, str]) -> FileStat:
    if change.old_path is None:
        path = change.new_path or ""
        if files.get(path):
            raise Conflict("patch_conflict", f"{path}: the patch creates it, and it exists")
        files[path] = "".join(text for hunk in change.hunks for text in hunk.new)
        return FileStat(path, "create", change.added, 0)
    old = _found(change.old_path, files)
    lines = apply_hunks(split(files[old]), change.hunks, old)
    if change.new_path is None:
        if change.hunks and lines:
            raise Conflict("patch_conflict", f"{old}: the patch deletes it, and it holds more than the patch knows")
        del files[old]
        return FileStat(old, "delete", 0, change.removed)
    path = old if change.new_path == change.old_path else change.new_path
    kind = "modify"
    if path != old:
        if path in files:
            raise Conflict("patch_conflict", f"{path}: the patch moves {old} there, and it exists")
        kind = "copy" if change.copy else "rename"
        if not change.copy:
            del files[old]
    files[path] = "".join(lines)
    return FileStat(path, kind, change.added, change.removed)


def _found(path: str, files: Mapping[str, str]) -> str:
    """The file that the patch means: its path, or the only one that ends in it or that it ends in."""
    if path in files:
        return path
    bare = path.removeprefix("./")
    matches = [p for p in files if p == bare or p.endswith("/" + bare) or bare.endswith("/" + p)]
    if len(matches) == 1:
        return matches[0]
    why = "there is no such file" if not matches else "it could be " + " or ".join(sorted(matches)[:4])
    raise Conflict("patch_conflict", f"{path}: {why}")
