"""The journal in one SQLite file: durable, shared by processes, provable.

Appending hashes in the caller's thread and queues the entry; `flush` waits for the group commit. Reads
see what is durable. Several processes may use the file at once: writes take turns (WAL, one writer),
runs are held by `owner` and fenced by `epoch`.

Invariants: an entry is in `events` if and only if its anchors are in `runs` (one transaction); at most
one live activation a run on this machine; a failed disk fails the runs that it hit, not the process.
One `StoredRunLog` belongs to one thread (its event loop's); the journal itself may be read from any.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

import apsw
from msgspec.structs import replace

from remit.core.events import Event, RunDone, RunStarted
from remit.core.tools import Tool
from remit.errors import Conflict, InternalError, Invalid, RemitError
from remit.journal import owner
from remit.journal.audit import verify_file
from remit.journal.bell import Bell
from remit.journal.chain import Tip, check_run_id, decode_event, encode_event
from remit.journal.encrypted import PLAIN, AtRest, choose_key
from remit.journal.heads import CHANGES, FINAL, MAX_TASK, Head, change_of, check_status
from remit.journal.landing import Landing, has_landed
from remit.journal.log import SignedLog
from remit.journal.loop_writer import LoopWriter
from remit.journal.migrate import migrate
from remit.journal.pending import Pending
from remit.journal.schema import connect, disk_error, prepare, read_entries
from remit.journal.sealed import SEALED, Seal, Sealing, shown
from remit.journal.signing_key import AuditPlace, SigningKey, default_place
from remit.journal.snapshots import Snapshots
from remit.journal.takeover import Takeover, answer, fence, holds, known_name, question, seal_of, unknown
from remit.journal.transactions import Transactions
from remit.journal.wal import Wal
from remit.journal.witness import KeptEnd, Witnesses
from remit.journal.writer import Writer
from remit.ports.bus import Bus
from remit.ports.clock import Clock
from remit.ports.journal import Entry, InboxRow, RunRow

MAX_SEQ: Final = 2**62  # larger numbers do not fit into SQLite's integers
_PARKED: Final = (
    "SELECT run_id, owner FROM runs WHERE parent = '' AND (status = 'running' OR (status = 'waiting' AND NOT EXISTS"
    " (SELECT 1 FROM inbox AS i WHERE i.run_id = runs.run_id AND i.open = 1))) ORDER BY started_ms, run_id LIMIT 100000"
)
SYNCHRONOUS: Final = ("FULL", "EXTRA", "NORMAL")

# Runs that this process holds, by real path: the owner string alone cannot tell two journals of one process apart.
_LIVE: Final[dict[str, owner.Held]] = {}


class StoredRunLog:
    """One activation of a run on disk, or in a database."""

    __slots__ = ("_final", "_now_ms", "_open", "_pending", "_tip", "_writer", "epoch", "run_id")

    def __init__(self, writer: Writer, pending: Pending, tip: Tip, clock: Clock) -> None:
        self.run_id = tip.run_id
        self.epoch = tip.epoch
        self._writer = writer
        self._pending = pending
        self._tip = tip
        self._now_ms = clock.now_ms
        self._open = True
        self._final = False

    @property
    def seal(self) -> Seal | None:
        """What seals the run's contents; a run that it starts is sealed alike."""
        return self._tip.seal

    @property
    def place(self) -> tuple[int, bytes]:
        """Seq and hash of the last event; it may not be durable yet."""
        return self._tip.seq, self._tip.hash

    def append(self, event: Event) -> Entry:
        """See ports.journal.RunLog; the entry's body is the event as given, also where a sealed one is stored.

        Raises value_invalid, queue_full (the disk is 262,144 events or 256 MB behind), disk_failed or
        stale_epoch once a write of this activation failed or was refused, stale_epoch once released.
        """
        entry = self._add(event)
        return entry if self._tip.seal is None else replace(entry, body=encode_event(event))

    def _add(self, event: Event) -> Entry:
        pending = self._pending
        if pending.failure is not None:
            raise pending.failure()
        if not self._open:
            raise Conflict("stale_epoch", f"the activation {self.epoch} of run {self.run_id} has ended")
        self._writer.check_room()
        change = change_of(event) if type(event) in CHANGES else None
        entry = self._tip.extend(event, self._now_ms())
        if change is not None and change.status:
            self._final = True
        self._writer.submit(pending, entry, change)
        return entry

    def note(self, event: Event) -> None:
        """See ports.journal.RunLog; the chain over the file is made at once."""
        self._add(event)

    def flush(self) -> Coroutine[Any, Any, None]:
        """See ports.journal.RunLog; raises disk_failed, stale_epoch, run_active (the new run's id exists)."""
        return self._writer.wait(self._pending)

    async def release(self, status: str) -> None:
        """See ports.journal.RunLog; an ending `status` without a run_done event writes one."""
        if not self._open:
            return
        check_status(status)
        try:
            if status in FINAL and not self._final:
                self.append(RunDone(status))
        finally:
            self._open = False
        self._writer.release(self._pending, status)
        await self._writer.wait(self._pending)


class StoredJournal:
    """See ports.journal.Journal: what holds of every journal that outlives its process.

    A store's own class sets these attributes, and overrides `reading`, `_reading` and `_new_reader` where its
    connections differ.
    """

    path: str
    """what names the store: a resolved file, or an address without its password"""
    audit: AuditPlace
    writer: Writer
    snapshots: Snapshots | None = None
    """the cache of long runs' states"""
    _clock: Clock
    _live: owner.Held
    _logs: dict[str, StoredRunLog]
    _sealing: Sealing | None
    _ring: Callable[[str], None]
    """told the id of a run that was parked or answered, in any thread"""

    def create(self, run_id: str, event: RunStarted) -> StoredRunLog:
        """See ports.journal.Journal.

        Raises value_invalid, run_active (this process holds a run of that id). An id that is only in the file
        is found when the run is written: flush raises run_active. The run can be read once it is flushed.
        """
        if check_run_id(run_id) in self._live:
            raise Conflict("run_active", f"run {run_id} exists")
        self.writer.check_room()
        tip = Tip(run_id, epoch=1)
        if self._sealing is not None:
            parent = self._logs.get(event.parent)
            tip.seal = self._sealing.begin(run_id, event, parent.seal if parent is not None else None)
        entry = tip.extend(event, self._clock.now_ms())
        pending = Pending(run_id, 1, self._live.me, self._ended)
        pending.create = Head(run_id, event if tip.seal is None else shown(entry.body), entry.at_ms)
        self._logs[run_id] = log = StoredRunLog(self.writer, pending, tip, self._clock)
        self._live.add(run_id)
        self.writer.submit(pending, entry, None)
        return log

    async def activate(self, run_id: str) -> StoredRunLog:
        """See ports.journal.Journal; the whole chain is checked first."""
        known_name(run_id)
        with self._reading() as connection:
            seal = seal_of(connection, run_id, self._sealing)
        takeover = Takeover(run_id, self._clock, self._live, self.snapshots)
        try:
            while (taken := await self._try(takeover)) is None:
                pass
        except BaseException:
            takeover.give_back()
            raise
        tip, at_ms = taken
        tip.seal = seal
        pending = Pending(run_id, tip.epoch, self._live.me, self._ended)
        pending.given = pending.after = pending.written = tip.seq
        pending.last = (tip.seq, tip.hash, at_ms)
        pending.asks = True
        self._logs[run_id] = log = StoredRunLog(self.writer, pending, tip, self._clock)
        return log

    def read(self, run_id: str, after_seq: int = 0, limit: int = -1) -> list[Entry]:
        """See ports.journal.Journal; durable entries only. Sealed contents are opened: `hash` is of the stored body."""
        with self._reading() as connection:
            rows = read_entries(connection, known_name(run_id), min(after_seq, MAX_SEQ), limit)
            found = []
            for entry, blob, gone in rows:
                if gone and blob is None:
                    raise Invalid("run_rotated", f"the content of run {run_id} was dropped")
                found.append(entry)
            if not found and not connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone():
                raise unknown(run_id)
        if self._sealing is not None:
            return [replace(entry, body=self._sealing.opened(run_id, entry.seq, entry.body)) for entry in found]
        return found

    def runs(self, limit: int = 100) -> list[RunRow]:
        """See ports.journal.Journal."""
        with self._reading() as connection:
            rows: list[Any] = connection.execute(
                "SELECT run_id, agent, task, status, started_ms, updated_ms, seq, epoch, parent, owner FROM runs"
                " ORDER BY started_ms DESC, run_id DESC LIMIT ?",
                (min(max(limit, 0), MAX_SEQ),),
            ).fetchall()
        living: dict[str, bool] = {}
        listed = []
        for row, holder in [(RunRow(*fields[:-1]), fields[-1]) for fields in rows]:
            gone = row.status == "running" and not holds(holder, row.run_id, self._live, living)
            listed.append(replace(row, status="interrupted") if gone else row)
        return listed if self._sealing is None else [self._told(row) for row in listed]

    def holder(self, run_id: str) -> str:
        """See ports.journal.Journal."""
        with self._reading() as connection:
            row = connection.execute("SELECT owner FROM runs WHERE run_id = ?", (known_name(run_id),)).fetchone()
        if row is None:
            raise unknown(run_id)
        return str(row[0]) if holds(row[0], run_id, self._live, {}) else ""

    def inbox(self) -> list[InboxRow]:
        """See ports.journal.Journal; an item whose question is damaged is shown without its arguments."""
        with self._reading() as connection:
            found: list[Any] = connection.execute(
                "SELECT item, run_id, seq FROM inbox INDEXED BY inbox_open WHERE open = 1"
            ).fetchall()
            rows = [self._listed(connection, *row) for row in found]
        rows.sort(key=lambda row: (row.opened_ms, row.id))
        return rows

    async def answer(self, item: str, make: Any) -> str:
        """See ports.journal.Journal. `make` runs in the writer thread, inside the transaction: keep it pure."""
        run_id: str = await self.writer.call(
            lambda connection, log: answer(connection, log, self._clock, self._live, item, make, self._sealing)
        )
        self._ring(run_id)
        return run_id

    def follow(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """See ports.journal.Journal."""
        raise InternalError("internal", "this store wakes nobody")

    async def fence(self, run_id: str, holder: str) -> bool:
        """See ports.journal.Journal."""
        known_name(run_id)
        return await self.writer.call(
            lambda connection, log: fence(connection, log, self._clock, self._live, (run_id, holder))
        )

    def parked(self, limit: int = 10_000) -> list[str]:
        """See ports.journal.Journal."""
        with self._reading() as connection:
            rows: list[Any] = connection.execute(_PARKED).fetchall()
        living: dict[str, bool] = {}
        found = [run_id for run_id, holder in rows if not holds(holder, run_id, self._live, living)]
        return found[: max(limit, 0)]

    def verify(self, *run_ids: str) -> list[str]:
        """See ports.journal.Journal; streams, so memory does not grow with the journal."""
        with self.reading() as connection:
            found = "SELECT 1 FROM runs WHERE run_id = ? UNION SELECT 1 FROM events WHERE run_id = ?"
            for run_id in run_ids:
                if not connection.execute(found, (known_name(run_id), run_id)).fetchone():
                    raise unknown(run_id)
            return verify_file(connection, self.path, self.audit, run_ids).problems

    @property
    def me(self) -> str:
        """See ports.journal.Journal."""
        return self._live.me

    def bus(self) -> Bus:
        """See ports.journal.Journal; a file has none, so other processes are heard by looking."""
        from remit.journal.bus import LocalBus  # only workers need it

        return LocalBus()

    def now_ms(self) -> int:
        """Wall time of the journal's clock."""
        return self._clock.now_ms()

    def opened(self, run_id: str, seq: int, body: bytes) -> bytes:
        """The readable body of a stored one; sealed contents are opened where this process has the key."""
        return body if self._sealing is None else self._sealing.opened(run_id, seq, body)

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A reading connection of its own, closed at the end; errors of the store become remit's."""
        raise InternalError("internal", "this store has no reading connection")
        yield

    async def aclose(self) -> None:
        """Release what is still held (as running: shown as interrupted), flush, close; raises disk_failed."""
        logs = list(self._logs.values())
        failure: RemitError | None = None
        for log in logs:
            if log._open and log._pending.failure is None:
                log._open = False
                self.writer.release(log._pending, "running")
        await self.writer.close()
        for log in logs:
            if log._pending.failure is not None and failure is None:
                failure = log._pending.failure()
            self._live.discard(log.run_id)
        self._close_readers()
        self.writer.close_connection()
        if self.snapshots is not None:
            self.snapshots.close()
        if failure is not None and failure.code == "disk_failed":
            raise failure

    async def _try(self, takeover: Takeover) -> tuple[Tip, int] | None:
        """Check the run's chain, then take it over; None when it went on in between."""
        await asyncio.to_thread(self._check, takeover)
        return await self.writer.call(takeover.take)

    def _check(self, takeover: Takeover) -> None:
        with self.reading() as connection:
            takeover.check(connection)

    def _listed(self, connection: apsw.Connection, item: str, run_id: str, seq: int) -> InboxRow:
        try:
            return question(connection, item, run_id, seq, self._sealing)
        except RemitError as error:
            return InboxRow(item, "approval", run_id, "", None, "", "", f"damaged: {error.message}")

    def _told(self, row: RunRow) -> RunRow:
        """The row with its task, which the table does not hold when contents are sealed."""
        if row.task != SEALED:
            return row
        try:
            started = decode_event(self.read(row.run_id, 0, 1)[0].body)
        except RemitError:
            return row  # verify says what is wrong with the run; the list goes on
        return replace(row, task=started.task[:MAX_TASK]) if isinstance(started, RunStarted) else row

    def _ended(self, pending: Pending) -> None:
        """An activation of this process ended or failed (called in the writer thread)."""
        log = self._logs.get(pending.run_id)
        if log is not None and log._pending is pending:
            del self._logs[pending.run_id]
            self._live.discard(pending.run_id)
            if pending.release_as == "waiting" and pending.released:
                self._ring(pending.run_id)

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """The shared reading connection."""
        raise InternalError("internal", "this store has no reading connection")
        yield

    def _close_readers(self) -> None:
        """Close the shared reading connection."""
        raise InternalError("internal", "this store has no reading connection")


class SqliteJournal(StoredJournal):
    """The journal in one file.

    Args:
        path: the file; made when missing (its folder is not: see open.py, which also sets the modes).
        clock: wall time of the entries.
        synchronous: FULL (default) or EXTRA: every commit is on the disk; NORMAL: a power cut may lose the
            last commits, never the file.
        busy_timeout_ms: how long to wait for another process's write.
        audit: where the signing key and the kept heads lie, and a witness file; by default the state folder.
        at_rest: the keys of an encrypted file, and what seals the contents of events; by default neither.

    Raises: disk_failed, value_invalid (not a journal), journal_format (newer), chain_broken (altered schema),
        key_missing, key_wrong, encryption_mismatch (see encrypted.py).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        clock: Clock,
        synchronous: str = "FULL",
        busy_timeout_ms: int = 10_000,
        audit: AuditPlace | None = None,
        at_rest: AtRest = PLAIN,
    ) -> None:
        if synchronous not in SYNCHRONOUS:
            raise Invalid("value_invalid", f"synchronous={synchronous!r:.20}: one of {', '.join(SYNCHRONOUS)}")
        self.path = os.path.realpath(path)
        self._clock = clock
        self._busy_timeout_ms = busy_timeout_ms
        self.audit = audit or default_place()
        signing = SigningKey(self.audit.folder)
        log = SignedLog(signing, Witnesses(self.audit.folder, self.path, self.audit.witness))
        with self._errors():
            self._key = choose_key(self.path, at_rest.keys, busy_timeout_ms)
            connection = connect(self.path, busy_timeout_ms, synchronous=synchronous, key=self._key)
            try:
                migrate(connection, log)
                prepare(connection, self.path, busy_timeout_ms)
                self._reader = connect(self.path, busy_timeout_ms, readonly=True, key=self._key)
            except BaseException:
                connection.close()
                raise
        self._sealing = Sealing(at_rest.payloads) if at_rest.payloads is not None else None
        self.snapshots = Snapshots(self.path, self._key, signing.sign, at_rest.payloads)
        self._read_lock = threading.Lock()
        self._live = _LIVE.setdefault(self.path, owner.Held())
        self._logs: dict[str, StoredRunLog] = {}
        self.bell = Bell(self.path)
        self._ring = self.bell.ring
        self._transactions = Transactions(self._connect, self.path)
        landing = Landing(connection, log, busy_timeout_ms, KeptEnd(self.audit.folder, self.path))
        wal = Wal(connection, self.path, busy_timeout_ms)
        self.writer: LoopWriter = LoopWriter(connection, self.path, log, wal, landing)

    def follow(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """See ports.journal.Journal."""
        return self.bell.listen(listener)

    async def transact(self, key: str, tool: Tool, values: dict[str, Any], context: Any) -> str:
        """Perform a transactional tool; see transactions.py."""
        return await self._transactions.perform(key, tool, values, context)

    def _connect(self) -> apsw.Connection:
        return connect(self.path, self._busy_timeout_ms, synchronous="FULL", key=self._key)

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """A reading connection of its own; errors of SQLite become remit's, those of the caller's files pass."""
        try:
            connection = connect(self.path, self._busy_timeout_ms, readonly=True, key=self._key)
            try:
                if has_landed(connection):
                    self.writer.fold()
                yield connection
            finally:
                connection.close()
        except apsw.Error as error:
            raise disk_error(error, self.path) from None

    def _close_readers(self) -> None:
        self.bell.close()
        self._transactions.close()
        with self._read_lock:
            self._reader.close()

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        with self._read_lock, self._errors():
            landed = has_landed(self._reader)
        if landed:
            self.writer.fold()
        with self._read_lock, self._errors():
            yield self._reader

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (apsw.Error, OSError) as error:
            raise disk_error(error, self.path) from None
