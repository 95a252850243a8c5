"""Merges agree with git in text and verdict."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from remit.code import Merge, merge

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git_merge(folder: Path, base: str, ours: str, theirs: str) -> tuple[str, int]:
    """What git makes of it: text and number of conflicts."""
    for name, text in (("o", ours), ("b", base), ("t", theirs)):
        (folder / name).write_bytes(text.encode())
    labels = ["-L", "ours", "-L", "base", "-L", "theirs"]
    done = subprocess.run(
        ["git", "merge-file", "-p", *labels, "o", "b", "t"], cwd=folder, capture_output=True, check=False
    )
    return done.stdout.decode(), done.returncode


def test_both_sides_are_joined_and_conflicts_marked() -> None:
    """One clean merge and one conflict, whole."""
    base = "a\nb\nc\nd\ne\n"
    assert merge(base, "A\nb\nc\nd\ne\n", "a\nb\nc\nd\nE\n") == Merge("A\nb\nc\nd\nE\n", 0, ())
    assert merge(base, "a\nb\nX\nd\ne\n", "a\nb\nY\nd\ne\n", labels=("mine", "other")) == Merge(
        "a\nb\n<<<<<<< mine\nX\n=======\nY\n>>>>>>> other\nd\ne\n", 1, (2,)
    )


@needs_git
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_random_merges_are_gits(tmp_path: Path, end: str) -> None:
    """120 random triples of few different lines, so that edits touch, repeat and overlap all the time."""
    chance = random.Random(f"merge {end}")
    words = ["a", "b", "", "{", "}", "x1", "y", "z", "  ", "end"]

    def changed(lines: list[str]) -> list[str]:
        out = list(lines)
        for _ in range(chance.randint(0, 4)):
            at = chance.randint(0, len(out))
            out[at : at + chance.randint(0, 3)] = [chance.choice(words) for _ in range(chance.randint(0, 3))]
        return out

    for _ in range(120):
        base = [chance.choice(words) for _ in range(chance.randint(0, 25))]
        texts = []
        for lines in (base, changed(base), changed(base)):
            text = end.join(lines)
            texts.append(text + end if lines and chance.random() < 0.8 else text)
        made = merge(texts[0], texts[1], texts[2])
        assert (made.text, made.conflicts) == git_merge(tmp_path, *texts), texts
        assert len(made.places) == made.conflicts
