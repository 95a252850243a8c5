"""Proofs for people who do not have the journal: JSON that verifies with a public key alone.

    inclusion    this record stands at this position of the tree that the newest checkpoint signs
    consistency  the tree of a later checkpoint begins with the tree of an earlier one
    bundle       JSON lines: the log's header, every checkpoint with its leaf hashes, and the chosen records

`offline_verifier.py` reads all three; it is one file and needs nothing but python3. Hashes are hex, bodies are the
stored text (of a sealed event the sealed one: that is what was hashed).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from typing import Any, Final

import apsw

from remit.errors import Invalid
from remit.journal.log import log_id, read_leaves
from remit.journal.log_reader import Record, read_log
from remit.journal.merkle import Frontier, consistency_path, inclusion_path
from remit.journal.notes import Checkpoint, join_note, key_text

VERSION: Final = 1
_CHECKPOINT: Final = "SELECT after, size, at_ms, leaves, peaks, places, begun, signature FROM checkpoints"


def inclusion_proof(connection: apsw.Connection, run_id: str, seq: int, keys: Mapping[bytes, bytes]) -> dict[str, Any]:
    """The proof of one record under the newest checkpoint; value_invalid when the run has no such record."""
    found = connection.execute("SELECT position FROM events WHERE run_id = ? AND seq = ?", (run_id, seq)).fetchone()
    if found is None:
        raise Invalid("value_invalid", f"run {run_id} has no seq {seq}")
    position = found[0]
    newest = _note_at(connection, None)
    if newest is None or not 0 < position <= newest[0]:
        raise Invalid("value_invalid", f"no checkpoint signs run {run_id} seq {seq}", hint="Run: remit audit verify")
    size, note = newest
    record = next(read_log(connection, position - 1, run_id))
    path = inclusion_path(position - 1, size, partial(read_leaves, connection))
    return {
        **_header("inclusion", connection, keys),
        "record": record_data(record),
        "size": size,
        "path": [node.hex() for node in path],
        "checkpoint": note,
    }


def consistency_proof(
    connection: apsw.Connection, old: int, new: int | None, keys: Mapping[bytes, bytes]
) -> dict[str, Any]:
    """The proof that the checkpoint of `new` records (None = the newest) continues the one of `old` records.

    Raises value_invalid: there is no checkpoint of that size.
    """
    first, second = _note_at(connection, old), _note_at(connection, new)
    if first is None or second is None or first[0] > second[0]:
        raise Invalid("value_invalid", f"there are no two checkpoints of {old} and {new or 'more'} records")
    path = consistency_path(first[0], second[0], partial(read_leaves, connection))
    return {
        **_header("consistency", connection, keys),
        "old": first[0],
        "size": second[0],
        "path": [node.hex() for node in path],
        "old_checkpoint": first[1],
        "checkpoint": second[1],
    }


def bundle(connection: apsw.Connection, run_id: str, keys: Mapping[bytes, bytes]) -> Iterator[dict[str, Any]]:
    """The lines of a bundle: all checkpoints, and the records of one run, or (run_id "") of all."""
    yield {**_header("bundle", connection, keys), "run": run_id}
    # Read first, in one statement: the records below are at least as far as these checkpoints.
    size = (_note_at(connection, None) or (0, ""))[0]
    yield from _signed(connection, size)
    for record in read_log(connection, 0, run_id):
        if record.position > size:
            return
        yield {"type": "record", **record_data(record)}


def archive(connection: apsw.Connection, runs: Iterable[str], keys: Mapping[bytes, bytes]) -> Iterator[dict[str, Any]]:
    """The lines of a bundle of several whole runs, which have ended: a part of the log, and it says so."""
    yield {**_header("bundle", connection, keys), "run": "", "part": True}
    yield from _signed(connection, (_note_at(connection, None) or (0, ""))[0])
    for run_id in runs:
        for record in read_log(connection, 0, run_id):
            yield {"type": "record", **record_data(record)}


def _signed(connection: apsw.Connection, size: int) -> Iterator[dict[str, Any]]:
    """The checkpoints of the first `size` records."""
    after = -1
    while rows := _checkpoints(connection, after, size):
        for row in rows:
            after = row[0]
            yield {
                "type": "checkpoint",
                "after": after,
                "size": row[1],
                "leaves": b64encode(row[3]).decode(),
                "checkpoint": _note(log_id(connection), row),
            }


def _checkpoints(connection: apsw.Connection, after: int, size: int) -> list[Any]:
    bound = (after, size)
    return connection.execute(_CHECKPOINT + " WHERE after > ? AND size <= ? ORDER BY after LIMIT 100", bound).fetchall()


def record_data(record: Record) -> dict[str, Any]:
    """A record as JSON shows it: enough to compute its hash again; without a body when a rotation dropped it."""
    entry = record.entry
    data = {
        "position": record.position,
        "run_id": entry.run_id,
        "seq": entry.seq,
        "epoch": entry.epoch,
        "at_ms": entry.at_ms,
        "prev": entry.prev.hex(),
        "hash": entry.hash.hex(),
    }
    if not record.dropped:
        data["body"] = entry.body.decode("utf-8", "replace")
    return data


def _header(kind: str, connection: apsw.Connection, keys: Mapping[bytes, bytes]) -> dict[str, Any]:
    names = [key_text(public) for public in keys.values()]
    return {"type": kind, "version": VERSION, "log": log_id(connection), "keys": names}


def newest_note(connection: apsw.Connection) -> str:
    """The newest checkpoint as a note; "" where there is none yet."""
    found = _note_at(connection, None)
    return "" if found is None else found[1]


def _note_at(connection: apsw.Connection, size: int | None) -> tuple[int, str] | None:
    """(size, note) of the checkpoint of this size, or of the newest; None when there is none."""
    if size is None:
        row = connection.execute(_CHECKPOINT + " ORDER BY after DESC LIMIT 1").fetchone()
    else:
        row = connection.execute(_CHECKPOINT + " WHERE after < ? ORDER BY after DESC LIMIT 1", (size,)).fetchone()
    if row is None or size not in (None, row[1]):
        return None
    return row[1], _note(log_id(connection), row)


def _note(log: str, row: Any) -> str:
    _, size, at_ms, _, peaks, places, begun, signature = row
    try:
        root = Frontier.load(size, peaks).root()
    except ValueError:
        root = b""
    checkpoint = Checkpoint(log, size, root, at_ms, sha256(places + begun).digest())
    return join_note(checkpoint.text(), signature).decode()
