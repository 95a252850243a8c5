"""What is allowed and why; what a run may do; the smallest remit that a run needed.

`remit policy check "VERB:RESOURCE"` asks the grants, denials and policies of this folder's settings (and flags), as the
gate would: exit code 0 allowed, 3 denied, 8 a person would be asked. `explain RUN` says in words what a run could do,
with the id of every grant. `suggest RUN` prints the grants that cover what the run did, as remit.toml and as flags.
`revoke GRANT` takes a grant back by its id, in one run and all that it started or in every run, now and after restarts.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    actions = parser.add_subparsers(dest="action", metavar="check|explain|suggest|revoke", required=True)
    check = actions.add_parser("check", help="whether an effect is allowed, by which rule", allow_abbrev=False)
    check.add_argument("need", metavar="VERB:RESOURCE", nargs="?", default="", help="as net:POST https://x.org/v1")
    check.add_argument("--tool", metavar="NAME", help="ask for a whole call of this tool")
    check.add_argument("--args", metavar="JSON", default="", help="the call's arguments, a JSON object")
    check.add_argument("--agent", metavar="NAME", default="cli", help="the agent that a Cedar policy sees")
    _grants(check)
    explain = actions.add_parser("explain", help="in words: what a run could do", allow_abbrev=False)
    explain.add_argument(
        "run", metavar="RUN", nargs="?", default="", help="id, its beginning, or last; none: this folder"
    )
    _grants(explain)
    suggest = actions.add_parser("suggest", help="the smallest remit that a run needed", allow_abbrev=False)
    suggest.add_argument("run", metavar="RUN", help="id, its beginning, or last")
    suggest.add_argument("--refused", action="store_true", help="cover what was refused for want of a grant as well")
    revoke = actions.add_parser("revoke", help="take a grant back, by its id", allow_abbrev=False)
    revoke.add_argument("grant", metavar="GRANT", nargs="?", default="", help="g_..., as explain prints it")
    revoke.add_argument("--run", metavar="RUN", default="", help="id, its beginning, or last; none: every run")
    revoke.add_argument("--reason", metavar="TEXT", default="", help="for the journal")
    revoke.add_argument("--list", action="store_true", help="what is revoked")
    for each in (check, explain, suggest, revoke):
        each.add_argument("--json", action="store_true", help="NDJSON on stdout, one final result line")
        each.add_argument("--journal", metavar="SPEC", help="sqlite:PATH; by default the user's own journal")


def _grants(parser: Any) -> None:
    parser.add_argument("--allow", metavar="GRANT", action="append", help="as for remit run")
    parser.add_argument("--deny", metavar="GRANT", action="append", help="as for remit run")
    parser.add_argument("--model", metavar="NAME", help="the model that a run would use")
    parser.add_argument("--workspace", metavar="DIR", default=".", help="whose remit.toml counts")


def run(args: Any) -> int:
    """Do what was asked."""
    from remit.cli import _policy
    from remit.cli._open import with_journal

    if args.action == "check":
        return _policy.check(args)
    if args.action == "explain" and not args.run:
        return _policy.explain_settings(args)
    if args.action == "explain":
        return with_journal(args, lambda journal: _policy.explain_run(journal, args))
    if args.action == "revoke":
        from remit.cli import _revoke

        return _revoke.revoke(args)
    return with_journal(args, lambda journal: _policy.suggest_for(journal, args))
