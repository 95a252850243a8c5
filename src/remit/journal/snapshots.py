"""Snapshots: what a long run's loop was like at a moment of its journal, so that going on need not replay all of it.

A cache, in a file of its own beside the journal (`<journal>-snapshots`): it may be deleted at any time, which changes
nothing but speed. A run's snapshots are parts: the first says all, each further one what came since; together they say
what the loop was like at the last part's place.

A part counts only when its signature is this journal's own, over: run, place (seq and hash of the entry that it
follows), what it was made with (`code`), the bytes, and the part before it. So a part that was damaged, forged, moved
to another run, made by other code, or that follows events which never became durable, is none; the run is replayed.

Protection: the file is encrypted with the journal's key where that is encrypted. Where the contents of a run are
sealed under a subject's key, so are its parts: erasing the subject erases them. A run that ends loses its parts.

Rejected: a table of the journal (its pages would be synced with every commit, and verified as if they were the truth),
the whole state at each place (a run of n events would write n squared bytes).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from hashlib import sha256
from struct import Struct as Packer
from typing import Any, Final

import apsw
from msgspec import Struct

from remit.errors import RemitError
from remit.journal.schema import connect
from remit.ports.payloads import Payloads

TITLE: Final = b"remit/snapshot/1\n"
SUFFIX: Final = "-snapshots"
MAX_PARTS: Final = 100_000
MAX_FILE_BYTES: Final = 512 * 1024 * 1024
WAIT_MS: Final = 20  # for another process; an event loop may be waiting

_lengths: Final = Packer(">QqQQQ")
_TABLE: Final = """CREATE TABLE snapshots (
    run_id TEXT NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, code BLOB NOT NULL, subject TEXT NOT NULL,
    body BLOB NOT NULL, signature BLOB NOT NULL, PRIMARY KEY (run_id, seq)) STRICT"""
_INSERT: Final = (
    "INSERT INTO snapshots (run_id, seq, hash, code, subject, body, signature) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SELECT: Final = "SELECT seq, hash, code, subject, body, signature FROM snapshots WHERE run_id = ? ORDER BY seq LIMIT ?"


class Place(Struct, frozen=True):
    """Where a part stands: after this entry of this run."""

    run_id: str
    seq: int
    hash: bytes
    """of the entry"""
    code: bytes
    """digest of what the state was made with"""


class Parts(Struct, frozen=True):
    """All parts of a run."""

    place: Place
    """of the last one"""
    bodies: tuple[bytes, ...]
    digest: bytes
    """of all that the last one's signature is over; what the next part is added to"""


class Snapshots:
    """The snapshots of one journal. Nothing here raises for what is wrong with the file: then there is no snapshot.

    Args:
        path: of the journal.
        key: of its pages; None = it is a plain file.
        sign: gives the signature of a text, the same one each time.
        payloads: what seals under subjects' keys; None = the journal never did.
    """

    def __init__(self, path: str, key: bytes | None, sign: Callable[[bytes], bytes], payloads: Payloads | None) -> None:
        self.path = f"{path}{SUFFIX}"
        self._key = key
        self._sign = sign
        self._payloads = payloads
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._identity = 0
        self._read: Parts | None = None
        """what was read last, for whoever asks next"""

    def add(self, place: Place, body: bytes, subject: str, after: bytes) -> bytes:
        """Write a part; returns its digest, b"" when it was not written.

        Args:
            subject: whose key seals it (32 hex digits); "" = nobody's.
            after: digest of the part before; b"" = this one says all, and older ones go.
        """
        self._read = None
        try:
            if subject:
                assert self._payloads is not None
                body = self._payloads.seal(subject, body, _record(place))
            digest = _digest(place, subject, body, after)
            signature = self._sign(_text(digest))
            with self._lock:
                connection = self._open(make=True)
                if connection is None:
                    return b""
                connection.execute("BEGIN IMMEDIATE")
                try:
                    if not after:
                        connection.execute("DELETE FROM snapshots WHERE run_id = ?", (place.run_id,))
                    row = (place.run_id, place.seq, place.hash, place.code, subject, body, signature)
                    connection.execute(_INSERT, row)
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            return digest
        except (apsw.Error, OSError, RemitError):
            return b""

    def glance(self, run_id: str) -> Place | None:
        """The place of a run's last part, as `read`; the next `read` of that run gives what this one saw."""
        self._read = self.read(run_id)
        return None if self._read is None else self._read.place

    def read(self, run_id: str) -> Parts | None:
        """The parts of a run that are this journal's own, opened; None when there are none, or one of them is not."""
        seen, self._read = self._read, None
        if seen is not None and seen.place.run_id == run_id:
            return seen
        try:
            with self._lock:
                connection = self._open(make=False)
                if connection is None:
                    return None
                rows: list[Any] = connection.execute(_SELECT, (run_id, MAX_PARTS)).fetchall()
            return self._checked(run_id, rows) if rows else None
        except (apsw.CorruptError, apsw.NotADBError, UnicodeError):
            self._discard()
        except (apsw.Error, OSError, RemitError):
            pass  # busy, a key that was destroyed, an altered record: the run is replayed
        return None

    def drop(self, *runs: str) -> None:
        """Remove the parts of runs that have ended."""
        self._read = None
        try:
            with self._lock:
                connection = self._open(make=False)
                if connection is not None:
                    connection.executemany("DELETE FROM snapshots WHERE run_id = ?", [(run_id,) for run_id in runs])
        except (apsw.Error, OSError):
            pass  # its parts say nothing that its journal does not, and count for nobody any more

    def forget(self) -> int:
        """Delete the file; returns how many bytes that were. Raises OSError where it cannot be deleted."""
        self._read = None
        with self._lock:
            self._close()
            return remove(self.path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    def _checked(self, run_id: str, rows: list[Any]) -> Parts | None:
        bodies, digest, place = [], b"", None
        for seq, entry_hash, code, subject, body, _ in rows:
            place = Place(run_id, seq, entry_hash, code)
            digest = _digest(place, subject, body, digest)
            if subject:
                if self._payloads is None:
                    return None
                body = self._payloads.open(subject, body, _record(place))
            bodies.append(body)
        # Each part's digest is in the next one's, and Ed25519 gives one text one signature.
        if place is None or self._sign(_text(digest)) != rows[-1][-1]:
            return None
        return Parts(place, tuple(bodies), digest)

    def _open(self, *, make: bool) -> apsw.Connection | None:
        found = _identity(self.path)
        if found and os.path.getsize(self.path) > 2 * MAX_FILE_BYTES:  # nobody's who keeps the bound
            self._close()
            remove(self.path)
            found = 0
        if self._connection is not None and found != self._identity:
            self._close()  # somebody dropped the file, and may have begun another one
        if self._connection is None:
            if not make and not found:
                return None
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            connection = connect(self.path, WAIT_MS, synchronous="OFF", key=self._key)
            try:
                _prepare(connection)
            except apsw.Error:
                connection.close()
                raise
            self._connection, self._identity = connection, _identity(self.path)
        if make and os.path.getsize(self.path) > MAX_FILE_BYTES:
            self._connection.execute("DELETE FROM snapshots")
            self._connection.execute("VACUUM")
        return self._connection

    def _discard(self) -> None:
        """What is no file of snapshots makes place for one."""
        try:
            self.forget()
        except OSError:
            pass  # a folder without rights, say: then there are none

    def _close(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()
            except apsw.Error:
                pass  # what it could not move is a cache
            self._connection = None


def _prepare(connection: apsw.Connection) -> None:
    """Make the table of a new file; NotADBError when there is something else in an old one."""
    if connection.pragma("journal_mode") != "wal":
        connection.pragma("journal_mode", "wal")
    connection.pragma("secure_delete", True)
    found = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    if not found:
        connection.execute(_TABLE)
    elif found != [(_TABLE,)]:
        raise apsw.NotADBError


def remove(path: str, *, wipe: bool = False) -> int:
    """Delete a file of snapshots; returns how many bytes it had. `wipe` overwrites what it held first."""
    freed = 0
    for file in (f"{path}-wal", f"{path}-shm", path):
        try:
            size = os.path.getsize(file)
            if wipe:
                with open(file, "r+b") as raw:
                    for _ in range(0, size, 1 << 20):
                        raw.write(bytes(1 << 20))
                    os.fsync(raw.fileno())
            os.unlink(file)
            freed += size
        except FileNotFoundError:
            pass
    return freed


def _identity(path: str) -> int:
    """The file's number; 0 = there is none."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0


def _record(place: Place) -> str:
    return f"{place.run_id}/snapshot/{place.seq}"


def _digest(place: Place, subject: str, body: bytes, after: bytes) -> bytes:
    """Of a part and of those before it."""
    name, seal = place.run_id.encode(), subject.encode()
    sizes = _lengths.pack(len(name), place.seq, len(place.hash), len(place.code), len(seal))
    parts = (sizes, name, place.hash, place.code, seal, sha256(after).digest(), sha256(body).digest())
    return sha256(b"".join(parts)).digest()


def _text(digest: bytes) -> bytes:
    """What a part's signature is over."""
    return TITLE + digest.hex().encode() + b"\n"
