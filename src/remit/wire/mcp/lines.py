"""The stdio framing: one message a line, cut anywhere.

Source: MCP 2026-07-28, basic/transports/stdio.
"""

from __future__ import annotations

from remit.wire.mcp.messages import MAX_MESSAGE_BYTES, broken


class LineReader:
    """Bytes to whole lines; at most one unfinished line is kept."""

    __slots__ = ("_limit", "_rest")

    def __init__(self, limit: int = MAX_MESSAGE_BYTES) -> None:
        self._rest = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without empty ones; raises mcp_failed over the bound."""
        head, found, tail = data.partition(b"\n")
        if len(self._rest) + len(head) > self._limit:
            raise broken(f"a line has more than {self._limit} bytes")
        self._rest += head
        if not found:
            return []
        lines = [bytes(self._rest), *tail.split(b"\n")]
        self._rest = bytearray(lines.pop())
        if len(self._rest) > self._limit:
            raise broken(f"a line has more than {self._limit} bytes")
        return [line for line in lines if line.strip()]
