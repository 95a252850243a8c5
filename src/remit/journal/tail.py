"""Tails: a projection kept up to date over all runs of a journal file, by cursor.

    costs = Tail(journal, cost)
    costs.read()        folds what the log holds since the last read, and returns the state

The cursor is the log's position, in which events became durable, so nothing is skipped and nothing folded twice. A tail
does nothing until it is read; while nobody looks it costs nothing. It holds no truth: a new one, read from zero, comes
to the same bytes (`encoded`), and that is also the repair of one that was damaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from remit.journal.log_reader import read_log
from remit.journal.sqlite import SqliteJournal
from remit.ports.journal import Entry

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Tail:
    """See the module's text.

    Args:
        projection: a module of projections/ that folds events of any runs: cost, inbox, run_tree.
        cursor, state: where an earlier tail of the same projection stopped; from zero by default.
    """

    def __init__(self, journal: SqliteJournal, projection: Any, cursor: int = 0, state: Any = None) -> None:
        self._journal = journal
        self._projection = projection
        self.cursor = cursor
        """position in the log up to which the state counts"""
        self.state = projection.EMPTY if state is None else state
        self.folded = 0
        """entries that this tail has folded"""

    def read(self) -> Any:
        """The state up to what is durable now; contents that a rotation dropped are passed over."""
        with self._journal.reading() as connection:
            self.state = self._projection.fold(self.state, self._entries(read_log(connection, self.cursor)))
        return self.state

    def encoded(self) -> bytes:
        """The state as JSON, the same bytes for the same log."""
        return _encode(self.state)

    def _entries(self, records: Iterable[Any]) -> Iterator[Entry]:
        for record in records:
            self.cursor = record.position
            if not record.dropped:
                self.folded += 1
                entry = record.entry
                yield replace(entry, body=self._journal.opened(entry.run_id, entry.seq, entry.body))
