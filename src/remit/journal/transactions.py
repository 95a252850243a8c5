"""Effects of the tier `transactional`: what a tool writes into the journal's own database, exactly once.

The tool's statements and a row that marks the call as done, with its result, are one SQLite transaction. A crash
before its commit leaves nothing of both, one after it leaves both: a call that is made again finds its row and returns
the result without running the tool. So it is exactly once by construction, whatever the journal knows of the outcome.

The tool gets `Transaction`, on a connection of its own: it may use tables whose names begin with `app_`, nothing else
(SQLite's authorizer refuses), and neither attach files nor change settings. While it works nobody else can write to the
file, the journal included: such a tool is synchronous, short, and waits for nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final

import apsw

from remit.core.shown import as_text
from remit.core.tools import Tool
from remit.errors import Denied, Invalid
from remit.journal.schema import disk_error

PREFIX: Final = "app_"
MARKS: Final = "app_remit_done"
_TABLE: Final = f"CREATE TABLE IF NOT EXISTS {MARKS} (key TEXT PRIMARY KEY, result TEXT NOT NULL) STRICT, WITHOUT ROWID"
_FREE: Final = frozenset(
    (
        *(apsw.SQLITE_SELECT, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE),
        *(apsw.SQLITE_REINDEX, apsw.SQLITE_ANALYZE),
    )
)
_TABLES: Final = frozenset(
    (
        *(apsw.SQLITE_READ, apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE),
        *(apsw.SQLITE_CREATE_TABLE, apsw.SQLITE_DROP_TABLE),
    )
)
_INDEXES: Final = frozenset((apsw.SQLITE_CREATE_INDEX, apsw.SQLITE_DROP_INDEX))


class Transaction:
    """An open transaction, lent to one call."""

    __slots__ = ("_connection", "revoked")

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.revoked = False

    def execute(self, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. Raises denied_by_rule (not a table of the tool's own), tool errors."""
        if self.revoked:
            raise Denied("revoked", "the call that lent this transaction has returned")
        try:
            return [tuple(row) for row in self._connection.execute(sql, values)]
        except apsw.AuthError as error:
            raise Denied("denied_by_rule", f"only tables that begin with {PREFIX} may be used: {error}") from None
        except apsw.Error as error:
            raise Invalid("value_invalid", f"SQL: {type(error).__name__}: {str(error)[:300]}") from None


class Transactions:
    """The transactions of one database; one at a time."""

    def __init__(self, connect: Callable[[], apsw.Connection], path: str = "memory") -> None:
        self._connect = connect
        self._path = path
        self._connection: apsw.Connection | None = None
        self._turn = threading.Lock()

    async def perform(self, key: str, tool: Tool, values: dict[str, Any], context: Any) -> str:
        """The tool's result as text, done exactly once for `key`; `context` is lent the transaction.

        Raises: value_invalid (an async tool), disk_failed, and what the tool raises.
        """
        if tool.signature.is_async:
            raise Invalid("value_invalid", f"{tool.name} is transactional, so it is a plain function, not an async one")

        def work(lent: Transaction) -> str:
            if context is not None:
                context._handles.transaction = lent
            return as_text(tool.fn(**values), tool.max_chars)

        try:
            return await asyncio.to_thread(self.once, key, work)
        except apsw.Error as error:
            raise disk_error(error, self._path) from None

    def once(self, key: str, work: Callable[[Transaction], str]) -> str:
        """What `work` returned when it was done for `key`: now, or before. Blocks; call it in a thread.

        Raises: what `work` raises (then nothing was written), apsw errors of the file.
        """
        with self._turn:
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                found: Any = connection.execute(f"SELECT result FROM {MARKS} WHERE key = ?", (key,)).fetchone()  # noqa: S608  # a constant
                if found is None:
                    result = self._work(connection, work)
                    connection.execute(f"INSERT INTO {MARKS} VALUES (?, ?)", (key, result))  # noqa: S608  # a constant
                else:
                    result = str(found[0])
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            return result

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _work(self, connection: apsw.Connection, work: Callable[[Transaction], str]) -> str:
        lent = Transaction(connection)
        connection.authorizer = _allows
        try:
            return work(lent)
        finally:
            lent.revoked = True
            connection.authorizer = None

    def _opened(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = self._connect()
            self._connection.execute(_TABLE)
        return self._connection


def _allows(operation: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    """SQLite's question for each part of a statement. Source: sqlite.org/c3ref/c_alter_table.html (action codes)."""
    if operation in _FREE:
        return apsw.SQLITE_OK
    table = second if operation in _INDEXES else first
    own = table is not None and table.lower().startswith(PREFIX) and table.lower() != MARKS
    # Making and dropping tables and indexes writes to the schema table, too.
    schema = table in ("sqlite_master", "sqlite_schema") and operation in _TABLES
    if (operation in _TABLES or operation in _INDEXES) and (own or schema):
        return apsw.SQLITE_OK
    return apsw.SQLITE_DENY
