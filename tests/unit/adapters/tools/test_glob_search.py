"""glob_search: patterns, cuts, and what is left out."""

from __future__ import annotations

import os
from typing import Any

import pytest

from remit.adapters.tools.glob_search import glob_search
from remit.errors import Invalid
from remit.ports.tool import FileInfo


def test_patterns(bench: Any) -> None:
    """A star stays within a name, ** crosses names; the pattern is relative to `path`."""
    for path in ("a.py", "src/b.py", "src/deep/c.py", "src/d.txt", ".git/x.py", "secret/s.py"):
        bench.put(path, "")
    os.symlink("/etc", bench.root / "etc")
    ctx = bench.ctx(lambda verb, path: not path.startswith("secret"))
    assert glob_search(ctx, "*.py") == "a.py"
    assert glob_search(ctx, "**/*.py").splitlines() == ["a.py", "src/b.py", "src/deep/c.py"]
    assert glob_search(ctx, "*.py", "src") == "src/b.py"
    assert glob_search(ctx, "**/passwd") == "[no file fits]"


def test_cuts_are_said(bench: Any) -> None:
    """More results than the limit, and folders that were not searched."""
    for n in range(5):
        bench.put(f"f{n}", "")
    assert glob_search(bench.ctx(), "f*", limit=2) == "f0\nf1\n[cut: 2 of 5 files shown]"

    class Partial:
        def walk(self, path: str) -> list[FileInfo]:
            return [FileInfo("a", "file"), FileInfo("big", "cut")]

    assert glob_search(bench.ctx(files=Partial()), "*") == "a\n[not searched: big]"


@pytest.mark.parametrize("pattern", ["", "../*", "[", "x" * 2000])
def test_bad_patterns(bench: Any, pattern: str) -> None:
    """A broken glob is refused, or fits nothing; it never raises anything else."""
    try:
        assert glob_search(bench.ctx(), pattern) == "[no file fits]"
    except Invalid as e:
        assert e.code == "value_invalid"
