"""The writer thread: group commit for all runs of one journal file in this process.

Appending threads put entries in their log's own queue; the log stands in the ready queue at most once.
The writer takes logs until it has MAX_ROWS rows, writes them in one transaction, and then wakes the
waiters of all of them with one call_soon_threadsafe per event loop. While a commit runs the next batch
fills, so 1,000 writers share one fsync. When nobody waits, a batch may be gathered for GATHER_S.

A journal in a file need not wake the thread for a few that wait: see loop_writer.py.

Invariants: rows of a run are written in order, each once; a run whose batch failed accepts nothing more
(`failure`); a waiter is resolved after COMMIT returned, never before; the thread outlives every error.
All shared state is guarded by `_lock`, which is held for a few operations only, never over I/O; the connection
and the signed log belong to who holds `_hand`: from taking a batch until it is settled.

Rejected: a transaction per run (one fsync each: 480 steps/s), asyncio with a thread pool call per flush
(two thread hops a flush), a lock-free deque (waiters may be missed between commit and wait).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import apsw

from remit.errors import Conflict, Exhausted, InternalError, RemitError, Unavailable
from remit.journal.commit import EXISTS, Part, begin, rollback, write
from remit.journal.heads import Change
from remit.journal.log import SignedLog
from remit.journal.pending import Pending
from remit.journal.schema import MAX_ROWS, disk_error
from remit.ports.journal import Entry

GATHER_S: Final = 0.002
MAX_PENDING_ROWS: Final = 262_144
MAX_PENDING_BYTES: Final = 256 * 1024 * 1024

_RUNNING, _IDLE, _GATHERING = 0, 1, 2
_Result = TypeVar("_Result")
_Settled = tuple["asyncio.Future[Any]", Any, Exception | None]


class Writer:
    """Owns the writing connection; see the module's text. Starts its thread at the first use.

    Args:
        connection: the writing one.
        path: what errors call the store.
        log: the signed log of the store.
    """

    def __init__(self, connection: apsw.Connection, path: str, log: SignedLog) -> None:
        self._connection = connection
        self._path = path
        self._log = log
        self._hand = threading.Lock()
        self._wakes_at = float("inf")
        """when the thread wakes by itself (monotonic)"""
        self._lock = threading.Lock()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._state = _IDLE
        self._ready: deque[Pending] = deque()
        self._commands: deque[tuple[Callable[[apsw.Connection, SignedLog], Any], Any, Any]] = deque()
        self._abandoned: list[tuple[str, int]] = []
        self._thread: threading.Thread | None = None
        self._closing = False
        self._ended = False
        self._rows = 0
        self._bytes = 0
        self._waiting = 0
        self.commits = 0
        self.events = 0

    def check_room(self) -> None:
        """Refuse an append while the disk is too far behind (queue_full) or after close (disk_failed)."""
        if self._rows >= MAX_PENDING_ROWS or self._bytes >= MAX_PENDING_BYTES:
            raise Exhausted("queue_full", "the journal's disk is too slow: too many events wait", retryable=True)
        if self._closing:
            raise closed()

    def submit(self, pending: Pending, entry: Entry, change: Change | None) -> None:
        """Queue one entry; never waits for the disk."""
        with self._lock:
            pending.entries.append(entry)
            pending.given = entry.seq
            if change is not None:
                pending.changes.append((change, entry.seq))
            self._rows += 1
            self._bytes += len(entry.body)
            self._enqueue(pending)

    def release(self, pending: Pending, status: str) -> None:
        """Queue the end of an activation."""
        with self._lock:
            pending.release_as = status
            self._enqueue(pending)

    async def wait(self, pending: Pending) -> None:
        """Return once all given so far is durable; raises the log's failure."""
        if pending.failure is None and pending.written >= pending.target:
            return
        loop = asyncio.get_running_loop()
        with self._lock:
            target = pending.target
            if pending.failure is not None:
                raise pending.failure()
            if pending.written >= target:
                return  # meanwhile
            if self._ended:
                raise closed()
            future: asyncio.Future[None] = loop.create_future()
            pending.waiters.append((target, future, loop))
            self._waiting += 1
            self._enqueue(pending)
        await future

    async def call(self, command: Callable[[apsw.Connection, SignedLog], _Result]) -> _Result:
        """Run `command` on the writer's connection inside one IMMEDIATE transaction; its errors are raised here."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Result] = loop.create_future()
        with self._lock:
            if self._closing:
                raise closed()
            self._commands.append((command, future, loop))
            self._signal(urgent=True)
        return await future

    async def close(self) -> None:
        """Write what is queued, then end the thread; `close_connection` comes last."""
        with self._lock:
            self._closing = True
            thread = self._thread
            self._ended = self._ended or thread is None
            self._signal(urgent=True)
        if thread is not None:
            await asyncio.to_thread(thread.join)
        self._log.witnesses.close()

    def close_connection(self) -> None:
        """Close the connection: after those that read, so that SQLite moves the whole WAL into the file."""
        try:
            self._connection.close()
        except (apsw.Error, RemitError):
            pass  # a disk that fails while the WAL is moved: what was committed is in the WAL

    # ---- under _lock

    def _enqueue(self, pending: Pending) -> None:
        if not pending.queued:
            pending.queued = True
            self._ready.append(pending)
        elif self._state == _RUNNING:
            return  # it was seen to when it was queued
        if self._state == _RUNNING:
            self._put_off()
        else:
            self._signal(urgent=bool(self._waiting) or self._rows >= MAX_ROWS or bool(pending.release_as))

    def _signal(self, *, urgent: bool) -> None:
        if self._thread is None:
            if self._closing:
                return
            # A daemon: a process that ends without aclose() must not hang; the file stays valid.
            self._thread = threading.Thread(target=self._run, name="remit-journal", daemon=True)
            self._state = _RUNNING
            self._thread.start()
        elif (self._state == _IDLE or (urgent and self._state == _GATHERING)) and not self._put_off():
            self._state = _RUNNING
            self._wake.release()

    def _take(self) -> tuple[list[Part], list[Pending]]:
        """The next batch: whole logs until MAX_ROWS rows; a longer log is cut and queued again."""
        parts: list[Part] = []
        taken: list[Pending] = []
        room = MAX_ROWS
        while self._ready and room > 0 and len(taken) < MAX_ROWS:
            pending = self._ready.popleft()
            pending.queued = False
            taken.append(pending)
            part, count, size = pending.cut(room)
            self._rows -= count
            self._bytes -= size
            if part is not None:
                room -= len(part.entries)
                parts.append(part)
            if pending.entries:
                pending.queued = True
                self._ready.append(pending)
        return parts, taken

    # ---- the writer thread

    def _run(self) -> None:
        while True:
            with self._lock:
                work = bool(self._commands) or (bool(self._ready) and not self._is_put_off())
                if not work and self._closing:
                    self._ended = True
                    return
                urgent = bool(self._waiting or self._commands) or self._rows >= MAX_ROWS or self._closing
                self._state = _RUNNING if work and urgent else _GATHERING if work else _IDLE
            if not work:
                self._rest()
                continue
            if not urgent:
                self._sleep(GATHER_S)
            with self._hand:
                self._work()
            self._tend()

    def _rest(self) -> None:
        """Nothing waits: sleep until something does."""
        self._tend()
        due_s = (
            self._due_s()
        )  # `_hand` is not taken for this: a loop that finds it taken leaves its events to the thread
        self._wakes_at = time.monotonic() + due_s if due_s >= 0 else float("inf")
        self._sleep(due_s)
        if self._due_s() == 0:
            with self._hand:
                self._due()

    def _due_s(self) -> float:
        """Seconds until `_due` has something to do; -1 = never."""
        return self._log.witnesses.due_s()

    def _due(self) -> None:
        """Do what is due though nothing was appended."""
        self._log.witnesses.tick()

    def _tend(self) -> bool:
        """Look after the store between two batches (`_hand` is free); whether there was anything to do."""
        return False

    def _seen(self, rows: int, seconds: float) -> bool:
        """A batch took this long in the thread; whether loops commit by themselves from here on."""
        return False

    def _put_off(self) -> bool:
        """Ask a loop to see to what is ready; whether it will."""
        return False

    def _is_put_off(self) -> bool:
        """Whether a loop will see to all that is ready."""
        return False

    def _work(self) -> None:
        """Write one batch, and do what was called for."""
        with self._lock:
            parts, taken = self._take()
            commands = list(self._commands)
            self._commands.clear()
        if parts:
            started = time.perf_counter()
            rows = sum([len(part.entries) for part in parts])
            self._write(parts, {pending.run_id: pending for pending in taken})
            self._seen(rows, time.perf_counter() - started)
        settled = [self._command(*command) for command in commands]
        self._settle(taken, settled)

    def _sleep(self, timeout_s: float) -> None:
        woken = self._wake.acquire(timeout=timeout_s)
        with self._lock:
            if not woken and self._state == _RUNNING:
                self._wake.acquire(blocking=False)  # the signal came between the timeout and this line
            self._state = _RUNNING

    def _write(self, parts: Sequence[Part], logs: dict[str, Pending], *, begun: bool = False) -> None:
        try:
            refused = self._commit(parts, begun=begun)
            self.commits += 1
        except Exception as error:  # the thread must live: whatever it is, it belongs to this batch's runs
            if isinstance(error, apsw.ConstraintError) and len(parts) > 1:
                for part in parts:  # one run's rows collide; the others are written without it
                    self._write([part], logs)
            else:
                self._fail(parts, logs, _as_remit(error, self._path))
            return
        for part in parts:
            pending = logs[part.run_id]
            reason = refused.get(part.run_id)
            if reason:
                self._refuse(pending, reason)
                continue
            pending.create = None
            pending.after = part.last[0]
            pending.written = pending.after + part.released
            self.events += len(part.entries)
            if part.released:
                pending.released = True
                pending.on_end(pending)
        self._log.committed(self._connection)
        self._clear_abandoned()

    def _commit(self, parts: Sequence[Part], *, begun: bool) -> dict[str, str]:
        """Write the parts in one transaction; see commit.write."""
        return write(self._connection, self._log, parts, begun=begun)

    def _fail(self, parts: Sequence[Part], logs: dict[str, Pending], error: RemitError) -> None:
        kind, code, message = type(error), error.code, error.message
        for part in parts:
            pending = logs[part.run_id]
            pending.failure = lambda: kind(code, message)
            pending.on_end(pending)
            if part.create is None:
                self._abandoned.append((part.run_id, part.epoch))

    def _refuse(self, pending: Pending, reason: str) -> None:
        run_id, epoch = pending.run_id, pending.epoch
        if reason == EXISTS:
            pending.failure = lambda: Conflict("run_active", f"run {run_id} exists")
        else:
            pending.failure = lambda: Conflict("stale_epoch", f"run {run_id} was taken over; epoch {epoch} has ended")
        pending.on_end(pending)

    def _clear_abandoned(self) -> None:
        """Give back, once the disk works again, what failed activations of this process still hold."""
        if not self._abandoned:
            return
        try:
            begin(self._connection)
            self._connection.executemany("UPDATE runs SET owner = '' WHERE run_id = ? AND epoch = ?", self._abandoned)
            self._connection.execute("COMMIT")
            self._abandoned.clear()
        except (apsw.Error, RemitError):
            rollback(self._connection)  # tried again after the next batch

    def _command(
        self, command: Callable[[apsw.Connection, SignedLog], Any], future: Any, loop: Any
    ) -> tuple[Any, _Settled]:
        try:
            begin(self._connection)
            if self._log.fold is not None:
                self._log.fold()
            result = command(self._connection, self._log)
            self._connection.execute("COMMIT")
            self.commits += 1
            self._log.committed(self._connection)
            return loop, (future, result, None)
        except Exception as error:  # raised in the caller's task; the thread must live
            self._log.forget()
            rollback(self._connection)
            return loop, (future, None, error if isinstance(error, RemitError) else _as_remit(error, self._path))

    def _settle(self, taken: Sequence[Pending], settled: Sequence[tuple[Any, _Settled]], here: Any = None) -> None:
        """Tell the waiters; `here` is the loop of this thread, when it has one."""
        loops: dict[Any, list[_Settled]] = {}
        for loop, result in settled:
            loops.setdefault(loop, []).append(result)
        with self._lock:
            for pending in taken:
                waiters = pending.waiters
                while waiters and (pending.failure is not None or waiters[0][0] <= pending.written):
                    _, future, loop = waiters.popleft()
                    self._waiting -= 1
                    error = pending.failure() if pending.failure is not None else None
                    loops.setdefault(loop, []).append((future, None, error))
        if here in loops:
            _resolve(loops.pop(here))
        for loop, results in loops.items():
            with suppress(RuntimeError):  # that loop is closed; nobody waits there any more
                loop.call_soon_threadsafe(_resolve, results)


def closed() -> RemitError:
    """The error of a journal that was closed."""
    return Unavailable("disk_failed", "the journal is closed", hint="Use the runtime inside its `async with` block.")


def _as_remit(error: Exception, path: str) -> RemitError:
    if isinstance(error, RemitError):
        return error
    if isinstance(error, apsw.ConstraintError):
        return Conflict("chain_broken", f"the journal holds rows that remit did not write there: {error} ({path})")
    if isinstance(error, (apsw.Error, OSError, MemoryError)):
        return disk_error(error, path)
    return InternalError("internal", f"the journal's writer failed: {type(error).__name__}: {error}")


def _resolve(results: Sequence[_Settled]) -> None:
    for future, result, error in results:
        if future.done():
            continue  # the waiter was cancelled
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
