"""Rows of shared rate limits in Postgres: see ports/limits.py. One session, used by one thread at a time."""

from __future__ import annotations

import threading
from typing import Final

from remit.journal.postgres_address import Address
from remit.journal.postgres_connection import Connection, mapped

_NOW: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_BOOK: Final = f"""INSERT INTO limits AS l (name, tat_us) VALUES (%s, {_NOW} + %s)
    ON CONFLICT (tenant, name) DO UPDATE SET tat_us = greatest(l.tat_us, {_NOW}) + %s
    RETURNING tat_us, {_NOW}"""  # noqa: S608  # only constants of this file


class PostgresLimits:
    """The limits of one tenant. Its session is opened with the first booking."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def book(self, name: str, count: int, interval_us: int) -> tuple[int, int]:
        """See ports.limits.LimitStore."""
        length = count * interval_us
        with self._lock:
            if self._connection is None:
                self._connection = Connection(self._address)
            connection = self._connection
            connection.begin_small()
            try:
                with mapped(connection):
                    row = connection.raw.execute(_BOOK, (name, length, length)).fetchone()
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        assert row is not None
        return int(row[0]) - length, int(row[1])

    def close(self) -> None:
        """See ports.limits.LimitStore."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
