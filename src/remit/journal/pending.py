"""What one activation has given to the writer thread, and what became of it.

A queue per run: entries leave it in order, each in exactly one batch. All access is under the writer's lock,
except `failure`, which goes from None to an error once and is read by the appending thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from remit.errors import RemitError
from remit.journal.commit import Part
from remit.journal.heads import Change, Head
from remit.ports.journal import Entry

Waiter = tuple[int, "asyncio.Future[None]", asyncio.AbstractEventLoop]
"""(what `written` must reach, future, its loop)"""


class Pending:
    """See the module's text."""

    __slots__ = (
        "after",
        "asks",
        "changes",
        "create",
        "entries",
        "epoch",
        "failure",
        "given",
        "last",
        "on_end",
        "owner",
        "queued",
        "release_as",
        "released",
        "run_id",
        "status",
        "waiters",
        "written",
    )

    def __init__(self, run_id: str, epoch: int, owner: str, on_end: Callable[[Pending], None]) -> None:
        self.run_id = run_id
        self.epoch = epoch
        self.owner = owner
        self.on_end = on_end
        self.create: Head | None = None
        self.entries: deque[Entry] = deque()
        self.changes: deque[tuple[Change, int]] = deque()
        self.waiters: deque[Waiter] = deque()
        self.queued = False
        self.asks = False
        """whether the run may have inbox items (then its end must close them)"""
        self.release_as = ""
        """the status to release with; "" = not asked"""
        self.released = False
        self.given = 0
        """last seq that was handed over: it may be queued, being written, or written"""
        self.after = 0
        """last seq that is in the database"""
        self.written = 0
        """`after`, plus one once the release is written"""
        self.last: tuple[int, bytes, int] = (0, b"", 0)
        self.status: str | None = None
        self.failure: Callable[[], RemitError] | None = None

    @property
    def target(self) -> int:
        """What `written` becomes when all given so far is durable."""
        return self.given + 1 if self.release_as else self.given

    def plain(self) -> Part | None:
        """All that is queued, when it is nothing but events; it stays queued until `landed`."""
        if not self.entries or self.changes or self.create is not None or self.release_as or self.failure is not None:
            return None
        last = self.entries[-1]
        after = (last.seq, last.hash, last.at_ms)
        return Part(self.run_id, self.epoch, list(self.entries), [], self.after, after, self.owner)

    def landed(self, part: Part) -> int:
        """The part of `plain` is durable; returns the bytes of its bodies."""
        for _ in part.entries:
            self.entries.popleft()
        self.last = part.last
        self.after = self.written = part.last[0]
        return sum([len(entry.body) for entry in part.entries])

    def cut(self, room: int) -> tuple[Part | None, int, int]:
        """Take at most `room` entries: (part or None when there is nothing to write, entries taken, their bytes)."""
        if len(self.entries) <= room:
            entries = list(self.entries)
            self.entries.clear()
        else:
            entries = [self.entries.popleft() for _ in range(room)]
        size = sum([len(entry.body) for entry in entries])
        if self.failure is not None:
            return None, len(entries), size
        status: str | None = None
        changes: list[tuple[Change, int]] = []
        if entries:
            last = entries[-1]
            self.last = (last.seq, last.hash, last.at_ms)
            status = self._take_changes(last.seq, changes)
        release = bool(self.release_as) and not self.entries and not self.released
        if release and self.status is None:
            status = self.release_as
        if not entries and not release:
            return None, 0, 0
        head = self.create
        part = Part(self.run_id, self.epoch, entries, changes, self.after, self.last, self.owner, head, status, release)
        return part, len(entries), size

    def _take_changes(self, last_seq: int, into: list[tuple[Change, int]]) -> str | None:
        """Move the changes up to `last_seq` to `into`; returns the run's final status when it is among them."""
        status: str | None = None
        while self.changes and self.changes[0][1] <= last_seq:
            change, seq = self.changes.popleft()
            self.asks = self.asks or bool(change.opens)
            if self.asks:  # else there is no inbox row to close
                into.append((change, seq))
            if change.status and self.status is None:
                status = self.status = change.status
        return status
