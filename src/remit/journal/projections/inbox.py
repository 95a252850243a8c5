"""Projection: what waits for a person. The same rules as the journal's own inbox table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from remit.core.events import EffectInDoubt, EffectResolved, RunDone, WaitClosed, WaitOpened
from remit.journal.chain import decode_event
from remit.journal.heads import inbox_row
from remit.ports.journal import Entry, InboxRow


class Item(Struct, frozen=True):
    """One question and whether it is still open."""

    row: InboxRow
    open: bool = True
    answer: str = ""
    """the decision or resolution; "" while open, or when the run ended first"""
    by: str = ""


class Inbox(Struct, frozen=True):
    """All questions ever asked, by item id, in the order asked."""

    items: dict[str, Item] = {}

    def waiting(self) -> list[InboxRow]:
        """The open questions, oldest first."""
        rows = [item.row for item in self.items.values() if item.open]
        return sorted(rows, key=lambda row: (row.opened_ms, row.id))


EMPTY: Final = Inbox()


def fold(state: Inbox, entries: Iterable[Entry]) -> Inbox:
    """`state` after `entries` (of any runs, each run's in order)."""
    items = dict(state.items)
    for entry in entries:
        match decode_event(entry.body):
            case WaitOpened() | EffectInDoubt() as event:
                # The first run that opens an item id keeps it.
                held = items.get(event.item)
                if held is None or held.row.run_id == entry.run_id:
                    items[event.item] = Item(inbox_row(event, entry))
            case WaitClosed() as event:
                _close(items, event.item, entry.run_id, event.decision, event.by)
            case EffectResolved() as event:
                _close(items, event.item, entry.run_id, event.resolution, event.by)
            case RunDone():
                for item in [key for key, held in items.items() if held.open and held.row.run_id == entry.run_id]:
                    _close(items, item, entry.run_id, "", "")
            case _:
                pass
    return Inbox(items)


def _close(items: dict[str, Item], item: str, run_id: str, answer: str, by: str) -> None:
    held = items.get(item)
    if held is not None and held.row.run_id == run_id:
        items[item] = Item(held.row, False, answer, by)
