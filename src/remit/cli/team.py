"""Run, check or begin a workflow file: several agents under one run.

remit team run FILE "TASK" --model M     members work under what --allow and the user's settings grant
remit team run FILE "TASK" --estimate    only how many model calls it will make
remit team run FILE --resume RUN         go on with a run of the file
remit team check FILE                    everything that can be wrong with it, without running it
remit team init [TEMPLATE]               write a template: crew, debate, graph or pipeline
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    run = actions.add_parser("run", help="run it, or go on with a run of it", allow_abbrev=False)
    run.add_argument("file", metavar="FILE", help="a .yaml or .toml file")
    run.add_argument("task", nargs="?", metavar="TASK", help="what to do; JSON for a graph's state")
    run.add_argument("--workspace", metavar="DIR", default=".", help="the folder to work in (default: this one)")
    run.add_argument("--model", metavar="M", help="of agents that name none: provider:model")
    run.add_argument("--base-url", metavar="URL", help="address of that model's API")
    run.add_argument("--allow", metavar="GRANT", action="append", help="a grant, as fs.read:src/** (repeat)")
    run.add_argument("--deny", metavar="GRANT", action="append", help="a denial; it beats every grant (repeat)")
    run.add_argument("--budget-usd", metavar="X", type=float, help="most that the whole team may cost, in US dollars")
    run.add_argument("--deadline-s", metavar="N", type=float, help="seconds for the whole team")
    run.add_argument("--estimate", action="store_true", help="only say how many model calls it will make")
    run.add_argument("--resume", metavar="RUN", help="go on with this run of the file")
    run.add_argument("--journal", metavar="SPEC", help="sqlite:PATH or memory:")
    run.add_argument("--json", action="store_true", help="NDJSON events on stdout, then one result line")
    check = actions.add_parser("check", help="check a file", allow_abbrev=False)
    check.add_argument("file", metavar="FILE", help="a .yaml or .toml file")
    check.add_argument("--mermaid", action="store_true", help="print a graph as Mermaid")
    check.add_argument("--json", action="store_true", help="one result line on stdout")
    init = actions.add_parser("init", help="write a template", allow_abbrev=False)
    init.add_argument("template", nargs="?", metavar="TEMPLATE", default="pipeline", help="by default pipeline")
    init.add_argument("--out", metavar="FILE", default="", help="where to (default: TEMPLATE.yaml); never overwritten")


def run(args: Any) -> int:
    """Do what the action says."""
    from remit.cli import _team

    actions = {"run": _team.run_file, "check": _team.check_file, "init": _team.write_template}
    return actions[args.action](args)
