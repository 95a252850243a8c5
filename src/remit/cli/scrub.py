"""Show a run as it was at a moment: its steps up to there, or its state as data.

RUN is an id, a unique beginning of one, or `last`; a moment is the number of an event (`remit scrub RUN` prints them).
Nothing is run: the journal is only read. A `^` marks what a fork shares with the run that it comes from.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    parser.add_argument("run", metavar="RUN", help="an id, its beginning, or last; RUN@SEQ names a moment")
    parser.add_argument("--at", metavar="SEQ", help="the moment; by default the last one")
    parser.add_argument("--state", action="store_true", help="the state there: what stands at each key")


def run(args: Any) -> int:
    """Show."""
    from remit.cli._open import with_journal
    from remit.cli._travel import scrub

    return with_journal(args, lambda journal: scrub(journal, args))
