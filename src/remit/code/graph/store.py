"""Facts, symbols and calls by their content, in one SQLite file that may be deleted at any time.

The key of facts is the digest of the text and of the format; every other row is found by the digest of itself, and the
newest state of a folder by its path. So nothing but that one row can be out of date, and it names all it rests on.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, Protocol

import msgspec

from remit.errors import Unavailable

FORMAT: Final = b"facts-6"
MAX_ENTRIES: Final = 400_000
"""Rows that are kept; above it the store is emptied."""
_CHECK_EVERY: Final = 64
"""Openings between two counts of the rows, which cost time in proportion to them."""


def digest(*parts: bytes) -> bytes:
    """The key of some content."""
    made = hashlib.blake2b(FORMAT, digest_size=20)
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()


class Stale(Exception):
    """A row that another one names is gone: somebody emptied the store."""


class Kept(Protocol):
    """What the two stores have in common."""

    def raw(self, key: bytes) -> bytes | None:
        """The bytes under a key."""

    def put_raw(self, key: bytes, raw: bytes) -> None:
        """Keep bytes; on disk after `Store.flush`."""


def fetch(store: Kept, key: bytes, kind: Any) -> Any | None:
    """What is kept under a key as a value of a type; what does not fit it is not there."""
    raw = store.raw(key)
    if raw is None:
        return None
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except msgspec.DecodeError:
        return None


def must(store: Kept, key: bytes, kind: Any) -> Any:
    """The same; raises Stale when it is not there."""
    found = fetch(store, key, kind)
    if found is None:
        raise Stale
    return found


def keep(store: Kept, value: Any, key: bytes = b"") -> bytes:
    """Keep a value under the digest of its bytes, or under a key of its own; the key."""
    raw = msgspec.msgpack.encode(value)
    key = key or digest(b"value", raw)
    store.put_raw(key, raw)
    return key


class MemoryStore:
    """For a graph without a cache."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}

    def raw(self, key: bytes) -> bytes | None:
        """The bytes under a key."""
        return self._rows.get(key)

    def put_raw(self, key: bytes, raw: bytes) -> None:
        """Keep bytes."""
        self._rows[key] = raw


class Store:
    """A cache on disk. A disk that fails costs the cache, not the answer."""

    def __init__(self, path: str) -> None:
        import apsw

        self._errors = apsw.Error
        self._waiting: dict[bytes, bytes] = {}
        try:
            self._db = apsw.Connection(path)
            self._db.set_busy_timeout(2_000)
            self._db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF")
            self._db.execute("CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
            self._db.execute("PRAGMA mmap_size=268435456")
            opened = next(self._db.execute("PRAGMA user_version"))[0] + 1
            self._db.execute(f"PRAGMA user_version={opened % _CHECK_EVERY}")
            if opened >= _CHECK_EVERY and next(self._db.execute("SELECT count(*) FROM kept"))[0] > MAX_ENTRIES:
                self._db.execute("DELETE FROM kept")
        except apsw.Error as error:
            raise Unavailable("disk_failed", f"cannot open the code cache {path}: {error}") from None

    def raw(self, key: bytes) -> bytes | None:
        """The bytes under a key; what cannot be read is not there."""
        found = self._waiting.get(key)
        if found is not None:
            return found
        try:
            row = next(self._db.execute("SELECT value FROM kept WHERE key = ?", (key,)), None)
        except self._errors:
            return None
        return None if row is None else row[0]

    def put_raw(self, key: bytes, raw: bytes) -> None:
        """Keep bytes, with the next `flush`."""
        self._waiting[key] = raw

    def flush(self) -> None:
        """Write what waits."""
        made, self._waiting = self._waiting, {}
        try:
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", made.items())
        except self._errors:
            return
