"""Show one run: its steps with decisions and reasons, its cost, or its raw events.

RUN is an id, a unique beginning of one, or `last`.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    parser.add_argument("run", metavar="RUN", help="an id, its beginning, or last")
    view = parser.add_mutually_exclusive_group()
    view.add_argument("--cost", action="store_true", help="tokens and money by model")
    view.add_argument("--events", action="store_true", help="the journal's events as NDJSON")


def run(args: Any) -> int:
    """Print the view that was asked for."""
    from remit.cli import _show
    from remit.cli._open import find_run, with_journal

    async def work(journal: Any) -> int:
        run_id = find_run(journal, args.run)
        entries = journal.read(run_id)
        if args.events:
            _show.show_events(entries, args.json)
        elif args.cost:
            _show.show_cost(run_id, entries, args.json)
        else:
            _show.show_transcript(run_id, entries, journal, args.json)
        return 0

    return with_journal(args, work)
