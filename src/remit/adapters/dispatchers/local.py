"""The dispatcher of one process: a queue a pool, fair between tenants, timers by the loop.

Nothing is kept here that the journal does not hold: after a crash the runs that were queued are parked runs, and
whoever serves submits them again (agents/dispatch.py, `Sweep`). Several processes may serve one journal this way; the
journal decides who gets a run. What it cannot do is take a run from a process that is frozen: that needs `temporal`.

Fair share: tenants take turns, one run each; a tenant that had no work keeps no claim. So one tenant's 10,000 runs
delay another's single run by at most one run of each tenant, whatever the order in which they were submitted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from remit.errors import Exhausted, RemitError
from remit.ports.clock import Clock
from remit.ports.dispatcher import DEFAULT_POOL, DEFAULT_TENANT, Advancer, Parked

MAX_QUEUED: Final = 1_000_000
RETRY_S: Final = (0.2, 1.0, 5.0, 30.0)
"""pauses before a run is tried again that could not go on; the last one repeats"""

Key = tuple[str, str]
"""(tenant, run id)"""


class FairQueue:
    """Runs by tenant; `take` serves the tenants in turn."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[str]] = {}
        self._turns: deque[str] = deque()
        self._known: set[Key] = set()
        self.more = asyncio.Event()

    def __len__(self) -> int:
        return len(self._known)

    def put(self, tenant: str, run_id: str) -> None:
        """Queue a run, once; raises queue_full."""
        if (tenant, run_id) in self._known:
            return
        if len(self._known) >= MAX_QUEUED:
            raise Exhausted("queue_full", f"{MAX_QUEUED} runs wait for this pool", retryable=True)
        self._known.add((tenant, run_id))
        if tenant not in self._waiting:
            self._waiting[tenant] = deque()
            self._turns.append(tenant)
        self._waiting[tenant].append(run_id)
        self.more.set()

    def take(self, allowed: Mapping[str, Any]) -> Key | None:
        """The next run of the tenant whose turn it is, of those in `allowed`; None when there is none."""
        for _ in range(len(self._turns)):
            tenant = self._turns.popleft()
            if tenant not in allowed:
                self._turns.append(tenant)
                continue
            run_id = self._waiting[tenant].popleft()
            self._known.discard((tenant, run_id))
            if self._waiting[tenant]:
                self._turns.append(tenant)
            else:
                del self._waiting[tenant]
            return tenant, run_id
        self.more.clear()
        return None

    def drop(self, tenant: str, run_id: str) -> bool:
        """Take a run out; False when it is not queued."""
        if (tenant, run_id) not in self._known:
            return False
        self._known.discard((tenant, run_id))
        waiting = self._waiting[tenant]
        waiting.remove(run_id)
        if not waiting:
            del self._waiting[tenant]
            self._turns.remove(tenant)
        return True


class LocalDispatcher:
    """See ports.dispatcher.Dispatcher."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pools: dict[str, FairQueue] = {}
        self._under_way: dict[Key, tuple[str, Advancer]] = {}
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._advancers: dict[str, Advancer] = {}

    async def submit(self, run_id: str, pool: str = DEFAULT_POOL, tenant: str = DEFAULT_TENANT) -> None:
        """See ports.dispatcher.Dispatcher."""
        self._put((tenant, run_id), pool)

    async def cancel(self, run_id: str, reason: str = "", tenant: str = DEFAULT_TENANT) -> bool:
        """See ports.dispatcher.Dispatcher."""
        key = (tenant, run_id)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        queued = any([queue.drop(tenant, run_id) for queue in self._pools.values()])
        advancer = self._advancers.get(tenant)
        if advancer is None or not (queued or timer is not None or key in self._under_way):
            return False
        await advancer.cancel(run_id, reason)
        return True

    async def serve(self, pool: str, advancers: Mapping[str, Advancer], concurrency: int = 100) -> None:
        """See ports.dispatcher.Dispatcher."""
        queue = self._queue(pool)
        self._advancers.update(advancers)
        places = asyncio.Semaphore(concurrency)
        async with asyncio.TaskGroup() as group:
            try:
                while True:
                    await queue.more.wait()
                    await places.acquire()
                    taken = queue.take(advancers)
                    if taken is None:
                        places.release()
                        continue
                    self._under_way[taken] = (pool, advancers[taken[0]])
                    group.create_task(self._advance(taken, pool, places))
            finally:
                await self._park(pool)

    async def aclose(self) -> None:
        """Forget what is queued: the journal has it."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._pools.clear()

    async def _advance(self, key: Key, pool: str, places: asyncio.Semaphore) -> None:
        """One attempt; what comes of it is queued, timed, or over."""
        pause_s = -1.0
        try:
            step = await self._under_way[key][1].advance(key[1])
            self._failures.pop(key, None)
            if not step.ended and step.wake_at_ms:
                pause_s = max(0.0, (step.wake_at_ms - self._clock.now_ms()) / 1000)
        except Parked:
            pass  # another has it, or this process is ending: the sweep finds it when nobody holds it
        except RemitError as error:
            if error.retryable or error.code in ("run_active", "disk_failed"):
                tries = self._failures[key] = self._failures.get(key, 0) + 1
                pause_s = RETRY_S[min(tries, len(RETRY_S)) - 1]
        finally:
            del self._under_way[key]
            places.release()
        if key in self._again:
            self._again.discard(key)
            self._put(key, pool)
        elif pause_s >= 0:
            self._timers[key] = asyncio.get_running_loop().call_later(pause_s, self._due, key, pool)

    def _due(self, key: Key, pool: str) -> None:
        self._timers.pop(key, None)
        self._put(key, pool)

    def _put(self, key: Key, pool: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._under_way:
            self._again.add(key)  # it may have looked before what this submit is about
        else:
            self._queue(pool).put(*key)

    async def _park(self, pool: str) -> None:
        for key, (of, advancer) in list(self._under_way.items()):
            if of == pool:
                await advancer.abandon(key[1])

    def _queue(self, pool: str) -> FairQueue:
        if pool not in self._pools:
            self._pools[pool] = FairQueue()
        return self._pools[pool]
