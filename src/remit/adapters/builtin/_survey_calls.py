"""The calls that a survey is made of, and the patterns they search for."""

from __future__ import annotations

from typing import Final

from remit.adapters.builtin._rules import Call

SIZES: Final = ("0", "16", "128")  # KiB; the next one when the list was cut
PRUNED: Final = (".git", ".venv", ".venvs", "venv", "node_modules", "vendor", "third_party", "target", "build", "dist",
                 "out", ".tox", ".nox", ".cache", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
                 "__pycache__")  # fmt: skip
MARKERS: Final = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")  # in pieces: this file holds no open ends
# Plain shapes: the search bounds the work of a pattern, and a repeat beside a repeat costs it its fast path.
IMPORTS: Final = {
    "py": "^ *(from|import) ({0})",
    "js": "(from|require|import)[ (]*['\"][.]",
    "c": '^#include "',
    "go": '^(import |\t)[a-z_]*[ ]?"[a-z]',
}
SYNTAX: Final = {"pyi": "py", "jsx": "js", "ts": "js", "tsx": "js", "mjs": "js", "vue": "js", "svelte": "js",
                  "h": "c", "cc": "c", "cpp": "c", "hpp": "c"}  # fmt: skip
TESTS: Final = {
    "py": "^ *(async )?def test_", "js": r"^ *(it|test)\(", "go": "^func Test", "rs": r"#\[(tokio::)?test\]",
    "java": "^ *@Test",
}  # fmt: skip


def listed(folder: str) -> Call:
    """List a folder."""
    return Call("list_directory", {"path": folder})


def globbing(folder: str) -> Call:
    """Every file beneath a folder."""
    return Call("glob_search", {"pattern": "**", "path": folder, "limit": 1000})


def searching(pattern: str, folder: str, glob: str) -> Call:
    """Search beneath a folder."""
    return Call("content_search", {"pattern": pattern, "path": folder, "glob": glob, "limit": 1000})


def sizing(least_kib: str) -> Call:
    """Lines and bytes of every file larger than `least_kib` KiB, by one program in the sandbox."""
    pruned = [word for name in PRUNED for word in ("-o", "-name", name)][1:]
    argv = ["find", ".", "(", *pruned, ")", "-prune", "-o", "-type", "f", "-size", f"+{least_kib}k"]
    return Call("shell", {"argv": [*argv, "-exec", "wc", "-lc", "{}", "+"]})
