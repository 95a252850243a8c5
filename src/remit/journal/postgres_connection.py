"""A connection to Postgres with the face that the modules of this room expect of one (apsw's), for one tenant.

    execute("BEGIN IMMEDIATE")   takes the log's write lock and reads its end, in one round trip
    execute("BEGIN")             one read-only snapshot; its SELECTs are streamed by server-side cursors
    execute(statement, values)   inside a transaction, else in a read-only one of its own
    changes()                    rows that the last statement changed

Every transaction names its tenant (set_config, local to the transaction), so row-level security shows no other rows,
also behind a pool that shares sessions. A session that was lost is opened again at the next BEGIN, never inside a
transaction: what was not committed is gone, and whoever began it hears of it (`Lost`).

Why one write lock a log (pg_advisory_xact_lock): the log is one signed tree, so its commits have one order anyway, and
a position is only ever visible after all smaller ones. A reader that follows positions can therefore never skip a row
of a transaction that commits late, which readers of sequences must guard against with pg_snapshot_xmin. Each tenant has
a log of its own; tenants do not wait for each other.

Source: PostgreSQL documentation 5.8 (row security), 13.3.5 (advisory locks), 34.5 (pipeline mode).
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import apsw
import psycopg
from psycopg import pq

from remit.errors import Conflict, Invalid, RemitError, Unavailable
from remit.journal.postgres_address import Address

RECONNECT_S: Final = 30.0
"""how long a BEGIN waits for a server that is restarting"""
STREAM_ROWS: Final = 2_000
_SET_TENANT: Final = "SELECT set_config('remit.tenant', %s, true)"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_END: Final = "SELECT size, peaks FROM checkpoints ORDER BY after DESC LIMIT 1"
_LOST_STATES: Final = ("08", "57P")  # connection exceptions; shutdown, crash, cannot connect now
# A pipeline that ends with its session is handled here; without a handler Python would print psycopg's own remark.
logging.getLogger("psycopg").addHandler(logging.NullHandler())
_REFUSED: Final = re.compile(r"FATAL:.*(does not exist|authentication failed|no pg_hba\.conf entry|not permitted)")
_FULL_STATES: Final = ("53",)  # disk full, out of memory, too many connections


class Lost(Unavailable):
    """The session ended under way; whether a COMMIT that was under way counts is unknown."""


class Connection:
    """One session. Used by one thread at a time (psycopg holds a lock; a transaction is one thread's).

    Args:
        address: where; its tenant is that of every transaction.
        on_open: called with each new session, before it is used.
    """

    def __init__(self, address: Address, on_open: Any = None) -> None:
        self.address = address
        self.end: tuple[int, bytes] = (0, b"")
        """size and peaks of the log's last checkpoint, as the last BEGIN IMMEDIATE saw them"""
        self.in_transaction = False
        self._streaming = False
        self._changed = 0
        self._on_open = on_open
        self._lock_name = f"remit:{address.schema}:{address.tenant}"
        self._closed = False
        self._raw = self._open()

    @property
    def raw(self) -> psycopg.Connection[Any]:
        """psycopg's own connection, for COPY and LISTEN."""
        return self._raw

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Rows:
        """Run one statement; see the module's text. Raises Lost, disk_failed, chain_broken, apsw.ConstraintError."""
        if statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            self._control(statement)
            return Rows([])
        with mapped(self):
            if self._streaming:
                return Rows(self._stream(statement, values))
            if self.in_transaction:
                return self._run(statement, values)
        self._begin_read()
        try:
            return self._run_mapped(statement, values)
        finally:
            self._finish("COMMIT")

    def executemany(self, statement: str, values: Sequence[Any]) -> None:
        """Run one statement for each of the values."""
        with mapped(self):
            self._raw.cursor(binary=True).executemany(neutral(statement), values)

    def changes(self) -> int:
        """How many rows the last statement changed."""
        return self._changed

    def changed(self, count: int) -> None:
        """Told by statements that go past `execute`."""
        self._changed = count

    def pragma(self, name: str, value: Any = None) -> Any:
        """SQLite's own settings mean nothing here: always None."""
        return None

    def close(self) -> None:
        """End the session."""
        self._closed = True
        with suppress(psycopg.Error):
            self._raw.close()

    # ---- transactions

    def _control(self, statement: str) -> None:
        if statement == "BEGIN IMMEDIATE":
            self._begin_write()
        elif statement == "BEGIN":
            self._begin_read()
            self._streaming = True
        else:
            self._finish(statement)

    def _begin_write(self) -> None:
        deadline = time.monotonic() + RECONNECT_S
        while True:
            self._reopen(deadline)
            try:
                with mapped(self):
                    self._begin(("BEGIN", ()), (_SET_TENANT, (self.address.tenant,)), (_LOCK, (self._lock_name,)))
                return
            except Lost:
                if time.monotonic() > deadline:
                    raise

    def _begin(self, *statements: tuple[str, tuple[Any, ...]]) -> None:
        with self._raw.pipeline():
            for statement, values in statements:
                self._raw.execute(statement, values)
            found = self._raw.cursor(binary=True).execute(_END)
        row = found.fetchone()
        self.end = (int(row[0]), bytes(row[1])) if row else (0, b"")
        self.in_transaction = True

    def _begin_read(self) -> None:
        self._begin_tenant("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def begin_small(self) -> None:
        """Begin a transaction that touches nothing of the log: it takes no lock of it, and no fsync is waited for."""
        self._begin_tenant("BEGIN; SET LOCAL synchronous_commit = off")

    def _begin_tenant(self, begin: str) -> None:
        deadline = time.monotonic() + RECONNECT_S
        while True:
            self._reopen(deadline)
            try:
                with mapped(self), self._raw.pipeline():
                    for statement in begin.split("; "):
                        self._raw.execute(statement.encode())
                    self._raw.execute(_SET_TENANT, (self.address.tenant,))
                self.in_transaction = True
                return
            except Lost:
                if time.monotonic() > deadline:
                    raise

    def _finish(self, statement: str) -> None:
        self.in_transaction = self._streaming = False
        with mapped(self):
            self._raw.execute(statement)

    # ---- sessions

    def _open(self) -> psycopg.Connection[Any]:
        with mapped(self):
            # Never prepared: a plan that was made for an empty table would be kept until statistics come.
            raw = psycopg.connect(**self.address.connection(), autocommit=True, prepare_threshold=None)
        if self._on_open is not None:
            self._on_open(raw)
        return raw

    def _reopen(self, deadline: float) -> None:
        """Open the session again when it was lost; waits for a server that is starting."""
        pause = 0.02
        while self._raw.closed:
            if self._closed:
                raise Lost("disk_failed", "the journal's session is closed")
            try:
                self._raw = self._open()
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 1.0)
        self.in_transaction = self._streaming = False

    # ---- statements

    def _run_mapped(self, statement: str, values: Sequence[Any]) -> Rows:
        with mapped(self):
            return self._run(statement, values)

    def _run(self, statement: str, values: Sequence[Any]) -> Rows:
        found = self._raw.cursor(binary=True).execute(neutral(statement), values)
        self._changed = max(found.rowcount, 0)
        return Rows(found.fetchall() if found.description is not None else [])

    def _stream(self, statement: str, values: Sequence[Any]) -> Iterator[Any]:
        cursor = self._raw.cursor(name=f"read_{threading.get_ident()}_{id(values)}_{time.monotonic_ns()}", binary=True)
        cursor.itersize = STREAM_ROWS
        cursor.execute(neutral(statement), values)
        return self._rows_of(cursor)

    def _rows_of(self, cursor: Any) -> Iterator[Any]:
        with mapped(self):
            yield from cursor
            cursor.close()


class Rows:
    """What a statement gave: iterated, or taken with fetchone and fetchall."""

    def __init__(self, rows: Any) -> None:
        self._rows: Iterator[Any] = iter(rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def __next__(self) -> Any:
        return next(self._rows)

    def fetchone(self) -> Any:
        """The next row, or None."""
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        """All further rows."""
        return list(self._rows)


class mapped:  # read as a statement: `with mapped(connection):`
    """Turns psycopg's errors into this room's; a plain class, because it stands around every statement."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, psycopg.Error):
            raise error_of(error, self._connection.address.name) from None


def error_of(error: psycopg.Error, name: str) -> Exception:
    """This room's error of psycopg's; texts hold no values of rows (DETAIL is left out)."""
    state = error.sqlstate or ""
    text = error.diag.message_primary or str(error).split("\n", 1)[0]
    message = f"the journal's database: {text[:300]} ({name})"
    if isinstance(error, psycopg.IntegrityError):
        return apsw.ConstraintError(message)
    # A refused connection has no state in psycopg, only the server's words.
    if state.startswith(("28", "3D")) or (not state and _REFUSED.search(text)):
        return Invalid("config_invalid", message)
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        lost = not state or state.startswith(_LOST_STATES)
        return (Lost if lost and not state.startswith(_FULL_STATES) else Unavailable)("disk_failed", message)
    if state == "42501":
        return Invalid("config_invalid", message)
    if isinstance(error, psycopg.DataError):
        return Conflict("chain_broken", message)
    return _other(error, message)


def _other(error: psycopg.Error, message: str) -> RemitError:
    """A pipeline's follow-up errors and the like: the session is of no use in either case."""
    kind = Lost if isinstance(error, psycopg.errors.PipelineAborted) else Unavailable
    return kind("disk_failed", message)


@lru_cache(maxsize=256)
def neutral(statement: str) -> str:
    """The statement as psycopg takes it: %s for ?, and Postgres' words for the three of SQLite that this room uses."""
    text = statement.replace("%", "%%").replace("?", "%s")
    text = re.sub(r" INDEXED BY \w+", "", text)
    return text.replace("SELECT value FROM json_each(%s)", "SELECT jsonb_array_elements_text(%s::jsonb)")


def is_open(raw: psycopg.Connection[Any]) -> bool:
    """Whether a session still stands, as far as is known here."""
    return not raw.closed and raw.pgconn.status == pq.ConnStatus.OK
