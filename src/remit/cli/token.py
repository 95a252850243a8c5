"""Make, narrow and revoke tokens: a remit that another process or person may use.

A token says what its holder's runs may do, for 15 minutes by default. Whoever has it can narrow it; nobody can widen
it, and using it needs the holder's private key. Keys lie in files of mode 0600, or come from a pipe (`-`); they are
never shown and never an argument.

  remit token new-key --out issuer.key
  remit token new-key --out ann.key
  remit token mint --key issuer.key --holder PUBLIC --allow 'fs.read:docs/**' --allow 'model:*' --out job.token
  remit run "..." --token job.token --token-key ann.key --allow 'fs.read:**'

Where a token is used, `[policy] token_issuer` of the user's remit.toml holds the issuer's public key.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, help_text: str) -> Any:
        made = actions.add_parser(name, help=help_text, allow_abbrev=False)
        made.add_argument("--json", action="store_true", help="one result line on stdout")
        return made

    new_key = action("new-key", "make a key; prints its public half")
    new_key.add_argument("--out", metavar="FILE", required=True, help="where the private half goes, mode 0600")
    mint = action("mint", "issue a token")
    mint.add_argument("--key", metavar="FILE", required=True, help="the issuer's private key, - = from a pipe")
    mint.add_argument("--holder", metavar="PUBLIC", required=True, help="public key of who may use it, 64 hex digits")
    narrow = action("narrow", "take something away; needs nobody's key")
    hand_over = action("hand-over", "give it to another holder, narrowed")
    hand_over.add_argument("--key", metavar="FILE", required=True, help="the present holder's private key")
    hand_over.add_argument("--to", metavar="PUBLIC", required=True, help="the next holder's public key")
    show = action("show", "what a token says, and whether it counts here")
    revoke = action("revoke", "end a token, those narrowed from it, and the runs that stand on them")
    revoke.add_argument("--root", action="store_true", help="everything that the issuer's own token led to")
    revoke.add_argument("--reason", metavar="TEXT", default="", help="why; it is journalled")
    revoke.add_argument("--journal", metavar="SPEC", help="sqlite:PATH or postgres://...")
    for made in (narrow, hand_over, show):
        made.add_argument("token", metavar="TOKEN", help="a file, - = from a pipe")
    revoke.add_argument("token", metavar="TOKEN", help="a file, - = from a pipe, or a revocation id")
    for made in (narrow, hand_over, show, revoke):
        made.add_argument("--issuer", metavar="PUBLIC", help="replaces [policy] token_issuer")
    for made in (mint, narrow, hand_over):
        made.add_argument("--allow", metavar="GRANT", action="append", help="a grant (repeat)")
        made.add_argument("--deny", metavar="GRANT", action="append", help="a denial (repeat)")
        made.add_argument("--budget-usd", metavar="X", type=float, help="most that a run may cost")
        made.add_argument("--out", metavar="FILE", help="write the token there instead of stdout")
    for made in (mint, narrow):
        made.add_argument("--minutes", metavar="N", type=float, help="until it expires (mint: 15)")


def run(args: Any) -> int:
    """Do one action and print its result."""
    from remit.cli import _token

    return _token.run(args)
