"""Rotation: old runs give up their content, the proofs stay.

What is dropped: the bodies of a run's events, its blobs, its inbox rows and the task that lists show. What stays: the
numbers and hashes of every event, and all checkpoints, so every proof about other records, and every proof that was
given for a dropped one, still verifies. A row without content is only in order when a rotation note names its run;
the note is signed by the log's key, so content cannot be removed in a rotation's name.

    remit/rotation/<log id>
    <number of this note>
    time <milliseconds since 1970>
    run <events> <run id>          one line a run

The archive, when one is asked for, is written and synced before anything is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import apsw
import msgspec

from remit.journal.heads import FINAL
from remit.journal.log import SignedLog, log_id
from remit.journal.notes import is_signed, join_note, split_note

TITLE: Final = "remit/rotation/"
RUNS_A_NOTE: Final = 100  # and a transaction

_ENDED: Final = msgspec.json.encode(sorted(FINAL)).decode()
_OLD: Final = (
    "SELECT run_id, seq FROM runs AS r WHERE updated_ms < ? AND status IN (SELECT value FROM json_each(?)) AND EXISTS"
    " (SELECT 1 FROM events AS e WHERE e.run_id = r.run_id AND (e.body IS NOT NULL OR e.blob IS NOT NULL))"
    " ORDER BY updated_ms, run_id"
)
_DROP: Final = (
    "UPDATE events SET body = NULL, blob = NULL WHERE run_id IN (SELECT value FROM json_each(?))",
    "UPDATE runs SET task = '' WHERE run_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM inbox WHERE run_id IN (SELECT value FROM json_each(?))",
)
_DROP_BLOBS: Final = (
    "DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM events AS e WHERE e.blob = blobs.hash AND e.blob IS NOT NULL)"
)


def old_runs(connection: apsw.Connection, before_ms: int) -> list[tuple[str, int]]:
    """(run id, events) of runs that ended before `before_ms` and still have their content, the oldest first."""
    rows: Any = connection.execute(_OLD, (before_ms, _ENDED))
    return list(rows)


def drop(connection: apsw.Connection, log: SignedLog, runs: Sequence[tuple[str, int]], at_ms: int) -> None:
    """Drop the content of `runs` (at most RUNS_A_NOTE) and sign it, inside the caller's transaction.

    The connection overwrites what it drops (schema.connect).
    """
    names = msgspec.json.encode([run_id for run_id, _ in runs]).decode()
    (number,) = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM rotations").fetchone() or (1,)
    lines = [f"{TITLE}{log_id(connection)}", str(number), f"time {at_ms}"]
    text = "\n".join([*lines, *[f"run {events} {run_id}" for run_id, events in runs], ""]).encode()
    connection.execute("INSERT INTO rotations (number, note) VALUES (?, ?)", (number, join_note(text, log.sign(text))))
    for statement in _DROP:
        connection.execute(statement, (names,))
    connection.execute(_DROP_BLOBS)


def rotated_runs(connection: apsw.Connection, keys: Mapping[bytes, bytes]) -> tuple[set[str], list[str]]:
    """(runs whose content a valid note dropped, what is wrong with the other notes)."""
    title = f"{TITLE}{log_id(connection)}"
    found: set[str] = set()
    faults: list[str] = []
    for number, note in connection.execute("SELECT number, note FROM rotations ORDER BY number"):
        try:
            text, signature = split_note(note)
            lines = text.decode().splitlines()
        except ValueError:
            text, signature, lines = b"", b"", []
        if lines[:2] != [title, str(number)] or not is_signed(text, signature, keys):
            faults.append(f"rotation {number}: the note is not one that this log's key signed")
            continue
        found.update(line.split(" ", 2)[2] for line in lines[3:] if line.count(" ") == 2)
    return found, faults
