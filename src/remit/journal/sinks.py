"""Where the decisions of the log are sent: files that rotate, an SQLite database, memory, or several of these.

A sink is a reading of the log, never a part of writing it: nothing that a sink does can delay or lose a record. It
remembers the position of the last record that it holds, so `ship` goes on where it stopped, also after a crash, and a
record arrives at least once. What a sink gets is the canonical record without the fields that were asked to be
redacted, at most MAX_RECORD bytes; the whole stands in the log under the same position.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, Literal, Protocol

import apsw
import msgspec
from msgspec import Struct

from remit.errors import Invalid, Unavailable
from remit.journal.export_formats import json_data
from remit.journal.log_reader import DecisionReader, read_log
from remit.journal.projections.decisions import LEVELS

MAX_RECORD: Final = 10 * 1024  # bytes
MAX_FILE_BYTES: Final = 10 * 1024 * 1024
KEEP: Final = 10
BATCH: Final = 200
REDACTED: Final = "[redacted]"
REDACTABLE: Final = frozenset(("actor", "digest", "effect", "key", "label", "needs", "reason"))
_PERIOD_MS: Final = {"hour": 3_600_000, "day": 86_400_000}

Batch = Sequence[tuple[int, bytes]]
"""(position, the record as JSON)"""


class Sink(Protocol):
    """One destination."""

    def cursor(self) -> int:
        """The position of the last record that it holds; 0 = none."""
        ...

    def write(self, batch: Batch) -> None:
        """Keep the records, durably where the sink is durable; raises OSError or disk_failed."""
        ...


class Selection(Struct, frozen=True):
    """Which records a sink gets, and without what."""

    level: str = "info"
    """one of LEVELS: this one and worse"""
    redact: tuple[str, ...] = ()
    """fields that read `[redacted]`"""

    def check(self) -> Selection:
        """Itself; value_invalid for a level or a field that there is not."""
        if self.level not in LEVELS:
            raise Invalid("value_invalid", f"level {self.level!r:.40}: one of {', '.join(LEVELS)}")
        wrong = sorted(set(self.redact) - REDACTABLE)
        if wrong:
            raise Invalid("value_invalid", f"redact {wrong[0]!r:.40}: one of {', '.join(sorted(REDACTABLE))}")
        return self

    def record(self, data: dict[str, Any]) -> bytes:
        """The record as a sink gets it."""
        shown = {name: REDACTED if name in self.redact else value for name, value in data.items()}
        raw = msgspec.json.encode(shown)
        if len(raw) > MAX_RECORD:
            for name in ("reason", "needs", "label"):
                shown[name] = "[too long, see the log]"
            raw = msgspec.json.encode(shown)
        return raw


def ship(connection: apsw.Connection, sink: Sink, selection: Selection, reader: DecisionReader | None = None) -> int:
    """Send what the sink does not have yet; returns how many records it got."""
    reader = reader or DecisionReader(connection)
    worst = LEVELS.index(selection.level)
    wanted = (
        (record.position, selection.record(json_data(record.position, decision)))
        for record in read_log(connection, sink.cursor())
        if (decision := reader.read(record)) is not None and LEVELS.index(decision.level) >= worst
    )
    sent = 0
    while batch := list(islice(wanted, BATCH)):
        sink.write(batch)
        sent += len(batch)
    return sent


class MemorySink:
    """The newest records in memory.

    Args:
        limit: how many are kept.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self.records: list[bytes] = []
        self._limit = limit
        self._cursor = 0

    def cursor(self) -> int:
        """See Sink."""
        return self._cursor

    def write(self, batch: Batch) -> None:
        """See Sink."""
        self.records += [raw for _, raw in batch]
        del self.records[: -self._limit]
        self._cursor = batch[-1][0]


class FileSink:
    """JSON lines in a file that rotates: the current file, then `FILE.1.gz` (the newest), `FILE.2.gz` ...

    Args:
        path: of the current file; made with mode 0600.
        now_ms: wall time, for rotation by time.
        max_bytes: a file that would become larger is rotated first.
        every: also rotate when an hour or a day (UTC) has begun.
        keep: rotated files that are kept; older ones are removed. The log itself keeps everything.
    """

    def __init__(
        self,
        path: str,
        now_ms: Callable[[], int],
        *,
        max_bytes: int = MAX_FILE_BYTES,
        every: Literal["hour", "day", ""] = "day",
        keep: int = KEEP,
    ) -> None:
        self._path = path
        self._now_ms = now_ms
        self._max_bytes = max_bytes
        self._period_ms = _PERIOD_MS.get(every, 0)
        self._keep = keep
        self._cursor = self._find_cursor()

    def cursor(self) -> int:
        """See Sink."""
        return self._cursor

    def write(self, batch: Batch) -> None:
        """See Sink."""
        data = b"".join([raw + b"\n" for _, raw in batch])
        if self._is_due(len(data)):
            self._rotate()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(self._path, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._cursor = batch[-1][0]

    def _is_due(self, more: int) -> bool:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return False
        if not found.st_size:
            return False
        old = self._period_ms and found.st_mtime_ns // 1_000_000 // self._period_ms < self._now_ms() // self._period_ms
        return bool(old) or found.st_size + more > self._max_bytes

    def _rotate(self) -> None:
        """Move every file one further. The packed file is whole before the current one is removed."""
        for number in range(self._keep, 0, -1):
            name = self._packed(number)
            if os.path.exists(name):
                os.replace(name, self._packed(number + 1)) if number < self._keep else os.unlink(name)
        trial = f"{self._path}.packing"
        with open(self._path, "rb") as current, open(trial, "wb") as raw:
            os.fchmod(raw.fileno(), 0o600)
            with gzip.GzipFile("", "wb", 6, raw, 0) as packed:
                while data := current.read(1 << 20):
                    packed.write(data)
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(trial, self._packed(1))
        os.unlink(self._path)

    def _packed(self, number: int) -> str:
        return f"{self._path}.{number}.gz"

    def _find_cursor(self) -> int:
        """The last whole line's position; what a crash left of a line is cut off first."""
        found = 0
        try:
            with open(self._path, "r+b") as file:
                end = 0
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    end += len(line)
                    found = _position(line, found)
                file.truncate(end)
        except FileNotFoundError:
            pass
        if not found and os.path.exists(self._packed(1)):
            with gzip.open(self._packed(1), "rb") as packed:
                for line in packed:
                    found = _position(line, found)
        return found


class SqliteSink:
    """A table `decisions` (position, record as JSON) in a database of its own, for queries."""

    def __init__(self, path: str) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        self._path = path
        with self._opened() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS decisions (position INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT"
            )

    def cursor(self) -> int:
        """See Sink."""
        with self._opened() as connection:
            row: Any = connection.execute("SELECT coalesce(max(position), 0) FROM decisions").fetchone()
        return int(row[0])

    def write(self, batch: Batch) -> None:
        """See Sink."""
        rows = [(position, raw.decode()) for position, raw in batch]
        with self._opened() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO decisions VALUES (?, ?)", rows)

    @contextmanager
    def _opened(self) -> Iterator[apsw.Connection]:
        try:
            connection = apsw.Connection(self._path)
            try:
                connection.set_busy_timeout(10_000)
                yield connection
            finally:
                connection.close()
        except apsw.Error as error:
            raise Unavailable("disk_failed", f"the database of decisions: {type(error).__name__}: {error}") from None


class CompositeSink:
    """Several sinks, each of which gets every record that it does not have yet."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks = tuple(sinks)

    def cursor(self) -> int:
        """See Sink: that of the sink that is behind."""
        return min([sink.cursor() for sink in self._sinks], default=0)

    def write(self, batch: Batch) -> None:
        """See Sink."""
        for sink in self._sinks:
            after = sink.cursor()
            missing = [(position, raw) for position, raw in batch if position > after]
            if missing:
                sink.write(missing)


def _position(line: bytes, last: int) -> int:
    try:
        found = msgspec.json.decode(line, type=_Place).position
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return last
    return max(last, found)


class _Place(Struct):
    position: int
