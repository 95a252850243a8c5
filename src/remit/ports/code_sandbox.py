"""Port: a sandbox for code that a model or a stranger wrote (tiers T1 and T2: no operating system inside).

The code sees nothing but its own values. Whatever it may reach is a function that the caller lends by name:
the sandbox passes the name and plain JSON out, the caller's `host` decides and answers. There is no other way out,
and a sandbox that is not whole refuses (`sandbox_missing`, `sandbox_failed`): never a weaker tier.

Invariants: `run` returns within `timeout_s` + 250 ms, whatever the code does; nothing of the code survives it (the
next run starts from the same state); output, results and calls are bounded; inside failures are results, not errors.

Source: DESIGN 7, rows T1 and T2; spec/security.md 6.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

MAX_CODE_BYTES: Final = 256 * 1024
MAX_JSON_BYTES: Final = 4 * 1024 * 1024
"""of the inputs, of one call's arguments, of one answer and of the result"""
MAX_CALLS: Final = 1_000
MEMORY_BYTES: Final = 64 * 1024 * 1024
FUEL: Final = 200_000_000_000
"""WebAssembly instructions of one run: about 60 s of a busy core; the deadline is nearly always first"""

Host = Callable[[str, list[Any]], Awaitable[Any]]
"""(name, positional arguments as JSON values) -> a JSON value; a RemitError reaches the code as an exception"""

Killed = Literal["", "timeout", "memory", "fuel", "crash"]


class CodeJob(Struct, frozen=True):
    """One run of Python source."""

    code: str
    inputs: dict[str, Any] = {}
    """global names and their JSON values"""
    calls: tuple[str, ...] = ()
    """names of the functions that `host` answers"""
    timeout_s: float = 10.0
    max_memory_bytes: int = MEMORY_BYTES
    max_output_bytes: int = 256 * 1024
    """of what is printed; more is dropped and counted"""


class ComponentJob(Struct, frozen=True):
    """One call of a WebAssembly component (T2 only)."""

    component: bytes
    """the component itself; its compiled form is cached by digest"""
    export: str
    arguments: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    """capabilities that it may import: log, files, http, clock, random; any other import is refused at load"""
    timeout_s: float = 30.0
    max_memory_bytes: int = MEMORY_BYTES
    max_output_bytes: int = 256 * 1024
    fuel: int = FUEL


class CodeResult(Struct, frozen=True):
    """How a run ended. Everything in it is untrusted: the code made it up."""

    value: Any = None
    """the last expression's value as JSON (its repr where JSON cannot hold it); None when it failed"""
    output: str = ""
    """what was printed"""
    error: str = ""
    """traceback or reason; "" when the code ended by itself"""
    killed: Killed = ""
    cut_bytes: int = 0
    """bytes of output that were dropped"""
    duration_ms: int = 0


class CodeSandbox(Protocol):
    """Runs code inside the tier."""

    tier: str

    async def run(self, job: CodeJob, host: Host | None = None) -> CodeResult:
        """Run to the end, the deadline or cancellation; raises value_invalid, sandbox_missing, sandbox_failed."""
        ...

    def describe(self) -> dict[str, Any]:
        """`{what, healthy, needs}` for `remit doctor`."""
        ...

    async def aclose(self) -> None:
        """End the workers; the next run starts new ones."""
        ...


class ComponentSandbox(CodeSandbox, Protocol):
    """A code sandbox that also runs components of other makers."""

    async def call(self, job: ComponentJob, host: Host | None = None) -> CodeResult:
        """Call one export with strings; its string result is `value`."""
        ...

    async def imports_of(self, component: bytes) -> tuple[str, ...]:
        """What the component imports, as `package:name/interface` without versions; raises value_invalid."""
        ...
