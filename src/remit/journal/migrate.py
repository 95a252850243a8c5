"""Files of earlier formats become one of today's.

1 to 2: events get their position in the log, and checkpoints that sign them. 2 to 3: `landed` is there (landing.py).

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
    """Bring a file of format 1 or 2 to today's; every other file stays as it is, also one that can only be read."""
    old = _format(connection)
    if old not in ("1", "2") or (old == "2" and connection.readonly("main")):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        old = _format(connection)
        if old in ("1", "2"):  # else another process did it while this one waited
            if old == "1":
                _move_events(connection)
                for groups in _batches(connection):
                    log.checkpoint(connection, groups)
            connection.execute(TABLES["landed"])
            connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (str(FORMAT),))
        connection.execute("COMMIT")
        log.committed(connection)
    finally:
        if connection.in_transaction:
            log.forget()
            connection.execute("ROLLBACK")


def _format(connection: apsw.Connection) -> str:
    """The format that a journal names; "" for anything else."""
    if connection.pragma("application_id") != APPLICATION_ID:
        return ""
    row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    return str(row[0]) if row else ""


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
