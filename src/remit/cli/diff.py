"""Compare two moments of runs: what differs, and where two runs first went different ways.

A and B are RUN or RUN@SEQ. Times and ids are left out, so two runs that did the same are equal. Ends with 0 when there
is no difference, with 1 when there is one.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    parser.add_argument("a", metavar="A", help="RUN or RUN@SEQ")
    parser.add_argument("b", metavar="B", help="RUN or RUN@SEQ")


def run(args: Any) -> int:
    """Compare."""
    from remit.cli._open import with_journal
    from remit.cli._travel import diff

    return with_journal(args, lambda journal: diff(journal, args))
