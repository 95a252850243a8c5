"""`remit audit tail --to webhook:URL`: decisions and the newest signed checkpoint to another machine, as POSTs.

Each POST is an effect of a run of its own in a journal in memory, with the grant of exactly this URL: it passes gate,
egress check and leak guard, and it adds nothing to the log that it reports. The body is one JSON object
{"checkpoint", "records"}; whoever keeps the checkpoints is a witness: a log that was cut or written anew no
longer contains them (`remit audit verify --witness`). Only a status of 200 to 299 counts as kept.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import msgspec

from remit.errors import Unavailable
from remit.journal.sinks import Batch


class WebhookSink:
    """One URL. It remembers in the state folder what was kept.

    Args:
        url: where to.
        folder: the state folder.
        checkpoint: gives the newest checkpoint's note, as text.
    """

    def __init__(self, url: str, folder: str, checkpoint: Callable[[], str]) -> None:
        self._url = url
        self._checkpoint = checkpoint
        self._path = os.path.join(folder, "sinks", sha256(url.encode()).hexdigest()[:32])

    def cursor(self) -> int:
        """See Sink."""
        try:
            with open(self._path, encoding="ascii") as file:
                return int(file.read(32))
        except (FileNotFoundError, ValueError):
            return 0

    def write(self, batch: Batch) -> None:
        """See Sink; raises network_failed and what the gate refuses with."""
        records = [msgspec.Raw(raw) for _, raw in batch]
        body = msgspec.json.encode({"checkpoint": self._checkpoint(), "records": records}).decode()
        with ThreadPoolExecutor(1) as thread:  # the caller's own loop waits; it has nothing else to do
            answer = thread.submit(lambda: asyncio.run(_send(self._url, body))).result()
        if not answer.startswith("status: 2"):
            raise Unavailable("network_failed", f"the webhook did not keep the records: {answer[:100]!a}")
        self._keep(batch[-1][0])

    def _keep(self, position: int) -> None:
        os.makedirs(os.path.dirname(self._path), 0o700, exist_ok=True)
        fresh = f"{self._path}.{os.getpid()}"
        with open(fresh, "w", encoding="ascii") as file:
            file.write(str(position))
        os.replace(fresh, self._path)


async def _send(url: str, body: str) -> str:
    from remit.cli._one_call import call_tool
    from remit.core.sections import LeakGuardSection
    from remit.runtime import Runtime

    async with Runtime("memory:", tune_gc=False) as runtime:
        # Hashes and signatures look random and must arrive whole; vault values and known kinds of keys are still held.
        runtime.outside.leak_guard = LeakGuardSection(random=False)
        tool = runtime.outside.tool("http_request")
        arguments = {"method": "POST", "url": url, "headers": {"content-type": "application/json"}, "body": body}
        return await call_tool("audit-webhook", tool, arguments, [f"net:POST {url}"])
