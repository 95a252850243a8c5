"""Dotted names of files: from the root of the folder, or from the folder that holds their package (`src/`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

SOURCE_FOLDERS: Final = ("src", "lib", "python", "source")
Names = dict[str, tuple[str, bool]]
"""{path: (dotted name, is a package)}"""


def names_of(paths: Iterable[str], imported: frozenset[str]) -> Names:
    """Names of files; `imported` are the first parts of all absolute imports.

    A package below the root is named from its own folder when the code imports it so and never by the longer name.
    Names that would then stand for two files stay long.
    """
    listed = sorted(paths)
    packages = {path.rpartition("/")[0] for path in listed if path.rpartition("/")[2] == "__init__.py"}
    short = {path: _name(path[len(_prefix(path, packages, imported)) :]) for path in listed}
    counts = Counter(name for name, _ in short.values())
    return {path: name if counts[name[0]] == 1 else _name(path) for path, name in short.items()}


def _name(path: str) -> tuple[str, bool]:
    parts = path.removesuffix(".py").split("/")
    return (".".join(parts[:-1]), True) if parts[-1] == "__init__" else (".".join(parts), False)


def _prefix(path: str, packages: set[str], imported: frozenset[str]) -> str:
    """The folders before the package root, with a final slash."""
    folder = path.rpartition("/")[0]
    first = folder.partition("/")[0]
    if not folder or first in imported or first in packages:
        return ""
    top = folder
    while top and top not in packages:
        top = top.rpartition("/")[0]
    if not top:
        own = path.split("/")
        return f"{first}/" if first in SOURCE_FOLDERS and own[1].removesuffix(".py") in imported else ""
    while top.rpartition("/")[0] in packages:
        top = top.rpartition("/")[0]
    outside, _, last = top.rpartition("/")
    return f"{outside}/" if outside and (last in imported or first in SOURCE_FOLDERS) else ""


def first_parts(imports: Iterable[Iterable[object]]) -> frozenset[str]:
    """First parts of the absolute imports among `[level, module, ...]` rows."""
    rows: list[list[object]] = [list(row) for row in imports]
    return frozenset(str(row[1]).partition(".")[0] for row in rows if not row[0])
