"""The body of a request to the proxy, read whole: by its length, or chunk by chunk."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from remit.errors import Exhausted, Invalid

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e]{0,1000})?\r\n")
_MAX_LINE: Final = 1100
_MAX_TRAILER_LINES: Final = 50


class _Source:
    """A reader with the bytes that were read too far."""

    def __init__(self, reader: asyncio.StreamReader, rest: bytes, idle_s: float) -> None:
        self._reader = reader
        self._rest = rest
        self._idle_s = idle_s

    async def more(self) -> None:
        async with asyncio.timeout(self._idle_s):
            piece = await self._reader.read(65536)
        if not piece:
            raise ConnectionResetError
        self._rest += piece

    async def exactly(self, size: int) -> bytes:
        parts = [self._rest]
        have = len(self._rest)
        self._rest = b""
        while have < size:
            await self.more()
            parts.append(self._rest)
            have += len(self._rest)
            self._rest = b""
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]

    async def line(self) -> bytes:
        while (end := self._rest.find(b"\r\n")) < 0:
            if len(self._rest) > _MAX_LINE:
                raise _broken()
            await self.more()
        found, self._rest = self._rest[: end + 2], self._rest[end + 2 :]
        return found


async def read_body(reader: asyncio.StreamReader, rest: bytes, length: int, limit: int, idle_s: float) -> bytes:
    """The body.

    Args:
        reader: what follows `rest`.
        rest: bytes behind the head that were read with it.
        length: bytes; -1 = chunked.
        limit: most bytes.
        idle_s: longest silence.
    Raises:
        Exhausted: `output_too_large`. Invalid: `value_invalid`, broken chunks. TimeoutError, ConnectionError.
    """
    source = _Source(reader, rest, idle_s)
    if length >= 0:
        if length > limit:
            raise _too_large(limit)
        return await source.exactly(length)
    parts: list[bytes] = []
    total = 0
    while True:
        found = _SIZE.fullmatch(await source.line())
        if found is None:
            raise _broken()
        size = int(found[1], 16)
        if size == 0:
            break
        total += size
        if total > limit:
            raise _too_large(limit)
        data = await source.exactly(size + 2)
        if not data.endswith(b"\r\n"):
            raise _broken()
        parts.append(data[:-2])
    for _ in range(_MAX_TRAILER_LINES):
        if await source.line() == b"\r\n":  # trailers are dropped
            return b"".join(parts)
    raise _broken()


def _too_large(limit: int) -> Exhausted:
    return Exhausted("output_too_large", f"the request's body has more than {limit} bytes")


def _broken() -> Invalid:
    return Invalid("value_invalid", "not a request that can be judged: its chunks are broken")
