"""The committed files, read once: what the house rules look at.

`git ls-files` names them (with files not yet added, so that a rule speaks before the commit);
where there is no git checkout the folder is walked.
"""

from __future__ import annotations

import ast
import functools
import io
import shutil
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
MAX_TEXT_BYTES = 2_000_000
SKIPPED_FOLDERS = {"build", "dist", "out", "results", "__pycache__", "node_modules"}


class Source(NamedTuple):
    """One Python file. `name` is its path beneath the root, with slashes."""

    name: str
    text: str
    tree: ast.Module


@functools.cache
def files() -> tuple[str, ...]:
    """Every committed (or about to be committed) file, as a path beneath the root."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listing = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 0:
            return tuple(sorted(name for name in set(done.stdout.split("\0")) if name and (ROOT / name).is_file()))
    return tuple(sorted(_walk(ROOT)))


def _walk(folder: Path) -> Iterator[str]:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            hidden = path.name.startswith(".") and path.name != ".ci"
            if not hidden and path.name not in SKIPPED_FOLDERS and not path.name.endswith(".egg-info"):
                yield from _walk(path)
        elif path.is_file():
            yield path.relative_to(ROOT).as_posix()


@functools.cache
def texts() -> dict[str, str]:
    """{path: text} of every committed text file."""
    found = {}
    for name in files():
        path = ROOT / name
        if path.stat().st_size > MAX_TEXT_BYTES:
            continue
        try:
            found[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


@functools.cache
def sources(prefix: str = "src/") -> tuple[Source, ...]:
    """The Python files beneath `prefix`, parsed. Test fixtures (files read as data) are left out."""
    return tuple(
        Source(name, text, ast.parse(text))
        for name, text in texts().items()
        if name.startswith(prefix) and name.endswith(".py") and "/fixtures/" not in name
    )


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file, nested ones and methods too."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@functools.cache
def comments(text: str) -> dict[int, str]:
    """{line number: comment} of a Python text."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


def rooms() -> tuple[str, ...]:
    """The folders of src/remit that hold code."""
    names = {name.split("/")[2] for name in files() if name.startswith("src/remit/") and name.count("/") > 2}
    return tuple(sorted(names))
