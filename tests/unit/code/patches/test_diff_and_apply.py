"""Diffs are exact, are git's, and go back and forth."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import remit
from remit.code import apply, diff, plan
from remit.code.patches.lines import split
from remit.code.patches.myers import edits
from remit.errors import Conflict, Exhausted, Invalid

SHARED = Path(os.environ.get("REMIT_SHARED", Path(__file__).parents[5] / "shared" / "data"))
COMMITS = SHARED / "diffs" / "commits-open.jsonl.gz"
TEXTS = st.lists(
    st.sampled_from(["a", "b", "", " a", "c\r", "é", "\x0b", "\u2028", "-- x", "++ y"]), max_size=12
).flatmap(lambda lines: st.sampled_from(["\n".join(lines), "\n".join([*lines, ""])]))


def commits(count: int) -> list[dict[str, Any]]:
    """Real file changes; the test is skipped without them."""
    if not COMMITS.exists():
        pytest.skip("the recorded commits are not there (REMIT_SHARED)")
    with gzip.open(COMMITS, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for _, line in zip(range(count), stream, strict=False)]


@given(TEXTS, TEXTS)
@settings(max_examples=400, deadline=None)
def test_a_diff_applied_gives_the_new_text_and_back(a: str, b: str) -> None:
    """apply(diff(a, b), a) == b and backwards, whatever the lines and their ends are."""
    patch = diff(a, b, path="f")
    if a == b:
        assert patch == ""
        return
    assert apply(patch, {"f": a, "other": "x"}) == {"f": b, "other": "x"}
    assert apply(patch, {"f": b}, backwards=True) == {"f": a}


@given(TEXTS, TEXTS)
@settings(max_examples=300, deadline=None)
def test_edits_are_exact_and_apart(a: str, b: str) -> None:
    """What is not in an edit is equal, line by line, and two edits never touch."""
    x, y = split(a), split(b)
    script = edits(x, y)
    rebuilt, at, to = [], 0, 0
    for e in script:
        assert x[at : e.a0] == y[to : e.b0]
        assert e.a0 > at or (at, to) == (0, 0)
        rebuilt += x[at : e.a0] + y[e.b0 : e.b1]
        at, to = e.a1, e.b1
    assert rebuilt + x[at:] == y
    assert x[at:] == y[to:]


def test_a_long_difference_is_bounded_and_exact() -> None:
    """Two unrelated texts of 20,000 lines end in a bounded search, with an exact result."""
    x = [f"{i * 7919 % 20011}\n" for i in range(20_000)]
    y = [f"{i * 104729 % 20011}\n" for i in range(20_000)]
    out, at = [], 0
    for e in edits(x, y):
        out += x[at : e.a0] + y[e.b0 : e.b1]
        at = e.a1
    assert out + x[at:] == y


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_hunks_are_those_of_git(tmp_path: Path) -> None:
    """On real changes every hunk is byte for byte git's (Myers, without the indentation heuristic)."""
    options = ["--no-index", "--no-color", "--no-indent-heuristic", "--diff-algorithm=myers"]
    for row in commits(60):
        for name, text in (("a", row["a"]), ("b", row["b"])):
            (tmp_path / name).write_bytes(text.encode())
        git = subprocess.run(["git", "diff", *options, "a", "b"], cwd=tmp_path, capture_output=True, check=False).stdout
        theirs = [line.partition(b" @@")[0] if line.startswith(b"@@") else line for line in git.split(b"\n")[4:]]
        mine = [
            line.partition(b" @@")[0] if line.startswith(b"@@") else line
            for line in diff(row["a"], row["b"], path="b").encode().split(b"\n")[3:]
        ]
        assert mine == theirs, row["path"]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize(
    ("a", "b"),
    [
        (None, "x\ny\n"),
        ("x\n", None),
        (None, "no end"),
        ("x\ny", "x\nz"),
        ("x\r\ny\r\n", "x\r\nz\r\n"),
        ("", "now\n"),
        ("was\n", ""),
        ("caf\udce9\n", "caf\udce9s\n"),
    ],
)
@pytest.mark.parametrize("path", ["f.txt", "a folder/f ü.txt", 'q"uote.txt', "tab\there.txt"])
def test_git_applies_what_we_write(tmp_path: Path, a: str | None, b: str | None, path: str) -> None:
    """Created, deleted and changed files, odd names, missing line ends, CR LF and other encodings."""
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    if a is not None:
        file.write_bytes(a.encode("utf-8", "surrogateescape"))
    (tmp_path / "patch").write_bytes(diff(a, b, path=path).encode("utf-8", "surrogateescape"))
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "patch"], cwd=tmp_path, capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (file.read_bytes() if file.exists() else None) == (b if b is None else b.encode("utf-8", "surrogateescape"))
    files = {} if a is None else {path: a}
    assert apply(diff(a, b, path=path), files) == ({} if b is None else {path: b})


def test_a_plan_is_all_or_nothing_and_counted() -> None:
    """Renames, modes, creations and deletions in one patch; one that does not fit leaves everything as it was."""
    patch = (
        "diff --git a/old.py b/new.py\nold mode 100644\nnew mode 100755\nrename from old.py\nrename to new.py\n"
        "--- a/old.py\n+++ b/new.py\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
        + diff(None, "made\n", path="made.py")
        + diff("gone\n", None, path="gone.py")
    )
    files = {"old.py": "one\ntwo\n", "gone.py": "gone\n", "kept.py": "k\n"}
    made = plan(patch, files)
    assert made.files == {"new.py": "one\n2\n", "made.py": "made\n", "kept.py": "k\n"}
    assert [(s.path, s.kind, s.added, s.removed) for s in made.stats] == [
        ("new.py", "rename", 1, 1),
        ("made.py", "create", 1, 0),
        ("gone.py", "delete", 0, 1),
    ]
    assert (made.modes, made.added, made.removed) == ({"new.py": "100755", "made.py": "100644"}, 2, 2)
    with pytest.raises(Conflict, match=r"gone\.py") as caught:
        plan(patch, {**files, "gone.py": "another\n"})
    assert caught.value.code == "patch_conflict"
    assert files["old.py"] == "one\ntwo\n"


def test_bounds_and_nonsense_are_refused() -> None:
    """No change, a hunk without a file, binary contents, a text beyond the bound."""
    for text in (
        "",
        "hello\n",
        "@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/x b/x\nindex 1..2\nGIT binary patch\n",
        '--- "a/x\n+++ b/x\n',
    ):
        with pytest.raises(Invalid) as caught:
            apply(text, {"x": "a\n"})
        assert caught.value.code == "patch_invalid"
    with pytest.raises(Exhausted, match="lines"):
        split("\n" * 2_000_001)
    assert remit.code.diff is diff


@given(st.text(alphabet="@-+ \\\n*<>=a1,diff/git", max_size=200))
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    """The reader never fails in any other way than with an error of remit."""
    for patch in (text, "--- a/f\n+++ b/f\n" + text, "*** Begin Patch\n" + text, "f\n<<<<<<< SEARCH\n" + text):
        try:
            apply(patch, {"f": "a\n1\n"})
            outcome = "applied"
        except (Invalid, Conflict) as error:
            outcome = error.code
        assert outcome in ("applied", "patch_invalid", "patch_conflict")
