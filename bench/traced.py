"""The Python call graph against calls that were seen: the tests of a real package run under a profiler.

    python bench/traced.py DIR [--path src] [--package NAME] [--show N] [--sample N] [--trace FILE] [--pytest ARGUMENT]

DIR is an unpacked source distribution with its tests. Seen are direct calls from one function of the package to
another; generators and coroutines are left out (who resumes them need not be who calls them), and what a call of code
outside calls back. Printed: the share of the seen pairs (caller, callee) that are edges, once for explicit calls and
once with what no call stands for in the text (properties, operators, iteration); `--show` names pairs that are missing,
by how often they were seen. `--sample` prints edges between functions that both ran and were not seen, with their
lines: they are to be read by a person, since a test may not take every way. `--trace` keeps what was seen.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from remit.code.graph.code_graph import CodeGraph
from remit.code.graph.index import index_folder

PLUGIN = """
import atexit, json, os, sys, threading
ROOT, OUT = os.environ["TRACED_ROOT"], os.environ["TRACED_OUT"]
KNOWN, OPTIMIZED, HIDDEN = {}, 1, ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
seen = {}
def inside(code):
    found = KNOWN.get(code)
    if found is None:
        name = os.path.realpath(code.co_filename)
        found = KNOWN[code] = name.startswith(ROOT + os.sep)
    return found
def seek(frame, event, arg):
    if event != "call":
        return
    code = frame.f_code
    if not inside(code) or not code.co_flags & OPTIMIZED or code.co_flags & 0x2A0 or code.co_name in HIDDEN:
        return
    before = frame.f_back
    while before is not None and before.f_code.co_name in HIDDEN and inside(before.f_code):
        before = before.f_back
    if before is not None and inside(before.f_code):
        pair = before.f_code, code
        seen[pair] = seen.get(pair, 0) + 1
def save():
    sys.setprofile(None)
    rows = [[os.path.realpath(c.co_filename), c.co_qualname, os.path.realpath(d.co_filename), d.co_qualname, n]
            for (c, d), n in list(seen.items())]
    with open(OUT, "w") as out:
        json.dump(rows, out)
atexit.register(save)
threading.setprofile(seek)
sys.setprofile(seek)
"""
Pair = tuple[str, str, str, str]
"""(file, qualified name) of the caller and of the callee"""


def traced(folder: str, path: str, package: str, more: list[str]) -> list[list[str | int]]:
    """[caller's file, its name, callee's file, its name, how often] of a run of the tests."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "traced_calls.py").write_text(PLUGIN)
        out = os.path.join(scratch, "seen.json")
        source = os.path.realpath(os.path.join(folder, path))
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([source, scratch]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
               "TRACED_ROOT": os.path.join(source, package), "TRACED_OUT": out}  # fmt: skip
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "traced_calls", "-p", "no:cacheprovider", *more]
        done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=1800)
        print(done.stdout.strip().rpartition("\n")[2], file=sys.stderr)
        made: list[list[str | int]] = json.loads(Path(out).read_text())
    return [[os.path.relpath(row[0], source), row[1], os.path.relpath(row[2], source), *row[3:]] for row in made]


def pairs_of(rows: list[list[str | int]]) -> Counter[Pair]:
    """Seen pairs, comprehensions as part of their function."""
    made: Counter[Pair] = Counter()
    for caller_file, caller, callee_file, callee, times in rows:
        made[str(caller_file), plain(str(caller)), str(callee_file), plain(str(callee))] += int(times)
    return made


def plain(name: str) -> str:
    """A name as the graph writes it; lambdas of one scope are not told apart."""
    parts = [part for part in name.split(".") if part not in ("<locals>", "<module>")]
    return ".".join("<lambda>" if part.startswith("<lambda") else part for part in parts)


def edges_of(graph: CodeGraph) -> dict[Pair, tuple[str, int, float]]:
    """{pair: (reason, line, confidence)} of every edge inside, guesses by name apart."""
    modules = {s.file: s.name for s in graph.symbols if s.kind == "module"}
    made: dict[Pair, tuple[str, int, float]] = {}
    for edge in graph.edges:
        if edge.callee_file is None or edge.reason == "name":
            continue
        pair = (edge.file, plain(inner(edge.caller, modules[edge.file])),
                edge.callee_file, plain(inner(edge.callee, modules[edge.callee_file])))  # fmt: skip
        made.setdefault(pair, (edge.reason, edge.line, edge.confidence))
    return made


def inner(name: str, module: str) -> str:
    """A dotted name from its module on."""
    return "" if name == module else name.removeprefix(module + ".") if module else name


def implicit(graph: CodeGraph) -> set[tuple[str, str]]:
    """(file, name) of what runs without a call in the text: properties, and methods that operators and `with` run."""
    modules = {s.file: s.name for s in graph.symbols if s.kind == "module"}
    found: set[tuple[str, str]] = set()
    for symbol in graph.symbols:
        last = symbol.name.rpartition(".")[2]
        special = last.startswith("__") and last.endswith("__") and last not in ("__init__", "__new__", "__call__")
        if special or {"property", "cached_property", "setter", "deleter"} & set(symbol.marks):
            found.add((symbol.file, plain(inner(symbol.name, modules[symbol.file]))))
    return found


def report(graph: CodeGraph, seen: Counter[Pair], show: int, sample: int) -> None:
    """Print the figures."""
    edges, hidden = edges_of(graph), implicit(graph)
    explicit = [pair for pair in seen if pair[2:] not in hidden]
    for what, pairs in (("explicit calls", explicit), ("all", list(seen))):
        found = sum(pair in edges for pair in pairs)
        print(f"{what}: recall {found / max(1, len(pairs)):.4f} ({found}/{len(pairs)} pairs that were seen)")
    missing = sorted((pair for pair in seen if pair not in edges), key=lambda pair: (-seen[pair], pair))
    for pair in missing[:show]:
        print(f"missing{'' if pair[2:] not in hidden else ' (implicit)'}: {pair[0]} {pair[1]} -> {pair[2]} {pair[3]}")
    ran = {pair[:2] for pair in seen} | {pair[2:] for pair in seen}
    unseen = [pair for pair in edges if pair not in seen and pair[:2] in ran and pair[2:] in ran]
    both = len(unseen) + sum(pair in edges for pair in seen)
    print(f"{both} edges between functions that both ran, {both - len(unseen)} of them seen")
    for pair in random.Random(1).sample(sorted(unseen), min(sample, len(unseen))):
        reason, line, confidence = edges[pair]
        print(f"unseen: {pair[0]}:{line} {pair[1]} -> {pair[2]} {pair[3]} ({reason}, {confidence:.2f})")


def main() -> None:
    """Trace, compare, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--path", default=".")
    parser.add_argument("--package", default="", help="the folder of the package; the first one that holds modules")
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--trace", default="", help="a file with what was seen; made when it is absent")
    parser.add_argument("--pytest", action="append", default=[], help="a further argument for pytest")
    args = parser.parse_args()
    source = Path(args.folder, args.path)
    package = args.package or next(p.parent.name for p in sorted(source.glob("*/__init__.py"))
                                   if p.parent.name not in ("tests", "test", "docs"))  # fmt: skip
    if args.trace and Path(args.trace).is_file():
        rows = json.loads(Path(args.trace).read_text())
    else:
        rows = traced(args.folder, args.path, package, args.pytest)
        if args.trace:
            Path(args.trace).write_text(json.dumps(rows))
    report(index_folder(str(source)), pairs_of(rows), args.show, args.sample)


if __name__ == "__main__":
    main()
