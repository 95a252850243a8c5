"""The write-ahead file of a journal: moved into the database, and made longer, where no run waits for it.

Moving it (SQLite's checkpoint) is asked of the writer thread, not done inside whichever COMMIT fills it: a commit may
be made in an event loop, and moving 16 MB takes it up to a second.

Making it longer: a COMMIT behind the file's end changes its length, so that its sync must write the file system's
journal too (measured here: 230 us against 103, and now and then 6 ms). So the file gets zeros ahead of the commits, a
megabyte at a time, until it has the length that it keeps from the first checkpoint on. SQLite reads them as the end of
the log: a frame's page number is never zero. They are appended (O_APPEND), so whoever commits meanwhile loses nothing:
a frame that was written stays before them, one that comes is written over them. No lock is held for it.

Source: https://www.sqlite.org/fileformat2.html#walformat (32 bytes, then frames of 24 + a page).
"""

from __future__ import annotations

import os
from typing import Final

import apsw

from remit.journal.commit import begin
from remit.journal.schema import CHECKPOINT_PAGES

FRAME_BYTES: Final = 24 + 4096
HEADER_BYTES: Final = 32
STEP_BYTES: Final = 1024 * 1024
PIECE_BYTES: Final = 256 * 1024  # a sync each: a commit beside it waits for no more
AHEAD: Final = 64  # frames: some 12 commits of one event
SETTLED: Final = 16  # commits before the first zeros: a short run pays nothing
FULL_BYTES: Final = HEADER_BYTES + (CHECKPOINT_PAGES + 2 * AHEAD) * FRAME_BYTES


class Wal:
    """What the writing connection knows of its WAL. Used by whoever holds the writer's connection.

    Args:
        connection: the writing one; its checkpoints are made by `move` alone from now on.
        path: of the journal.
        busy_timeout_ms: what the connection waits for another process.
    """

    def __init__(self, connection: apsw.Connection, path: str, busy_timeout_ms: int) -> None:
        self._connection = connection
        self._file = f"{path}-wal"
        self._busy_timeout_ms = busy_timeout_ms
        self._frames = 0
        self._commits = 0
        self._room = 0
        """frames that the file holds without growing"""
        self._move_at = CHECKPOINT_PAGES
        connection.set_wal_hook(self._committed)

    @property
    def due(self) -> bool:
        """Whether `move` or `lengthen` has something to do."""
        return self._frames >= self._move_at or self._is_short

    @property
    def _is_short(self) -> bool:
        return self._frames + AHEAD > self._room and self._commits >= SETTLED and self._room < CHECKPOINT_PAGES

    def begin_now(self) -> bool:
        """Begin a transaction; False when another process writes, or the disk fails: nothing was done."""
        try:
            self._connection.set_busy_timeout(0)
            try:
                begin(self._connection)
            finally:
                self._connection.set_busy_timeout(self._busy_timeout_ms)
        except apsw.Error:
            return False
        return True

    def move(self) -> None:
        """Move the file into the database where that is due. What fails is tried again later."""
        if self._frames >= self._move_at:
            self._move_at = self._frames + CHECKPOINT_PAGES // 4  # a reader may hold it back
            try:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error:
                pass

    def lengthen(self) -> None:
        """Make the file longer where that is due; the only method that uses no connection. No commit depends on it."""
        if self._is_short:
            try:
                self._room = _lengthen(self._file)
            except OSError:
                self._room = CHECKPOINT_PAGES  # a full disk: not again

    def _committed(self, _: apsw.Connection, __: str, frames: int) -> int:
        if frames < self._frames:
            self._move_at = CHECKPOINT_PAGES  # it begins at its start again
        self._frames = frames
        self._commits += 1
        return apsw.SQLITE_OK


def _lengthen(file: str) -> int:
    """Add zeros at the end of the WAL; returns the frames that fit into it now."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(descriptor).st_size
        for _ in range(STEP_BYTES // PIECE_BYTES):
            if size < FULL_BYTES:
                os.write(descriptor, bytes(min(PIECE_BYTES, FULL_BYTES - size)))
                os.fdatasync(descriptor)
                size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    return (size - HEADER_BYTES) // FRAME_BYTES
