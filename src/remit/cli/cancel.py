"""Cancel a run, wherever it stands: waiting, interrupted, or live in another `remit run`. Or stop everything.

A live run of another process is asked to end (SIGTERM), and ends with its partial result. A run that a program
of your own holds is stopped in that program.

--all stops every process of this user, and stays until --lift, restarts included: no run begins (--level pause),
no effect happens either (effects), live runs are ended too (kill).
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("run", metavar="RUN", nargs="?", help="an id, its beginning, or last")
    what.add_argument("--all", action="store_true", help="the emergency stop")
    what.add_argument("--lift", action="store_true", help="end the emergency stop")
    what.add_argument("--status", action="store_true", help="whether everything is stopped")
    parser.add_argument("--level", choices=("pause", "effects", "kill"), default="effects", help="of --all")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; it is journalled")


def run(args: Any) -> int:
    """Cancel."""
    from remit.cli import _estop
    from remit.cli._cancel import cancel
    from remit.cli._open import with_journal

    if args.all:
        return _estop.stop_all(args)
    if args.lift or args.status:
        return _estop.lift(args) if args.lift else _estop.status(args)
    return with_journal(args, lambda journal: cancel(journal, args))
