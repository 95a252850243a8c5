"""Who wakes a parked run: listeners in this process, and a named pipe a listening process for all others.

The idea: nobody asks the journal again and again. A process that hosts waiting runs makes a FIFO beside the journal
file, in a folder of its user's own; whoever parks or answers a run writes its id into each of them after the commit.
The event loop sleeps on the FIFO, so ten thousand waiting runs cost one file descriptor.

Invariants: a ring carries no truth, only "look at this run"; the journal says what is so. A ring may be lost (its
writer died after the commit): whoever begins to listen looks at all runs once. A FIFO that nobody reads is removed by
the next ring. Rings from other users of the machine cannot arrive: the folder has mode 0700.

Rejected: polling `PRAGMA data_version` (wakes every process all the time), file locks (need a thread each).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from errno import ENXIO
from typing import Final

from remit.errors import Unavailable
from remit.journal.listeners import Listener, Listeners

FOLDER: Final = "-bells"
MAX_LISTENERS: Final = 256  # FIFOs that one ring writes to
_READ: Final = 64 * 1024


class Bell:
    """The bell of one journal file."""

    def __init__(self, path: str) -> None:
        self._folder = path + FOLDER
        self._listeners = Listeners()
        self._fifo: tuple[str, int, asyncio.AbstractEventLoop] | None = None
        self._rest = b""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Be told of rings, by this process and others. Raises disk_failed where no FIFO can be made."""
        remove = self._listeners.add(listener)
        if self._fifo is None:
            try:
                self._open()
            except OSError as error:
                remove()
                raise Unavailable(
                    "disk_failed", f"no FIFO for waiting runs: {error.strerror} ({self._folder})"
                ) from None

        def end() -> None:
            remove()
            if not len(self._listeners):
                self.close()

        return end

    def ring(self, run_id: str) -> None:
        """Tell everybody to look at `run_id`; never fails, never blocks."""
        self._listeners.tell(run_id)
        own = None if self._fifo is None else self._fifo[0]
        try:
            names = os.listdir(self._folder)
        except OSError:
            return  # nobody ever listened
        for name in names[:MAX_LISTENERS]:
            if name != own:
                self._write(os.path.join(self._folder, name), run_id.encode() + b"\n")

    def close(self) -> None:
        """Stop listening; the FIFO is removed."""
        if self._fifo is None:
            return
        name, descriptor, loop = self._fifo
        self._fifo = None
        if not loop.is_closed():
            loop.remove_reader(descriptor)
        os.close(descriptor)
        _remove(os.path.join(self._folder, name))

    def _open(self) -> None:
        if not os.path.isdir(self._folder):
            os.mkdir(self._folder, 0o700)
        name = f"{os.getpid()}-{os.urandom(6).hex()}"
        path = os.path.join(self._folder, name)
        os.mkfifo(path, 0o600)
        # Opened for writing too: else the loop would be told of an end of file whenever the last writer closes.
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, self._read, descriptor)
        self._fifo = (name, descriptor, loop)

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, _READ)
        except OSError:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(data) == _READ:
            lines = [b""]  # so many that some may not have fitted: look at all of them
        for line in dict.fromkeys(lines):
            self._listeners.tell(line.decode("ascii", "replace"))

    def _write(self, path: str, line: bytes) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno == ENXIO:
                _remove(path)  # its reader died
            return
        try:
            os.write(descriptor, line)  # shorter than PIPE_BUF: whole or not at all
        except OSError:
            pass  # it is full (then its reader looks at all runs), or the reader went away in this moment
        finally:
            os.close(descriptor)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # somebody else was faster
