"""The tree as a survey knows it so far: its folders, files and sizes, out of the results of earlier calls.

Every list is bounded; a tree may be empty or hold a hundred thousand files.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Final

from remit.adapters.builtin._rules import Evidence
from remit.adapters.builtin._survey_calls import SIZES, globbing, listed, sizing
from remit.adapters.builtin._survey_facts import (
    Entry,
    entries,
    globbed,
    heavy,
    is_test,
    language,
    left_out,
    measured,
    own,
)

MAX_ROOTS: Final = 16  # folders searched one by one
MAX_SOURCES: Final = 8  # source files read for the tangle figures
USUAL: Final = ("src", "lib", "app", "docs", "tests", "test", "pkg", "cmd")  # tried when the root is not granted


class Tree:
    """Facts about the tree, computed from the evidence when they are asked for."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    def listing(self, folder: str) -> list[Entry]:
        """Entries of a folder as far as they were listed (with further pages)."""
        found: list[Entry] = []
        for call, result in self.evidence.done:
            if call.name == "list_directory" and not result.is_error and call.arguments.get("path", ".") == folder:
                found += entries(result.text)
        return found

    @cached_property
    def top(self) -> list[Entry]:
        """The root's entries."""
        return self.listing(".")

    @cached_property
    def folders(self) -> list[str]:
        """Folders of the first level that are the tree's own; where the root is closed, the usual ones."""
        if not self.top and self.closed:
            return [name for name in USUAL if self.evidence.text(listed(name))]
        return [entry.name for entry in self.top if entry.kind == "dir" and not left_out(entry.name)]

    @cached_property
    def skipped(self) -> list[str]:
        """Third-party and generated folders that were seen and left out."""
        found = [entry.name for entry in self.top if entry.kind == "dir" and heavy(entry.name)]
        for folder in self.folders[:30]:
            found += [f"{folder}/{e.name}" for e in self.listing(folder) if e.kind == "dir" and heavy(e.name)]
        return found

    @cached_property
    def roots(self) -> list[str]:
        """Folders that are searched whole: the root, or its parts where something must be left out."""
        # Folder by folder where there are few: what is denied beside them is then not even walked.
        if not self.folders or (len(self.folders) > MAX_ROOTS and not self.skipped):
            return ["."] if not self.closed else []
        found: list[str] = []
        for folder in self.folders:
            inner = self.listing(folder)
            if not any(entry.kind == "dir" and heavy(entry.name) for entry in inner):
                found.append(folder)
            else:
                found += [f"{folder}/{e.name}" for e in inner if e.kind == "dir" and not left_out(e.name)]
        return found[:MAX_ROOTS]

    @cached_property
    def beside_roots(self) -> list[str]:
        """Files that stand beside the roots, as the listings show them."""
        if "." in self.roots:
            return []
        outer = [folder for folder in (".", *self.folders) if folder not in self.roots]
        pairs = [("" if folder == "." else f"{folder}/", entry) for folder in outer for entry in self.listing(folder)]
        return [prefix + entry.name for prefix, entry in pairs if entry.kind == "file"]

    @cached_property
    def found(self) -> tuple[list[str], int]:
        """The tree's own files, sorted, and how many there are (more where lists were cut)."""
        paths: set[str] = set()
        total = 0
        for root in self.roots:
            shown, count = globbed(self.evidence.text(globbing(root)))
            paths.update(shown)
            for child in self.parts(root):
                paths.update(globbed(self.evidence.text(globbing(child)))[0])
            total += count
        total += len(set(self.beside_roots) - paths)
        paths.update(self.beside_roots)
        kept = sorted(path for path in paths if own(path))
        return kept, max(total - (len(paths) - len(kept)), len(kept))

    @cached_property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """{path: (lines or -1, bytes)} as the sandboxed count, or else the listings, say."""
        known: dict[str, tuple[int, int]] = {}
        for folder in (".", *self.folders, *self.source_folders):
            prefix = "" if folder == "." else f"{folder}/"
            known |= {prefix + e.name: (-1, e.size_bytes) for e in self.listing(folder) if e.kind == "file"}
        for level in SIZES:
            known |= measured(self.evidence.text(sizing(level)))
        return {path: size for path, size in known.items() if own(path)}

    @property
    def counted_all(self) -> bool:
        """Whether every file was measured."""
        result = self.evidence.of(sizing(SIZES[0]))
        return result is not None and not result.is_error and not is_cut(result.text)

    @cached_property
    def largest(self) -> list[str]:
        """Source files, the largest first; where no size is known, the first ones by name."""
        known = [path for path in self.sizes if language(path)]
        if known:
            return sorted(known, key=lambda p: (-self.sizes[p][1], p))
        return [path for path in self.found[0] if language(path)]

    @property
    def read_whole(self) -> list[str]:
        """The largest sources that are read: tests only where there are few others."""
        return sorted(self.largest, key=is_test)[:MAX_SOURCES]

    def parts(self, root: str) -> list[str]:
        """Folders directly beneath a root; a chain of single ones is passed through where the list is whole."""
        paths = [path for path in globbed(self.evidence.text(globbing(root)))[0] if own(path)]
        base = "" if root == "." else f"{root}/"
        names = {path[len(base) :].partition("/")[0] for path in paths if "/" in path[len(base) :]}
        for _ in range(8):
            if len(names) != 1 or self.cut(root):
                break
            base += f"{names.pop()}/"
            names = {path[len(base) :].partition("/")[0] for path in paths if "/" in path.removeprefix(base)}
        if base in ("", f"{root}/"):
            names |= {entry.name for entry in self.listing(root) if entry.kind == "dir" and not left_out(entry.name)}
        return [base + name for name in sorted(names)][:MAX_ROOTS]

    @property
    def closed(self) -> bool:
        """Whether the root may not be listed."""
        result = self.evidence.of(listed("."))
        return result is not None and result.is_error and result.code in ("not_granted", "denied_by_rule")

    @property
    def source_folders(self) -> list[str]:
        """Folders with the most source files, beside those of the first level."""
        counts = Counter(path.rpartition("/")[0] for path in self.found[0] if language(path))
        return [folder for folder, _ in counts.most_common(24) if folder and folder not in self.folders]

    def count(self, folder: str) -> int:
        """How many files a folder holds, as far as its names were asked for."""
        return globbed(self.evidence.text(globbing(folder)))[1]

    def cut(self, folder: str) -> bool:
        """Whether the list of a folder's names was cut."""
        shown, total = globbed(self.evidence.text(globbing(folder)))
        return total > len(shown)


def is_cut(text: str) -> bool:
    """Whether a result says that it was cut."""
    return "\n[cut: " in text
