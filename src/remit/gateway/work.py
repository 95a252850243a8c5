"""How submitted runs are carried out: by this process, or by the workers of a pool. Either way they are durable first.

A run of the gateway is a submitted run (agents/dispatch.py): its first event is in the journal before the client hears
of it. Without a pool this process is itself a worker, of the pool `serve`: it finds parked runs of an earlier life when
it starts, goes on with answered ones, and parks what is under way when it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from remit.agents.agent import Agent
from remit.agents.dispatch import Sweep, Worker, started_of, submit
from remit.agents.workflow import Workflow
from remit.core.events import CancelRequested
from remit.errors import Conflict
from remit.ports.bus import READY
from remit.ports.dispatcher import DEFAULT_TENANT, Dispatcher
from remit.runtime import Runtime, make_dispatcher

OWN_POOL: Final = "serve"


class Work:
    """Runs of one journal.

    Args:
        runtime: the journal, and the gate of runs that this process carries out.
        agents: the program's agents and workflows.
        pool: whose workers carry out the runs; "" = this process.
        section: [dispatch], for a pool.
        tenant: whose runs, in Postgres.
        concurrency: runs at once in this process.
    """

    def __init__(  # made once, by `remit serve`, each by keyword
        self, runtime: Runtime, *, agents: Mapping[str, Agent | Workflow], pool: str, section: Any,
        tenant: str = DEFAULT_TENANT, concurrency: int = 100,
    ) -> None:  # fmt: skip
        self._runtime = runtime
        self._tenant = tenant
        self._concurrency = concurrency
        self._own = not pool
        self._temporal = bool(pool and section.temporal)
        self.pool = pool or OWN_POOL
        self._worker = Worker(runtime, agents, runtime.journal.me)
        self._bus = runtime.journal.bus()
        self._dispatcher: Dispatcher = make_dispatcher(section if self._temporal else type(section)(), runtime.clock)

    async def run(self) -> None:
        """Carry runs out until cancelled; then those under way are parked. Returns at once where a pool does it."""
        if not self._own:
            return
        sweep = Sweep(self._runtime, self._bus, self._dispatcher, self.pool, self._tenant)
        sweep.worker = self._worker
        async with asyncio.TaskGroup() as group:
            group.create_task(self._dispatcher.serve(self.pool, {self._tenant: self._worker}, self._concurrency))
            group.create_task(sweep.run())

    async def submit(self, agent: Agent, task: str, *, by: str, subject: str = "") -> str:
        """Write the run down and have it carried out; returns its id."""
        run_id = await submit(self._runtime, agent, task, pool=self.pool, subject=subject, by=by)
        await self._tell(run_id)
        return run_id

    async def go_on(self, run_id: str) -> None:
        """See that a parked run goes on now; raises run_active when it is another pool's, or nobody's."""
        pool = started_of(self._runtime.journal, run_id).spec.get("pool", "")
        if pool != self.pool and not (self._own and not pool):
            raise Conflict("run_active", f"run {run_id} belongs to the pool {pool or 'of no worker'}",
                           hint="Its own worker goes on with it, or: remit run --resume RUN")  # fmt: skip
        await self._tell(run_id)

    async def answered(self, run_id: str) -> None:
        """A question of the run was answered: whoever carries it out goes on."""
        pool = started_of(self._runtime.journal, run_id).spec.get("pool", "")
        if pool == self.pool:
            await self._tell(run_id)

    async def cancel(self, run_id: str, by: str, reason: str) -> None:
        """End a run wherever it is; raises run_active when it has ended."""
        words = f"{by}: {reason}" if reason else by
        if await self._dispatcher.cancel(run_id, words, self._tenant):
            return
        journal = self._runtime.journal
        holder = journal.holder(run_id)
        if holder and holder != journal.me:
            # Its process writes nothing more from here on; what it had begun and not finished is in doubt.
            await journal.fence(run_id, holder)
        log = await journal.activate(run_id)
        log.append(CancelRequested(by, reason))
        await log.release("cancelled")
        self._bus.tell(READY)  # a worker that still works on it stops at its look

    async def aclose(self) -> None:
        """Close the dispatcher and the bus."""
        await self._dispatcher.aclose()
        await self._bus.aclose()

    async def _tell(self, run_id: str) -> None:
        if self._own or self._temporal:
            await self._dispatcher.submit(run_id, self.pool, self._tenant)
        else:
            self._bus.tell(READY)
