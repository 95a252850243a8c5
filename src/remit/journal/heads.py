"""What the tables `runs` and `inbox` must say of a run: the fold of its events, kept beside them.

`CHANGES` says which events change a projection, so that the hot path asks one dict. `Head` is the
fold itself: the memory journal shows it, and verify compares SQLite's tables with it.

Statuses: a run_done event sets the final one. Without it a run is `running` or `waiting` (set on
release and activation, not by events), and running without a living holder is shown as interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from remit.core.events import (
    EffectInDoubt,
    EffectResolved,
    Event,
    RunDone,
    RunStarted,
    WaitClosed,
    WaitOpened,
)
from remit.errors import Conflict, InternalError, Invalid
from remit.ports.journal import Entry, InboxRow, RunRow

FINAL: Final = frozenset(("ok", "denied", "failed", "cancelled", "exhausted"))
PARKED: Final = frozenset(("running", "waiting"))  # what a run without a run_done event can be
NUL_SHOWN: Final = "\u2400"  # what a list shows of U+0000 where the store's texts cannot hold it
MAX_TASK: Final = 500  # characters of the task that lists show; the whole task is in run_started


class Change(Struct, frozen=True, gc=False):
    """What one event does to the projections of its run."""

    status: str = ""
    opens: str = ""
    """inbox item"""
    closes: str = ""
    """inbox item; "*" = all of the run"""


CHANGES: Final[dict[type, Callable[[Any], Change]]] = {
    WaitOpened: lambda event: Change(opens=event.item),
    EffectInDoubt: lambda event: Change(opens=event.item),
    WaitClosed: lambda event: Change(closes=event.item),
    EffectResolved: lambda event: Change(closes=event.item),
    RunDone: lambda event: Change(status=event.status, closes="*"),
}


def change_of(event: Event) -> Change | None:
    """The event's change of the projections; None for most. value_invalid for a status or item that cannot be."""
    make = CHANGES.get(type(event))
    if make is None:
        return None
    change = make(event)
    if change.status and change.status not in FINAL:
        raise Invalid("value_invalid", f"a run cannot end as {change.status!r:.40}; one of {', '.join(sorted(FINAL))}")
    item = change.opens or change.closes
    if not change.status and (not item.strip("*") or "\0" in item):
        raise Invalid("value_invalid", "an inbox item needs an id (without U+0000)")
    return change


def inbox_row(event: Event, entry: Entry) -> InboxRow:
    """The inbox row that a wait_opened or effect_in_doubt event opens; chain_broken for another event."""
    if isinstance(event, WaitOpened):
        kind, question, form, due_ms = event.kind, event.question, event.form, event.due_ms
    elif isinstance(event, EffectInDoubt):
        kind, question, form, due_ms = "in_doubt", "", {}, 0
    else:
        raise Conflict("chain_broken", f"run {entry.run_id} seq {entry.seq}: an inbox item points to no question")
    return InboxRow(
        event.item,
        kind,
        entry.run_id,
        event.name,
        event.arguments,
        event.key,
        event.digest,
        question,
        entry.at_ms,
        form,
        due_ms,
    )


def check_status(status: str) -> None:
    """Refuse a release status that no run can have: value_invalid."""
    if status not in FINAL and status not in PARKED:
        raise Invalid("value_invalid", f"not a status to release with: {status!r:.40}")


def check_answer(row: InboxRow, event: Event) -> None:
    """Refuse an answer that is of another kind, item or key than the question (a defect of `make`)."""
    kind = EffectResolved if row.kind == "in_doubt" else WaitClosed
    if not isinstance(event, kind) or event.item != row.id or event.key != row.key:
        raise InternalError("internal", f"{type(event).__name__} does not answer the {row.kind} item {row.id}")


NO_ITEMS: Final[Mapping[str, tuple[int, bool]]] = {}  # most runs ask nobody


class Head:
    """The fold of one run: its list row, its anchors, its inbox items (id -> open)."""

    __slots__ = ("agent", "items", "parent", "run_id", "started_ms", "status", "task")

    def __init__(self, run_id: str, started: RunStarted, at_ms: int) -> None:
        self.run_id = run_id
        self.agent = started.agent
        self.task = started.task[:MAX_TASK]
        self.parent = started.parent
        self.started_ms = at_ms
        self.status = "running"
        self.items: Mapping[str, tuple[int, bool]] = NO_ITEMS
        """item -> (seq of the question, open)"""

    def apply(self, change: Change, seq: int) -> None:
        """Fold one change in. The first final status stays."""
        if change.status and self.status not in FINAL:
            self.status = change.status
        if change.opens:
            self.items = {**self.items, change.opens: (seq, True)}
        elif not self.items:
            return
        elif change.closes == "*":
            self.items = {item: (at, False) for item, (at, _) in self.items.items()}
        elif change.closes in self.items:
            self.items = {**self.items, change.closes: (self.items[change.closes][0], False)}

    def row(self, last: Entry, status: str) -> RunRow:
        """The list row, with `status` as shown."""
        return RunRow(
            self.run_id,
            self.agent,
            self.task,
            status,
            self.started_ms,
            last.at_ms,
            last.seq,
            last.epoch,
            self.parent,
        )
