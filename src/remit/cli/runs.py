"""List the runs, newest first.

Statuses: running, waiting, ok, denied, failed, cancelled, exhausted, interrupted (its process is gone).
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="at most N runs (default: 20)")


def run(args: Any) -> int:
    """Print the table."""
    from msgspec import structs

    from remit.cli import _output
    from remit.cli._open import with_journal
    from remit.errors import Invalid

    if args.limit < 1:
        raise Invalid("usage_invalid", f"--limit {args.limit}: a number above 0 is needed")

    async def work(journal: Any) -> int:
        rows = journal.runs(args.limit)
        if args.json:
            for row in rows:
                _output.json_line(structs.asdict(row))
            _output.json_line({"type": "result", "status": "ok", "runs": len(rows)})
        elif rows:
            cells = [(row.run_id, row.status, str(row.events), row.agent, row.task) for row in rows]
            _output.table(("RUN", "STATUS", "EVENTS", "AGENT", "TASK"), cells)
        else:
            _output.say('There are no runs yet. Start one: remit run "TASK" --model M')
        return 0

    return with_journal(args, work)
