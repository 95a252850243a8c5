"""The journal as the gateway reads it: who owns a run, and its page; in threads, so that no disk holds up the loop.

A run belongs to whom its root's first event names (`spec.by`); a run of `remit run` or of a program belongs to nobody
here. Who owns it never changes, so it is remembered. What somebody may not see does not exist: the answer is
run_unknown or item_unknown, as for what never was.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, Final

from msgspec import structs

from remit.agents.dispatch import started_of
from remit.core.events import RunDone
from remit.core.usage import usd
from remit.errors import Invalid, RemitError
from remit.gateway.principals import Principal
from remit.journal.chain import decode_event, is_run_id
from remit.journal.projections import cost
from remit.ports.journal import Entry, InboxRow, Journal, RunRow

MAX_OWNERS: Final = 100_000
MAX_LOOK: Final = 10_000
"""newest runs that a list is made of"""
MAX_CLIMB: Final = 100
PAGE: Final = 500


class Records:
    """Reads one journal for principals."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._owners: OrderedDict[str, tuple[str, str]] = OrderedDict()

    async def root_of(self, run_id: str, principal: Principal) -> str:
        """The root of a run that the principal may see; raises run_unknown."""
        if not is_run_id(run_id):
            raise _unknown(run_id)
        root, owner = await asyncio.to_thread(self._owner, run_id)
        if not principal.sees_all and owner != principal.name:
            raise _unknown(run_id)
        return root

    async def runs(self, principal: Principal, limit: int, status: str) -> list[dict[str, Any]]:
        """The newest runs that the principal may see, children left out."""

        def look() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            for row in self._journal.runs(MAX_LOOK):
                if len(found) == limit:
                    break
                if not row.parent and status in ("", row.status) and self._owned(row.run_id, principal):
                    found.append(structs.asdict(row))
            return found

        return await asyncio.to_thread(look)

    async def page(self, run_id: str) -> dict[str, Any]:
        """All that there is to say of one run."""

        def look() -> dict[str, Any]:
            entries = self._journal.read(run_id)
            last = decode_event(entries[-1].body)
            done = last if isinstance(last, RunDone) else None
            total = cost.fold(cost.EMPTY, entries).total
            return {
                **structs.asdict(self._row(run_id)),
                "output": None if done is None else done.output,
                "error": None if done is None else done.error,
                "cost_usd": usd(total.nano),
                "input_tokens": total.usage.input_tokens,
                "output_tokens": total.usage.output_tokens,
                "waiting_for": [row.id for row in self._journal.inbox() if row.run_id == run_id],
            }

        return await asyncio.to_thread(look)

    async def status(self, run_id: str) -> str:
        """The run's status."""
        return (await asyncio.to_thread(self._row, run_id)).status

    async def entries(self, run_id: str, after: int) -> list[Entry]:
        """Its next events, at most PAGE."""
        return await asyncio.to_thread(self._journal.read, run_id, after, PAGE)

    async def items(self, principal: Principal) -> list[InboxRow]:
        """What waits, of runs that the principal may see."""

        def look() -> list[InboxRow]:
            return [row for row in self._journal.inbox() if self._owned(row.run_id, principal)]

        return await asyncio.to_thread(look)

    def _row(self, run_id: str) -> RunRow:
        for limit in (100, MAX_LOOK, 100 * MAX_LOOK):  # most that is asked for is new
            for row in self._journal.runs(limit):
                if row.run_id == run_id:
                    return row
        raise _unknown(run_id)

    def _owned(self, run_id: str, principal: Principal) -> bool:
        if principal.sees_all:
            return True
        try:
            return self._owner(run_id)[1] == principal.name
        except RemitError:
            return False  # it cannot be read, so nobody can say whose it is

    def _owner(self, run_id: str) -> tuple[str, str]:
        """(root, owner)."""
        found = self._owners.get(run_id)
        if found is None:
            root = run_id
            for _ in range(MAX_CLIMB):
                started = started_of(self._journal, root)
                if not started.parent:
                    break
                root = started.parent
            else:
                raise _unknown(run_id)
            found = self._owners[run_id] = (root, str(started.spec.get("by", "")))
            if len(self._owners) > MAX_OWNERS:
                self._owners.popitem(last=False)
        return found


def _unknown(run_id: str) -> Invalid:
    return Invalid("run_unknown", f"no run {run_id!r:.80}", hint="List your runs with: GET /v1/runs")
