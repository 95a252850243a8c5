"""Cancel a run, wherever it stands: waiting, interrupted, or live in another `remit run`.

A live run of another process is asked to end (SIGTERM), and ends with its partial result. A run that a program
of your own holds is stopped in that program.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    parser.add_argument("run", metavar="RUN", help="an id, its beginning, or last")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; it is journalled")


def run(args: Any) -> int:
    """Cancel."""
    from remit.cli._cancel import cancel
    from remit.cli._open import with_journal

    return with_journal(args, lambda journal: cancel(journal, args))
