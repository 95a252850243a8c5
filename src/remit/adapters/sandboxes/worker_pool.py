"""Worker processes of the tiers T1 and T2: started, lent to one run at a time, killed by the wall clock.

A run blocks in a thread: one `poll` waits for the worker's frame, for cancellation and for the deadline. So no code
inside can hold up the event loop, and none outlives `timeout_s` + `GRACE_S`: an engine stops itself at the deadline,
and the process group is killed when it does not (a host call that hangs, a compiler that is fed a bomb). Frames from a
worker are hostile too: bounded, strictly decoded, and any surprise costs the worker its life.

Invariants: a worker serves one key (one tier and one component) only; it is returned to the pool only after a whole
answer; `close` leaves no process. The end of this process closes the pipes, which ends the workers.

Source: spec/security.md 6 (deadline + 250 ms); wait and kill as in supervisor.py.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import struct
import subprocess  # noqa: TID251 - this file owns the worker processes of T1 and T2
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.adapters.sandboxes.seccomp import build_child_filter, build_worker_filter
from remit.errors import RemitError, Unavailable
from remit.ports.code_sandbox import MAX_CALLS, MAX_JSON_BYTES, Host

FOLDER: Final = os.path.dirname(os.path.abspath(__file__))
GRACE_S: Final = 0.15
"""between the engine's own deadline and the kill"""
START_S: Final = 20.0
ABANDON_S: Final = 1.0
"""how long a cancelled run waits for its thread"""
IDLE_KEYS: Final = 16  # kinds of workers that are kept; the one that was used longest ago ends first
MAX_FRAME_BYTES: Final = 2 * MAX_JSON_BYTES
INSTALL: Final = "pip install 'remit[wasm]'"


class Call(Struct, frozen=True):
    """A lent function that the code calls: its name and its arguments as JSON text."""

    call: tuple[str, str]


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


class Lent(Struct, frozen=True):
    """What a run may call, whatever names its code makes up."""

    names: tuple[str, ...]
    host: Host | None


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


class WorkerPool:
    """Workers by key, at most `parallel` runs at a time, `idle` of a key kept warm."""

    def __init__(self, *, parallel: int = 8, idle: int = 2) -> None:
        self._parallel = parallel
        self._idle = idle
        self._free: dict[str, list[Worker]] = {}
        self._busy: set[Worker] = set()
        self._closing = False
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    async def run(
        self, make: Callable[[], Spec], request: dict[str, Any], timeout_s: float, lent: Lent
    ) -> tuple[Ended, int]:
        """One request to a worker of the kind that `make` says (called in a thread); and its milliseconds.

        Raises: Unavailable `sandbox_missing`, `sandbox_failed`; whatever `make` raises.
        """
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._parallel, thread_name_prefix="remit-code")
        cancelled_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        loop = asyncio.get_running_loop()
        answer = _answerer(loop, lent)
        work = self._threads.submit(self._run, make, request, timeout_s, answer, cancelled_fd)
        waiter = asyncio.wrap_future(work)
        cancelled = False
        while not waiter.done():
            try:
                done, _ = await asyncio.wait((waiter,), timeout=ABANDON_S if cancelled else None)
                if cancelled and not done:
                    break  # it compiles, or starts a worker; the thread sees the cancellation afterwards
            except asyncio.CancelledError:
                cancelled = True
                os.eventfd_write(cancelled_fd, 1)
                work.cancel()  # takes effect only when it has not begun; the waiter must not be cancelled
        if waiter.done():
            os.close(cancelled_fd)
        else:
            work.add_done_callback(lambda _: os.close(cancelled_fd))
        if cancelled:
            waiter.add_done_callback(_seen)
            raise asyncio.CancelledError
        return waiter.result()

    def _run(
        self,
        make: Callable[[], Spec],
        request: dict[str, Any],
        timeout_s: float,
        answer: Callable[[tuple[str, str], float, int], dict[str, Any]],
        cancelled_fd: int,
    ) -> tuple[Ended, int]:
        worker = self._take(make())
        with self._lock:
            self._busy.add(worker)
            if self._closing:
                worker.stop()
        started = time.monotonic()
        whole = False
        try:
            ended = _serve(worker, request, started + timeout_s, answer, cancelled_fd)
            whole = True
        except Died as how:
            ended = Ended(None, "", str(how), "", 0)
        finally:
            with self._lock:
                self._busy.discard(worker)
            if whole:
                self._give_back(worker)
            else:
                worker.kill()
        return ended, round((time.monotonic() - started) * 1000)

    def _take(self, spec: Spec) -> Worker:
        try:
            with self._lock:
                free = self._free.get(spec.key)
                worker = free.pop() if free else None
            return worker or Worker(spec)
        finally:
            for fd in spec.fds:
                os.close(fd)

    def _give_back(self, worker: Worker) -> None:
        ending: list[Worker] = []
        with self._lock:
            free = self._free.pop(worker.key, [])
            self._free[worker.key] = free  # the last used key stands last
            if len(free) >= self._idle:
                ending.append(worker)
            else:
                free.append(worker)
            while len(self._free) > IDLE_KEYS:
                ending += self._free.pop(next(iter(self._free)))
        for each in ending:
            each.kill()

    def pids(self) -> tuple[int, ...]:
        """The idle workers' process ids."""
        with self._lock:
            return tuple(worker.pid for free in self._free.values() for worker in free)

    def close(self) -> None:
        """End every worker, also those at work: their runs end as a crash. Blocks; the pool can be used again."""
        with self._lock:
            self._closing = True
            for worker in self._busy:
                worker.stop()
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None
        with self._lock:
            ending = [worker for free in self._free.values() for worker in free]
            self._free.clear()
            self._closing = False
        for worker in ending:
            worker.kill()


def _serve(
    worker: Worker,
    request: dict[str, Any],
    deadline: float,
    answer: Callable[[tuple[str, str], float, int], dict[str, Any]],
    cancelled_fd: int,
) -> Ended:
    """Send the request and answer calls until the end; raises Died."""
    worker.send(request, deadline + GRACE_S, cancelled_fd)
    calls = 0
    while True:
        frame = worker.receive(deadline + GRACE_S, cancelled_fd)
        if frame.done is not None:
            return frame.done
        if frame.call is None:
            raise Died("crash")
        calls += 1
        if calls > MAX_CALLS or len(frame.call[1]) > MAX_JSON_BYTES:
            reply = {"ok": False, "text": "too many calls, or too much in one"}
        else:
            reply = answer(frame.call, deadline, cancelled_fd)
            if time.monotonic() >= deadline:  # an engine's own clock may stand still while it waits for the host
                raise Died("timeout")
        worker.send(reply, deadline + GRACE_S, cancelled_fd)


def _answerer(loop: asyncio.AbstractEventLoop, lent: Lent) -> Callable[[tuple[str, str], float, int], Any]:
    """What answers a lent call from the worker's thread: the host's coroutine on its own loop, within the deadline."""

    def answer(call: tuple[str, str], deadline: float, cancelled_fd: int) -> dict[str, Any]:
        name, text = call
        try:
            arguments = msgspec.json.decode(text, type=list)
        except (msgspec.DecodeError, RecursionError):
            return {"ok": False, "text": "the arguments are not a JSON list"}
        if lent.host is None or name not in lent.names:
            return {"ok": False, "text": f"{name[:80]!r} is not lent here"}
        task = asyncio.run_coroutine_threadsafe(_limited(lent.host, name, arguments, deadline), loop)
        over = os.eventfd(0, os.EFD_CLOEXEC)
        task.add_done_callback(lambda _: os.eventfd_write(over, 1))
        try:
            poll = select.poll()
            for fd in (over, cancelled_fd):
                poll.register(fd, select.POLLIN)
            found = [fd for fd, _ in poll.poll(max(0.0, deadline + GRACE_S - time.monotonic()) * 1000)]
            if over not in found:
                task.cancel()
                raise Died("cancelled" if cancelled_fd in found else "timeout")
            value = msgspec.json.encode(task.result())
        except (RemitError, TimeoutError) as error:
            return {"ok": False, "text": error.for_model() if isinstance(error, RemitError) else "no time is left"}
        except (TypeError, ValueError, RecursionError) as error:
            return {"ok": False, "text": f"the answer is no JSON: {error}"[:500]}
        finally:
            _close_later(task, over)
        if len(value) > MAX_JSON_BYTES:
            return {"ok": False, "text": f"the answer has {len(value)} bytes; at most {MAX_JSON_BYTES}"}
        return {"ok": True, "text": value.decode()}

    return answer


def _seen(waiter: asyncio.Future[Any]) -> None:
    """Look at the outcome, so that it is not reported as lost."""
    if not waiter.cancelled():
        waiter.exception()


def _close_later(task: Any, fd: int) -> None:
    """Close `fd` once the task's own callback cannot write to it any more."""
    if task.done():
        os.close(fd)
    else:
        task.add_done_callback(lambda _: os.close(fd))


async def _limited(host: Host, name: str, arguments: list[Any], deadline: float) -> Any:
    async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
        return await host(name, arguments)
