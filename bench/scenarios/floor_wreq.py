"""Floor over wreq, a real HTTP client: the floor that ratios name by default."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import drive
import floor_loop
import wreq


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[drive.Run]:
    """Yield the run over one shared client; one worker thread is the fastest setting on two cores."""
    client = wreq.Client(http1_only=True, no_proxy=True, runtime=wreq.Runtime(workers=1))
    target = f"{url}/chat/completions"
    headers = {"authorization": "Bearer k", "content-type": "application/json"}

    async def post(body: bytes) -> bytes:
        response = await client.post(target, headers=headers, body=body)
        return bytes(await response.bytes())

    yield lambda: floor_loop.run(post, "How many people live in Rome?")
    client.close()


if __name__ == "__main__":
    drive.main(connect, floor_loop.idle)
