"""List what waits for a person, answer questions and signals, and resolve effects in doubt.

A question of a run is answered with `remit inbox answer ITEM VALUE` (a file with @PATH), an approval with `remit
approve ITEM`. An effect in doubt (its process died between intent and outcome) is resolved with `remit inbox resolve
ITEM done|not-done|retry --reason TEXT`.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from argparse import SUPPRESS

    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    # Suppressed defaults: a flag before the subcommand counts as much as one behind it.
    actions = parser.add_subparsers(dest="action", metavar="answer|resolve")
    answer = actions.add_parser("answer", help="answer a question, or send a signal", allow_abbrev=False)
    answer.add_argument("item", metavar="ITEM", help="an id of the inbox, or its beginning")
    answer.add_argument("value", metavar="VALUE", nargs="?", help="as the question asks: text, JSON, yes, @PATH")
    answer.add_argument("--deny", action="store_true", help="refuse to answer")
    answer.add_argument("--reason", metavar="TEXT", default="", help="why; it is journalled")
    answer.add_argument("--json", action="store_true", default=SUPPRESS, help="one result line on stdout")
    answer.add_argument("--journal", metavar="SPEC", default=SUPPRESS, help="sqlite:PATH")
    resolve = actions.add_parser("resolve", help="say what became of an effect in doubt", allow_abbrev=False)
    resolve.add_argument("item", metavar="ITEM", help="an id of the inbox, or its beginning")
    resolve.add_argument("resolution", choices=("done", "not-done", "retry"), help="done: it happened")
    resolve.add_argument("--reason", metavar="TEXT", required=True, help="how you know; it is journalled")
    resolve.add_argument("--json", action="store_true", default=SUPPRESS, help="one result line on stdout")
    resolve.add_argument("--journal", metavar="SPEC", default=SUPPRESS, help="sqlite:PATH")


def run(args: Any) -> int:
    """List, answer or resolve."""
    from remit.cli import _answer
    from remit.cli._open import with_journal

    if args.action == "answer":
        return with_journal(args, lambda journal: _answer.give(journal, args))
    if args.action == "resolve":
        return with_journal(args, lambda journal: _answer.resolve(journal, args))
    return with_journal(args, lambda journal: _answer.list_items(journal, args.json))
