"""The incremental graph against a cold one, over real commits of a git repository.

    python bench/replay.py [--repo .] [--count 200] [--check-every 1]

Commits are checked out one after the other, the oldest first, into one folder; after each the graph is made once with
the cache of all earlier ones and once without, and both must say the same. Printed: commits compared, how many
differed, CPU seconds of both ways, peak memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from remit.code.graph.index import index_folder


def git(repo: str, *argv: str) -> str:
    """The output of git."""
    return subprocess.run(["git", "-C", repo, *argv], check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Replay and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repo", default=".")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--check-every", type=int, default=1, metavar="N", help="compare each N commits")
    args = parser.parse_args()
    commits = git(args.repo, "rev-list", "--reverse", "HEAD").split()[-args.count :]
    warm = cold = 0.0
    compared = differed = 0
    with tempfile.TemporaryDirectory() as scratch:
        tree, cache = os.path.join(scratch, "tree"), os.path.join(scratch, "cache.db")
        git(args.repo, "worktree", "add", "--detach", "--quiet", tree, commits[0])
        try:
            for at, commit in enumerate(commits):
                git(tree, "checkout", "--quiet", "--detach", commit)
                began = time.process_time()
                one = index_folder(tree, cache)
                warm += time.process_time() - began
                if at % args.check_every == 0:
                    began = time.process_time()
                    other = index_folder(tree)
                    cold += time.process_time() - began
                    compared += 1
                    same = (one.edges, one.symbols, one.dependencies, one.unread) == (
                        other.edges, other.symbols, other.dependencies, other.unread)  # fmt: skip
                    differed += not same
                    if not same:
                        print(f"{commit} differs", file=sys.stderr, flush=True)
                if at % 5 == 4:
                    print(f"at {at + 1} of {len(commits)}: {compared} compared, {differed} differ; {warm:.0f} s CPU "
                          f"with the cache, {cold:.0f} s cold", file=sys.stderr, flush=True)  # fmt: skip
        finally:
            git(args.repo, "worktree", "remove", "--force", tree)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{len(commits)} commits, {compared} compared, {differed} differ; {warm:.1f} s CPU with the cache, "
          f"{cold:.1f} s CPU cold for those compared, {memory} MB")  # fmt: skip


if __name__ == "__main__":
    main()
