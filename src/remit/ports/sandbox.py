"""Port: a sandbox for programs (tier T3: operating system).

The job says what the program may touch; the sandbox enforces it with the kernel or refuses
(`sandbox_missing`, `sandbox_failed`). There is no fallback to running it outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import Struct

MAX_OUTPUT_BYTES: Final = 1024 * 1024


class SandboxJob(Struct, frozen=True):
    """One program run. Paths are relative to the workspace."""

    argv: tuple[str, ...]
    workspace: str
    """absolute path of the workspace, seen at the same path inside, read-only"""
    cwd: str = "."
    writable: tuple[str, ...] = ()
    """granted write patterns: DIR/** or an existing file; any other form is refused with a hint"""
    denied: tuple[str, ...] = ()
    """denied read patterns (globs such as **/.env); what they match is masked, at launch"""
    env: dict[str, str] = {}
    stdin: bytes = b""
    timeout_s: float = 30.0
    max_output_bytes: int = MAX_OUTPUT_BYTES
    """of stdout and of stderr each; more is read and dropped, and counted"""
    max_memory_bytes: int = 1024 * 1024 * 1024
    max_processes: int = 128
    network: str = ""
    """absolute path of an egress broker's socket, the only way out; "" = no network at all"""


class SandboxResult(Struct, frozen=True):
    """How the program ended."""

    exit_code: int
    """its exit code; 128 + signal when a signal ended it"""
    stdout: bytes
    stderr: bytes
    cut_bytes: int = 0
    """bytes of output that were dropped"""
    killed: str = ""
    """"" | timeout | memory | processes | cancelled"""
    duration_ms: int = 0


class Sandbox(Protocol):
    """Runs programs inside the tier."""

    tier: str

    async def run(self, job: SandboxJob) -> SandboxResult:
        """Run to the end, the deadline or cancellation; the whole process tree is gone on return."""
        ...

    def describe(self) -> dict[str, Any]:
        """`{what, healthy, needs}` for `remit doctor`."""
        ...


class Served(Protocol):
    """A program that talks on its input and output as long as it lives."""

    def send(self, data: bytes) -> None:
        """Queue bytes for its input; raises output_too_large (it does not read), sandbox_failed (it has ended)."""
        ...

    def stop(self) -> None:
        """Have it ended; does not wait."""
        ...

    async def aclose(self) -> None:
        """End it; the whole process tree is gone on return."""
        ...


class Servant(Protocol):
    """A sandbox that serves programs."""

    async def serve(self, job: SandboxJob, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> Served:
        """Start a program; returns when it stands, confined.

        Args:
            job: its `stdin` is sent first; `timeout_s` is the longest life.
            on_data: gets its output as it comes, on the event loop.
            on_end: called once, on the event loop, with why it ended; nothing comes afterwards.

        Raises: as `Sandbox.run`.
        """
        ...

    def with_folders(self, folders: tuple[str, ...]) -> Servant:
        """The same sandbox with further folders shown read-only."""
        ...
