"""The log of a journal file: every event of every run in one order, each commit with its signed checkpoint.

Position 1, 2, 3 ... is the order in which events became durable. Every transaction that adds events adds one row to
`checkpoints` with them: the leaf hashes of its events, the tree's frontier after them, and a signature over size,
root and places. So an event of the log is a signed one; those of a run alone may wait beside it, proven otherwise,
for 0.1 s (landing.py).

    after, size   records before and with this commit; `after` is the key and the fence: of two processes that add
                  to the same tree, the second one's row collides, and it reads the tree again
    leaves        32 bytes a record: what `verify` needs to name the record that was changed, not only to know of it
    places        14 bytes a run of the commit: position of the run's first event, seq of its first event in this
                  commit, how many; with `begun` (JSON, ids of runs that begin here) it names what was deleted

Rejected: a checkpoint every N events or T seconds with nothing in between (a forged tail would be signed later),
tiles of 256 leaves (the last one is written again at every commit).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from struct import Struct as Packer
from typing import Any, Final

import apsw
import msgspec

from remit.errors import Conflict
from remit.journal.merkle import HASH_BYTES, Frontier
from remit.journal.notes import Checkpoint, join_note
from remit.journal.schema import insert_events
from remit.journal.signing_key import SigningKey
from remit.journal.witness import Witnesses
from remit.ports.journal import Entry

PLACE: Final = Packer(">QIH")
"""position of the run's first event (0 = it has none), seq, count"""
MAX_KNOWN: Final = 65_536  # runs whose first position is remembered

_encode: Final = msgspec.json.Encoder().encode
_INSERT: Final = (
    "INSERT INTO checkpoints (after, size, at_ms, leaves, peaks, places, begun, signature)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


class SignedLog:
    """The end of the log as this process knows it. All methods are called in the writer thread."""

    def __init__(self, key: SigningKey, witnesses: Witnesses) -> None:
        self._key = key
        self.witnesses = witnesses
        self._frontier: Frontier | None = None
        self.log_id = ""
        self.foreign = False
        """whether the newest checkpoint that was read is signed with another key"""
        self.fold: Callable[[], None] | None = None
        """moves what is landed beside the log into it (landing.py); called in each transaction before all else"""
        self._began: dict[str, int] = {}
        self._newest: tuple[Checkpoint, bytes] | None = None

    def insert(self, connection: apsw.Connection, groups: Sequence[Sequence[Entry]]) -> None:
        """Add events with their checkpoint, inside the caller's transaction (`commit` or `forget` must follow).

        Args:
            groups: entries of one run each, in order; at most MAX_ROWS entries in all.

        Raises: audit_key, disk_failed (also while the copy of the last checkpoint cannot be written), chain_broken.
        """
        if not groups:
            return
        self.witnesses.settle(lambda found: _holds(connection, found))
        first = self.checkpoint(connection, groups)
        insert_events(connection, first, [entry for entries in groups for entry in entries])

    def checkpoint(self, connection: apsw.Connection, groups: Sequence[Sequence[Entry]]) -> int:
        """Add the checkpoint row of `groups`; returns the position of the first."""
        if self._frontier is None:
            self.reload(connection)
        found = self._add(connection, groups)
        if found is None:  # another process was faster
            self.reload(connection)
            found = self._add(connection, groups)
        if found is None:
            raise Conflict("chain_broken", "the log goes on behind its last checkpoint")
        return found

    @property
    def size(self) -> int:
        """Records in the log as this process knows it; -1 = it must be read again."""
        return -1 if self._frontier is None else self._frontier.size

    def prove(self, text: bytes) -> bytes:
        """Key id and keyed hash of a text; see SigningKey."""
        return self._key.prove(text)

    def sign(self, text: bytes) -> bytes:
        """Key id and signature of another kind of note."""
        return self._key.sign(text)

    def committed(self, connection: apsw.Connection) -> None:
        """The transaction is durable: show its checkpoint to the witnesses."""
        if self._newest is not None:
            checkpoint, note = self._newest
            self._newest = None
            self.witnesses.show(checkpoint, note, lambda found: _holds(connection, found))

    def forget(self) -> None:
        """The transaction was rolled back: what is known of the tree may be wrong."""
        self._frontier = None
        self._newest = None
        self._began.clear()

    def reload(self, connection: apsw.Connection) -> None:
        """Read the end of the log again, inside a transaction; raises chain_broken, audit_key, disk_failed."""
        found = "SELECT size, peaks, signature FROM checkpoints ORDER BY after DESC LIMIT 1"
        row: Any = connection.execute(found).fetchone()
        try:
            self._frontier = Frontier.load(*row[:2]) if row else Frontier()
        except ValueError as error:
            raise Conflict("chain_broken", f"the last checkpoint is damaged: {error}") from None
        self.log_id = log_id(connection)
        self.foreign = row is not None and row[2][:4] != self._key.id

    def _add(self, connection: apsw.Connection, groups: Sequence[Sequence[Entry]]) -> int | None:
        """Insert the row; None when there is one after the same record already."""
        frontier = self._frontier
        assert frontier is not None
        after = frontier.size
        leaves = [sha256(b"\0" + entry.hash).digest() for entries in groups for entry in entries]
        places, begun = self._places(connection, groups, after + 1)
        frontier.extend(leaves)
        at_ms = max([entries[-1].at_ms for entries in groups])
        checkpoint = Checkpoint(self.log_id, frontier.size, frontier.root(), at_ms, sha256(places + begun).digest())
        text = checkpoint.text()
        signature = self._key.sign(text)
        row = (after, frontier.size, at_ms, b"".join(leaves), frontier.dump(), places, begun, signature)
        connection.execute(_INSERT, row)
        if not connection.changes():
            return None
        self._newest = checkpoint, join_note(text, signature)
        return after + 1

    def _places(
        self, connection: apsw.Connection, groups: Sequence[Sequence[Entry]], position: int
    ) -> tuple[bytes, bytes]:
        known, names, places = self._began, [], []
        if len(known) > MAX_KNOWN:
            known.clear()
        for entries in groups:
            head = entries[0]
            run_id = head.run_id
            if head.seq == 1:
                known[run_id] = position
                names.append(run_id)
            elif run_id not in known:
                found = connection.execute("SELECT position FROM events WHERE run_id = ? AND seq = 1", (run_id,))
                known[run_id] = (found.fetchone() or (0,))[0]
            places.append(PLACE.pack(known[run_id], head.seq, len(entries)))
            position += len(entries)
        return b"".join(places), _encode(names)


def log_id(connection: apsw.Connection) -> str:
    """The id of the file's log; chain_broken when it has none."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'log'").fetchone()
    found = row[0] if row else ""
    if len(found) != 32 or found.strip("0123456789abcdef"):
        raise Conflict("chain_broken", "the journal has no log id")
    return str(found)


def read_leaves(connection: apsw.Connection, first: int, end: int) -> Iterator[bytes]:
    """The stored leaf hashes with these indices, from 0, streamed."""
    rows: Any = connection.execute(
        "SELECT after, leaves FROM checkpoints WHERE size > ? AND after < ? ORDER BY after", (first, end)
    )
    for after, leaves in rows:
        for index in range(max(first, after), min(end, after + len(leaves) // HASH_BYTES)):
            at = (index - after) * HASH_BYTES
            yield leaves[at : at + HASH_BYTES]


def root_at(connection: apsw.Connection, size: int) -> bytes:
    """The root that the checkpoint of this size gives; b"" when there is no checkpoint of this size."""
    row = connection.execute(
        "SELECT size, peaks FROM checkpoints WHERE after < ? ORDER BY after DESC LIMIT 1", (size,)
    ).fetchone()
    try:
        return Frontier.load(*row).root() if row and row[0] == size else b""
    except ValueError:
        return b""


def _holds(connection: apsw.Connection, found: Checkpoint) -> bool:
    """Whether the log of this file begins with what a kept checkpoint says."""
    return found.log_id == log_id(connection) and root_at(connection, found.size) == found.root
