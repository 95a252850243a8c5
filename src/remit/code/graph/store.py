"""Facts by content and calls by the facts they came from, in one SQLite file that may be deleted at any time.

The key of facts is the digest of the text and of the format; the key of calls is the digest of all their facts.
So nothing here can be out of date, and two folders with equal files share what they hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from remit.errors import Unavailable

FORMAT: Final = b"facts-3"
MAX_ENTRIES: Final = 400_000
"""Rows that are kept; above it the store is emptied."""


def digest(*parts: bytes) -> bytes:
    """The key of some content."""
    made = hashlib.blake2b(FORMAT, digest_size=20)
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()


class Store:
    """A cache on disk, or in memory when no path is given."""

    def __init__(self, path: str = "") -> None:
        import apsw

        self._errors = apsw.Error
        self._waiting: list[tuple[bytes, bytes]] = []
        try:
            self._db = apsw.Connection(path or ":memory:")
            self._db.set_busy_timeout(2_000)
            self._db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF")
            self._db.execute("CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
            if next(self._db.execute("SELECT count(*) FROM kept"))[0] > MAX_ENTRIES:
                self._db.execute("DELETE FROM kept")
        except apsw.Error as error:
            raise Unavailable("disk_failed", f"cannot open the code cache {path}: {error}") from None

    def get(self, key: bytes) -> Any | None:
        """What is kept under a key; what cannot be read is not there."""
        return self.get_as(key, Any)

    def get_as(self, key: bytes, kind: Any) -> Any | None:
        """The same, as a value of a type: what does not fit it is not there."""
        row = next(self._db.execute("SELECT value FROM kept WHERE key = ?", (key,)), None)
        if row is None:
            return None
        try:
            return msgspec.msgpack.decode(row[0], type=kind)
        except msgspec.DecodeError:
            return None

    def put_raw(self, key: bytes, raw: bytes) -> None:
        """Keep a value that is encoded already, with the next `flush`."""
        self._waiting.append((key, raw))

    def flush(self) -> None:
        """Write what waits; a disk that fails costs the cache, not the answer."""
        made, self._waiting = self._waiting, []
        if made:
            self._write(made)

    def put(self, rows: Iterable[tuple[bytes, Any]]) -> None:
        """Keep values; a disk that fails costs the cache, not the answer."""
        encode = msgspec.msgpack.encode
        self._write([(key, encode(value)) for key, value in rows])

    def _write(self, made: list[tuple[bytes, bytes]]) -> None:
        try:
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", made)
        except self._errors:
            return

    def close(self) -> None:
        """Close the file."""
        self._db.close()
