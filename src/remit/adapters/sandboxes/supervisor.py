"""Starts one confined program, watches it, and leaves nothing of it behind.

The first thing that runs inside is a shell that says it stands and waits for one line. While it waits, the
supervisor checks from outside that the confinement is what was asked for (namespaces, no capabilities, the
system-call filter, every mount) and sets the resource limits; then the shell becomes the program. So a
bubblewrap that did less than told, or a folder swapped during the start, is a refusal and not a hole.

The whole is one blocking call in a thread of its own: the event loop sees a future, and cancelling is a
descriptor that the thread polls. Resource limits are a second line: root is excused from some of them, so
processes and memory are counted in /proc and on the private file systems at each tick.

Invariants: on return the namespace's first process is dead, hence every process of the namespace; a deadline
holds for each wait; output beyond the cap is read and dropped, so that a chatty program can still end.

Source: signal and exit codes as in POSIX shells; bubblewrap's --json-status-fd.
"""

from __future__ import annotations

import os
import re
import resource
import select
import signal
import stat
import subprocess  # noqa: TID251 - this file owns the processes of tier T3
import time
from typing import Final

from remit.adapters.sandboxes import process_tree
from remit.adapters.sandboxes.plan import Plan
from remit.errors import Unavailable
from remit.ports.sandbox import SandboxJob, SandboxResult

START_S: Final = 20.0
END_S: Final = 30.0
TICK_MS: Final = 20
GATE: Final = 'echo; read -r _ || exit 125; exec "$@"'
NICENESS: Final = 10
"""so that a fork bomb cannot keep the supervisor from counting it"""
FILE_BYTES: Final = 2 * 1024**3
OPEN_FILES: Final = 1024
THREADS_PER_PROCESS: Final = 8
"""threads a program may have for each process that it may have"""
MAX_TMP_FILES: Final = 100_000
"""entries on the private file systems; each costs the kernel about 1 KiB"""
_CHUNK: Final = 65536
_CHILD_PID: Final = re.compile(rb'"child-pid":\s*(\d+)')


class Stream:
    """One output pipe: the first `cap` bytes are kept."""

    def __init__(self, fd: int, cap: int) -> None:
        self.fd = fd
        self.cap = cap
        self.kept = bytearray()
        self.cut = 0
        os.set_blocking(fd, False)

    def read(self) -> bool:
        """Read what is there; False at the end of the stream."""
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return True
        room = self.cap - len(self.kept)
        self.kept += data[:room] if room > 0 else b""
        self.cut += max(0, len(data) - max(0, room))
        return bool(data)


class Supervisor:
    """One run. `cancelled_fd` becomes readable when the run is to end early."""

    def __init__(self, bwrap: str, job: SandboxJob, plan: Plan, cancelled_fd: int) -> None:
        self.bwrap = bwrap
        self.job = job
        self.plan = plan
        self.cancelled_fd = cancelled_fd
        self.held: list[int] = []  # descriptors to close at the end
        self.private: list[int] = []  # of these: the private file systems
        self.init_fd = -1
        self.init_pid = 0
        self.killed = ""

    def run(self, filter_code: bytes) -> SandboxResult:
        """Start, watch, end. Raises: Unavailable `sandbox_failed`, `program_missing`."""
        process, status_fd = self._spawn(filter_code)
        try:
            assert process.stdin and process.stdout and process.stderr  # all three are pipes
            out = Stream(process.stdout.fileno(), 0)
            err = Stream(process.stderr.fileno(), self.job.max_output_bytes)
            shell = self._await_start(process, status_fd, err)
            self._verify(shell)
            self._limit(shell)
            started = time.monotonic()
            out.cap = self.job.max_output_bytes
            self._watch(process, out, err, started)
            duration_ms = round((time.monotonic() - started) * 1000)
        finally:
            self._end(process)
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        if code == 127 and err.kept.startswith(b"sh: 1: exec: "):
            raise Unavailable("program_missing", f"the sandbox has no program {self.job.argv[0][:200]!r}")
        cut = out.cut + err.cut
        return SandboxResult(
            137 if self.killed else code, bytes(out.kept), bytes(err.kept), cut, self.killed, duration_ms
        )

    def _memory_file(self, data: bytes) -> int:
        fd = os.memfd_create("remit", 0)
        self.held.append(fd)
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def _spawn(self, filter_code: bytes) -> tuple[subprocess.Popen[bytes], int]:
        """bubblewrap with its options in a memory file: no limit of a command line, nothing in `ps`."""
        status_read, status_write = os.pipe()
        self.held.append(status_read)
        passed = [status_write]
        try:
            options = [*self.plan.options, "--json-status-fd", str(status_write)]
            if filter_code:
                passed.append(self._memory_file(filter_code))
                options += ["--seccomp", str(passed[-1])]
            passed.append(self._memory_file(b"".join(os.fsencode(option) + b"\0" for option in options)))
            gate = self.plan.gate or GATE
            argv = [self.bwrap, "--args", str(passed[-1]), "--", "/bin/sh", "-c", gate, "sh", *self.job.argv]
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd="/",
                env={},
                pass_fds=passed,
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable("sandbox_failed", f"bubblewrap cannot be started: {error.strerror}") from error
        finally:
            os.close(status_write)
        return process, status_read

    def _await_start(self, process: subprocess.Popen[bytes], status_fd: int, err: Stream) -> int:
        """Wait until the shell inside stands; its process id."""
        assert process.stdout
        ends = time.monotonic() + START_S
        ready = b""
        poll = select.poll()
        for fd in (process.stdout.fileno(), err.fd):
            poll.register(fd, select.POLLIN)
        while not ready and time.monotonic() < ends:
            for fd, _ in poll.poll(200):
                if fd == err.fd and not err.read():
                    poll.unregister(fd)
                elif fd != err.fd:
                    ready = os.read(fd, 1) or b"-"
        if ready != b"\n":
            said = bytes(err.kept).decode("utf-8", "replace").strip()[:300]
            raise Unavailable("sandbox_failed", f"the sandbox did not start: {said or 'no reason was given'}")
        status = select.poll()
        status.register(status_fd, select.POLLIN)
        found = _CHILD_PID.search(os.read(status_fd, 4096)) if status.poll(1000) else None
        if found:
            self.init_pid = int(found[1])
            self.init_fd = os.pidfd_open(self.init_pid)
            self.held.append(self.init_fd)
        inside = process_tree.children(self.init_pid) if found else []
        if len(inside) != 1:
            raise Unavailable("sandbox_failed", "the sandbox's processes cannot be seen in /proc")
        return inside[0]

    def _verify(self, shell: int) -> None:
        """Refuse to go on unless the confinement is whole, seen from outside."""
        try:
            gaps = process_tree.confinement_gaps(shell) + mount_gaps(f"/proc/{shell}/root", self.plan)
            for path in ("/tmp", "/dev/shm"):
                self.private.append(os.open(f"/proc/{shell}/root{path}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            self.held += self.private
        except OSError as error:
            gaps = [f"{error.strerror} at {error.filename}"]
        if gaps:
            raise Unavailable("sandbox_failed", "the sandbox is not what was asked for: " + ", ".join(gaps[:5]))

    def _limit(self, shell: int) -> None:
        """Resource limits of the program, soft and hard."""
        cpus = os.cpu_count() or 1
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: FILE_BYTES,
            resource.RLIMIT_NOFILE: OPEN_FILES,
            resource.RLIMIT_CPU: int(self.job.timeout_s * cpus) + 2,
            # Above the count, so that the count gives the reason; root is excused from it on some kernels.
            resource.RLIMIT_NPROC: self.job.max_processes * THREADS_PER_PROCESS + 64,
            # The count at each tick kills at once the limit; this one stops a single leap between two ticks.
            resource.RLIMIT_DATA: 2 * self.job.max_memory_bytes + 64 * 1024 * 1024,
            resource.RLIMIT_MEMLOCK: 8 * 1024 * 1024,
            resource.RLIMIT_MSGQUEUE: 0,
        }
        os.setpriority(os.PRIO_PROCESS, shell, min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS))
        for what, value in limits.items():
            hard = resource.prlimit(shell, what)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.prlimit(shell, what, (value, value))

    def _watch(self, process: subprocess.Popen[bytes], out: Stream, err: Stream, started: float) -> None:
        """Feed, read and count until the program ends or must end."""
        assert process.stdin
        outer = os.pidfd_open(process.pid)
        self.held.append(outer)
        poll = select.poll()
        for fd in (out.fd, err.fd, outer, self.cancelled_fd):
            poll.register(fd, select.POLLIN)
        feed = memoryview(b"\n" + self.job.stdin)
        os.set_blocking(process.stdin.fileno(), False)
        poll.register(process.stdin.fileno(), select.POLLOUT)
        streams = {out.fd: out, err.fd: err}
        next_count = started
        ended = False
        while not ended and not self.killed:
            for fd, _ in poll.poll(TICK_MS):
                if fd in streams:
                    if not streams[fd].read():
                        poll.unregister(fd)
                elif fd in (outer, self.cancelled_fd):
                    ended = True
                    self.killed = "cancelled" if fd == self.cancelled_fd else self.killed
                else:
                    feed = _feed(process, poll, feed)
            now = time.monotonic()
            if now >= next_count and not ended:
                self.killed = "timeout" if now - started > self.job.timeout_s else self._over_limit()
                next_count = now + TICK_MS / 1000
        self._kill()
        for stream in streams.values():
            self._drain(stream)

    def _drain(self, stream: Stream) -> None:
        """Read what is left; every writer is dead, so the end comes."""
        ends = time.monotonic() + END_S
        os.set_blocking(stream.fd, True)
        while stream.read() and time.monotonic() < ends:
            pass

    def _over_limit(self) -> str:
        """ "" or the limit that is passed: processes, memory."""
        allowed = self.job.max_processes
        pids = process_tree.descendants(self.init_pid, allowed)
        if len(pids) > allowed or sum(map(process_tree.threads, pids)) > allowed * THREADS_PER_PROCESS:
            return "processes"
        private = 0
        for fd in self.private:
            usage = os.fstatvfs(fd)
            private += (usage.f_blocks - usage.f_bfree) * usage.f_frsize
            if usage.f_files - usage.f_ffree > MAX_TMP_FILES:
                return "memory"
        if private + sum(map(process_tree.resident_bytes, pids)) <= self.job.max_memory_bytes:
            return ""
        exact = private + sum(map(process_tree.proportional_bytes, pids))
        return "memory" if exact > self.job.max_memory_bytes else ""

    def _kill(self) -> None:
        """Kill the namespace and wait until it is gone."""
        try:
            signal.pidfd_send_signal(self.init_fd, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended by itself
        waiting = select.poll()
        waiting.register(self.init_fd, select.POLLIN)
        if not waiting.poll(int(END_S * 1000)):
            raise Unavailable("sandbox_failed", "the sandbox's processes do not end")

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Whatever happened: nothing runs, nothing stays open."""
        try:
            if self.init_fd >= 0:
                self._kill()
            if process.poll() is None and self.init_fd < 0:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it has ended by itself
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(END_S)
            self._reap_orphan()
        finally:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
            for fd in self.held:
                os.close(fd)
            self.held = []

    def _reap_orphan(self) -> None:
        """Where remit is the first process of a container, the namespace's first process falls to it."""
        if os.getpid() == 1 and self.init_pid:
            try:
                os.waitpid(self.init_pid, os.WNOHANG)
            except ChildProcessError:
                pass  # bubblewrap has reaped it


def _feed(process: subprocess.Popen[bytes], poll: select.poll, feed: memoryview) -> memoryview:
    """Write some of the input; close at its end, or when the program has closed its side."""
    assert process.stdin
    fd = process.stdin.fileno()
    try:
        feed = feed[os.write(fd, feed[:_CHUNK]) :]
    except BlockingIOError:
        return feed
    except BrokenPipeError:
        feed = feed[:0]
    if not feed:
        poll.unregister(fd)
        process.stdin.close()
    return feed


def mount_gaps(root: str, plan: Plan) -> list[str]:
    """Which mounts of `plan` are not in place beneath `root` (/proc/PID/root), as short descriptions."""
    gaps: list[str] = []
    for writable in plan.roots:
        if _identity(root + writable.path) != writable.identity:
            gaps.append(f"writable {writable.relative or '.'}")
    for path, identity in plan.guarded.items():
        if _identity(root + path) != identity or not _is_read_only(root + path):
            gaps.append(f"read-only {os.path.relpath(path, plan.workspace)}")
    closed = ["/", "/proc"] if any(not writable.relative for writable in plan.roots) else ["/", "/proc", plan.workspace]
    gaps += [f"read-only {path}" for path in closed if not _is_read_only(root + path)]
    if plan.network is not None and _identity(root + plan.network.path) != plan.network.identity:
        gaps.append("egress socket")
    return gaps + mask_gaps(root + plan.workspace, plan)


def mask_gaps(workspace: str, plan: Plan) -> list[str]:
    """Which masks of `plan` are not in place beneath `workspace` as the program sees it."""
    gaps: list[str] = []
    null = os.stat("/dev/null").st_rdev
    for relative in plan.masks.files:
        status = os.lstat(f"{workspace}/{relative}")
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != null:
            gaps.append(f"mask of {relative}")
    for relative in plan.masks.folders:
        status = os.lstat(f"{workspace}/{relative}")
        if not stat.S_ISDIR(status.st_mode) or stat.S_IMODE(status.st_mode) != 0:
            gaps.append(f"mask of {relative}")
    return gaps


def _identity(path: str) -> tuple[int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def _is_read_only(path: str) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
