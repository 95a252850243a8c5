"""Use the tools of MCP servers: list them, try one, approve what it offers.

Servers stand in [[mcp]] of remit.toml. A server's tools can be used once you have approved its definitions; when it
changes one of them, that tool is refused until you approve again. A program runs in sandbox T3 and gets nothing that
its entry does not name; a URL is reached through the egress check, with the grant net:POST URL.

  remit mcp approve files
  remit run "..." --allow 'tool:mcp__files__*'
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, help_text: str, named: bool = True) -> Any:
        made = actions.add_parser(name, help=help_text, allow_abbrev=False)
        if named:
            made.add_argument("name", metavar="NAME", help="as in [[mcp]]")
        made.add_argument("--json", action="store_true", help="one result line on stdout")
        made.add_argument("--journal", metavar="SPEC", help="sqlite:PATH; by default the user's own journal")
        return made

    action("list", "servers, and what is approved of each", named=False)
    test = action("test", "start or reach a server, and compare what it offers with what is approved")
    test.add_argument("--tool", metavar="TOOL", help="call this approved tool as well, by its name after mcp__NAME__")
    test.add_argument("--arguments", metavar="JSON", default="{}", help="for --tool")
    approve = action("approve", "show what a server offers, and approve exactly that")
    approve.add_argument("--digest", metavar="HEX", help="approve without a question when the whole has this digest")
    action("remove", "forget what was approved of a server")


def run(args: Any) -> int:
    """Do one action."""
    from remit.cli import _mcp

    return _mcp.run(args)
