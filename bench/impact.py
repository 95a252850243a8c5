"""Test selection by impact: seeded mutations of a real package, its tests run whole after each.

    python bench/impact.py DIR [--count 100] [--seed 1] [--path src] [--coverage] [--state FILE] [--pytest ARGUMENT]...

DIR is an unpacked source distribution with its tests. Each mutation changes one expression of one function (an
operator, a constant, a condition, a result). Printed: of the tests that newly fail, the share that the selection holds
(recall), and the share of all tests that it selects, on average. `--coverage` lets the selection use what an unchanged
run of each test executed, as an earlier `remit code test` records it. `--state` keeps a line of JSON for each mutation,
so that a run that was stopped goes on where it was (with the same DIR, seed and options).
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from remit.code.graph.code_graph import CodeGraph
from remit.code.graph.impact import changed_symbols, is_test
from remit.code.graph.index import index_folder
from remit.code.patches.unified import diff
from remit.code.running.record import Executed, record_in
from remit.code.running.selection import selected

SWAPS = {ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
         ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add,
         ast.Mult: ast.Add, ast.And: ast.Or, ast.Or: ast.And}  # fmt: skip
RECORDER = Path(__file__).resolve().parents[1] / "src" / "remit" / "code" / "running" / "pytest_recorder.py"


def mutations(text: str) -> list[tuple[int, int, int, str]]:
    """(line from 1, first column, last column, replacement) of every change that fits on one line of a function."""
    found = []
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in (n for statement in function.body for n in ast.walk(statement)):
            changed = changed_node(node)
            if changed is not None and node.lineno == node.end_lineno:
                found.append((node.lineno, node.col_offset, node.end_col_offset, f"({ast.unparse(changed)})"))
    return sorted(set(found))


def changed_node(node: ast.AST) -> ast.expr | None:
    """The node with one thing changed, None where there is nothing to change."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        return ast.Compare(node.left, [SWAPS[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        return ast.BinOp(node.left, SWAPS[type(node.op)](), node.right)
    if isinstance(node, ast.BoolOp):
        return ast.BoolOp(SWAPS[type(node.op)](), node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return ast.Constant(node.value + 1)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return node.operand
    return None


def run(root: str, path: str, more: list[str], *, record: bool = False, limit: float = 900.0) -> Executed | None:
    """A whole run; None when it did not come to an end within `limit` seconds."""
    env = {**os.environ, "PYTHONPATH": os.path.join(root, path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
           "REMIT_RECORD": "1" if record else "0"}  # fmt: skip
    argv = [sys.executable, str(RECORDER), "-q", *more]
    try:
        done = subprocess.run(argv, cwd=root, env=env, capture_output=True, timeout=limit, check=False, text=True)
    except subprocess.TimeoutExpired:
        return None
    return record_in(done.stdout)[1]


def base(test: str) -> str:
    """A test without its parameters."""
    return test.partition("[")[0]


def selection(graph: CodeGraph, root: str, name: str, after: str, executed: Executed | None) -> set[str]:
    """The tests that are selected for a change of one file."""
    before = Path(root, name).read_text()
    changed = changed_symbols(graph, diff(before, after, path=name), {name: before.split("\n")})
    return set(selected(graph, changed, executed))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--path", default=".")
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--state", default="", help="a file that makes a stopped run go on")
    parser.add_argument("--pytest", action="append", default=[], help="a further argument for pytest")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = os.path.join(scratch, Path(args.folder).resolve().name)
        shutil.copytree(args.folder, root, symlinks=True)
        measure(root, args)


def measure(root: str, args: argparse.Namespace) -> None:
    """Mutate, select, run, compare."""
    began = time.monotonic()
    first = run(root, args.path, args.pytest, record=True)
    limit = 5 + 2 * (time.monotonic() - began)  # the record alone makes it three times as slow
    if first is None:
        raise SystemExit("the unchanged tests did not come to an end")
    before = {base(test) for test, outcome in first.outcomes.items() if outcome == "passed"}
    graph = index_folder(root)
    executed = first if args.coverage else None
    places = places_in(root, graph)
    random.Random(args.seed).shuffle(places)
    kept = Path(args.state).read_text().splitlines() if args.state and Path(args.state).is_file() else []
    rows = [json.loads(line) for line in kept]
    for place in places[len(rows) : args.count]:
        rows.append(one_mutation(root, args, graph, place, (before, executed, limit)))
        if args.state:
            with open(args.state, "a", encoding="utf-8") as out:
                out.write(json.dumps(rows[-1]) + "\n")
        if len(rows) % 5 == 0:
            print(f"at {len(rows)} of {min(args.count, len(places))}: {said(rows)}", file=sys.stderr, flush=True)
    print(f"{len(before)} tests; {said(rows)}")


def places_in(root: str, graph: CodeGraph) -> list[tuple[str, int, int, int, str]]:
    """Everything that can be mutated outside of tests, in the order of files."""
    tests = {s.file for s in graph.symbols if is_test(s)}
    places = []
    for path in sorted(Path(root).rglob("*.py")):
        name = path.relative_to(root).as_posix()
        top = name.partition("/")[0]
        if name not in tests and "/tests/" not in f"/{name}" and name not in ("setup.py", "versioneer.py") and \
                top not in ("docs", "examples"):  # fmt: skip
            places += [(name, *one) for one in mutations(path.read_text())]
    return places


def one_mutation(
    root: str, args: argparse.Namespace, graph: CodeGraph, place: tuple[str, int, int, int, str],
    known: tuple[set[str], Executed | None, float],
) -> dict[str, float | int | None]:  # fmt: skip
    """{newly failing, of them selected, share of the tests selected}; all None when the run had no end."""
    name, line, first, last, new = place
    before, executed, limit = known
    text = Path(root, name).read_text()
    lines = text.split("\n")
    raw = lines[line - 1].encode()
    lines[line - 1] = (raw[:first] + new.encode() + raw[last:]).decode()
    chosen = selection(graph, root, name, "\n".join(lines), executed)
    Path(root, name).write_text("\n".join(lines))
    after = run(root, args.path, args.pytest, limit=limit)
    Path(root, name).write_text(text)
    if after is None or not after.outcomes:
        return {"failed": None, "caught": None, "share": None}
    failed = {base(t) for t, outcome in after.outcomes.items() if outcome not in ("passed", "skipped")} & before
    missed = failed - chosen
    if missed:
        print(f"missed at {name}:{line}: {sorted(missed)[:4]} of {len(failed)}", file=sys.stderr, flush=True)
    return {"failed": len(failed), "caught": len(failed & chosen), "share": len(chosen & before) / len(before)}


def said(rows: list[dict[str, float | int | None]]) -> str:
    """The figures so far."""
    done = [row for row in rows if row["failed"] is not None]
    failing, caught = sum(row["failed"] for row in done), sum(row["caught"] for row in done)
    share = sum(row["share"] for row in done) / max(1, len(done))
    return (f"{len(done)} mutations ({len(rows) - len(done)} more without an end), newly failing {failing}, selected "
            f"{caught}: recall {caught / max(1, failing):.4f}; selected on average {share:.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
