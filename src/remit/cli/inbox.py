"""List what waits for a person, and resolve effects in doubt.

An approval is answered with `remit approve ITEM`. An effect in doubt (its process died between intent and
outcome) is resolved with `remit inbox resolve ITEM done|not-done|retry --reason TEXT`.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from argparse import SUPPRESS

    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    # Suppressed defaults: a flag before the subcommand counts as much as one behind it.
    actions = parser.add_subparsers(dest="action", metavar="resolve")
    resolve = actions.add_parser("resolve", help="say what became of an effect in doubt", allow_abbrev=False)
    resolve.add_argument("item", metavar="ITEM", help="an id of the inbox, or its beginning")
    resolve.add_argument("resolution", choices=("done", "not-done", "retry"), help="done: it happened")
    resolve.add_argument("--reason", metavar="TEXT", required=True, help="how you know; it is journalled")
    resolve.add_argument("--json", action="store_true", default=SUPPRESS, help="one result line on stdout")
    resolve.add_argument("--journal", metavar="SPEC", default=SUPPRESS, help="sqlite:PATH")


def run(args: Any) -> int:
    """List or resolve."""
    from remit.cli import _answer
    from remit.cli._open import with_journal

    if args.action == "resolve":
        return with_journal(args, lambda journal: _answer.resolve(journal, args))
    return with_journal(args, lambda journal: _answer.list_items(journal, args.json))
