"""The dispatcher over a Temporal server: leases, liveness, timers, re-dispatch and queues are Temporal's.

    submit   signal-with-start of the workflow RunShell (its id is TENANT/RUN): begins it, or wakes it
    serve    a Temporal worker on the task queue `remit-POOL` with the activities `advance` and `end`
    lost     a heartbeat that stops for `heartbeat_s`: Temporal gives the run to another worker, which fences the holder
             that the lost attempt's heartbeat named

Only ids travel: run, tenant, holder. A worker that is asked to stop, or that Temporal gave up, parks its runs; only a
cancelled workflow ends one. Fair share between tenants is the task queue's fairness key (Temporal server 1.29 or newer
with matching.enableFairness).

Source: docs.temporal.io, activity heartbeats and cancellation details; signal-with-start; task queue fairness.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from remit.adapters.dispatchers._run_shell import RunShell
from remit.errors import Invalid, RemitError, Unavailable
from remit.ports.dispatcher import DEFAULT_POOL, DEFAULT_TENANT, Advancer, Parked, Step

HEARTBEAT_S: Final = 10.0
RPC_S: Final = 10.0
MAX_LOST: Final = 8  # holders that a heartbeat names
GRACE_S: Final = 5.0
STICKY_S: Final = 2.0
"""how long the next step of a workflow waits for the worker that knows its history; a lost one costs this once"""
MAYBE_LATER: Final = frozenset(("run_active", "disk_failed", "network_failed", "stale_epoch"))


class TemporalDispatcher:
    """See ports.dispatcher.Dispatcher.

    Args:
        address: host:port of the server.
        namespace: Temporal's.
        heartbeat_s: a worker that is silent for this long has lost its runs.
        tls: whether to use TLS.
        grace_s: how long runs under way may still end by themselves when the worker is asked to stop.
    """

    def __init__(
        self,
        address: str,
        *,
        namespace: str = "default",
        heartbeat_s: float = HEARTBEAT_S,
        tls: bool = False,
        grace_s: float = GRACE_S,
    ) -> None:
        self._address = address
        self._namespace = namespace
        self._heartbeat_s = heartbeat_s
        self._tls = tls
        self._grace_s = grace_s
        self._client: Client | None = None

    async def submit(self, run_id: str, pool: str = DEFAULT_POOL, tenant: str = DEFAULT_TENANT) -> None:
        """See ports.dispatcher.Dispatcher."""
        client = await self._connected()
        try:
            await client.start_workflow(
                RunShell.run,
                args=[run_id, tenant, self._heartbeat_s],
                id=_workflow_id(tenant, run_id),
                task_queue=_queue(pool),
                start_signal="wake",
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                priority=Priority(fairness_key=tenant[:64]),
                rpc_timeout=timedelta(seconds=RPC_S),
            )
        except RPCError as error:
            raise _unavailable(error) from None

    async def cancel(self, run_id: str, reason: str = "", tenant: str = DEFAULT_TENANT) -> bool:
        """See ports.dispatcher.Dispatcher; returns once the server has it, the run ends soon after."""
        client = await self._connected()
        handle = client.get_workflow_handle(_workflow_id(tenant, run_id))
        limit = timedelta(seconds=RPC_S)
        try:
            await handle.signal("why", reason[:1000], rpc_timeout=limit)
            await handle.cancel(rpc_timeout=limit)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return False
            raise _unavailable(error) from None
        return True

    async def serve(self, pool: str, advancers: Mapping[str, Advancer], concurrency: int = 100) -> None:
        """See ports.dispatcher.Dispatcher."""
        activities = _Activities(advancers, self._heartbeat_s)
        worker = Worker(
            await self._connected(),
            task_queue=_queue(pool),
            workflows=[RunShell],
            activities=[activities.advance, activities.end],
            # The workflow file is ours and deterministic; the sandbox would import it anew for every run.
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_concurrent_activities=concurrency,
            max_heartbeat_throttle_interval=timedelta(seconds=self._heartbeat_s / 3),
            default_heartbeat_throttle_interval=timedelta(seconds=self._heartbeat_s / 3),
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=STICKY_S),
            graceful_shutdown_timeout=timedelta(seconds=self._grace_s),
        )
        await worker.run()

    async def aclose(self) -> None:
        """Forget the client; its connection closes with it."""
        self._client = None

    async def _connected(self) -> Client:
        if self._client is None:
            try:
                self._client = await Client.connect(self._address, namespace=self._namespace, tls=self._tls)
            except ValueError as error:
                raise Invalid("config_invalid", f"[dispatch] temporal = {self._address!r:.100}: {error}",
                              hint="Write it as HOST:PORT.") from None  # fmt: skip
            except (RuntimeError, RPCError) as error:
                raise Unavailable("network_failed", f"Temporal at {self._address}: {str(error)[:200]}",
                                  hint="Check [dispatch] temporal in remit.toml and that the server runs.",
                                  retryable=True) from None  # fmt: skip
        return self._client


class _Activities:
    """What a worker does; an Advancer for each tenant that it serves."""

    def __init__(self, advancers: Mapping[str, Advancer], heartbeat_s: float) -> None:
        self._advancers = advancers
        self._heartbeat_s = heartbeat_s

    @activity.defn(name="advance")
    async def advance(self, run_id: str, tenant: str) -> dict[str, Any]:
        """Advance a run, with heartbeats that name this process as its holder."""
        advancer = self._advancer(tenant)
        # Every beat names the lost holders too: this attempt may be lost before it has fenced them.
        lost = tuple(map(str, activity.info().heartbeat_details))[:MAX_LOST]
        holders = tuple(dict.fromkeys((advancer.me, *lost)))
        activity.heartbeat(*holders)
        async with asyncio.TaskGroup() as group:
            beats = group.create_task(self._beat(holders))
            work = group.create_task(_stepped(advancer, run_id, lost))
            await _until_done(work, advancer, run_id)
            beats.cancel()
        step = work.result()
        if isinstance(step, Step):
            return {"ended": step.ended, "status": step.status, "wake_at_ms": step.wake_at_ms}
        raise step

    @activity.defn(name="end")
    async def end(self, run_id: str, tenant: str, reason: str) -> None:
        """End a run that waits, as cancelled."""
        try:
            await self._advancer(tenant).cancel(run_id, reason)
        except RemitError as error:
            raise _application(error) from None

    async def _beat(self, holders: tuple[str, ...]) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s / 4)
            activity.heartbeat(*holders)

    def _advancer(self, tenant: str) -> Advancer:
        found = self._advancers.get(tenant)
        if found is None:  # another worker of the pool may serve this tenant
            raise ApplicationError(f"this worker does not serve the tenant {tenant:.64}", type="tenant")
        return found


async def _until_done(work: asyncio.Task[Any], advancer: Advancer, run_id: str) -> None:
    """Wait for the run; when the activity is cancelled, end the run only if somebody asked for that, else park it."""
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            details = activity.cancellation_details()
            if details is not None and details.cancel_requested:
                await advancer.cancel(run_id, "")
            else:
                await advancer.abandon(run_id)


async def _stepped(advancer: Advancer, run_id: str, lost: tuple[str, ...]) -> Step | ApplicationError:
    """The step, or why there is none; as a value, so that the group around it is not torn down."""
    try:
        return await advancer.advance(run_id, lost)
    except Parked as error:
        return ApplicationError(str(error) or "parked", type="parked")
    except RemitError as error:
        return _application(error)


def _application(error: RemitError) -> ApplicationError:
    final = not (error.retryable or error.code in MAYBE_LATER)
    return ApplicationError(error.code, type=error.code, non_retryable=final)


def _workflow_id(tenant: str, run_id: str) -> str:
    return f"{tenant}/{run_id}"


def _queue(pool: str) -> str:
    return f"remit-{pool}"


def _unavailable(error: RPCError) -> Unavailable:
    return Unavailable("network_failed", f"Temporal: {error.message[:200]}", retryable=True)
