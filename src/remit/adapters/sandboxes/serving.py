"""Programs of tier T3 that talk as long as they live: servers on stdin and stdout.

The start, the checks from outside, the limits and the kill are the supervisor's. What differs: input and output are
the caller's, on the event loop; of stderr the last bytes are kept, to say why a server ended; and the limits are
looked at less often, because a server mostly waits.

Invariants: what the program writes is read only while `on_data` keeps up (a full pipe stops the program, not the
host); after `aclose` no process of it is left; when this process ends, the kernel ends the program.

Source: bwrap(1), --die-with-parent: it follows the thread that started it, so each program has a thread of its own.
"""

from __future__ import annotations

import asyncio
import os
import select
import subprocess  # noqa: TID251 - the type of the supervisor's process only
import threading
import time
from collections.abc import Callable
from typing import Final

from remit.adapters.sandboxes.supervisor import Stream, Supervisor
from remit.errors import Exhausted, RemitError, Unavailable
from remit.ports.sandbox import SandboxResult

TICK_MS: Final = 100
TAIL_BYTES: Final = 4 * 1024
MAX_BACKLOG: Final = 16 * 1024 * 1024
_CHUNK: Final = 1 << 18


class Tail(Stream):
    """An output pipe: the last `cap` bytes are kept."""

    def read(self) -> bool:
        """Read what is there; False at the end of the stream."""
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return True
        self.kept += data
        over = len(self.kept) - self.cap
        if over > 0:
            del self.kept[:over]
            self.cut += over
        return bool(data)


class ServingSupervisor(Supervisor):
    """One served program; `standing` gets its input and its output once it runs."""

    standing: Callable[[int, int], None]

    def _watch(self, process: subprocess.Popen[bytes], out: Stream, err: Stream, started: float) -> None:
        assert process.stdin and process.stdout
        os.write(process.stdin.fileno(), b"\n")  # the gate: from here on the program runs
        self.standing(os.dup(process.stdin.fileno()), os.dup(out.fd))
        process.stdin.close()
        tail = Tail(err.fd, TAIL_BYTES)
        tail.kept = err.kept
        outer = os.pidfd_open(process.pid)
        self.held.append(outer)
        poll = select.poll()
        for fd in (err.fd, outer, self.cancelled_fd):
            poll.register(fd, select.POLLIN)
        next_count = started
        ended = False
        while not ended and not self.killed:
            for fd, _ in poll.poll(TICK_MS):
                if fd == err.fd:
                    if not tail.read():
                        poll.unregister(fd)
                else:
                    ended = True
                    self.killed = "cancelled" if fd == self.cancelled_fd else self.killed
            now = time.monotonic()
            if now >= next_count and not ended:
                self.killed = "timeout" if now - started > self.job.timeout_s else self._over_limit()
                next_count = now + TICK_MS / 1000
        self._kill()
        while tail.read() and tail.cut < MAX_BACKLOG:
            if not select.select([err.fd], [], [], 0)[0]:
                break
        err.kept, err.cut = tail.kept, tail.cut


class ServedProgram:
    """The caller's side; lives on one event loop."""

    def __init__(self, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_data = on_data
        self._on_end = on_end
        self._in = self._out = -1
        self._backlog = bytearray()
        self._stood: asyncio.Future[None] = self._loop.create_future()
        self._over: asyncio.Future[str] = self._loop.create_future()
        self._cancelled_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def start(self, run: Callable[[int, Callable[[int, int], None]], SandboxResult]) -> None:
        """Run `run(cancelled_fd, standing)` in a thread of its own."""

        def work() -> None:
            try:
                why: SandboxResult | RemitError = run(self._cancelled_fd, lambda i, o: self._later(self._stand, i, o))
            except RemitError as error:
                why = error
            self._later(self._end, why)

        threading.Thread(target=work, daemon=True, name="remit-serve").start()

    async def stand(self) -> None:
        """Wait until it runs; raises what the start raised."""
        try:
            await asyncio.shield(self._stood)
        except asyncio.CancelledError:
            await self.aclose()
            raise

    def send(self, data: bytes) -> None:
        """Queue bytes for its input."""
        if self._in < 0:
            raise Unavailable("sandbox_failed", "the program has ended")
        if len(self._backlog) + len(data) > MAX_BACKLOG:
            raise Exhausted("output_too_large", "the program does not read its input")
        waits = bool(self._backlog)
        self._backlog += data
        if not waits:
            self._write()

    def stop(self) -> None:
        """Have it ended; does not wait."""
        if not self._over.done():
            os.eventfd_write(self._cancelled_fd, 1)

    async def aclose(self) -> None:
        """End it; the whole process tree is gone on return."""
        self.stop()
        await asyncio.shield(self._over)

    def _later(self, call: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            pass  # the loop is closed: nobody waits, and the supervisor has ended the program

    def _stand(self, in_fd: int, out_fd: int) -> None:
        self._in, self._out = in_fd, out_fd
        os.set_blocking(in_fd, False)
        os.set_blocking(out_fd, False)
        self._loop.add_reader(out_fd, self._read)
        if not self._stood.done():
            self._stood.set_result(None)

    def _read(self) -> None:
        try:
            data = os.read(self._out, _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._on_data(data)
        else:
            self._loop.remove_reader(self._out)

    def _write(self) -> None:
        try:
            del self._backlog[: os.write(self._in, self._backlog[:_CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            self._backlog.clear()  # it has closed its input; its end says why
        if self._backlog:
            self._loop.add_writer(self._in, self._write)
        else:
            self._loop.remove_writer(self._in)

    def _end(self, why: SandboxResult | RemitError) -> None:
        if self._in >= 0:
            self._loop.remove_writer(self._in)
            self._loop.remove_reader(self._out)
            self._drain()
            os.close(self._in)
            os.close(self._out)
            self._in = self._out = -1
        os.close(self._cancelled_fd)
        text = why.message if isinstance(why, RemitError) else _said(why)
        if not self._stood.done():
            error = why if isinstance(why, RemitError) else Unavailable("sandbox_failed", f"it ended at once: {text}")
            self._stood.set_exception(error)
            self._stood.exception()  # seen, when nobody waits any more
        self._over.set_result(text)
        self._on_end(text)

    def _drain(self) -> None:
        """What it wrote before it ended; every writer is dead, so the pipe holds a last 64 KiB at most."""
        for _ in range(8):
            try:
                data = os.read(self._out, _CHUNK)
            except BlockingIOError:
                return
            if not data:
                return
            self._on_data(data)


def _said(result: SandboxResult) -> str:
    """Why a program ended, with the last line of what it said."""
    how = f"killed: {result.killed}" if result.killed else f"exit code {result.exit_code}"
    lines = result.stderr.decode("utf-8", "replace").strip().split("\n")
    return f"{how}; it said: {lines[-1][-300:]!a}" if lines[-1] else how
