"""One batch, one transaction: fence, events, projections.

Fencing: a run's anchors move only where `runs.epoch` and `runs.seq` are what the writer believes. When
fewer rows moved than the batch has runs, the transaction is rolled back, the stale runs are found one by
one, and the rest is written. A stale run writes nothing; the other runs of the batch are not hurt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import apsw
from msgspec import Struct

from remit.errors import RemitError
from remit.journal.chain import GENESIS
from remit.journal.heads import Change, Head
from remit.journal.log import SignedLog
from remit.journal.schema import insert_runs, move_heads
from remit.ports.journal import Entry

EXISTS: Final = "exists"
STALE: Final = "stale"


class Part(Struct):
    """What one run contributes to a batch."""

    run_id: str
    epoch: int
    entries: list[Entry]
    changes: list[tuple[Change, int]]
    """projection changes with their seq"""
    after: int
    """the run's last seq before this part"""
    last: tuple[int, bytes, int]
    """seq, hash and at_ms of the run's last entry after this part"""
    owner: str
    create: Head | None = None
    """set when this part begins the run"""
    status: str | None = None
    released: bool = False

    def head(self) -> tuple[Any, ...]:
        """The row for move_heads."""
        seq, digest, at_ms = self.last
        owner = "" if self.released else None
        return (self.run_id, self.epoch, self.after, seq, digest, at_ms, self.status, owner)


def write(connection: apsw.Connection, log: SignedLog, parts: Sequence[Part], *, begun: bool = False) -> dict[str, str]:
    """Write the parts in one transaction; returns {run_id: EXISTS | STALE} of those that were refused.

    `begun`: the caller has begun it. Raises apsw errors after rolling back; then nothing of the batch is written.
    """
    if not begun:
        begin(connection)
    try:
        if log.fold is not None:
            log.fold()
        if _apply(connection, log, parts):
            connection.execute("COMMIT")
            return {}
        connection.execute("ROLLBACK")
        log.forget()
        begin(connection)
        if log.fold is not None:
            log.fold()
        refused = _refused(connection, parts)
        good = [part for part in parts if part.run_id not in refused]
        if good and not _apply(connection, log, good):
            raise apsw.InternalError("the fence changed inside a transaction")
        connection.execute("COMMIT")
        return refused
    except BaseException:
        log.forget()
        rollback(connection)
        raise


def begin(connection: apsw.Connection) -> None:
    """BEGIN IMMEDIATE: take the write lock first, so that what is read is what is changed."""
    connection.execute("BEGIN IMMEDIATE")


def rollback(connection: apsw.Connection) -> None:
    """End a failed transaction; SQLite may have ended it itself (full disk, I/O error)."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except (apsw.Error, RemitError):
        pass  # the first error is the one to report; the next BEGIN reports a connection that is beyond use


def apply_change(connection: apsw.Connection, run_id: str, change: Change, seq: int) -> None:
    """Write one change of the inbox. The first run that opens an item id keeps it."""
    if change.opens:
        connection.execute(
            "INSERT INTO inbox (item, run_id, seq, open) VALUES (?, ?, ?, 1) ON CONFLICT DO NOTHING",
            (change.opens, run_id, seq),
        )
        if not connection.changes():
            connection.execute(
                "UPDATE inbox SET seq = ?, open = 1 WHERE item = ? AND run_id = ?", (seq, change.opens, run_id)
            )
    elif change.closes == "*":
        connection.execute("UPDATE inbox SET open = 0 WHERE run_id = ? AND open = 1", (run_id,))
    elif change.closes:
        connection.execute("UPDATE inbox SET open = 0 WHERE item = ? AND run_id = ?", (change.closes, run_id))


def _apply(connection: apsw.Connection, log: SignedLog, parts: Sequence[Part]) -> bool:
    """Everything between BEGIN and COMMIT; False when a fence does not hold."""
    insert_runs(connection, [_new_run(part, part.create) for part in parts if part.create is not None])
    if move_heads(connection, [part.head() for part in parts]) != len(parts):
        return False
    log.insert(connection, [part.entries for part in parts if part.entries])
    for part in parts:
        for change, seq in part.changes:
            apply_change(connection, part.run_id, change, seq)
    return True


def _new_run(part: Part, head: Head) -> tuple[Any, ...]:
    return (head.run_id, head.agent, head.task, head.parent, head.started_ms, part.owner, part.epoch)


def _refused(connection: apsw.Connection, parts: Sequence[Part]) -> dict[str, str]:
    refused: dict[str, str] = {}
    for part in parts:
        found = connection.execute("SELECT epoch, seq, hash FROM runs WHERE run_id = ?", (part.run_id,)).fetchone() or (
            part.epoch,
            0,
            GENESIS,
        )
        if part.create is not None:
            if found[1:] != (0, GENESIS):
                refused[part.run_id] = EXISTS
        elif found[:2] != (part.epoch, part.after):
            refused[part.run_id] = STALE
    return refused
