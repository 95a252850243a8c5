"""Verification of the log: its checkpoints, what they sign, and where the file differs from that.

First the checkpoints, in order: their leaf hashes must lead from one signed root to the next. What they prove is then
compared with the rows of `events`, position by position. A leaf that a signature covers cannot be changed, so the
first row that differs is named exactly, also when somebody wrote a new valid chain over it: (run, seq), or, where the
row is gone, the (run, seq) that the checkpoint's places give.

Last the copies outside the file: each must be a checkpoint of this log that the tree still contains.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import apsw
import msgspec

from remit.journal.log import PLACE, log_id, root_at
from remit.journal.merkle import HASH_BYTES, Frontier, leaf_hash
from remit.journal.notes import Checkpoint, is_signed, parse_checkpoint, split_note

MAX_PROBLEMS: Final = 100
MAX_COMMIT: Final = 65_535  # records of one checkpoint; a damaged row may claim more
_names: Final = msgspec.json.Decoder(list[str])

_ROWS: Final = "SELECT after, size, at_ms, leaves, peaks, places, begun, signature FROM checkpoints"


class LogCheck:
    """The check of one log: `checkpoints`, `events`, `kept` in this order; then read `problems`.

    Args:
        connection: inside one read transaction.
        keys: key id -> public key.
        only: report rows of these runs alone (none named = all); the log is then checked from the last checkpoint on
            that was signed before any of them began, for which its signature vouches.
    """

    def __init__(self, connection: apsw.Connection, keys: dict[bytes, bytes], only: Sequence[str] = ()) -> None:
        self._connection = connection
        self._keys = keys
        self._only = only
        self._log_id = log_id(connection)
        self._more = 0
        self._from = 0
        """records under the checkpoint that the check begins at"""
        self._bad: set[int] = set()
        """`after` of checkpoints whose leaf hashes prove nothing"""
        self.problems: list[str] = []
        self.size = 0
        """records under a valid signature"""
        self.count = 0
        """checkpoints"""
        self.at_ms = 0
        """time of the newest"""

    def problem(self, text: str) -> None:
        """Note one problem."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)
        else:
            self._more += 1

    def finish(self) -> list[str]:
        """All problems found."""
        if self._more:
            self.problems.append(f"log: {self._more} further problems")
        return self.problems

    # ---- the checkpoints

    def checkpoints(self) -> None:
        """Check every checkpoint: the numbers, the hashes, the signature."""
        frontier = self._base()
        self._from = frontier.size
        rows: Any = self._connection.execute(f"{_ROWS} WHERE after >= ? ORDER BY after", (self._from,))
        for row in rows:
            after = row[0]
            if not self._keys and not self.count:
                self.problem("log: no public key is known here; name it with --key, it stands in the audit folder")
            if after != frontier.size:
                self.problem(f"log: the checkpoint of records {frontier.size + 1} to {after} is missing")
            fault, frontier = self._checkpoint(row, frontier)
            if fault:
                self.problem(f"log records {after + 1} to {row[1]}: {fault}")
            self.count += 1
            self.at_ms = row[2]
        self.size = frontier.size

    def _base(self) -> Frontier:
        """The tree as it was signed last before the chosen runs began; from nothing where that does not hold."""
        first = 0
        for number, run_id in enumerate(self._only):
            begun: Any = self._connection.execute("SELECT MIN(position) FROM events WHERE run_id = ?", (run_id,))
            at = begun.fetchone()[0] or 0
            first = min(first, at) if number else at
        before = f"{_ROWS} WHERE size < ? ORDER BY after DESC LIMIT 1"
        row: Any = self._connection.execute(before, (first,)).fetchone()
        if row is not None:
            try:
                stored = Frontier.load(row[1], row[4])
            except ValueError:
                return Frontier()
            if self._signed(row, stored.root()):
                return stored
        return Frontier()

    def _signed(self, row: Any, root: bytes) -> bool:
        _, size, at_ms, _, _, places, begun, signature = row
        try:
            text = Checkpoint(self._log_id, size, root, at_ms, sha256(places + begun).digest()).text()
        except UnicodeEncodeError:
            text = b""
        return is_signed(text, signature, self._keys)

    def _checkpoint(self, row: Any, before: Frontier) -> tuple[str, Frontier]:
        """(what is wrong with the row, the frontier after it)."""
        after, size, _, leaves, peaks, places, _, _ = row
        try:
            stored = Frontier.load(size, peaks)
        except ValueError as error:
            self._bad.add(after)
            return f"{error}", before
        root = stored.root()
        signed = self._signed(row, root)
        fits = len(leaves) == (size - after) * HASH_BYTES and len(places) % PLACE.size == 0
        if fits and after == before.size:
            before.extend([leaves[at : at + HASH_BYTES] for at in range(0, len(leaves), HASH_BYTES)])
            fits = before.root() == root
        if not signed or not fits:
            self._bad.add(after)
        if not signed:
            return "the signature of the checkpoint does not hold", stored
        return "" if fits else "the leaf hashes are not the signed ones", stored

    # ---- the events

    def events(self) -> None:
        """Compare every row of `events` with what is signed for its position."""
        found = "SELECT position, run_id, seq, hash FROM events WHERE position > ? ORDER BY position"
        rows: Any = self._connection.execute(found, (self._from,))
        row = next(rows, None)
        for position, leaf in self._leaves():
            while row is not None and row[0] < position:
                self._unsigned(row)
                row = next(rows, None)
            if row is None or row[0] > position:
                self._missing(position)
                continue
            if leaf and leaf_hash(row[3]) != leaf:
                self._differs(row)
            row = next(rows, None)
        while row is not None:
            self._unsigned(row)
            row = next(rows, None)

    def _leaves(self) -> Iterator[tuple[int, bytes]]:
        """(position, signed leaf hash); b"" where the checkpoint proves none."""
        found = "SELECT after, size, leaves FROM checkpoints WHERE after >= ? ORDER BY after"
        rows: Any = self._connection.execute(found, (self._from,))
        last = self._from
        for after, size, leaves in rows:
            proves = after not in self._bad
            for position in range(max(after, last) + 1, min(size, after + MAX_COMMIT) + 1):
                at = (position - after - 1) * HASH_BYTES
                yield position, leaves[at : at + HASH_BYTES] if proves else b""
            last = max(last, size)

    def _unsigned(self, row: Any) -> None:
        position, run_id, seq, _ = row
        if self._shows(run_id):
            self.problem(f"run {run_id:.128} seq {seq}: no checkpoint signs a record at position {position}")

    def _missing(self, position: int) -> None:
        run_id, seq = self.place(position)
        if self._shows(run_id):
            self.problem(f"run {run_id:.128} seq {seq}: the record at position {position} was deleted")

    def _differs(self, row: Any) -> None:
        position, run_id, seq, _ = row
        signed = self.place(position)
        if not self._shows(run_id) and not self._shows(signed[0]):
            return
        if signed == (run_id, seq):
            self.problem(f"run {run_id:.128} seq {seq}: this is not the record that was signed (position {position})")
        else:
            self.problem(
                f"run {signed[0]:.128} seq {signed[1]}: position {position} holds run {run_id:.128} seq {seq} instead"
            )

    def place(self, position: int) -> tuple[str, int]:
        """The (run, seq) that the checkpoint signs at this position; ("unknown", 0) when its places are damaged."""
        row = self._containing(position)
        if row is None:
            return "unknown", 0
        at = row[0] + 1
        for began, seq, count in _placed(row[1]):
            if at <= position < at + count:
                return self._name(began), seq + position - at
            at += count
        return "unknown", 0

    def _name(self, began: int) -> str:
        """The id of the run whose first event has this position."""
        row = self._containing(began)
        if row is None:
            return "unknown"
        at, number = row[0] + 1, 0
        try:
            names = _names.decode(row[2])
        except (ValueError, RecursionError):
            return "unknown"
        for _, seq, count in _placed(row[1]):
            if at == began and number < len(names):
                return names[number]
            number += seq == 1
            at += count
        return "unknown"

    def _containing(self, position: int) -> Any:
        return self._connection.execute(
            "SELECT after, places, begun FROM checkpoints WHERE after < ? ORDER BY after DESC LIMIT 1", (position,)
        ).fetchone()

    def _shows(self, run_id: str) -> bool:
        return not self._only or run_id in self._only

    # ---- the copies

    def kept(self, notes: list[bytes], where: str) -> int:
        """Compare checkpoints that were kept outside the file with it; returns the size of the newest that holds."""
        newest = 0
        for note in notes:
            fault, checkpoint = self._kept(note)
            if fault:
                self.problem(f"{where}: {fault}")
            elif checkpoint is not None:
                newest = max(newest, checkpoint.size)
        return newest

    def _kept(self, note: bytes) -> tuple[str, Checkpoint | None]:
        try:
            text, signature = split_note(note)
            kept = parse_checkpoint(text)
        except ValueError:
            return "a kept checkpoint is damaged", None
        if not is_signed(text, signature, self._keys):
            return "the signature of a kept checkpoint does not hold", None
        if kept.log_id != self._log_id:
            return f"another log of {kept.size} records stood here until {_when(kept.at_ms)}; it was replaced", None
        if kept.size > self.size:
            return f"the log was cut: it has {self.size} records, {kept.size} were signed", None
        if root_at(self._connection, kept.size) != kept.root:
            root = b64encode(kept.root).decode()
            return f"the log was rewritten: its first {kept.size} records had the root {root}", None
        return "", kept


def _placed(places: bytes) -> Iterator[tuple[int, int, int]]:
    whole = len(places) - len(places) % PLACE.size
    return PLACE.iter_unpack(places[:whole])


def _when(at_ms: int) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return f"{at_ms} ms"
