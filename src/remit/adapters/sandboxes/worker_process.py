"""One worker process of the tiers T1 and T2: its start, its frames, its end.

Whoever holds a worker waits in one `poll` for its frame, for cancellation and for the deadline. Nothing inside has to
help: a worker that says nothing, or nonsense, or too much, is killed with its process group from outside. Frames from
a worker are hostile: bounded and strictly decoded, and any surprise costs the worker its life.

Source: spec/security.md 6; wait and kill as in supervisor.py.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess  # noqa: TID251 - this file owns the worker processes of T1 and T2
import sys
import time
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.adapters.sandboxes.seccomp import build_child_filter, build_worker_filter
from remit.errors import Unavailable
from remit.ports.code_sandbox import MAX_JSON_BYTES

FOLDER: Final = os.path.dirname(os.path.abspath(__file__))
START_S: Final = 20.0
MAX_FRAME_BYTES: Final = 2 * MAX_JSON_BYTES
INSTALL: Final = "pip install 'remit[wasm]'"


class Ended(Struct, frozen=True):
    """The engine's account of one run."""

    value: Any
    error: str
    killed: str
    output: str
    cut: int


class Frame(Struct, frozen=True):
    """One frame of a worker; exactly one field is set."""

    call: tuple[str, str] | None = None
    done: Ended | None = None
    ready: dict[str, Any] | None = None
    failed: str | None = None
    missing: bool = False


class Spec(Struct, frozen=True):
    """What kind of worker: the first frame, and what it inherits."""

    key: str
    tier: str
    engine_file: str
    first: dict[str, Any]
    fds: tuple[int, ...] = ()
    data_bytes: int = 512 * 1024 * 1024
    start_s: float = START_S


class Died(Exception):  # not an error for anybody: how a run learns that its worker is gone
    """The worker is gone, or must be: timeout | cancelled | crash."""


class Worker:
    """One process. Not thread-safe: one run at a time holds it."""

    def __init__(self, spec: Spec) -> None:
        self.key = spec.key
        group = ["--group"] if spec.tier == "T1" else []
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", os.path.join(FOLDER, "worker.py"), *group],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                env={"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"},
                pass_fds=spec.fds,
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable("sandbox_failed", f"no worker can be started: {error.strerror}") from error
        assert self._process.stdin and self._process.stdout  # both are pipes
        self._in = self._process.stdin.fileno()
        self._out = self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._buffer = bytearray()
        self.facts: dict[str, Any] = {}
        try:
            self._start(spec)
        except BaseException:
            self.kill()
            raise

    def _start(self, spec: Spec) -> None:
        machine = os.uname().machine
        first = {
            **spec.first,
            "tier": spec.tier,
            "engine_file": os.path.join(FOLDER, spec.engine_file),
            "filter": build_worker_filter(machine).hex(),
            "child_filter": build_child_filter(machine).hex(),
            "limits": {
                "RLIMIT_CORE": 0,
                "RLIMIT_FSIZE": spec.data_bytes if "out_fd" in spec.first else 0,
                "RLIMIT_NOFILE": 64,
                "RLIMIT_DATA": spec.data_bytes,
                "RLIMIT_MEMLOCK": 0,
                "RLIMIT_MSGQUEUE": 0,
            },
        }
        deadline = time.monotonic() + spec.start_s
        try:
            self.send(first, deadline, -1)
            frame = self.receive(deadline, -1)
        except Died as how:
            raise Unavailable("sandbox_failed", f"the {spec.tier} worker did not start: {how}") from None
        if frame.ready is None:
            why = (frame.failed or "it broke the protocol")[:500]
            if frame.missing:
                raise Unavailable(
                    "sandbox_missing", f"tier {spec.tier} has no engine: {why}", hint=f"Install it: {INSTALL}",
                    retryable=False,
                )  # fmt: skip
            raise Unavailable("sandbox_failed", f"the {spec.tier} worker did not start: {why}", retryable=False)
        self.facts = frame.ready

    @property
    def pid(self) -> int:
        """The process id, for tests and for the doctor."""
        return self._process.pid

    def send(self, value: Any, deadline: float, cancelled_fd: int) -> None:
        """Write one frame; raises Died."""
        body = msgspec.json.encode(value)
        data = memoryview(struct.pack("<I", len(body)) + body)
        while data:
            self._wait(self._in, select.POLLOUT, deadline, cancelled_fd)
            try:
                data = data[os.write(self._in, data) :]
            except BlockingIOError:
                continue
            except OSError:
                raise Died("crash") from None

    def receive(self, deadline: float, cancelled_fd: int) -> Frame:
        """Read one frame; raises Died."""
        head = self._take(4, deadline, cancelled_fd)
        size = struct.unpack("<I", head)[0]
        if size > MAX_FRAME_BYTES:
            raise Died("crash")
        try:
            return msgspec.json.decode(self._take(size, deadline, cancelled_fd), type=Frame)
        except (msgspec.DecodeError, RecursionError):
            raise Died("crash") from None

    def _take(self, count: int, deadline: float, cancelled_fd: int) -> bytes:
        while len(self._buffer) < count:
            self._wait(self._out, select.POLLIN, deadline, cancelled_fd)
            try:
                piece = os.read(self._out, 1 << 18)
            except BlockingIOError:
                continue
            if not piece:
                raise Died("crash")
            self._buffer += piece
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    def _wait(self, fd: int, event: int, deadline: float, cancelled_fd: int) -> None:
        poll = select.poll()
        poll.register(fd, event)
        if cancelled_fd >= 0:
            poll.register(cancelled_fd, select.POLLIN)
        left = deadline - time.monotonic()
        found = [ready for ready, _ in poll.poll(max(0.0, left) * 1000)] if left > 0 else []
        if cancelled_fd in found:
            raise Died("cancelled")
        if not found:
            raise Died("timeout")

    def stop(self) -> None:
        """Send the kill; whoever holds the worker sees its end."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended by itself

    def kill(self) -> None:
        """End the process and its children; they are gone on return."""
        self.stop()
        self._process.wait(START_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
