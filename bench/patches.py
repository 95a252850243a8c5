"""The diff engine on real file changes: round trips, git's verdict, speed, damaged patches, merges.

    python bench/patches.py [--data commits.jsonl.gz] [--cases 500] [--seed 1]

Damaged patches: each kind takes a real patch and spoils it the way models do; the same patch goes to
`git apply` and `patch`. "ok" = the result is the real new file, "wrong" = another text without a word.
Every figure is a count or a ratio of this run.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from remit.code import apply, diff, merge
from remit.code.patches.lines import split
from remit.code.patches.myers import edits
from remit.errors import RemitError

SHARED = Path(os.environ.get("REMIT_SHARED", Path(__file__).resolve().parents[2] / "shared" / "data"))
HEADER = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
Case = dict[str, str]
Damage = Callable[[Case, random.Random], tuple[str, str, str] | None]
"""(case, randomness) -> patch, file to patch, file that is right; None = this case cannot be spoiled so"""


def renumbered(patch: str, change: Callable[[list[int]], list[int]]) -> str:
    """The patch with other numbers in its headers."""

    def one(match: re.Match[str]) -> str:
        start, count, to, size = change([int(g) if g is not None else 1 for g in match.groups()])
        return f"@@ -{max(start, 0)},{max(count, 0)} +{max(to, 0)},{max(size, 0)} @@"

    return "\n".join(HEADER.sub(one, line) if line.startswith("@@ ") else line for line in patch.split("\n"))


def wrong_numbers(case: Case, chance: random.Random) -> tuple[str, str, str]:
    """Every hunk says a line up to 40 away."""

    def change(n: list[int]) -> list[int]:
        off = chance.choice([-1, 1]) * chance.randint(1, 40)
        return [n[0] + off, n[1], n[2] + off, n[3]]

    return renumbered(case["patch"], change), case["a"], case["b"]


def wrong_counts(case: Case, chance: random.Random) -> tuple[str, str, str]:
    """Every hunk counts up to three lines too many or too few."""

    def change(n: list[int]) -> list[int]:
        return [n[0], n[1] + chance.randint(-3, 3), n[2], n[3] + chance.randint(1, 3)]

    return renumbered(case["patch"], change), case["a"], case["b"]


def no_numbers(case: Case, chance: random.Random) -> tuple[str, str, str]:
    """Headers without numbers."""
    return re.sub(r"(?m)^@@ .*$", "@@ ... @@", case["patch"]), case["a"], case["b"]


def drifted_base(case: Case, chance: random.Random) -> tuple[str, str, str] | None:
    """The file changed in the meantime: lines came and went outside the hunks, some right beside them."""
    a, b = split(case["a"]), split(case["b"])
    script = edits(a, b)
    free: list[tuple[int, int]] = []
    last = (0, 0)
    for e in [*script, None]:
        end = len(a) if e is None else e.a0
        free += [(i, i - last[0] + last[1]) for i in range(last[0] + 2, end - 2)]
        if e is not None:
            last = (e.a1, e.b1)
    if len(free) < 4:
        return None
    for i, j in sorted(chance.sample(free, min(len(free), chance.randint(1, 4))), reverse=True):
        if chance.random() < 0.6:
            new = [
                f"{a[i][: len(a[i]) - len(a[i].lstrip())]}drifted {chance.random()}\n"
                for _ in range(chance.randint(1, 5))
            ]
            a[i:i], b[j:j] = new, new
        elif a[i] == b[j]:
            del a[i], b[j]
    return case["patch"], "".join(a), "".join(b)


def trailing_blanks(case: Case, chance: random.Random) -> tuple[str, str, str]:
    """Kept and removed lines have got blanks at their end."""
    out = []
    for line in case["patch"].split("\n"):
        spoil = line[:1] in (" ", "-") and not line.startswith("---") and chance.random() < 0.5
        out.append(line + " " * chance.randint(1, 3) if spoil else line)
    return "\n".join(out), case["a"], case["b"]


def indentation(case: Case, chance: random.Random) -> tuple[str, str, str]:
    """Each hunk is indented four blanks more, or one step less where all of its lines can be."""
    out: list[str] = []
    for piece in re.split(r"(?m)^(?=@@)", case["patch"]):
        lines = piece.split("\n")
        inside = [i for i, line in enumerate(lines) if piece.startswith("@@") and i and line[1:].strip()]
        steps = {"    " if lines[i][1:5] == "    " else lines[i][1:2] for i in inside}
        less = steps in ({"    "}, {"\t"}) and chance.random() < 0.5
        for i in inside:
            rest = lines[i][1:]
            lines[i] = lines[i][0] + (rest[len(next(iter(steps))) :] if less else "    " + rest)
        out.append("\n".join(lines))
    return "".join(out), case["a"], case["b"]


def mistyped_line(case: Case, chance: random.Random) -> tuple[str, str, str] | None:
    """One kept or removed line has a slip."""
    lines = case["patch"].split("\n")
    begun = next((i for i, line in enumerate(lines) if line.startswith("@@")), None)
    if begun is None:
        return None
    able = [i for i in range(begun, len(lines)) if lines[i][:1] in (" ", "-") and len(lines[i].strip()) > 8]
    if not able:
        return None
    i = chance.choice(able)
    at = chance.choice([k for k in range(1, len(lines[i])) if not lines[i][k].isspace()])
    slip = chance.choice(["", "x", lines[i][at] * 2])
    lines[i] = lines[i][:at] + slip + lines[i][at + 1 :]
    return "\n".join(lines), case["a"], case["b"]


DAMAGES: dict[str, Damage] = {
    "wrong numbers": wrong_numbers,
    "wrong counts": wrong_counts,
    "no numbers": no_numbers,
    "drifted base": drifted_base,
    "trailing blanks": trailing_blanks,
    "indentation": indentation,
    "one mistyped line": mistyped_line,
}


class Folder:
    """A scratch folder in which git and patch do their work."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="remit-patches-"))
        subprocess.run(["git", "init", "-q"], cwd=self.path, check=True)

    def run(self, command: list[str], patch: str, text: str) -> str | None:
        """The patched text; None = refused."""
        file = self.path / "file"
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        (self.path / "p").write_bytes(patch.encode("utf-8", "surrogateescape"))
        done = subprocess.run(command, cwd=self.path, capture_output=True, check=False, timeout=60)
        return file.read_bytes().decode("utf-8", "surrogateescape") if done.returncode == 0 else None

    def merged(self, base: str, ours: str, theirs: str) -> tuple[str, int]:
        """Text and conflicts of git merge-file."""
        for name, text in (("o", ours), ("b", base), ("t", theirs)):
            (self.path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        labels = ["-L", "ours", "-L", "base", "-L", "theirs"]
        done = subprocess.run(
            ["git", "merge-file", "-p", *labels, "o", "b", "t"], cwd=self.path, capture_output=True, check=False
        )
        return done.stdout.decode("utf-8", "surrogateescape"), done.returncode


GIT = ["git", "apply", "--whitespace=nowarn", "--ignore-whitespace", "--recount", "p"]
PATCH = ["patch", "-s", "-f", "--no-backup-if-mismatch", "-l", "-F3", "file", "p"]


def ours(patch: str, text: str) -> str | None:
    """What remit makes of it; None = refused."""
    try:
        return apply(patch, {"file": text})["file"]
    except RemitError:
        return None


def measure_damages(cases: list[Case], count: int, seed: int, folder: Folder) -> None:
    """Print the table of damaged patches."""
    print(f"{'damage':20}{'cases':>7}{'ok':>7}{'refused':>9}{'wrong':>7}{'git or patch ok':>17}{'of them ok':>12}")
    patch_exists = shutil.which("patch") is not None
    total: Counter[str] = Counter()
    for name, damage in DAMAGES.items():
        chance = random.Random(f"{seed} {name}")  # cases, not secrets
        done: Counter[str] = Counter()
        while done["cases"] < count:
            spoiled = damage(chance.choice(cases), chance)
            if spoiled is None:
                continue
            patch, text, right = spoiled
            done["cases"] += 1
            result = ours(patch, text)
            verdict = "refused" if result is None else "ok" if result == right else "wrong"
            done[verdict] += 1
            if verdict == "wrong" and os.environ.get("SHOW"):
                print(name, json.dumps([patch, text, right, result]), file=sys.stderr)
            peers = [GIT] + ([PATCH] if patch_exists else [])
            if any(folder.run(peer, patch, text) == right for peer in peers):
                done["peers"] += 1
                done["peers and ours"] += verdict == "ok"
        share = done["peers and ours"] / max(done["peers"], 1)
        print(
            f"{name:20}{done['cases']:7}{done['ok'] / done['cases']:7.1%}{done['refused'] / done['cases']:9.1%}"
            f"{done['wrong'] / done['cases']:7.2%}{done['peers'] / done['cases']:17.1%}{share:12.1%}"
        )
        total += done
    print(f"silent wrong results in all: {total['wrong']} of {total['cases']} = {total['wrong'] / total['cases']:.2%}")


def measure_round_trips(cases: list[Case], folder: Folder) -> None:
    """Print round trips, git's verdict and the speed."""
    right = sum(apply(c["patch"], {"file": c["a"]})["file"] == c["b"] for c in cases if c["patch"])
    back = sum(apply(c["patch"], {"file": c["b"]}, backwards=True)["file"] == c["a"] for c in cases if c["patch"])
    strict = ["git", "apply", "--whitespace=nowarn", "p"]
    taken = sum(folder.run(strict, c["patch"], c["a"]) == c["b"] for c in cases if c["patch"])
    print(f"round trips {right} of {len(cases)}; backwards {back}; git apply takes {taken}")
    begun = time.process_time()
    for _ in range(3):
        for c in cases:
            diff(c["a"], c["b"], path="file")
    print(f"{3 * len(cases) / (time.process_time() - begun):,.0f} diffs/s CPU")


def measure_merges(cases: list[dict[str, Any]], count: int, seed: int, folder: Folder) -> None:
    """Print how often text and verdict of a merge are git's."""
    chance = random.Random(f"{seed} merges")  # cases, not secrets
    by_file: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for c in cases:
        by_file.setdefault((c["repo"], c["path"]), []).append(c)
    triples = [(x["a"], x["b"], y["b"]) for group in by_file.values() for x in group for y in group if x is not y]
    chance.shuffle(triples)
    triples = triples[:count]
    same = conflicts = 0
    for base, mine, theirs in triples:
        made = merge(base, mine, theirs)
        text, number = folder.merged(base, mine, theirs)
        same += (made.text, min(made.conflicts, 127)) == (text, number)
        conflicts += number > 0
    print(f"merges: {same} of {len(triples)} equal to git merge-file in text and verdict ({conflicts} with conflicts)")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=SHARED / "diffs" / "commits-open.jsonl.gz")
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with gzip.open(arguments.data, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    cases = [{"a": r["a"], "b": r["b"], "patch": diff(r["a"], r["b"], path="file")} for r in rows]
    folder = Folder()
    try:
        measure_round_trips(cases, folder)
        measure_damages([c for c in cases if c["patch"]], arguments.cases, arguments.seed, folder)
        measure_merges(rows, arguments.cases, arguments.seed, folder)
    finally:
        shutil.rmtree(folder.path)


if __name__ == "__main__":
    main()
