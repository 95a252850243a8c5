"""Format 1 to format 2: events get their position in the log, and checkpoints that sign them.

One transaction, so a crash leaves the old file. The order is the one in which the rows were written (format 1 kept
it as rowids). What was changed before this moment cannot be found by the tree; the chain of each run still shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any, Final

import apsw

from remit.journal.log import SignedLog
from remit.journal.schema import APPLICATION_ID, FORMAT, MAX_ROWS, TABLES
from remit.ports.journal import Entry

_COPY: Final = (
    "INSERT INTO events (run_id, seq, epoch, at_ms, body, blob, hash)"
    " SELECT run_id, seq, epoch, at_ms, body, blob, hash FROM events_1 ORDER BY rowid"
)


def migrate(connection: apsw.Connection, log: SignedLog) -> None:
    """Bring a file of format 1 to format 2; every other file stays as it is."""
    if not _is_old(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _is_old(connection):  # else another process did it while this one waited
            _move_events(connection)
            for groups in _batches(connection):
                log.checkpoint(connection, groups)
            connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (str(FORMAT),))
        connection.execute("COMMIT")
        log.committed(connection)
    finally:
        if connection.in_transaction:
            log.forget()
            connection.execute("ROLLBACK")


def _is_old(connection: apsw.Connection) -> bool:
    if connection.pragma("application_id") != APPLICATION_ID:
        return False
    return connection.execute("SELECT 1 FROM meta WHERE key = 'format' AND value = '1'").fetchone() is not None


def _move_events(connection: apsw.Connection) -> None:
    connection.execute("DROP INDEX events_blob")
    connection.execute("ALTER TABLE events RENAME TO events_1")
    for name in ("events", "events_blob", "checkpoints", "rotations"):
        connection.execute(TABLES[name])
    connection.execute(_COPY)
    connection.execute("DROP TABLE events_1")
    connection.execute("INSERT INTO meta VALUES ('log', lower(hex(randomblob(16))))")


def _batches(connection: apsw.Connection) -> Iterator[list[list[Entry]]]:
    """All events in the log's order, at most MAX_ROWS at a time, grouped by run; without their bodies."""
    rows: Any = connection.execute("SELECT run_id, seq, epoch, at_ms, hash FROM events ORDER BY position")
    entries = (Entry(run_id, seq, epoch, at_ms, b"", b"", digest) for run_id, seq, epoch, at_ms, digest in rows)
    while batch := list(islice(entries, MAX_ROWS)):
        yield [list(group) for _, group in groupby(batch, key=lambda entry: entry.run_id)]
