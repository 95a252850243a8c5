"""Port: the dispatcher brings runs to workers. It carries ids only; what a run is and did stands in the journal.

    submitter   journal: run_started, parked -> Dispatcher.submit(run_id)
    worker      Dispatcher.serve -> Advancer.advance(run_id): activate, go on, end or wait -> Step
    anybody     an answer came -> Dispatcher.submit(run_id) again

A dispatcher promises that a submitted run is advanced until it has ended, at least once at a time: when a worker is
lost it advances the run elsewhere, also while the lost one may still run. That is safe, because every activation has
its epoch and the older one writes nothing more; `lost` names the holders that must be fenced for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct

DEFAULT_POOL: Final = "default"
DEFAULT_TENANT: Final = "default"


class Step(Struct, frozen=True):
    """Where a run stands after it was advanced."""

    ended: bool
    status: str
    """as of the run: ok | denied | failed | cancelled | exhausted | waiting"""
    wake_at_ms: int = 0
    """advance it again at this wall time, milliseconds since 1970; 0 = only when it is submitted again"""


class Parked(Exception):
    """`advance` did not get to the run's end or wait: it was abandoned, or another activation took it over."""


class Advancer(Protocol):
    """What a worker does with a run, for one tenant."""

    @property
    def me(self) -> str:
        """What the journal calls this process as a holder of runs; a dispatcher keeps it with its heartbeat."""
        ...

    async def advance(self, run_id: str, lost: tuple[str, ...] = ()) -> Step:
        """Go on with the run until it ends or waits. `lost` = the holders of attempts that were given up.

        Raises Parked, and RemitError when the run cannot go on here (retryable: it may go on elsewhere or later).
        """
        ...

    async def abandon(self, run_id: str) -> None:
        """Give up the activation of a run under way here: fence it, then stop its work; `advance` raises Parked."""
        ...

    async def cancel(self, run_id: str, reason: str) -> None:
        """End the run as cancelled: the one under way here (`advance` then returns), else in the journal."""
        ...


class Dispatcher(Protocol):
    """Queue, leases, timers and re-dispatch of runs."""

    async def submit(self, run_id: str, pool: str = DEFAULT_POOL, tenant: str = DEFAULT_TENANT) -> None:
        """See that the run goes on now. Submitting one that is queued or under way is no second run of it.

        Raises network_failed, queue_full.
        """
        ...

    async def cancel(self, run_id: str, reason: str = "", tenant: str = DEFAULT_TENANT) -> bool:
        """Stop advancing the run and end it as cancelled, wherever it is; False = it is not known here."""
        ...

    async def serve(self, pool: str, advancers: Mapping[str, Advancer], concurrency: int = 100) -> None:
        """Advance runs of `pool` for these tenants until cancelled; then runs under way are parked, not ended."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
