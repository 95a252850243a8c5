"""The code graph on labelled programs: precision, recall and exact cases of call edges; speed on real trees.

    python bench/codegraph.py [PYCG.JSONL] [--show]
    python bench/codegraph.py --own javascript|rust [--show]     the labelled programs of tests/unit/code/graph/cases
    python bench/codegraph.py --speed DIR        CPU seconds of a copy of DIR: cold, unchanged, one file edited

The file holds `{"case", "files": {path: text}, "expected": {caller: [callees]}}` a line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.unit.code.graph.labelled import cases_of, found_in, graph_of

from remit.code.graph.code_graph import CodeGraph
from remit.code.graph.index import index_folder, index_texts

SHARED = Path(os.environ.get("REMIT_SHARED", Path(__file__).resolve().parents[2] / "shared" / "data"))

EDITS = 20
ADDED = {".py": "\n\ndef added_by_the_benchmark():\n    return 1\n",
         ".go": "\n\nfunc addedByTheBenchmark() int { return 1 }\n"}  # fmt: skip


def score(path: Path, show: bool) -> None:
    """Print precision, recall and exact cases of a labelled file."""
    right = found = wanted = exact = cases = 0
    for line in path.read_text().splitlines():
        case = json.loads(line)
        cases += 1
        want = {(caller, callee) for caller, callees in case["expected"].items() for callee in callees}
        graph = index_texts({name: text.encode() for name, text in case["files"].items()})
        got = {(e.caller, e.callee) for e in graph.calls()}
        right += len(want & got)
        found += len(got)
        wanted += len(want)
        exact += want == got
        if show and want != got:
            print(f"{case['case']}: missing {sorted(want - got)}; extra {sorted(got - want)}; unread {graph.unread}")
    print(f"precision {right / found:.4f} ({right}/{found})  recall {right / wanted:.4f} ({right}/{wanted})  "
          f"exact {exact}/{cases}")  # fmt: skip


def score_own(language: str, show: bool) -> None:
    """Print precision, recall and exact cases of the labelled programs of a language."""
    right = found = wanted = exact = 0
    cases = cases_of(language)
    for case in cases:
        graph = graph_of(case)
        got = found_in(graph)
        right += len(case.edges & got)
        found += len(got)
        wanted += len(case.edges)
        exact += case.edges == got
        if show and case.edges != got:
            print(f"{case.name}: missing {sorted(case.edges - got)}; extra {sorted(got - case.edges)}; {graph.unread}")
    print(f"{language}: precision {right / found:.4f} ({right}/{found})  "
          f"recall {right / wanted:.4f} ({right}/{wanted})  exact {exact}/{len(cases)}")  # fmt: skip


def speed(folder: str) -> None:
    """Print CPU seconds and memory for a copy of a folder."""
    with tempfile.TemporaryDirectory() as scratch:
        root, cache = os.path.join(scratch, "tree"), os.path.join(scratch, "cache.db")
        shutil.copytree(folder, root, symlinks=True)
        size = sum(p.stat().st_size for kind in ("*.py", "*.go") for p in Path(root).rglob(kind) if p.is_file())
        cold, graph = timed(root, cache)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        timed(root, cache)
        warm, _ = timed(root, cache)
        files = sorted({e.file for e in graph.edges})
        edited = []
        for path in files[:: max(1, len(files) // EDITS)][:EDITS]:
            with open(os.path.join(root, path), "a", encoding="utf-8") as out:
                out.write(ADDED.get(os.path.splitext(path)[1], "\n// edited\n"))
            seconds, changed = timed(root, cache)
            edited.append(seconds)
            print(f"{path} edited: {seconds:.2f} s CPU", file=sys.stderr, flush=True)
        fresh = index_folder(root)
        same = (fresh.edges, fresh.symbols, fresh.unread) == (changed.edges, changed.symbols, changed.unread)
    print(f"{size / 1e6:.1f} MB, {graph.summary()}")
    print(f"cold {cold:.2f} s CPU ({cold / (size / 1e7):.1f} s for 10 MB), unchanged {warm / cold:.1%} of it")
    edited.sort()
    print(f"one file edited: median {edited[len(edited) // 2] / cold:.2%} of cold, {edited[0] / cold:.2%} to "
          f"{edited[-1] / cold:.2%} over {len(edited)} edits; equal to cold: {same}; {peak} MB")  # fmt: skip


def timed(root: str, cache: str) -> tuple[float, CodeGraph]:
    """CPU seconds of one indexing, those of its parsing processes included."""
    began = cpu()
    graph = index_folder(root, cache)
    return cpu() - began, graph


def cpu() -> float:
    """CPU seconds of this process and of those that ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def main() -> None:
    """Print the figures asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="?", default=str(SHARED / "callgraph" / "pycg.jsonl"))
    parser.add_argument("--show", action="store_true", help="name the cases that differ")
    parser.add_argument("--own", default="", help="javascript or rust")
    parser.add_argument("--speed", metavar="DIR", default="")
    args = parser.parse_args()
    if args.speed:
        speed(args.speed)
        return
    if args.own:
        score_own(args.own, args.show)
        return
    score(Path(args.data), args.show)


if __name__ == "__main__":
    main()
