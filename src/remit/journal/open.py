"""`open_journal("memory:" | "sqlite:PATH" | "postgres://...", clock)`: the journal of a spec, with safe file modes."""

from __future__ import annotations

import os
from errno import EACCES
from typing import TYPE_CHECKING, Final

from remit.errors import Invalid, Unavailable
from remit.journal.memory import MemoryJournal
from remit.ports.clock import Clock
from remit.ports.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from remit.journal.encrypted import AtRest

FOLDER_MODE: Final = 0o700  # only for folders that are made here
FILE_MODE: Final = 0o600


def open_journal(spec: str, clock: Clock, at_rest: Callable[[], AtRest] | None = None, witness: str = "") -> Journal:
    """The journal that `spec` names.

    Args:
        spec: `memory:`, `sqlite:PATH` or `postgres://USER@HOST/DATABASE?...` (postgres_address.py). Missing folders
            of PATH are made with mode 0700, the file has 0600.
        clock: wall time of the entries.
        at_rest: called for a file only: its keys, and what seals contents (encrypted.py).
        witness: a file that gets signed checkpoints (witness.py), "" for none.

    Raises: value_invalid (another spec, a folder as PATH, not a journal), disk_failed, journal_format, chain_broken,
        extra_missing, config_invalid (a role or password that cannot be used),
        key_missing, key_wrong, encryption_mismatch, and what `at_rest` raises.
    """
    kind, colon, path = spec.partition(":")
    if kind == "memory" and colon and not path:
        return MemoryJournal(clock)
    if kind in ("postgres", "postgresql"):
        return _open_postgres(spec, clock, at_rest, witness)
    # A leading ":" or "file:" has a meaning of its own in SQLite (private databases, URIs).
    if kind != "sqlite" or not path or "\0" in path or path.startswith((":", "file:")):
        raise Invalid(
            "value_invalid", f"not a journal: {spec!r:.120}", hint="Write memory:, sqlite:PATH or postgres://..."
        )
    from pathlib import Path  # only a file needs it; it costs 5 ms to import

    try:
        _make_file(Path(path))
    except OSError as error:
        if os.path.isdir(path):
            raise Invalid("value_invalid", f"the journal's path is a folder: {path!r:.120}") from None
        raise Unavailable("disk_failed", f"the journal cannot be made: {error.strerror}: {path!r:.120}") from None
    except ValueError as error:
        raise Invalid("value_invalid", f"not a path: {type(error).__name__}") from None
    from remit.journal.encrypted import PLAIN
    from remit.journal.signing_key import AuditPlace, default_place
    from remit.journal.sqlite import SqliteJournal  # SQLite is loaded only by those who use it

    audit = AuditPlace(default_place().folder, witness)
    return SqliteJournal(path, clock, audit=audit, at_rest=PLAIN if at_rest is None else at_rest())


def _open_postgres(spec: str, clock: Clock, at_rest: Callable[[], AtRest] | None, witness: str) -> Journal:
    try:
        from remit.journal.postgres import PostgresJournal
    except ImportError as error:
        raise Unavailable("extra_missing", f"a Postgres journal needs psycopg ({error.name})",
                          hint="Install it: pip install 'remit[scale]'") from None  # fmt: skip
    from remit.journal.encrypted import PLAIN
    from remit.journal.postgres_address import parse_address
    from remit.journal.signing_key import AuditPlace, default_place

    audit = AuditPlace(default_place().folder, witness)
    return PostgresJournal(parse_address(spec), clock, audit, PLAIN if at_rest is None else at_rest())


def _make_file(path: Path) -> None:
    """Make the file and its folders private before SQLite writes to it; its -wal and -shm files take its mode."""
    for folder in reversed(path.parent.parents):
        if not folder.exists():
            folder.mkdir(FOLDER_MODE, exist_ok=True)
    if not path.parent.exists():
        path.parent.mkdir(FOLDER_MODE, exist_ok=True)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    except FileExistsError:
        # It is not opened: closing it would drop the locks that another journal of this process holds on the file.
        if path.is_dir():
            raise
        if not path.exists():  # a link to a file that is not there yet
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        if not os.access(path, os.R_OK):
            raise PermissionError(EACCES, os.strerror(EACCES)) from None
        if path.stat().st_uid == os.geteuid() and os.access(path, os.W_OK):
            path.chmod(FILE_MODE)  # else it may only be read: it is listed, shown and verified; writing is disk_failed
