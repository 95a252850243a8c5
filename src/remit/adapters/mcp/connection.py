"""What all connections to a server share: the questions a client asks, and their bounds.

A transport gives `ask`. Here stand the tools that it asks for: all pages, at most so many, each name once.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from remit.wire.mcp.messages import broken
from remit.wire.mcp.tools import MAX_TOOLS, Definition, read_tools

MAX_PAGES: Final = 32
OPEN_S: Final = 30.0
"""to find out the revision, and to list the tools"""
PROBE_S: Final = 3.0
"""how long a server of the older revisions may be silent before it is asked to initialize"""


class Connection(Protocol):
    """One server, reached."""

    @property
    def revision(self) -> str:
        """The revision that both sides speak."""
        ...

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result of one request; raises mcp_failed. Cancelling tells the server, and ends its work."""
        ...


async def list_tools(connection: Connection) -> list[Definition]:
    """All tools of a server; raises mcp_failed."""
    found: dict[str, Definition] = {}
    cursor = ""
    for _ in range(MAX_PAGES):
        page, cursor = read_tools(await connection.ask("tools/list", {"cursor": cursor} if cursor else {}))
        for each in page:
            if each.name in found:
                raise broken(f"two tools are named {each.name[:64]!a}")
            found[each.name] = each
        if len(found) > MAX_TOOLS:
            raise broken(f"it has more than {MAX_TOOLS} tools")
        if not cursor:
            return list(found.values())
    raise broken(f"its tools take more than {MAX_PAGES} pages")
