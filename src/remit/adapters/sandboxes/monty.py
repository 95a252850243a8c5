"""Tier T1: small glue code in pydantic-monty, a restricted interpreter without imports of the machine.

Each run gets a fresh session in a worker process (worker_process.py, worker_monty.py). The only way out is a lent
function. Without the package it is `sandbox_missing`; it never becomes a plain interpreter.

Source: DESIGN 7, row T1; pydantic-monty 1.4.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from remit.adapters.sandboxes.code_jobs import check_code, result_of, search_paths
from remit.adapters.sandboxes.worker_pool import Lent, WorkerPool
from remit.adapters.sandboxes.worker_process import INSTALL, Spec, Worker
from remit.errors import RemitError
from remit.ports.code_sandbox import CodeJob, CodeResult, Host

DATA_BYTES: Final = 512 * 1024 * 1024


class Monty:
    """A `CodeSandbox` of tier T1.

    Args:
        pool: the worker processes; its own by default.
    """

    tier = "T1"

    def __init__(self, pool: WorkerPool | None = None) -> None:
        self.pool = pool or WorkerPool()

    async def run(self, job: CodeJob, host: Host | None = None) -> CodeResult:
        """Run Python source; see the port."""
        check_code(job)
        request = {
            "code": job.code,
            "inputs": job.inputs,
            "calls": job.calls,
            "timeout_s": job.timeout_s,
            "memory": job.max_memory_bytes,
            "output": job.max_output_bytes,
        }
        return result_of(*await self.pool.run(_spec, request, job.timeout_s, Lent(job.calls, host)))

    def describe(self) -> dict[str, Any]:
        """`{what, healthy, needs}`: healthy means that a worker started and locked itself down."""
        what = "pydantic-monty: glue code in a restricted interpreter"
        try:
            Worker(_spec()).kill()
        except RemitError as error:
            return {"what": f"{what} ({error.message})", "healthy": False, "needs": INSTALL}
        return {"what": what, "healthy": True, "needs": ""}

    async def aclose(self) -> None:
        """End the workers."""
        await asyncio.to_thread(self.pool.close)


def _spec() -> Spec:
    return Spec("T1", "T1", "worker_monty.py", {"paths": search_paths("pydantic_monty")}, data_bytes=DATA_BYTES)
