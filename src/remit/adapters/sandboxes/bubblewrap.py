"""Tier T3: programs under bubblewrap, or not at all.

`Bubblewrap().run(job)` makes a plan (plan.py), starts and watches the program (supervisor.py) and searches
what it left (writable_roots.py). It blocks in a thread, so that neither the walk nor the start holds up the
event loop. Missing or powerless bubblewrap is `sandbox_missing` or `sandbox_failed`: there is no other way to
run a program.

What the program sees: /usr, /etc and the like read-only without secrets, the workspace read-only at its own
path, granted folders writable, private /tmp, /dev, /proc; no network (or the egress broker's socket and nothing
else of it, network_view.py), no other process, no capability.

Source: bwrap(1), version 0.8; DESIGN 7, row T3; spec/security.md 6.
"""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from remit.adapters.sandboxes.plan import default_read_only, make_plan
from remit.adapters.sandboxes.seccomp import build_filter
from remit.adapters.sandboxes.supervisor import Supervisor
from remit.adapters.sandboxes.tree_masks import WALK_BUDGET_S
from remit.errors import RemitError, Unavailable
from remit.ports.sandbox import SandboxJob, SandboxResult, Served

# The only names that bubblewrap is found by: PATH, which an agent's project may set, can hide one but never add one.
PROGRAMS: Final = ("/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap", "/run/current-system/sw/bin/bwrap")
INSTALL: Final = "apt-get install -y bubblewrap"


class Bubblewrap:
    """A `Sandbox` of tier T3.

    Args:
        programs: absolute paths where bubblewrap may be; the first trusted one is used. Default: those of `PROGRAMS`
            whose folder is on PATH.
        read_only: further folders shown read-only; default: the interpreter's installation where it is hidden.
        parallel: how many programs run at a time; more wait.
        walk_budget_s: CPU seconds for looking at the workspace before a start.
    """

    tier = "T3"

    def __init__(
        self,
        *,
        programs: tuple[str, ...] | None = None,
        read_only: tuple[str, ...] | None = None,
        parallel: int = 16,
        walk_budget_s: float = WALK_BUDGET_S,
    ) -> None:
        self._programs = programs
        self._read_only = default_read_only() if read_only is None else read_only
        self._parallel = parallel
        self._walk_budget_s = walk_budget_s
        self._pool: ThreadPoolExecutor | None = None
        self._health: tuple[bool, str] | None = None
        self._lock = threading.Lock()

    async def run(self, job: SandboxJob) -> SandboxResult:
        """Run to the end, the deadline or cancellation; the whole process tree is gone on return.

        Raises: Invalid `value_invalid`, `grant_invalid`; Denied `path_denied`; Unavailable `sandbox_missing`,
        `sandbox_failed`, `program_missing`.
        """
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._parallel, thread_name_prefix="remit-sandbox")
        cancelled_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        work = self._pool.submit(self._run, job, cancelled_fd)
        waiter = asyncio.wrap_future(work)
        cancelled = False
        while not waiter.done():
            try:
                await asyncio.wait((waiter,))
            except asyncio.CancelledError:
                cancelled = True
                os.eventfd_write(cancelled_fd, 1)
                work.cancel()  # takes effect only when it has not begun; the waiter must not be cancelled
        os.close(cancelled_fd)
        if cancelled:
            if not waiter.cancelled():
                waiter.exception()  # seen, so that it is not reported as lost
            raise asyncio.CancelledError
        return waiter.result()

    async def serve(self, job: SandboxJob, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> Served:
        """Start a program that talks; see the port."""
        from remit.adapters.sandboxes.serving import ServedProgram, ServingSupervisor  # most runs have no servers

        def run(cancelled_fd: int, standing: Callable[[int, int], None]) -> SandboxResult:
            def make(*args: Any) -> Supervisor:
                supervisor = ServingSupervisor(*args)
                supervisor.standing = standing
                return supervisor

            return self._run(job, cancelled_fd, make)

        program = ServedProgram(on_data, on_end)
        program.start(run)
        await program.stand()
        return program

    def with_folders(self, folders: tuple[str, ...]) -> Bubblewrap:
        """The same sandbox with further folders shown read-only."""
        return Bubblewrap(
            programs=self._programs,
            read_only=(*self._read_only, *folders),
            parallel=self._parallel,
            walk_budget_s=self._walk_budget_s,
        )

    def run_blocking(self, job: SandboxJob) -> SandboxResult:
        """`run` for a caller without an event loop; cannot be cancelled."""
        cancelled_fd = os.eventfd(0, os.EFD_CLOEXEC)
        try:
            return self._run(job, cancelled_fd)
        finally:
            os.close(cancelled_fd)

    def describe(self) -> dict[str, Any]:
        """`{what, healthy, needs}`: healthy means that a program really ran inside (tried once, then kept)."""
        with self._lock:
            if self._health is None:
                self._health = self._try()
        healthy, why = self._health
        what = "bubblewrap: programs without network, in a read-only view of this machine"
        return {"what": what if healthy else f"{what} ({why})", "healthy": healthy, "needs": "" if healthy else INSTALL}

    def _try(self) -> tuple[bool, str]:
        with tempfile.TemporaryDirectory(prefix="remit-") as folder:
            try:
                result = self.run_blocking(SandboxJob(("true",), folder, timeout_s=10.0))
            except RemitError as error:
                return False, error.message
        return result.exit_code == 0, result.stderr.decode("utf-8", "replace")[:200]

    def _program(self) -> str:
        """The path of a bubblewrap that only root can change."""
        for path in _on_path() if self._programs is None else self._programs:
            try:
                status = os.stat(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_uid == 0 and not status.st_mode & 0o022:
                return path
        raise Unavailable(
            "sandbox_missing", "bubblewrap is not installed", hint=f"Install it: {INSTALL}", retryable=False
        )

    def _run(self, job: SandboxJob, cancelled_fd: int, make: Callable[..., Supervisor] = Supervisor) -> SandboxResult:
        bwrap = self._program()
        machine = os.uname().machine
        filter_code = build_filter(machine, tcp=True) if job.network else build_filter(machine)
        try:
            plan = make_plan(job, self._read_only, self._walk_budget_s)
            try:
                try:
                    result = make(bwrap, job, plan, cancelled_fd).run(filter_code)
                finally:
                    moved = [path for root in plan.roots for path in root.move_aside(plan.known)]
            finally:
                plan.close()
        except OSError as error:
            raise Unavailable("sandbox_failed", f"the sandbox could not be made: {error.strerror or error}") from error
        if not moved:
            return result
        note = f"\nremit: moved aside, because agents may not write it: {', '.join(moved)[:2000]}\n"
        return SandboxResult(
            result.exit_code,
            result.stdout,
            result.stderr + note.encode("utf-8", "replace"),
            result.cut_bytes,
            result.killed,
            result.duration_ms,
        )


def _on_path() -> tuple[str, ...]:
    folders = {os.path.realpath(folder) for folder in os.get_exec_path() if folder}
    return tuple(path for path in PROGRAMS if os.path.realpath(os.path.dirname(path)) in folders)
