"""Copies of the newest checkpoint outside the journal file: without one, a cut or emptied file looks like a new one.

The kept head is always written: `<folder>/heads/<hash of the journal's path>`, slots of 512 bytes. The first slot names
the path, each other one holds the newest checkpoint of one log that stood there. A slot is only ever moved forward by
a log that begins with what the slot says; where that is not so (an older copy was put back, the file was replaced), the
slot stays as evidence and another one is begun. `verify` compares all of them with the file.

A witness file is written when one is configured: notes appended to it, at least one every 100 records or second. Put
it where who can write the journal cannot delete: another machine's mount, a file that only grows (chattr +a).

The order is commit, then copies. A copy that fails stops the next commit, so at most one commit is not covered.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from hashlib import sha256
from struct import Struct as Packer
from struct import error as PackError
from typing import Final, NamedTuple

from remit.errors import Unavailable
from remit.journal.notes import Checkpoint, parse_checkpoint, split_note

SLOT_BYTES: Final = 512
MAX_SLOTS: Final = 64
WITNESS_RECORDS: Final = 100
WITNESS_S: Final = 1.0
NO_LIMIT: Final = 1 << 62
MAX_WITNESS_BYTES: Final = 256 * 1024 * 1024

_END: Final = Packer(">32sQ32s36s")

Holds = Callable[[Checkpoint], bool]


class Witnesses:
    """What is told of every new checkpoint.

    Args:
        folder: of the audit key; the kept head lies beneath it.
        path: of the journal, resolved.
        file: of a witness, "" for none.
    """

    def __init__(self, folder: str, path: str, file: str = "") -> None:
        self._head = KeptHead(folder, path)
        self._file = WitnessFile(file) if file else None
        self._unshown: tuple[Checkpoint, bytes] | None = None

    def show(self, checkpoint: Checkpoint, note: bytes, holds: Holds) -> None:
        """Copy a durable checkpoint; a failure is raised by the next `settle`."""
        self._unshown = checkpoint, note
        try:
            self.settle(holds)
        except Unavailable:
            pass  # the commit stands; the next one is stopped until the copy succeeds

    def settle(self, holds: Holds) -> None:
        """Make the copy that is due; disk_failed while it cannot be made."""
        if self._unshown is None:
            return
        checkpoint, note = self._unshown
        try:
            self._head.write(checkpoint, note, holds)
            if self._file is not None:
                self._file.add(checkpoint, note)
        except OSError as error:
            raise Unavailable("disk_failed", f"the copy of the checkpoint: {error.strerror}") from None
        self._unshown = None

    def due_s(self) -> float:
        """Seconds until `tick` has something to do; -1 = nothing."""
        return -1 if self._file is None else self._file.due_s()

    def room(self, size: int) -> int:
        """How many records a log of `size` may get before a witness file needs a checkpoint; without one any number."""
        return NO_LIMIT if self._file is None else self._file.room(size)

    def tick(self) -> None:
        """Write what has waited long enough for its witness."""
        if self._file is not None and self._file.due_s() == 0:
            self._flush()

    def close(self) -> None:
        """Write what waits and close."""
        if self._file is not None:
            self._flush()
            self._file.close()
        self._head.close()

    def _flush(self) -> None:
        assert self._file is not None
        try:
            self._file.flush()
        except OSError:
            pass  # tried again with the next checkpoint, which then fails


class KeptHead:
    """The file of newest checkpoints of one journal path."""

    def __init__(self, folder: str, path: str) -> None:
        self.path = os.path.join(folder, "heads", sha256(os.fsencode(path)).hexdigest()[:32])
        self._journal = path
        self._descriptor = -1
        self._slot = 0
        self._written = b""
        """what this process wrote last"""

    def write(self, checkpoint: Checkpoint, note: bytes, holds: Holds) -> None:
        """Move this log's slot forward; a slot that is already further (another process) stays."""
        if self._descriptor < 0:
            self._open()
        descriptor = self._descriptor
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if not self._slot:
                self._slot = self._choose(checkpoint, holds)
            found = os.pread(descriptor, SLOT_BYTES, self._slot * SLOT_BYTES)
            if found != self._written or not found:  # else it is this log's, and it has grown since
                kept = _checkpoint(found)
                if kept is not None and kept.log_id == checkpoint.log_id and kept.size >= checkpoint.size:
                    return
            self._written = note.ljust(SLOT_BYTES, b"\n")
            os.pwrite(descriptor, self._written, self._slot * SLOT_BYTES)
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    def read(self) -> list[bytes]:
        """The kept notes (a damaged slot as it is), without those that were never written."""
        try:
            with open(self.path, "rb") as file:
                raw = file.read(SLOT_BYTES * MAX_SLOTS)
        except FileNotFoundError:
            return []
        slots = [raw[at : at + SLOT_BYTES] for at in range(SLOT_BYTES, len(raw), SLOT_BYTES)]
        return [slot.rstrip(b"\n") + b"\n" for slot in slots if slot.strip(b"\n\0")]

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def _choose(self, checkpoint: Checkpoint, holds: Holds) -> int:
        """The slot of this log: its last one when the log begins with what it says, else a new one."""
        size = os.fstat(self._descriptor).st_size
        if not size:
            label = os.fsencode(self._journal)[: SLOT_BYTES - 8].replace(b"\n", b"?")
            os.pwrite(self._descriptor, (b"path " + label).ljust(SLOT_BYTES, b"\n"), 0)
        count = max(-(-size // SLOT_BYTES), 1)
        for slot in range(count - 1, 0, -1):
            kept = _checkpoint(os.pread(self._descriptor, SLOT_BYTES, slot * SLOT_BYTES))
            if kept is not None and kept.log_id == checkpoint.log_id:
                if holds(kept):
                    return slot
                break
        return min(count, MAX_SLOTS - 1)


class End(NamedTuple):
    """What the last landed event proves (landing.py)."""

    log_id: str
    position: int
    hash: bytes
    proof: bytes


class KeptEnd:
    """The file of the newest landed event of one journal path: it covers what no checkpoint has signed yet.

    Written over and over without a lock: another process may put back a slightly older end, never one that was not.
    """

    def __init__(self, folder: str, path: str) -> None:
        self.path = f"{KeptHead(folder, path).path}.end"
        self._descriptor = -1

    def write(self, end: End) -> bool:
        """Copy the end; False when it cannot be written."""
        try:
            if self._descriptor < 0:
                os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                self._descriptor = os.open(self.path, flags, 0o600)
            os.pwrite(self._descriptor, _END.pack(end.log_id.encode(), *end[1:]), 0)
        except OSError:
            return False
        return True

    def read(self) -> End | None:
        """The end that was copied; None when there is none, or a damaged one."""
        try:
            with open(self.path, "rb") as file:
                name, *rest = _END.unpack(file.read(_END.size))
            return End(name.decode(), *rest)
        except (OSError, PackError, ValueError):
            return None

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class WitnessFile:
    """Notes appended to a file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self._waiting = b""
        self._since = 0.0
        self._size = 0

    def add(self, checkpoint: Checkpoint, note: bytes) -> None:
        """Keep the note; written at once when the last one is 100 records or a second old."""
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting = note
        if checkpoint.size - self._size >= WITNESS_RECORDS or self.due_s() == 0:
            self.flush()
            self._size = checkpoint.size

    def room(self, size: int) -> int:
        """See Witnesses."""
        return max(0, WITNESS_RECORDS - (size - self._size))

    def due_s(self) -> float:
        """Seconds until the waiting note must be written; -1 = none waits."""
        return max(0.0, self._since + WITNESS_S - time.monotonic()) if self._waiting else -1

    def flush(self) -> None:
        """Write the waiting note."""
        if not self._waiting:
            return
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
            self._descriptor = os.open(self._path, flags, 0o600)
        os.write(self._descriptor, self._waiting + b"\n")
        self._waiting = b""

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_witness(path: str) -> list[bytes]:
    """The notes of a witness file, the last one that was cut by a crash left out; [] when there is no file."""
    if not path:
        return []
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_WITNESS_BYTES)
    except FileNotFoundError:
        return []
    # A note has one empty line of its own, before its signature; the next empty line ends it.
    blocks = raw.split(b"\n\n")
    return [text + b"\n\n" + line + b"\n" for text, line in zip(blocks[::2], blocks[1:-1:2], strict=False)]


def _checkpoint(slot: bytes) -> Checkpoint | None:
    try:
        return parse_checkpoint(split_note(slot.rstrip(b"\n") + b"\n")[0])
    except ValueError:
        return None
