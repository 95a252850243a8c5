"""What model calls cost: totals by model and agent, caps, savings; record, reset and export.

`remit cost`, the same as `remit cost status`, reads the journal: today, this month, by model and agent, what caches and
routing saved, and what is left of the caps of [cost]. `record` counts against the caps what was spent outside of remit.
`reset` sets the caps' counters back. `export` prints every call as CSV or NDJSON.
"""

from __future__ import annotations

from argparse import SUPPRESS
from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    _flags(parser, "status", None)
    actions = parser.add_subparsers(dest="action", metavar="status|record|reset|export")
    status = actions.add_parser("status", help="totals, caps and savings", allow_abbrev=False)
    record = actions.add_parser("record", help="count what was spent elsewhere", allow_abbrev=False)
    record.add_argument("usd", metavar="USD", type=float, help="how much, in US dollars")
    record.add_argument("--model", metavar="NAME", default="", help="on which model, as provider:model")
    record.add_argument("--agent", metavar="NAME", default="", help="by which agent")
    reset = actions.add_parser("reset", help="set the counters of the caps to nothing", allow_abbrev=False)
    reset.add_argument("--force", action="store_true", help="also where the file of the counters is damaged")
    export = actions.add_parser("export", help="every model call", allow_abbrev=False)
    export.add_argument("--format", choices=("csv", "json"), default="csv", help="CSV, or NDJSON")
    for name, each in (("status", status), ("record", record), ("reset", reset), ("export", export)):
        _flags(each, name, SUPPRESS)  # or a default here would undo what stands before the action


def _flags(parser: Any, action: str, default: Any) -> None:
    parser.add_argument("--json", action="store_true", default=default or False,
                        help="NDJSON on stdout, one final result line")  # fmt: skip
    parser.add_argument("--journal", metavar="SPEC", default=default,
                        help="sqlite:PATH; by default the user's own journal")  # fmt: skip
    if action in ("status", "export"):
        parser.add_argument("--runs", metavar="N", type=int, default=default or 10_000,
                            help="the newest N runs (default: 10000)")  # fmt: skip


def run(args: Any) -> int:
    """Do what was asked."""
    from remit.cli import _cost

    return {"status": _cost.status, "record": _cost.record, "reset": _cost.reset, "export": _cost.export}[
        args.action or "status"
    ](args)
