"""Events of a run alone: durable by one row each beside the log, moved into it by the next transaction.

A commit of the log writes four to five pages and signs a checkpoint: for one event that is more than the disk's sync.
So where a run alone waits for a fast disk, its events are first *landed*: one statement puts them into `landed`, where
they are one page, under FULL as all else. Whoever writes to the file next (this process after FOLD_S or MOST rows, or
any other) first *folds* them inside its own transaction: heads, events, one signed checkpoint for all of them. Nobody
reads past landed events: a reading connection that meets some has them folded first (it waits for another's
transaction READER_MS at most: then it reads what the log has).

What a landed row proves: `proof` is a keyed BLAKE2b, its key derived from the log's signing key, of the log's id, the
position and the entry's hash. So who can write to the file, and has no key, can neither add nor change one, nor move
it; a fold checks each and refuses to sign what is not proven. The public key alone says nothing of them until they are
folded: that window is FOLD_S of activity, or until the next process opens the file after a crash. A cut of the newest
ones shows in a copy of the last proof outside the file (`KeptEnd`).

The fence is in the statement: the run's epoch and seq must be what they were, and the log must end where this process
believes. Every taking over, answer and fence adds an event to the log, so whoever was fenced lands nothing.

Rejected: signing each (33 us, 76 when the processor comes from a wait), a file of our own beside the database (0.1 x a
sync faster; its own locks, recovery, encryption and order against the database's).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from hmac import compare_digest
from itertools import groupby
from operator import attrgetter
from struct import Struct as Packer
from struct import error as PackError
from typing import Any, Final, NamedTuple

import apsw

from remit.errors import Conflict, Invalid
from remit.journal.chain import hash_entry, run_prefix
from remit.journal.commit import Part
from remit.journal.log import SignedLog, log_id
from remit.journal.schema import move_heads
from remit.journal.signing_key import proving_key
from remit.journal.witness import End, KeptEnd
from remit.ports.journal import Entry

FOLD_S: Final = 0.1
READER_MS: Final = 250
MOST: Final = 256  # rows before a fold is due at once
LARGEST: Final = 8  # events of one landing
MAX_BYTES: Final = 16 * 1024  # of their bodies: more is no longer a page or two

_run_of: Final = attrgetter("run_id")
_position: Final = Packer(">Q")
_COLUMNS: Final = "position, run_id, seq, epoch, at_ms, body, hash, proof"
_FENCE: Final = (
    " WHERE EXISTS (SELECT 1 FROM runs WHERE run_id = ? AND epoch = ? AND seq = ?)"
    " AND NOT EXISTS (SELECT 1 FROM events WHERE position > ?)"
)
_ALL: Final = f"SELECT {_COLUMNS} FROM landed ORDER BY position"  # noqa: S608  # a constant
_READ: Final = f"{_ALL} LIMIT {MOST}"
_ENDS: Final = "SELECT (SELECT min(position) FROM landed), (SELECT max(position) FROM landed)"
_ANY: Final = "SELECT 1 FROM landed LIMIT 1"


class _Row(NamedTuple):
    """One row of `landed`."""

    position: int
    run_id: str
    seq: int
    epoch: int
    at_ms: int
    body: bytes
    hash: bytes
    proof: bytes


class Landing:
    """What the writing connection knows of `landed`. Used by whoever holds the writer's connection.

    Args:
        connection: the writing one, outside a transaction when `land` is called and inside one for `fold`.
        busy_timeout_ms: what the connection waits for another process; `land` does not.
        end: where the last proof is copied to.
    """

    def __init__(self, connection: apsw.Connection, log: SignedLog, busy_timeout_ms: int, end: KeptEnd) -> None:
        self._connection = connection
        self._log = log
        self.busy_timeout_ms = busy_timeout_ms
        self._end = end
        self._own: list[Entry] = []
        """what this process landed since the last fold, in order"""
        self._since = 0.0
        self._most = MOST
        """rows until a fold is due: no more than a witness file may miss"""
        self._bases: dict[str, int] = {}
        """run -> its seq in `runs`, which its landed events are after"""
        self._stopped = False
        log.fold = self.fold

    def land(self, part: Part) -> bool:
        """Make the part's events durable; False when they must go the long way: nothing was written.

        Raises: apsw errors of a disk that fails, audit_key, disk_failed (no key).
        """
        log, entries = self._log, part.entries
        if log.size < 0 or log.foreign or self._stopped or not _fits(part):
            return False
        if not self._own:
            self._most = min(MOST, log.witnesses.room(log.size))
        if len(self._own) + len(entries) > self._most:
            return False
        run_id = part.run_id
        base = self._bases.get(run_id, part.after)
        at = log.size + len(self._own)
        values: list[Any] = []
        proof = b""
        for entry in entries:
            at += 1
            proof = log.prove(_proven(log.log_id, at, entry.hash))
            values += (at, run_id, entry.seq, entry.epoch, entry.at_ms, entry.body, entry.hash, proof)
        values += (run_id, part.epoch, base, log.size)
        if not self._insert(len(entries), values):
            return False
        if not self._own:
            self._since = time.monotonic()
        self._own += entries
        self._bases[run_id] = base
        self._stopped = not self._end.write(End(log.log_id, at, entries[-1].hash, proof))
        return True

    def due_s(self) -> float:
        """Seconds until a fold is due; -1 = nothing is landed."""
        if not self._own:
            return -1
        return 0.0 if len(self._own) >= self._most else max(0.0, self._since + FOLD_S - time.monotonic())

    def fold(self) -> None:
        """Move all that is landed, by whomever, into the log, inside the caller's transaction.

        Raises: chain_broken (a row that nobody with the key wrote), audit_key (written with another key), and what
            `SignedLog.insert` raises.
        """
        connection, log = self._connection, self._log
        own, bases, self._own, self._bases = self._own, self._bases, [], {}
        first, last = connection.execute(_ENDS).fetchone() or (None, None)
        if first is None:
            return
        if own and (first - 1, last) == (log.size, log.size + len(own)):
            self._move(own, bases)  # as they were given: whatever somebody did to the rows
            connection.execute("DELETE FROM landed")
        else:
            while rows := [_Row(*row) for row in connection.execute(_READ)]:
                log.reload(connection)
                self._move(*self._checked(rows))
                connection.execute("DELETE FROM landed WHERE position <= ?", (rows[-1].position,))
        self._stopped = False

    def close(self) -> None:
        """Close the copy of the end."""
        self._end.close()

    def _move(self, entries: Sequence[Entry], bases: dict[str, int]) -> None:
        """Put entries into the log; `bases` = the seq in `runs` of each of their runs."""
        last = {entry.run_id: entry for entry in entries}
        heads = [(e.run_id, e.epoch, bases[e.run_id], e.seq, e.hash, e.at_ms, None, None) for e in last.values()]
        if move_heads(self._connection, heads) != len(heads):
            raise Conflict("chain_broken", "landed events do not continue their runs")
        self._log.insert(self._connection, [list(group) for _, group in groupby(entries, key=_run_of)])

    def _insert(self, rows: int, values: list[Any]) -> bool:
        connection = self._connection
        connection.set_busy_timeout(0)
        try:
            connection.execute(_insertion(rows), values)
            return bool(connection.changes())
        except (apsw.BusyError, apsw.ConstraintError):
            return False  # another process writes, or landed events of its own
        finally:
            connection.set_busy_timeout(self.busy_timeout_ms)

    def _checked(self, rows: Sequence[_Row]) -> tuple[list[Entry], dict[str, int]]:
        """(the entries, the seq in `runs` of each of their runs); raises at the first row that is not proven.

        The log may be further than where they were landed, when a process that knows no landing wrote to the file.
        """
        position = min(self._log.size, rows[0].position - 1)
        ends: dict[str, Entry] = {}
        bases: dict[str, int] = {}
        entries: list[Entry] = []
        for row in rows:
            position += 1
            before = ends.get(row.run_id)
            if before is None:
                before = _head(self._connection, row.run_id)
                bases[row.run_id] = before.seq
            expected = self._log.prove(_proven(self._log.log_id, position, row.hash))
            if row.proof[:4] != expected[:4]:
                raise Invalid("audit_key", "the newest events were written with another audit key; open it with that")
            fault = _fault(row, before, position) or ("" if compare_digest(row.proof, expected) else "is not proven")
            if fault:
                raise Conflict("chain_broken", f"run {row.run_id:.128} seq {row.seq}: the landed event {fault}")
            entry = Entry(row.run_id, row.seq, row.epoch, row.at_ms, row.body, before.hash, row.hash)
            entries.append(entry)
            ends[row.run_id] = entry
        return entries, bases


def has_landed(connection: apsw.Connection) -> bool:
    """Whether events wait to be folded; a file of format 2 that can only be read has none, nor has a server."""
    if not isinstance(connection, apsw.Connection):
        return False
    try:
        return connection.execute(_ANY).fetchone() is not None
    except apsw.SQLError:
        return False


def landed_problems(connection: apsw.Connection, folder: str, size: int) -> tuple[int, list[str]]:
    """(position of the last landed event, what is wrong with them), for a file that could not be folded.

    Args:
        folder: of the audit key; without the key nobody can say whether they are genuine.
        size: records in the log.
    """
    if not has_landed(connection):
        return size, []
    found: Any = connection.execute(_ALL)
    key, name = proving_key(folder), log_id(connection)
    if key is None:
        return size, ["log: its newest events are not signed yet, and the key that proves them is not here"]
    ends: dict[str, Entry] = {}
    for count, row in enumerate(map(_Row._make, found)):
        size = min(size, row.position - 1) + 1 if not count else size + 1
        before = ends.get(row.run_id) or _head(connection, row.run_id)
        fault = _fault(row, before, size)
        if not fault and not compare_digest(row.proof, key(_proven(name, size, row.hash))):
            fault = "is not proven"
        if fault:
            return size, [f"run {row.run_id:.128} seq {row.seq}: the landed event {fault}"]
        ends[row.run_id] = Entry(row.run_id, row.seq, row.epoch, row.at_ms, row.body, before.hash, row.hash)
    return size, []


def end_problems(kept: End | None, folder: str, name: str, last: int) -> list[str]:
    """Whether the copy of the last proof shows more events than the file has; `name` = the log's id."""
    key = None if kept is None else proving_key(folder)
    if kept is None or key is None or kept.log_id != name or kept.position <= last:
        return []
    if not compare_digest(kept.proof, key(_proven(name, kept.position, kept.hash))):
        return []
    return [f"the log was cut: it has {last} records, {kept.position} were written"]


def _fits(part: Part) -> bool:
    """Whether the part is nothing but a few small events of a run that goes on."""
    if part.create is not None or part.released or part.status is not None or part.changes:
        return False
    return 0 < len(part.entries) <= LARGEST and sum([len(entry.body) for entry in part.entries]) <= MAX_BYTES


def _proven(name: str, position: int, digest: bytes) -> bytes:
    """What a proof is over; all of fixed size."""
    return name.encode() + _position.pack(position) + digest


def _head(connection: apsw.Connection, run_id: str) -> Entry:
    """The run's last entry in the log, without its body."""
    row = connection.execute("SELECT seq, epoch, hash FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        raise Conflict("chain_broken", f"run {run_id:.128}: events landed, and the run is missing")
    return Entry(run_id, row[0], row[1], 0, b"", b"", row[2])


def _fault(row: _Row, before: Entry, position: int) -> str:
    if row.position != position or row.seq != before.seq + 1 or row.epoch != before.epoch:
        return "does not follow the one before"
    try:
        digest = hash_entry(before.hash, run_prefix(row.run_id), (row.seq, row.epoch, row.at_ms), row.body)
    except (ValueError, ArithmeticError, PackError):
        return "has a number that no event has"
    return "" if digest == row.hash else "was altered"


@lru_cache(maxsize=LARGEST)
def _insertion(rows: int) -> str:
    marks = "?" + ", ?" * _COLUMNS.count(",")
    given = marks if rows == 1 else f"* FROM (VALUES {', '.join([f'({marks})'] * rows)})"
    return f"INSERT INTO landed ({_COLUMNS}) SELECT {given}{_FENCE}"
