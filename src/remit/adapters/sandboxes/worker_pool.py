"""Worker processes of the tiers T1 and T2: lent to one run at a time, killed by the wall clock, replaced in time.

A run blocks in a thread: one `poll` waits for the worker's frame, for cancellation and for the deadline. So no code
inside can hold up the event loop, and none outlives `timeout_s` + `GRACE_S`: an engine stops itself at the deadline,
and the process group is killed when it does not (a host call that hangs, a compiler that is fed a bomb).

To start a worker costs more than many a deadline (0.1 s idle, 0.4 s on a busy machine), so a run should find one:
from the second run of a kind on, and after each kill, `idle` workers of it are started beside the runs.

Invariants: a worker serves one key (one tier and one component) only; it is returned to the pool only after a whole
answer; `close` leaves no process. The end of this process closes the pipes, which ends the workers.

Source: spec/security.md 6 (deadline + 250 ms); bench/sandboxes.py (what a start costs).
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.adapters.sandboxes.worker_process import Died, Ended, Spec, Worker
from remit.errors import RemitError
from remit.ports.code_sandbox import MAX_CALLS, MAX_JSON_BYTES, Host

GRACE_S: Final = 0.1
"""between the engine's own deadline and the kill"""
ABANDON_S: Final = 1.0
"""how long a cancelled run waits for its thread"""
IDLE_KEYS: Final = 16  # kinds of workers that are kept; the one that was used longest ago ends first


class Lent(Struct, frozen=True):
    """What a run may call, whatever names its code makes up."""

    names: tuple[str, ...]
    host: Host | None


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
        self._starter: ThreadPoolExecutor | None = None
        self._starting: dict[str, int] = {}  # kinds whose spare workers are being started, and how many are wanted

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
        worker = self._take(make(), make)
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
                self._keep_spare(make, worker.key, self._idle)
                worker.kill()
        return ended, round((time.monotonic() - started) * 1000)

    def _take(self, spec: Spec, make: Callable[[], Spec]) -> Worker:
        with self._lock:
            free = self._free.get(spec.key)
            worker = free.pop() if free else None
        if free is not None and not free:  # not the first run of its kind
            self._keep_spare(make, spec.key, 1)
        return _worker_of(spec, worker)

    def _keep_spare(self, make: Callable[[], Spec], key: str, count: int) -> None:
        """Have `count` idle workers of a kind soon, started beside the runs."""
        with self._lock:
            if key in self._starting:
                self._starting[key] = max(self._starting[key], count)
                return
            if self._closing or len(self._free.get(key, ())) >= count:
                return
            self._starting[key] = count
            if self._starter is None:
                self._starter = ThreadPoolExecutor(1, thread_name_prefix="remit-spare")
            self._starter.submit(self._start_spares, make, key)

    def _start_spares(self, make: Callable[[], Spec], key: str) -> None:
        short = True
        try:
            while short := self._is_short(key):
                self._give_back(_worker_of(make()))
        except RemitError:
            pass  # the next run that finds no worker starts its own and tells its caller why it cannot
        finally:
            if short:  # it failed
                with self._lock:
                    self._starting.pop(key, None)

    def _is_short(self, key: str) -> bool:
        """Whether a further spare worker is wanted; when not, the starting of this kind has ended."""
        with self._lock:
            if not self._closing and len(self._free.get(key, ())) < self._starting.get(key, 0):
                return True
            self._starting.pop(key, None)
            return False

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
        for threads in (self._threads, self._starter):
            if threads is not None:
                threads.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            self._threads = self._starter = None
            self._starting.clear()
            ending = [worker for free in self._free.values() for worker in free]
            self._free.clear()
            self._closing = False
        for worker in ending:
            worker.kill()


def _worker_of(spec: Spec, worker: Worker | None = None) -> Worker:
    """`worker`, or a new one of the kind; what the kind inherits is closed here."""
    try:
        return worker or Worker(spec)
    finally:
        for fd in spec.fds:
            os.close(fd)


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
