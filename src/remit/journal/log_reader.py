"""Reading the log in its own order: entries, and the decisions in them, by cursor.

A page of at most PAGE entries is read in one statement, so no read transaction stays open while the caller writes
them out, and a reader that keeps the last position goes on where it stopped. Decisions need what earlier events of
their run said; a reader that begins in the middle of a run reads its beginning first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import apsw
from msgspec import Struct
from msgspec.structs import replace

from remit.errors import RemitError
from remit.journal.chain import GENESIS
from remit.journal.projections.decisions import Decision, Reader
from remit.journal.schema import read_entries
from remit.journal.sealed import stand_in
from remit.ports.journal import Entry

PAGE: Final = 500
MAX_READERS: Final = 10_000  # runs whose open effects are remembered; older ones are read again
Opened = Callable[[str, int, bytes], bytes]
"""(run id, seq, stored body) -> the body to read"""

_COLUMNS: Final = (
    "SELECT e.position, e.run_id, e.seq, e.epoch, e.at_ms, coalesce(e.body, b.data), e.hash,"
    " (SELECT p.hash FROM events AS p WHERE p.run_id = e.run_id AND p.seq = e.seq - 1)"
    " FROM events AS e LEFT JOIN blobs AS b ON b.hash = e.blob WHERE e.position > ?"
)
_PAGE: Final = _COLUMNS + " ORDER BY e.position LIMIT ?"
_RUN_PAGE: Final = _COLUMNS + " AND e.run_id = ? ORDER BY e.position LIMIT ?"


class Record(Struct, frozen=True):
    """One entry of the log."""

    position: int
    """1, 2, 3 ... over all runs"""
    entry: Entry
    dropped: bool = False
    """a rotation dropped its content; `entry.body` is empty"""


def read_log(connection: apsw.Connection, after: int = 0, run_id: str = "") -> Iterator[Record]:
    """The records after a position, of all runs or of one, in order, up to what is durable now."""
    while True:
        bound = (after, run_id, PAGE) if run_id else (after, PAGE)
        rows: list[Any] = connection.execute(_RUN_PAGE if run_id else _PAGE, bound).fetchall()
        for position, run, seq, epoch, at_ms, body, digest, prev in rows:
            entry = Entry(run, seq, epoch, at_ms, body or b"", (prev or b"") if seq > 1 else GENESIS, digest)
            yield Record(position, entry, body is None)
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


class DecisionReader:
    """The decisions of a log, record by record.

    Args:
        opened: gives the readable body of a stored one; by default sealed contents are shown as sealed.
    """

    def __init__(self, connection: apsw.Connection, opened: Opened | None = None) -> None:
        self._connection = connection
        self._opened = opened or (lambda _run, _seq, body: stand_in(body))
        self._readers: dict[str, Reader] = {}

    def read(self, record: Record) -> Decision | None:
        """The decision of a record, None when it holds none; one that cannot be read says so, nothing is raised."""
        entry = record.entry
        reader = self._readers.get(entry.run_id) or self._begin(entry)
        if record.dropped:
            return None
        try:
            found = reader.read(self._open(entry))
        except RemitError as error:
            return reader.skip(entry, error)
        if found is not None and found.kind == "agent_lifecycle" and found.decision not in ("started", "resumed"):
            self._readers.pop(entry.run_id, None)
        return found

    def _open(self, entry: Entry) -> Entry:
        return replace(entry, body=self._opened(entry.run_id, entry.seq, entry.body))

    def _begin(self, entry: Entry) -> Reader:
        if len(self._readers) >= MAX_READERS:
            self._readers.pop(next(iter(self._readers)))
        reader = self._readers[entry.run_id] = Reader()
        if entry.seq > 1:
            for earlier, _, gone in read_entries(self._connection, entry.run_id, 0, entry.seq - 1):
                try:
                    if not gone:
                        reader.read(self._open(earlier))
                except RemitError:
                    continue  # it is reported where it stands
        return reader
