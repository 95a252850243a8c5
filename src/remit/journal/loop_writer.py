"""The writer of a journal in a file: where few wait and the disk is fast, the event loop commits by itself.

No thread is woken then: the loop comes round once, so that what was ready joins (docs/adr/0013). Another process's
transaction is not waited for there. A run alone lands its events (landing.py; docs/adr/0015), and when it was the last
one to do so it does not wait for the loop either; the thread, or whoever writes next, moves them into the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import apsw

from remit.errors import RemitError, Unavailable
from remit.journal.commit import Part, begin, rollback
from remit.journal.landing import READER_MS, Landing
from remit.journal.log import SignedLog
from remit.journal.pace import Pace
from remit.journal.pending import Pending
from remit.journal.wal import Wal
from remit.journal.writer import _IDLE, _RUNNING, Writer, _as_remit

FEW: Final = 8  # waiters that a loop commits for by itself; more are a crowd, whose commits overlap with their work
FEW_ROWS: Final = 64
IN_A_ROW: Final = 16  # waits that one run is answered at once before the loop comes round again


class LoopWriter(Writer):
    """Owns the writing connection of a file; see the module's text.

    Args:
        connection: the writing one.
        path: of the file.
        log: its signed log.
        wal: its WAL.
        landing: where events of a run alone go first.
    """

    def __init__(self, connection: apsw.Connection, path: str, log: SignedLog, wal: Wal, landing: Landing) -> None:
        super().__init__(connection, path, log)
        self._wal = wal
        self._landing = landing
        self._pace = Pace()
        self._turning: asyncio.AbstractEventLoop | None = None
        """the loop that will call `_turn`"""
        self._lone: Pending | None = None
        """whose events were landed last"""
        self._in_a_row = 0

    async def wait(self, pending: Pending) -> None:
        """See Writer.wait; may return without a pause."""
        if pending is not self._lone or not self._land_at_once(pending):
            await super().wait(pending)

    async def close(self) -> None:
        """See Writer.close."""
        await super().close()
        if self._landing.due_s() >= 0:
            self._fold()
        self._landing.close()

    def fold(self) -> None:
        """Move what is landed into the log now, for a reader; blocks. What fails is left to the next commit."""
        with self._hand:
            if self._connection.in_transaction:
                return
            try:
                self._connection.set_busy_timeout(READER_MS)
                self._fold()
            finally:
                self._connection.set_busy_timeout(self._landing.busy_timeout_ms)

    # ---- in an event loop's thread

    def _put_off(self) -> bool:
        """Whether the running loop sees to what is ready as soon as it comes round."""
        if self._commands or not self._are_few():
            return False
        loop = asyncio._get_running_loop()
        if loop is None:
            return False
        if self._turning is not loop:  # another loop may have ended before it came round
            loop.call_soon(self._turn)
            self._turning = loop
        return True

    def _is_put_off(self) -> bool:
        """See Writer."""
        return self._turning is not None and self._are_few()

    def _are_few(self) -> bool:
        return self._pace.allowed and self._waiting <= FEW and self._rows <= FEW_ROWS and not self._closing

    def _turn(self) -> None:
        """The loop came round: commit for those who wait, or wake the thread."""
        self._in_a_row = 0
        with self._lock:
            self._turning = None
            if not self._ready:
                return
            here = self._waiting > 0 and self._are_few() and self._hand.acquire(blocking=False)
        if here:
            try:
                here = self._commit_here()
            finally:
                self._hand.release()
        with self._lock:
            if self._state == _RUNNING or self._ended or (here and not self._ready and not self._is_late()):
                return
            self._state = _RUNNING
            self._wake.release()

    def _commit_here(self) -> bool:
        """Commit what is ready; False when it is not the moment, and nothing was taken."""
        started = time.perf_counter()
        alone = self._ready[0] if len(self._ready) == 1 else None
        if alone is not None and self._land(alone):
            taken = [alone]
        elif not self._wal.begin_now():
            return False
        else:
            with self._lock:
                parts, taken = self._take()
            logs = {pending.run_id: pending for pending in taken}
            with self._interrupted(parts, logs):
                if parts:
                    self._write(parts, logs, begun=True)
                else:
                    rollback(self._connection)
        self._pace.seen(time.perf_counter() - started, here=True)
        self._settle(taken, (), asyncio._get_running_loop())
        return True

    def _land_at_once(self, pending: Pending) -> bool:
        """Land for the run that landed last, while nobody else waits; False when it was not done."""
        if self._waiting or self._in_a_row >= IN_A_ROW or not self._pace.allowed or self._closing:
            return False
        if not self._hand.acquire(blocking=False):
            return False
        started = time.perf_counter()
        try:
            landed = len(self._ready) == 1 and self._ready[0] is pending and self._land(pending)
        finally:
            self._hand.release()
        if landed:
            self._in_a_row += 1
            self._pace.seen(time.perf_counter() - started, here=True)
            if self._is_late():
                with self._lock:
                    if self._state == _IDLE:
                        self._state = _RUNNING
                        self._wake.release()
        return landed

    def _land(self, pending: Pending) -> bool:
        """Make durable beside the log what the only run that is ready has queued; False: nothing was taken."""
        part = pending.plain()
        if part is None:
            return False
        logs = {pending.run_id: pending}
        with self._interrupted([part], logs):
            try:
                if not self._landing.land(part):
                    return False
            except (apsw.Error, RemitError) as error:
                self._fail([part], logs, _as_remit(error, self._path))
                return False
        with self._lock:
            self._ready.popleft()
            self._rows -= len(part.entries)
            self._bytes -= pending.landed(part)
            if pending.entries:
                self._ready.append(pending)
            else:
                pending.queued = False
        self.commits += 1
        self.events += len(part.entries)
        self._lone = pending
        return True

    @contextmanager
    def _interrupted(self, parts: Sequence[Part], logs: dict[str, Pending]) -> Iterator[None]:
        """Whoever interrupts a commit leaves nobody who knows what was written: its runs fail."""
        done = False
        try:
            yield
            done = True
        finally:
            if not done:
                self._fail(parts, logs, Unavailable("disk_failed", f"a commit was interrupted ({self._path})"))

    def _is_late(self) -> bool:
        """Whether the thread must be woken for what it would see to only later."""
        due_s = self._due_s()
        return self._wal.due or (due_s >= 0 and time.monotonic() + due_s < self._wakes_at)

    # ---- in the writer thread

    def _due_s(self) -> float:
        """See Writer; a fold, too."""
        due_s, landed_s = super()._due_s(), self._landing.due_s()
        return max(due_s, landed_s) if due_s < 0 or landed_s < 0 else min(due_s, landed_s)

    def _due(self) -> None:
        """See Writer; a fold, too."""
        super()._due()
        if self._landing.due_s() == 0:
            self._fold()

    def _tend(self) -> bool:
        """See Writer; the WAL is moved and made longer here."""
        if not self._wal.due:
            return False
        with self._hand:
            self._wal.move()
        self._wal.lengthen()
        return True

    def _seen(self, rows: int, seconds: float) -> bool:
        """See Writer; a batch of the thread is no longer a run alone."""
        self._lone = None
        if rows <= FEW_ROWS:
            self._pace.seen(seconds, here=False)
        return self._pace.allowed

    def _fold(self) -> None:
        try:
            begin(self._connection)
            if self._log.fold is not None:
                self._log.fold()
            self._connection.execute("COMMIT")
            self.commits += 1
            self._log.committed(self._connection)
        except (apsw.Error, RemitError):
            self._log.forget()  # nothing is landed before a commit has folded
            rollback(self._connection)
