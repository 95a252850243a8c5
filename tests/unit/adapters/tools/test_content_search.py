"""content_search: matches, gaps that are said, and patterns that would hang."""

from __future__ import annotations

import os
from typing import Any

import pytest

import remit.adapters.tools.content_search as module
from remit.adapters.tools.content_search import content_search
from remit.errors import Invalid


def test_matches_name_path_and_line(bench: Any) -> None:
    """One result a line, in walking order; a single file works too."""
    bench.put("a.py", "import os\nx = 1\n")
    bench.put("src/b.py", "IMPORT sys\r\n")
    bench.put("c.txt", "import nothing")
    ctx = bench.ctx()
    assert content_search(ctx, r"^import\b").splitlines() == ["a.py:1: import os", "c.txt:1: import nothing"]
    assert content_search(ctx, "import", glob="**/*.py", ignore_case=True).splitlines() == [
        "a.py:1: import os",
        "src/b.py:1: IMPORT sys",
    ]
    assert content_search(ctx, "x = ", "a.py") == "a.py:2: x = 1"
    assert content_search(ctx, "absent") == "[no match in 3 files]"


def test_what_was_not_searched_is_said(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Binary, large, unreadable and ungranted files: the first three are named, the last is invisible."""
    monkeypatch.setattr(module, "_MAX_FILE_BYTES", 100)
    bench.put("bin", b"hit\0")
    bench.put("big", "hit" * 100)
    bench.put("one", "hit")
    os.link(bench.root / "one", bench.root / "two")
    bench.put("ok", "hit")
    bench.put("secret", "hit")
    ctx = bench.ctx(lambda verb, path: path != "secret")
    assert content_search(ctx, "hit") == (
        "ok:1: hit\n[not searched: larger than 4 MiB: big; 1 binary files; could not be read: one, two]"
    )


def test_limits(bench: Any) -> None:
    """Results and line lengths are bounded, and it is said."""
    bench.put("a", "hit\n" * 10)
    bench.put("b", "hit" + "x" * 1000)
    found = content_search(bench.ctx(), "hit", limit=3).splitlines()
    assert found == ["a:1: hit", "a:2: hit", "a:3: hit", "[not searched: stopped after 3 lines; there may be more]"]
    assert content_search(bench.ctx(), "hitx").endswith("[line cut]")
    for limit in (0, 1001):
        with pytest.raises(Invalid):
            content_search(bench.ctx(), "x", limit=limit)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*)*x", "a?" * 30 + "a" * 30])
def test_a_pattern_that_would_hang_answers(bench: Any, pattern: str) -> None:
    """Lines made for exponential backtracking: the search still ends."""
    bench.put("evil", ("a" * 2000 + "!\n") * 5)
    assert isinstance(content_search(bench.ctx(), pattern), str)


def test_the_clock_stops_a_long_search(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the deadline the partial result comes back with the place."""
    bench.put("a", "hit\nhit\n")
    ticks = iter([0.0, 1.0, *[99.0] * 50])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(ticks))
    assert content_search(bench.ctx(), "hit").splitlines()[-1].startswith("[not searched: stopped after 15 s at a:")
