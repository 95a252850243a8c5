"""The Temporal workflow of one run. It holds the run's id and its tenant, and nothing of what the run is.

Its history grows by a few events each time the run waits; it begins anew (continue-as-new) when Temporal says so.
Everything here is deterministic; what touches the world is in the activities, which temporal.py gives to the worker.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

LONGEST: Final = timedelta(days=365)  # of one activation; a lost worker is noticed by its heartbeat, not by this
RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=30)
)
END: Final = timedelta(minutes=1)


@workflow.defn(name="RunShell")
class RunShell:
    """Advance a run until it has ended."""

    def __init__(self) -> None:
        self._wakes = 0
        self._reason = ""

    @workflow.run
    async def run(self, run_id: str, tenant: str, heartbeat_s: float) -> str:
        """The run's final status."""
        while True:
            seen = self._wakes
            try:
                step = await self._advance(run_id, tenant, heartbeat_s)
                if step["ended"]:
                    return str(step["status"])
                await self._wait(seen, int(step["wake_at_ms"]))
            except (asyncio.CancelledError, ActivityError) as error:
                if not is_cancelled_exception(error):
                    raise
                await self._end(run_id, tenant)
                return "cancelled"
            if self._wakes == seen and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(args=[run_id, tenant, heartbeat_s])

    @workflow.signal
    def wake(self) -> None:
        """The run may go on."""
        self._wakes += 1

    @workflow.signal
    def why(self, reason: str) -> None:
        """Said before the workflow is cancelled."""
        self._reason = reason

    async def _advance(self, run_id: str, tenant: str, heartbeat_s: float) -> Any:
        return await workflow.execute_activity(
            "advance",
            args=[run_id, tenant],
            start_to_close_timeout=LONGEST,
            heartbeat_timeout=timedelta(seconds=heartbeat_s),
            retry_policy=RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )

    async def _wait(self, seen: int, wake_at_ms: int) -> None:
        timeout = None
        if wake_at_ms:
            timeout = timedelta(milliseconds=max(0, wake_at_ms - round(workflow.now().timestamp() * 1000)))
        try:
            await workflow.wait_condition(lambda: self._wakes != seen, timeout=timeout)
        except TimeoutError:
            pass  # that is what was waited for

    async def _end(self, run_id: str, tenant: str) -> None:
        await workflow.execute_activity(
            "end", args=[run_id, tenant, self._reason], start_to_close_timeout=END, retry_policy=RETRY
        )
