"""What a survey knows: facts read out of tool results, as plain values.

Everything here is text of somebody else's tree: it is matched, counted and quoted, never obeyed. What does
not fit the form that a tool promises is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from msgspec import Struct

LANGUAGES: Final[dict[str, str]] = {
    "py": "Python", "pyi": "Python", "js": "JavaScript", "jsx": "JavaScript", "mjs": "JavaScript", "cjs": "JavaScript",
    "ts": "TypeScript", "tsx": "TypeScript", "go": "Go", "rs": "Rust", "c": "C", "h": "C", "cc": "C++", "cpp": "C++",
    "cxx": "C++", "hpp": "C++", "java": "Java", "kt": "Kotlin", "scala": "Scala", "rb": "Ruby", "php": "PHP",
    "cs": "C#", "swift": "Swift", "m": "Objective-C", "sh": "Shell", "bash": "Shell", "pl": "Perl", "lua": "Lua",
    "sql": "SQL", "r": "R", "jl": "Julia", "ex": "Elixir", "exs": "Elixir", "erl": "Erlang", "hs": "Haskell",
    "ml": "OCaml", "clj": "Clojure", "dart": "Dart", "zig": "Zig", "vue": "Vue", "svelte": "Svelte",
    "html": "HTML", "css": "CSS", "scss": "CSS",
}  # fmt: skip
OTHER_TEXT: Final[dict[str, str]] = {
    "md": "Markdown", "rst": "reStructuredText", "txt": "text", "json": "JSON", "toml": "TOML", "yaml": "YAML",
    "yml": "YAML", "xml": "XML", "ini": "INI", "cfg": "INI", "csv": "CSV", "ipynb": "notebook",
}  # fmt: skip
# Folders that hold what others wrote or a program made; Source: GitHub's gitignore templates.
_LEFT_OUT: Final = re.compile(
    r"\.git|\.hg|\.svn|\.?venvs?|node_modules|site-packages|__pycache__|\.tox|\.nox|\.\w+_cache|\.cache|\.hypothesis"
    r"|\.idea|\.vscode|\.gradle|\.next|\.nuxt|\.terraform|\.eggs|.+\.egg-info|bower_components|vendor|third_party"
    r"|target|build|dist|out|coverage"
)
_HARMLESS: Final = frozenset({".git", "__pycache__"})  # left out by the walk itself, or small
_TEST: Final = re.compile(r"(^|/)(tests?|specs?|__tests__)/|(^|/)test_[^/]*$|[._-](test|spec)s?\.\w+$")
_SUPPORT: Final = re.compile(r"(^|/)(__init__|conftest)\.py$")
_WC: Final = re.compile(r" *(\d+) +(\d+) (?:\./)?(.+)")
_MATCH: Final = re.compile(r"([^:\n]+(?::[^:\n0-9][^:\n]*)*):(\d+): (.*)")
_GLOB_CUT: Final = re.compile(r"\[cut: \d+ of (\d+) files shown\]")
_GLOB_NOTE: Final = re.compile(r"\[(no file fits|not searched: .*)\]")
_BRANCH: Final = re.compile(r"\b(?:if|elif|for|while|case|catch|except|switch|match|and|or)\b|&&|\|\|")


class Entry(NamedTuple):
    """One entry of a folder."""

    name: str
    kind: str
    """dir | file | other"""
    size_bytes: int = 0


class Match(NamedTuple):
    """One line that a search found."""

    path: str
    line: int
    text: str


class Tangle(Struct, frozen=True):
    """How tangled one file looks; counted by words and indentation, in the part that was read."""

    path: str
    lines: int
    branches: int
    depth: int
    """blocks within blocks, by indentation"""
    fan_in: int
    """files that import it, by name"""
    fan_out: int
    """import lines in it that the search found"""

    @property
    def score(self) -> int:
        """Branches, depth squared, and four for each neighbour; only for the order."""
        return self.branches + self.depth**2 + 4 * (self.fan_in + self.fan_out)


def entries(listing: str) -> list[Entry]:
    """Entries of a list_directory result."""
    found = []
    for line in listing.split("\n"):
        if line.endswith("/"):
            found.append(Entry(line[:-1], "dir"))
        elif line.endswith(("@ (link, not followed)", "  (not a file)")):
            found.append(Entry(line.removesuffix("@ (link, not followed)").removesuffix("  (not a file)"), "other"))
        else:
            name, gap, size = line.rpartition("  ")
            if gap and size.isdecimal():
                found.append(Entry(name, "file", int(size)))
    return found


@lru_cache(maxsize=64)
def globbed(result: str) -> tuple[tuple[str, ...], int]:
    """Paths of a glob_search result, and how many files fit in all; asked again at every turn, so it is kept."""
    paths, total = [], 0
    for line in result.split("\n"):
        cut = _GLOB_CUT.fullmatch(line)
        if cut:
            total = int(cut[1])
        elif line and not _GLOB_NOTE.fullmatch(line):
            paths.append(line)
    return tuple(paths), max(total, len(paths))


@lru_cache(maxsize=128)
def matches(result: str) -> tuple[Match, ...]:
    """Lines of a content_search result."""
    found = [_MATCH.fullmatch(line) for line in result.split("\n")]
    return tuple(Match(m[1], int(m[2]), m[3]) for m in found if m is not None and not m[1].startswith("[not searched"))


def measured(result: str) -> dict[str, tuple[int, int]]:
    """{path: (lines, bytes)} of a `wc -lc` in a shell result."""
    found = {}
    for line in result.split("\n"):
        match = _WC.fullmatch(line)
        # A name that is not UTF-8 comes with a replacement character, and cannot be opened by it.
        if match and match[3] != "total" and "\ufffd" not in match[3]:
            found[match[3]] = (int(match[1]), int(match[2]))
    return found


@lru_cache(maxsize=4096)
def left_out(name: str) -> bool:
    """Whether a folder of this name is third-party, generated or a tool's own."""
    return _LEFT_OUT.fullmatch(name) is not None


def heavy(name: str) -> bool:
    """Whether such a folder may be large and is not skipped by walks themselves."""
    return left_out(name) and name not in _HARMLESS


def own(path: str) -> bool:
    """Whether no folder above `path` is left out."""
    return _own_folder(path.rpartition("/")[0])


@lru_cache(maxsize=65_536)
def _own_folder(folder: str) -> bool:
    return not any(map(left_out, folder.split("/")))


@lru_cache(maxsize=65_536)
def extension(path: str) -> str:
    """Lower-case extension; "" where there is none."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name[1:] else ""


def language(path: str) -> str:
    """The programming language by extension; "" for anything else."""
    return LANGUAGES.get(extension(path), "")


@lru_cache(maxsize=65_536)
def is_test(path: str) -> bool:
    """Whether a source file is a test by its place or name (what only supports tests is not)."""
    return bool(language(path)) and _TEST.search(path) is not None and _SUPPORT.search(path) is None


@lru_cache(maxsize=64)
def tangle(path: str, text: str, fan_in: int, fan_out: int) -> Tangle:
    """The figures of one source file."""
    lines = text.split("\n")
    code = [line for line in lines if line.strip() and not line.lstrip().startswith(("#", "//", "*", "/*"))]
    branches = sum(len(_BRANCH.findall(line)) for line in code)
    return Tangle(path, len(lines), branches, _depth(code), fan_in, fan_out)


def _depth(code: Sequence[str]) -> int:
    """Levels of the deepest line that opens a block (lines that only continue one are deeper, and say nothing)."""
    indents = [len(line) - len(line.lstrip(" \t")) for line in code]
    steps = Counter(b - a for a, b in pairwise(indents) if 0 < b - a <= 8)
    unit = max(steps, key=lambda step: (steps[step], -step), default=4)
    opening = [i for i, line in zip(indents, code, strict=True) if line.rstrip().endswith((":", "{", " do", " then"))]
    return min(max((indent // unit + 1 for indent in opening), default=0), 40)


class Imports:
    """Who imports whom, by name: exact for Python modules, by file stem for quoted paths and headers."""

    def __init__(self, files: Sequence[str], found: Sequence[Match]) -> None:
        self._by_name: dict[str, set[str]] = {}
        for path in files:
            for name in _names_of(path):
                self._by_name.setdefault(name, set()).add(path)
        self.importers: dict[str, set[str]] = {}
        self.lines: dict[str, int] = {}
        for match in found:
            self.lines[match.path] = self.lines.get(match.path, 0) + 1
            for name in _targets(match.text):
                for target in self._by_name.get(name, ()):
                    if target != match.path:
                        self.importers.setdefault(target, set()).add(match.path)

    def most_imported(self, count: int) -> list[tuple[str, int]]:
        """Files with the most importers, most first."""
        rows = [(path, len(importers)) for path, importers in self.importers.items()]
        return sorted(rows, key=lambda row: (-row[1], row[0]))[:count]


def _names_of(path: str) -> list[str]:
    """The names by which other files may import `path`."""
    stem = path.rpartition(".")[0] or path
    if extension(path) in ("py", "pyi"):
        parts = stem.removesuffix("/__init__").split("/")
        # A source folder (src/, lib/) is not part of the name; a lone last name would fit too much.
        return [".".join(parts), *([".".join(parts[1:])] if len(parts) > 1 else [])]
    return ["/" + stem.rpartition("/")[2]]


_FROM: Final = re.compile(r"\s*from\s+([\w.]+)\s+import\s+\(?([\w ,]*)")
_IMPORT: Final = re.compile(r"\s*import\s+([\w. ,]+)$")
_QUOTED: Final = re.compile(r"[\"'<]([^\"'<>]{1,200})[\"'>]")


def _targets(line: str) -> set[str]:
    found = _FROM.match(line)
    if found:
        inner = [name.split(" as ")[0].strip() for name in found[2].split(",")]
        return {found[1], *(f"{found[1]}.{name}" for name in inner if name)}
    found = _IMPORT.match(line)
    if found:
        return {name.split(" as ")[0].strip() for name in found[1].split(",")}
    quoted = _QUOTED.findall(line)
    return {"/" + name.rpartition("/")[2].partition(".")[0] for name in quoted[-1:]}
