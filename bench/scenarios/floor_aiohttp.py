"""Floor over aiohttp, the usual client of a Python programmer who writes the loop by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import drive
import floor_loop


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[drive.Run]:
    """Yield the run over one shared session without a connection limit."""
    headers = {"authorization": "Bearer k", "content-type": "application/json"}
    target = f"{url}/chat/completions"
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(body: bytes) -> bytes:
            async with session.post(target, data=body) as response:
                response.raise_for_status()
                return await response.read()

        yield lambda: floor_loop.run(post, "How many people live in Rome?")


if __name__ == "__main__":
    drive.main(connect, floor_loop.idle)
