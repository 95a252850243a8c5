"""Keep secrets that agents use by name and never see.

A value is read from a prompt without echo, or from a pipe; never from an argument or a variable. Agents write the
handle {{secret:NAME}} into a header or a field of a body; the egress puts the value there when a binding covers
host, method and slot, and the run holds the grant secret:NAME@HOST. What comes back is masked.

  printf %s "$TOKEN" | remit vault add github --to https://api.github.com --slot header:authorization
  remit run "..." --allow net:api.github.com --allow secret:github@api.github.com
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli import _keys

    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, help_text: str, named: bool = True) -> Any:
        made = actions.add_parser(name, help=help_text, allow_abbrev=False)
        if named:
            made.add_argument("name", metavar="NAME", help="lower-case letters, digits, . _ -")
        made.add_argument("--json", action="store_true", help="one result line on stdout")
        return made

    for made in (action("add", "keep a new secret"), action("rotate", "replace the value; the bindings stay")):
        made.add_argument("--expires", metavar="DAYS", type=float, help="refuse every use after so many days")
    _bindings(actions.choices["add"])
    bind = action("bind", "say where a secret may go")
    _bindings(bind)
    bind.add_argument("--remove", action="store_true", help="take these bindings away instead")
    action("list", "names, bindings and times; never a value", named=False)
    action("remove", "forget a secret")
    _keys.add(actions)


def run(args: Any) -> int:
    """Change or list."""
    from remit.cli import _keys, _vault

    return _keys.run(args) if args.action == "keys" else _vault.run(args)


def _bindings(parser: Any) -> None:
    target = "[METHOD[,METHOD] ][https://]host[:port][/path]; GET and HEAD over https by default"
    slot = "header:NAME or body:FIELD; header:authorization by default"
    parser.add_argument("--to", metavar="TARGET", action="append", default=[], help=target)
    parser.add_argument("--slot", metavar="SLOT", action="append", default=[], help=slot)
