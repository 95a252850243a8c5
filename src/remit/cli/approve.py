"""Answer a call that waits for approval.

The answer counts once, for exactly the arguments that were shown; with --edit the changed call passes every
check of the gate again. Then go on with: remit run --resume RUN
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    parser.add_argument("item", metavar="ITEM", nargs="?", default="", help="an id of the inbox, or its beginning")
    parser.add_argument("--code", metavar="CODE", default="", help="of your authenticator, for [second_factor] calls")
    parser.add_argument("--enroll", action="store_true", help="set up an authenticator; shows its secret once")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--deny", action="store_true", help="refuse the call")
    choice.add_argument("--edit", metavar="JSON", help="approve it with these arguments instead")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; it is journalled")


def run(args: Any) -> int:
    """Answer."""
    from remit.cli import _answer
    from remit.cli._open import with_journal

    if args.enroll:
        return _answer.enroll(args)
    return with_journal(args, lambda journal: _answer.approve(journal, args))
