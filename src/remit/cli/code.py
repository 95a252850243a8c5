"""Work on source code without a model: compare, patch and merge files.

    remit code diff OLD NEW                 a unified diff, as git writes it
    remit code apply PATCH [DIR]            any form that models write; all files or none
    remit code merge BASE OURS THEIRS       three-way, with conflict markers
    remit code oracle --runner R ...        what a finished test run says
    remit code map|find|calls|impact|context|deps     what the code graph says of a folder
    remit code test [DIR] [--impact BASE]   run its tests in the sandbox; with BASE only those a change may break
    remit code review PATH                  what rules over syntax and data flow find
    remit code plan "TASK" [DIR]            ordered steps over the files that the task is about

PATCH may be - for standard input. Nothing is written before everything fits.
"""

from __future__ import annotations

from typing import Any, Final

GRAPH: Final = {
    "map": "the symbols that matter most", "find": "symbols by name, and where they are used",
    "calls": "who calls whom", "impact": "what a change touches", "context": "the code that a task needs",
    "deps": "who imports what",
}  # fmt: skip


def add(parser: Any) -> None:
    """The flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    diff = actions.add_parser("diff", help="compare two files", allow_abbrev=False)
    diff.add_argument("old", metavar="OLD")
    diff.add_argument("new", metavar="NEW")
    diff.add_argument("--path", metavar="PATH", default="", help="the path that the diff names (default: NEW)")
    diff.add_argument("--context", metavar="N", type=int, default=3, help="equal lines around a change (default: 3)")
    apply = actions.add_parser("apply", help="apply a patch to the files of a folder", allow_abbrev=False)
    apply.add_argument("patch", metavar="PATCH", help="a file, or - for standard input")
    apply.add_argument("dir", metavar="DIR", nargs="?", default=".", help="where its paths begin (default: here)")
    apply.add_argument("--check", action="store_true", help="only say what it would do")
    apply.add_argument("--reverse", action="store_true", help="take it back")
    apply.add_argument("--json", action="store_true", help="one result line on stdout")
    merge = actions.add_parser("merge", help="join two changes of one file", allow_abbrev=False)
    merge.add_argument("base", metavar="BASE")
    merge.add_argument("ours", metavar="OURS")
    merge.add_argument("theirs", metavar="THEIRS")
    merge.add_argument("--out", metavar="FILE", default="", help="write there instead of printing")
    oracle = actions.add_parser("oracle", help="read the output of a test run", allow_abbrev=False)
    oracle.add_argument("--runner", metavar="R", required=True, help="pytest, jest, vitest, node, go or cargo")
    oracle.add_argument("--stdout", metavar="FILE", required=True, help="what it printed")
    oracle.add_argument("--stderr", metavar="FILE", default="", help="what it printed to standard error")
    oracle.add_argument("--exit-code", metavar="N", type=int, required=True)
    oracle.add_argument("--report", metavar="FILE", default="", help="JUnit XML (pytest) or JSON (jest, vitest)")
    oracle.add_argument("--json", action="store_true", help="one object on stdout")
    test = actions.add_parser("test", help="run a folder's tests in the sandbox", allow_abbrev=False)
    test.add_argument("dir", metavar="DIR", nargs="?", default=".", help="the folder (default: here)")
    test.add_argument("--runner", metavar="R", default="", help="pytest, jest, vitest, node, go or cargo")
    test.add_argument("--test", metavar="ID", action="append", default=[], help="only this test; may be repeated")
    test.add_argument("--impact", metavar="BASE", default="", help="only what changes since this commit may break")
    test.add_argument("--python", metavar="PATH", default="", help="the interpreter (default: .venv, then python3)")
    test.add_argument("--write", metavar="FOLDER", action="append", default=[], help="a folder that tests may write")
    test.add_argument("--timeout", metavar="S", type=float, default=600, help="seconds (default: 600)")
    test.add_argument("--no-cache", action="store_true", help="neither use nor keep what an earlier run executed")
    test.add_argument("--json", action="store_true", help="one object on stdout")
    plan = actions.add_parser("plan", help="a task as ordered steps", allow_abbrev=False)
    plan.add_argument("task", metavar="TASK")
    plan.add_argument("dir", metavar="DIR", nargs="?", default=".", help="the source tree (default: here)")
    plan.add_argument("--check", metavar="FILE", default="", help="check and complete a plan that FILE holds as JSON")
    plan.add_argument("--json", action="store_true", help="the plan as one object")
    _add_graph(actions)
    _add_review(actions)


def _add_graph(actions: Any) -> None:
    """The questions to the code graph."""
    made = {name: actions.add_parser(name, help=text, allow_abbrev=False) for name, text in GRAPH.items()}
    made["find"].add_argument("name", metavar="NAME", help="a name or a part of one")
    made["context"].add_argument("task", metavar="TASK", help="what is to be done, in words")
    for name, one in made.items():
        one.add_argument("dir", metavar="DIR", nargs="?", default=".", help="the folder (default: here)")
        one.add_argument("--json", action="store_true", help="one result line on stdout")
        one.add_argument("--no-cache", action="store_true", help="neither use nor keep facts of an earlier time")
        if name in ("map", "context"):
            one.add_argument("--tokens", metavar="N", type=int, default=4000, help="budget (default: 4000)")
    made["calls"].add_argument("--callers", metavar="NAME", default="", help="only what leads to NAME")
    made["calls"].add_argument("--callees", metavar="NAME", default="", help="only what NAME leads to")
    made["calls"].add_argument("--depth", metavar="N", type=int, default=1, help="steps; 0 = all (default: 1)")
    made["impact"].add_argument("--diff", metavar="PATCH", default="", help="a patch file, or - for standard input")
    made["impact"].add_argument("--symbol", metavar="NAME", action="append", default=[], help="may be repeated")


def _add_review(actions: Any) -> None:
    """The flags of a review."""
    one = actions.add_parser("review", help="what rules over syntax and data flow find", allow_abbrev=False)
    one.add_argument("path", metavar="PATH", nargs="?", default=".", help="a folder or a file (default: here)")
    one.add_argument("--diff", metavar="BASE", default="",
                     help="only changed lines: since a git revision, or of a patch file (- = standard "
                     "input)")  # fmt: skip
    one.add_argument("--format", choices=("text", "json", "md", "sarif"), default="text")
    one.add_argument("--fail-on", choices=("info", "warning", "error", "critical"), default="",
                     help="exit 1 when something this grave or graver is found")  # fmt: skip
    one.add_argument("--max", metavar="N", type=int, default=None,
                     help="findings shown (default: 50 in text and md, all in json and sarif)")  # fmt: skip
    one.add_argument("--rule", metavar="ID", action="append", default=[], help="only this rule; may be repeated")
    one.add_argument("--baseline", metavar="FILE", default="", help="leave out what this file knows already")
    one.add_argument("--write-baseline", metavar="FILE", default="", help="keep what is shown as known")
    one.add_argument("--fix", action="store_true", help="make the fixes that are safe")
    one.add_argument("--tool", choices=("ruff", "bandit", "semgrep"), action="append", default=[],
                     help="run it in the sandbox too")  # fmt: skip
    one.add_argument("--results", metavar="TOOL:FILE", action="append", default=[],
                     help="what ruff, bandit or semgrep printed as JSON, or sarif:FILE")  # fmt: skip


def run(args: Any) -> int:
    """Compare, apply or merge."""
    if args.action == "review":
        from remit.cli import _code_review

        return _code_review.show(args)
    if args.action == "plan":
        from remit.cli import _code_plan

        return _code_plan.show(args)
    if args.action == "test":
        from remit.cli import _code_test

        return _code_test.show(args)
    if args.action == "oracle":
        from remit.cli import _code_oracle

        return _code_oracle.show(args)
    if args.action in GRAPH:
        from remit.cli import _code_graph

        return _code_graph.show(args)
    from remit.cli import _code_patch

    actions = {"diff": _code_patch.show_diff, "apply": _code_patch.apply_patch, "merge": _code_patch.show_merge}
    return actions[args.action](args)
