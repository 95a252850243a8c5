"""Encrypted journal files: which key opens a file, and rewriting a file under another key or none.

The whole file, its write-ahead log included, is encrypted page by page (SQLite3 Multiple Ciphers, chacha20-poly1305,
a raw key of 32 B). A file cannot name its key, so the keys of the ring are tried: the active one, then retired ones.
What the configuration says and what the file is must agree: a plain file is never used where encryption is
asked for, nor the other way round (encryption_mismatch).

`convert` copies into a new file beside the old one and renames it over: before the rename the old file is whole and in
use, after it the new one. A kill leaves one of the two and at most a `.converting` file that the next
conversion removes. Other processes are kept out by SQLite's own locks; a journal in use is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

import apsw

from remit.errors import Conflict, Invalid, RemitError
from remit.journal.schema import check_schema, connect, disk_error, unlock
from remit.journal.snapshots import SUFFIX as CACHE
from remit.journal.snapshots import remove
from remit.ports.payloads import Payloads

PLAIN_START: Final = b"SQLite format 3\0"
# Bytes 16 to 23 stay readable in an encrypted file: page size, versions, 32 reserved bytes a page, fixed fractions.
# Source: https://www.sqlite.org/fileformat.html, 1.3; SQLite3 Multiple Ciphers, "plaintext header".
_ENCRYPTED_TAIL: Final = b"\x20\x40\x20\x20"
HEADER_BYTES: Final = 24
SUFFIX: Final = ".converting"
STEP_ROWS: Final = 200  # rows in memory at once, at most 64 KB each
BLOBS: Final = "blobs"  # at most 32 MB each: one at once
Progress = Callable[[int, int], None]
"""(rows done, rows in all)"""


class AtRest(NamedTuple):
    """How one journal file is protected."""

    keys: tuple[bytes, ...] = ()
    """page keys, 32 B each, the active one first; none = a plain file"""
    payloads: Payloads | None = None
    """what seals the contents of events; None = a journal that was never sealed"""


PLAIN: Final = AtRest()


def is_encrypted(path: str) -> bool | None:
    """Whether the journal file is encrypted; None when it is empty or missing. Raises disk_failed."""
    try:
        if os.stat(path).st_size < HEADER_BYTES:
            return None if os.path.getsize(path) == 0 else False
        # Not open(): closing a descriptor of a file drops every lock that this process holds on it, and SQLite's with
        # them. SQLite's own file object waits with the close. Source: https://www.sqlite.org/howtocorrupt.html, 2.2
        file = apsw.VFSFile("unix", os.path.abspath(path), [apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_MAIN_DB, 0])
        try:
            start = file.xRead(HEADER_BYTES, 0)
        finally:
            file.xClose()
    except FileNotFoundError:
        return None
    except (OSError, apsw.Error) as error:
        raise disk_error(error, path) from None
    return not start.startswith(PLAIN_START) and start[20:24] == _ENCRYPTED_TAIL


def choose_key(path: str, keys: Sequence[bytes], busy_timeout_ms: int) -> bytes | None:
    """The key of `keys` that opens the file; the first for a new file; None for a plain file without keys.

    Raises key_missing (encrypted, no key), key_wrong (no key fits), encryption_mismatch (plain, keys given).
    """
    found = is_encrypted(path)
    if found is None:
        return keys[0] if keys else None
    if not keys:
        if found:
            raise Invalid("key_missing", f"the journal is encrypted, and encryption is off: {path}",
                          hint='Set [encryption] mode = "encrypted" and the key it was made with.')  # fmt: skip
        return None
    if not found:
        raise Conflict("encryption_mismatch", f"encryption is on and the journal is not encrypted: {path}",
                       hint="Encrypt it: remit vault keys encrypt")  # fmt: skip
    for key in keys:
        if _opens(path, key, busy_timeout_ms):
            return key
    raise Invalid("key_wrong", f"no key of the key ring opens the journal (or its first page is damaged): {path}")


def convert(
    path: str, old: bytes | None, new: bytes | None, progress: Progress | None = None, busy_timeout_ms: int = 2000
) -> int:
    """Rewrite the journal under the key `new` (None = plain); returns how many rows it has.

    Raises run_active (another process has it open), chain_broken, disk_failed; then the old file stands.
    """
    path = os.path.realpath(path)
    fresh = path + SUFFIX
    try:
        connection = connect(path, busy_timeout_ms, key=old)
        try:
            check_schema(connection, path)
            _seize(connection, path)
            _remove(fresh)
            rows = _copy(connection, fresh, new, progress)
            _replace(path, fresh)
            remove(path + CACHE, wipe=True)
        finally:
            connection.close()
        return rows
    except (apsw.Error, OSError) as error:
        _remove(fresh)
        raise disk_error(error, path) from None
    except RemitError:
        _remove(fresh)
        raise


def _opens(path: str, key: bytes, busy_timeout_ms: int) -> bool:
    connection = connect(path, busy_timeout_ms, readonly=True, key=key)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except apsw.NotADBError:
        return False
    finally:
        connection.close()
    return True


def _seize(connection: apsw.Connection, path: str) -> None:
    """Become the only user of the file, with everything in it and no log beside it."""
    try:
        connection.pragma("locking_mode", "exclusive")  # what is locked from here on stays locked
        if connection.pragma("journal_mode", "delete") != "delete":  # SQLite grants it to an only user
            raise apsw.BusyError
        connection.execute("BEGIN EXCLUSIVE")
    except apsw.BusyError:
        raise Conflict("run_active", f"another process has the journal open: {path}",
                       hint="Stop every remit process that uses it, then try again.") from None  # fmt: skip


def _copy(source: apsw.Connection, fresh: str, key: bytes | None, progress: Progress | None) -> int:
    """Copy schema and rows to the new file and make it durable."""
    descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    target = apsw.Connection(fresh, flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        if key is not None:
            unlock(target, key)
        target.pragma("journal_mode", "off")  # the file counts only once it is renamed
        target.pragma("synchronous", "off")
        target.execute("BEGIN IMMEDIATE")
        found = source.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"
        ).fetchall()
        tables = [str(name) for kind, name, _ in found if kind == "table"]
        total = sum(_count(source, name) for name in tables)
        done = 0
        for _, _, sql in sorted(found, key=lambda row: row[0] != "table"):
            target.execute(str(sql))
        for name in tables:
            done = _copy_rows(source, target, name, (done, total), progress)
        if [_count(target, name) for name in tables] != [_count(source, name) for name in tables]:
            raise Conflict("chain_broken", f"the copy has other rows than the journal: {fresh}")
        target.execute("COMMIT")
        target.pragma("application_id", source.pragma("application_id"))
        target.pragma("user_version", source.pragma("user_version"))
        if target.pragma("quick_check") != "ok":
            raise Conflict("chain_broken", f"the copy is damaged: {fresh}")
    finally:
        target.close()
    descriptor = os.open(fresh, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return total


def _copy_rows(
    source: apsw.Connection, target: apsw.Connection, name: str, counted: tuple[int, int], progress: Progress | None
) -> int:
    """Copy one table, rowids kept where it has them; returns the rows done so far."""
    done, total = counted
    without: Any = target.execute("SELECT wr FROM pragma_table_list WHERE name = ?", (name,)).fetchone()
    hidden = not without[0]
    columns = [str(row[1]) for row in source.execute(f"PRAGMA table_info({_quoted(name)})")]
    listed = ", ".join(([] if not hidden else ["rowid"]) + [_quoted(column) for column in columns])
    marks = ",".join("?" * (len(columns) + hidden))
    rows = source.execute(f"SELECT {listed} FROM {_quoted(name)}")  # noqa: S608  # check_schema knows every name
    insert = f"INSERT INTO {_quoted(name)} ({listed}) VALUES ({marks})"  # noqa: S608  # the same
    while batch := list(islice(rows, 1 if name == BLOBS else STEP_ROWS)):
        target.executemany(insert, batch)
        done += len(batch)
        if progress is not None:
            progress(done, total)
    return done


def _replace(path: str, fresh: str) -> None:
    """Put the new file in the old one's place, then overwrite the old content as far as the file system lets us."""
    old = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.rename(fresh, path)
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        # Whoever waited for the old file's lock finds no database any more, instead of writing into a lost file.
        left = os.fstat(old).st_size
        while left > 0:
            left -= os.write(old, bytes(min(left, 1 << 20)))
        os.fsync(old)
    finally:
        os.close(old)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # there is none, or the folder cannot be written: then the conversion fails by itself


def _count(connection: apsw.Connection, name: str) -> int:
    row: Any = connection.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()  # noqa: S608  # as above
    return int(row[0])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
