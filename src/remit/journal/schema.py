"""The SQLite form of the journal: tables, connections, and statements that take many rows in one step.

Tables (all STRICT): `runs` one row a run (list fields, the chain's anchors seq and hash, epoch, owner),
`events` position in the log and (run_id, seq) -> body or blob (neither: dropped by a rotation), and hash (prev is
the hash of the row before, so it is not stored), `checkpoints` one signed row a commit (log.py), `rotations` signed
notes of what was dropped, `landed` events of a run alone that wait to be moved into the log (landing.py), `inbox`
item -> question event and whether it is open, `blobs` bodies over 64 KB by SHA-256, `meta` the format and the log's
id. `runs` and `inbox` are projections, written with their events.

Why one step a batch: every sqlite3_step releases the GIL and must win it back from the event loop,
so 512 rows in 512 steps can wait 512 times. Multi-row VALUES of the next power of two, padded with
NULL rows that WHERE drops, need one step and at most ten cached statements a kind.

Why `events` is keyed by position: rows of 1,000 interleaved runs are then appended to the same pages and only the
index is spread. WITHOUT ROWID puts each on a page of its own: 512 rows dirty 512 pages, and the same 50,000
events took 1.00 s of CPU at 18,000 to 40,000 events/s against 0.23 s at 139,000 (bench/journal.py's floor).

Source: https://www.sqlite.org/wal.html, https://www.sqlite.org/security.html (trusted_schema, defensive).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, singledispatch
from hashlib import sha256
from typing import Any, Final

import apsw

from remit.errors import Conflict, InternalError, Invalid, RemitError, Unavailable
from remit.journal.chain import GENESIS, hash_entry, run_prefix
from remit.ports.journal import Entry

FORMAT: Final = 3
APPLICATION_ID: Final = 0x72656D74  # "remt"
BLOB_BYTES: Final = 64 * 1024  # larger bodies go to `blobs` (DESIGN 6)
MAX_ROWS: Final = 512  # rows a transaction
MAX_LIMIT: Final = 2**62  # "all": a negative LIMIT is SQLite's alone
CHECKPOINT_PAGES: Final = 4000  # 16 MB of WAL between checkpoints

TABLES: Final = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "runs": """CREATE TABLE runs (
        run_id TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, task TEXT NOT NULL, parent TEXT NOT NULL,
        status TEXT NOT NULL, started_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
        seq INTEGER NOT NULL, hash BLOB NOT NULL, epoch INTEGER NOT NULL, owner TEXT NOT NULL) STRICT""",
    "runs_started": "CREATE INDEX runs_started ON runs (started_ms, run_id)",
    "events": """CREATE TABLE events (
        position INTEGER PRIMARY KEY, run_id TEXT NOT NULL, seq INTEGER NOT NULL, epoch INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, body BLOB, blob BLOB, hash BLOB NOT NULL,
        UNIQUE (run_id, seq), CHECK (body IS NULL OR blob IS NULL)) STRICT""",
    "events_blob": "CREATE INDEX events_blob ON events (blob) WHERE blob IS NOT NULL",
    "checkpoints": """CREATE TABLE checkpoints (
        after INTEGER PRIMARY KEY, size INTEGER NOT NULL, at_ms INTEGER NOT NULL, leaves BLOB NOT NULL,
        peaks BLOB NOT NULL, places BLOB NOT NULL, begun BLOB NOT NULL, signature BLOB NOT NULL) STRICT""",
    "rotations": "CREATE TABLE rotations (number INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT",
    "landed": """CREATE TABLE landed (
        position INTEGER PRIMARY KEY, run_id TEXT NOT NULL, seq INTEGER NOT NULL, epoch INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL, proof BLOB NOT NULL) STRICT""",
    "inbox": """CREATE TABLE inbox (
        item TEXT PRIMARY KEY, run_id TEXT NOT NULL, seq INTEGER NOT NULL, open INTEGER NOT NULL)
        STRICT, WITHOUT ROWID""",
    "inbox_run": "CREATE INDEX inbox_run ON inbox (run_id)",
    "inbox_open": "CREATE INDEX inbox_open ON inbox (item) WHERE open = 1",
    "blobs": "CREATE TABLE blobs (hash BLOB PRIMARY KEY, data BLOB NOT NULL) STRICT",
}

_EVENTS: Final = (
    7,
    "INSERT INTO events (position, run_id, seq, epoch, at_ms, body, blob, hash)"
    " SELECT * FROM (VALUES {}) WHERE column2 IS NOT NULL",
)
_RUNS: Final = (
    8,
    "INSERT INTO runs (run_id, agent, task, parent, started_ms, owner, epoch, hash, status, updated_ms, seq)"
    " SELECT *, 'running', 0, 0 FROM (VALUES {}) WHERE column1 IS NOT NULL ON CONFLICT (run_id) DO NOTHING",
)
_HEADS: Final = (
    8,
    "UPDATE runs SET seq = v.column4, hash = v.column5, updated_ms = v.column6,"
    " status = coalesce(v.column7, status), owner = coalesce(v.column8, owner)"
    " FROM (VALUES {}) AS v WHERE runs.run_id = v.column1 AND runs.epoch = v.column2 AND runs.seq = v.column3",
)

_ONE_EVENT: Final = (
    "INSERT INTO events (position, run_id, seq, epoch, at_ms, body, blob, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_ONE_HEAD: Final = (
    "UPDATE runs SET seq = ?4, hash = ?5, updated_ms = ?6, status = coalesce(?7, status), owner = coalesce(?8, owner)"
    " WHERE run_id = ?1 AND epoch = ?2 AND seq = ?3"
)

_READ: Final = """SELECT e.seq, e.epoch, e.at_ms, coalesce(e.body, b.data), e.hash, e.blob
    FROM events AS e LEFT JOIN blobs AS b ON b.hash = e.blob
    WHERE e.run_id = ? AND e.seq > ? ORDER BY e.seq LIMIT ?"""


@lru_cache(maxsize=64)
def _statement(shape: tuple[int, str], rows: int) -> str:
    width, text = shape
    if shape is _EVENTS:  # ?1 is the first position: one bound value a batch instead of one a row
        marks = "," + ",".join("?" * width) + ")"
        return text.format(",".join([f"(?1+{row}{marks}" for row in range(rows)]))
    row = "(" + ",".join("?" * width) + ")"
    return text.format(",".join([row] * rows))


def _many(connection: apsw.Connection, shape: tuple[int, str], values: list[Any], rows: int) -> None:
    size = 1 << (rows - 1).bit_length()
    values.extend([None] * ((size - rows) * shape[0]))
    connection.execute(_statement(shape, size), values)


@singledispatch  # another store's connection registers how it takes many rows (postgres_schema.py)
def insert_events(connection: Any, first: int, entries: Iterable[Entry]) -> None:
    """Insert the entries (at most MAX_ROWS) from position `first` of the log on, bodies over 64 KB as blobs."""
    values: list[Any] = [first]
    rows = 0
    for entry in entries:
        body: bytes | None = entry.body
        blob = None
        if len(entry.body) > BLOB_BYTES:
            body, blob = None, sha256(entry.body).digest()
            connection.execute("INSERT OR IGNORE INTO blobs (hash, data) VALUES (?, ?)", (blob, entry.body))
        values += (entry.run_id, entry.seq, entry.epoch, entry.at_ms, body, blob, entry.hash)
        rows += 1
    if rows == 1:  # a run alone: no rows of VALUES are made and joined
        connection.execute(_ONE_EVENT, values)
    elif rows:
        _many(connection, _EVENTS, values, rows)


@singledispatch
def insert_runs(connection: Any, runs: Sequence[tuple[Any, ...]]) -> None:
    """Insert (run_id, agent, task, parent, started_ms, owner, epoch) rows with an empty chain; existing ones stay."""
    if runs:
        values = [value for run in runs for value in (*run, GENESIS)]
        _many(connection, _RUNS, values, len(runs))


@singledispatch
def move_heads(connection: Any, heads: Sequence[tuple[Any, ...]]) -> int:
    """Move anchors where the fence holds: (run_id, epoch, old seq, seq, hash, updated_ms, status, owner).

    A row moves only when its epoch and seq are the given ones; None keeps status or owner. Returns how many moved.
    """
    if not heads:
        return 0
    if len(heads) == 1:
        connection.execute(_ONE_HEAD, heads[0])
    else:
        _many(connection, _HEADS, [value for head in heads for value in head], len(heads))
    return int(connection.changes())


def read_entries(
    connection: apsw.Connection, run_id: str, after: int = 0, limit: int = -1
) -> Iterator[tuple[Entry, bytes | None, bool]]:
    """(entry, blob hash or None, whether the body is missing) after `after`, streamed in order."""
    prev = GENESIS
    if after > 0:
        found = connection.execute("SELECT hash FROM events WHERE run_id = ? AND seq = ?", (run_id, after)).fetchone()
        prev = found[0] if found else b""
    bound = (run_id, max(after, 0), limit if limit >= 0 else MAX_LIMIT)
    for seq, epoch, at_ms, body, digest, blob in connection.execute(_READ, bound):
        entry = Entry(run_id, seq, epoch, at_ms, body or b"", prev, digest)
        yield entry, blob, body is None
        prev = digest


def unbroken(connection: apsw.Connection, run_id: str, count: int) -> Entry | None:
    """The last of a run's first `count` entries when all are there and their hashes continue each other, else None."""
    prefix, prev, before = run_prefix(run_id), GENESIS, 1
    seq = 0
    for seq, epoch, at_ms, body, digest, blob in connection.execute(_READ, (run_id, 0, count)):
        if body is None or epoch < before or (blob is not None and sha256(body).digest() != blob):
            return None
        if hash_entry(prev, prefix, (seq, epoch, at_ms), body) != digest:
            return None
        prev, before = digest, epoch
    return Entry(run_id, seq, epoch, at_ms, body, b"", prev) if seq == count > 0 else None


def disk_error(error: Exception, path: str) -> RemitError:
    """The remit error of an SQLite error: chain_broken for a damaged file, else disk_failed."""
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return Conflict("chain_broken", f"the journal file is damaged: {error} ({path})")
    return Unavailable(
        "disk_failed", f"the journal cannot be read or written: {type(error).__name__}: {error} ({path})"
    )


def connect(
    path: str, busy_timeout_ms: int, *, synchronous: str = "FULL", readonly: bool = False, key: bytes | None = None
) -> apsw.Connection:
    """A connection with the settings that every connection to a journal has; apsw errors pass through.

    `key` (32 B) opens an encrypted file, or makes a new one encrypted: see encrypted.py.
    """
    flags = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(path, flags=flags)
    if key is not None:
        unlock(connection, key)
    connection.set_busy_timeout(busy_timeout_ms)
    # A hostile file must not run code through its schema: no functions in views or triggers, no schema writes.
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0)
    connection.pragma("cell_size_check", True)
    if not readonly:
        connection.pragma("synchronous", synchronous)
        connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        connection.pragma("cache_size", -16_000)
        # What a rotation drops is overwritten, not only unlinked; so is what was landed, once it is in the log.
        connection.pragma("secure_delete", True)
    return connection


def unlock(connection: apsw.Connection, key: bytes) -> None:
    """Give the connection its page key (32 B), before anything is read; nothing of a page goes to temporary files.

    chacha20 authenticates every byte of a page with Poly1305; sqlcipher leaves two bytes of the first page unproven,
    aegis also the salt (tests/unit/journal/test_encrypted.py flips each bit).
    Source: SQLite3 Multiple Ciphers, cipher chacha20 ("sqleet"), raw keys.
    """
    connection.pragma("cipher", "chacha20")
    connection.pragma("key", f"raw:{key.hex()}")
    connection.pragma("temp_store", "memory")


def prepare(connection: apsw.Connection, path: str, busy_timeout_ms: int) -> None:
    """Make the tables of a new file, or check those of an old one.

    Raises journal_format (newer), value_invalid (another program's database), chain_broken (altered schema).
    """
    _use_wal(connection, busy_timeout_ms)
    if _is_empty(connection):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been faster while this one waited for the lock.
            if _is_empty(connection):
                for statement in TABLES.values():
                    connection.execute(statement)
                connection.execute("INSERT INTO meta VALUES ('format', ?)", (str(FORMAT),))
                connection.execute("INSERT INTO meta VALUES ('log', lower(hex(randomblob(16))))")
                connection.pragma("application_id", APPLICATION_ID)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    check_schema(connection, path)


@singledispatch
def check_schema(connection: Any, path: str) -> None:
    """Refuse a file that is no journal, a newer journal, or one whose schema was altered."""
    found: Any = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    # Tables of tools (transactions.py) have names of their own.
    schema: dict[str, str] = {name: sql for name, sql in found if not name.startswith("app_")}
    if connection.pragma("application_id") != APPLICATION_ID or "meta" not in schema:
        raise Invalid("value_invalid", f"not a journal of remit: {path}", hint="Name another file for the journal.")
    found = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    text = found[0] if found else ""
    if not text.isdigit() or len(text) > 9:
        raise Conflict("chain_broken", f"the journal names no format: {path}")
    if int(text) > FORMAT:
        raise InternalError("journal_format", f"the journal has format {text}, this remit knows {FORMAT}: {path}")
    expected = {name: sql for name, sql in TABLES.items() if name != "landed" or text != "2"}
    if schema != expected:
        names = sorted(name for name in schema.keys() | expected.keys() if schema.get(name) != expected.get(name))
        raise Conflict("chain_broken", f"the journal's schema was altered ({', '.join(names)[:200]}): {path}")


@singledispatch
def damage(connection: Any, limit: int) -> list[str]:
    """What the store itself finds wrong with its pages, at most `limit` texts."""
    check: Any = connection.execute(f"PRAGMA integrity_check({int(limit)})").fetchall()
    return [f"the file is damaged: {text}" for (text,) in check if text != "ok"]


def _is_empty(connection: apsw.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None


def _use_wal(connection: apsw.Connection, busy_timeout_ms: int) -> None:
    # Entering WAL needs an exclusive lock and does not call the busy handler (sqlite.org/wal.html, 2.1).
    deadline = time.monotonic() + busy_timeout_ms / 1000
    while True:
        try:
            if connection.pragma("journal_mode") != "wal":
                connection.pragma("journal_mode", "wal")
            return
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
