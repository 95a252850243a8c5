"""Port: the journal, an append-only hash-chained event log per run.

One activation of a run holds one `RunLog`. Each activation bumps the run's epoch, and every batch
that is written checks it, so a process that lost its run writes nothing more (`stale_epoch`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from remit.core.events import Event, RunStarted

if TYPE_CHECKING:
    from remit.ports.bus import Bus


class Entry(Struct, frozen=True, gc=False):
    """One event in its place. hash = SHA-256(prev + header + body); see journal/chain.py."""

    run_id: str
    seq: int
    """1, 2, 3 ... within the run"""
    epoch: int
    at_ms: int
    """wall clock, milliseconds since 1970"""
    body: bytes
    """the event as JSON, exactly as hashed"""
    prev: bytes
    hash: bytes


class RunRow(Struct, frozen=True):
    """One run as `remit runs` shows it."""

    run_id: str
    agent: str
    task: str
    status: str
    """running | waiting | ok | denied | failed | cancelled | exhausted | interrupted (its process is gone)"""
    started_ms: int
    updated_ms: int
    events: int
    epoch: int
    parent: str = ""


class InboxRow(Struct, frozen=True):
    """One thing that waits for a person."""

    id: str
    kind: str
    """approval | in_doubt | input | signal"""
    run_id: str
    tool: str
    arguments: Any
    key: str
    digest: str
    question: str = ""
    opened_ms: int = 0
    form: dict[str, Any] = {}
    """what the answer of an `input` must be like (core/forms.py)"""
    due_ms: int = 0
    """until when it can be answered; 0 = always"""


class RunLog(Protocol):
    """The writing end of one activation of a run."""

    run_id: str
    epoch: int

    def append(self, event: Event) -> Entry:
        """Add an event, in order; it is durable with the next group commit. Never blocks on the disk."""
        ...

    def note(self, event: Event) -> None:
        """`append` for a caller that does not need the entry: a journal may put off the work of making it."""
        ...

    async def flush(self) -> None:
        """Return once all that was appended is durable; raises disk_failed or stale_epoch."""
        ...

    async def release(self, status: str) -> None:
        """Flush and end the activation: `status` is the run's, or waiting when it parks."""
        ...


class Journal(Protocol):
    """All runs of one store."""

    def create(self, run_id: str, event: RunStarted) -> RunLog:
        """Begin a run with its first event."""
        ...

    async def activate(self, run_id: str) -> RunLog:
        """Take over a run that is not active: epoch + 1, and a run_resumed event.

        Raises run_unknown, run_active (a live process of this machine holds it), journal_format, chain_broken.
        """
        ...

    async def fence(self, run_id: str, holder: str) -> bool:
        """End the activation that `holder` has of the run, whether or not that process still lives.

        From then on it writes nothing (`stale_epoch`) and anybody may activate the run. False = another holds the
        run, nobody does, or it has ended; nothing is changed. For whoever knows better than this machine that the
        holder lost the run: a dispatcher whose heartbeat stopped. Raises run_unknown.
        """
        ...

    def parked(self, limit: int = 10_000) -> list[str]:
        """Runs that could go on now, the oldest first: nobody holds them, they are no child's, and no question is open.

        Those are runs whose process is gone, runs that were submitted and never begun, and runs whose questions were
        all answered.
        """
        ...

    def read(self, run_id: str, after_seq: int = 0, limit: int = -1) -> list[Entry]:
        """The run's events after `after_seq`, in order, at most `limit` (-1 = all); raises run_unknown."""
        ...

    @property
    def me(self) -> str:
        """What `holder` says of the runs that this process holds."""
        ...

    def bus(self) -> Bus:
        """A wake-up bus between all who use this journal, as far as the store has one; close it yourself."""
        ...

    def runs(self, limit: int = 100) -> list[RunRow]:
        """The newest runs first."""
        ...

    def holder(self, run_id: str) -> str:
        """`pid:start_time:boot_id` of the live process that holds the run; "" when none does. Raises run_unknown."""
        ...

    def inbox(self) -> list[InboxRow]:
        """What waits, oldest first."""
        ...

    async def answer(self, item: str, make: Any) -> str:
        """Close `item` once: append `make(row)` (WaitClosed | EffectResolved) to its run; returns the run id.

        Works while the run is parked and while its process is gone; raises item_unknown, approval_used, run_active.
        """
        ...

    def follow(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call `listener(run id)` in this loop when any process parks or answers a run; returns what ends it.

        May call too often, and may lose a call when a process dies: whoever follows also looks when it begins.
        `listener("")` = look at all of them.
        """
        ...

    def verify(self, *run_ids: str) -> Sequence[str]:
        """Problems of the chains of these runs (none named = of all), one text each; empty = intact."""
        ...

    async def aclose(self) -> None:
        """Flush and close."""
        ...
