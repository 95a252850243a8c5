"""Port: what a tool is given. Authority comes only as handles made for one call.

A tool that declares a parameter of type `Context` gets the run's dependencies and, as far as
granted, handles on files, programs and HTTP. Each handle checks the remit at every use and stops
working when the call returns, so nothing can be kept for later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from msgspec import Struct

from remit.errors import Invalid

if TYPE_CHECKING:
    from remit.ports.agents import Agents
    from remit.ports.code_sandbox import CodeResult
    from remit.ports.http import HttpReply, HttpRequest
    from remit.ports.made_tool import ToolStore
    from remit.ports.sandbox import SandboxResult

Deps = TypeVar("Deps")
REQUIRED: Final[Any] = ...
"""no default: a wait that ends without an answer raises"""


class FileInfo(Struct, frozen=True, gc=False):
    """One entry of the workspace."""

    path: str
    """relative to the workspace, with /"""
    kind: str
    """file | dir | link | other"""
    size_bytes: int = 0
    mtime_ms: int = 0


class Files(Protocol):
    """Files beneath the workspace, opened without following links; paths that no grant covers raise not_granted.

    Listing and walking leave out what may not be read. Blocking calls: file tools are sync functions
    and run in a worker thread.
    """

    def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Bytes of a regular file."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Replace or create a file atomically (missing folders are made); keeps an existing file's mode."""
        ...

    def remove(self, path: str) -> None:
        """Delete a file (needs fs.write)."""
        ...

    def info(self, path: str) -> FileInfo | None:
        """What is at `path`; None where nothing is."""
        ...

    def list(self, path: str) -> list[FileInfo]:
        """Entries of a folder, sorted by name."""
        ...

    def walk(self, path: str) -> Iterator[FileInfo]:
        """All files beneath a folder, sorted, without link following; `.git` is left out."""
        ...


class Shell(Protocol):
    """Programs in the sandbox (tier T3)."""

    async def run(
        self, argv: tuple[str, ...], *, cwd: str = ".", stdin: bytes = b"", network: bool = False
    ) -> SandboxResult:
        """Run one program whose argv is granted; `network` lends it the egress broker, as far as granted."""
        ...


class Http(Protocol):
    """HTTP through the egress check."""

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpReply:
        """One request, address resolved once, checked and pinned; redirects are returned, not followed."""
        ...


class Code(Protocol):
    """Code of a model or a stranger, in tiers T1 and T2."""

    async def run(
        self,
        code: str,
        *,
        tier: str = "T2",
        inputs: Mapping[str, Any] | None = None,
        lend: Mapping[str, Callable[..., Awaitable[Any]]] | None = None,
        timeout_s: float = 10.0,
    ) -> CodeResult:
        """Run Python source; it reaches the functions in `lend` (positional JSON arguments) and nothing else."""
        ...


class Workspace(Protocol):
    """One folder that an agent works in."""

    root: str
    """absolute path"""

    def files(self, allows: Callable[[str, str], bool], revoked: Callable[[], bool]) -> Files:
        """A handle: `allows(verb, path)` rules every path, `revoked()` ends it."""
        ...


class Egress(Protocol):
    """HTTP behind the address check."""

    async def fetch(self, request: HttpRequest, allow_private: frozenset[tuple[str, int]]) -> HttpReply:
        """One request; an address that is not public must be in `allow_private` as (canonical host, port)."""
        ...


class Context(Generic[Deps]):
    """What a tool may use during one call."""

    __remit_context__ = True
    __slots__ = ("_handles", "_waits", "agent", "deps", "idempotency_key", "key", "now_ms", "run_id")

    def __init__(  # noqa: PLR0913  # made by the gate only, by keyword
        self,
        deps: Any,
        *,
        run_id: str,
        agent: str,
        key: str,
        idempotency_key: str,
        now_ms: int,
        handles: Any,
        waits: Any = None,
    ) -> None:
        self.deps: Deps = deps
        self.run_id = run_id
        self.agent = agent
        self.key = key
        """the call's structural key, for example turn/1/call/0"""
        self.idempotency_key = idempotency_key
        """64 hex digits for a receiver that tells repeats apart: same on every retry and resume, new after a fork"""
        self.now_ms = now_ms
        """wall clock at the start of the call"""
        self._handles = handles
        self._waits = waits

    async def ask(  # a question's options are keywords with defaults
        self,
        question: str,
        *,
        kind: str = "",
        choices: Sequence[str] = (),
        timeout_s: float | None = None,
        default: Any = REQUIRED,
        **form: Any,
    ) -> Any:
        """Ask a person; the run may wait for days, and restarts in between.

        The tool's body runs again from its start once there is an answer: ask first, act afterwards.

        Args:
            question: what the person reads.
            kind: text (default; select where there are choices) | text_area | boolean | number | select |
                multi_select | date_time | file | json. See core/forms.py for the shape of the answers.
            choices: of select and multi_select.
            timeout_s: after that nobody can answer any more: `default` counts, or wait_expired is raised.
            form: minimum, maximum, max_chars.

        Raises:
            Denied: approval_refused, the person refused to answer. Exhausted: wait_expired.
        """
        waits = self._waits()
        return await waits.ask(question, waits.form(kind, choices, form), timeout_s, default)

    async def wait_for(self, signal: str, *, timeout_s: float | None = None, default: Any = REQUIRED) -> Any:
        """What the next signal of that name brings (`runtime.signal(run_id, name, value)`); waits as `ask` does."""
        return await self._waits().wait_for(signal, timeout_s, default)

    async def sleep(self, seconds: float) -> None:
        """Go on after `seconds` of wall time; longer than a second, the run parks meanwhile, as for `ask`."""
        await self._waits().sleep(seconds)

    @property
    def transaction(self) -> Any:
        """An open transaction in the journal's database, for a tool with effect="transactional".

        `transaction.execute(sql, values)` returns the rows. What it writes becomes durable together with the mark that
        the call is done, or not at all. Tables of the tool's own only: in a file those whose names begin with `app_`,
        in Postgres what the tools' role may use (there values are %s, and a failed statement ends the call).
        """
        lent = self._handles.transaction
        if lent is None:
            raise Invalid("usage_invalid", 'only a tool with effect="transactional" has a transaction')
        return lent

    @property
    def files(self) -> Files:
        """Files beneath the workspace."""
        found: Files = self._handles.files
        return found

    @property
    def shell(self) -> Shell:
        """Programs in the sandbox."""
        found: Shell = self._handles.shell
        return found

    @property
    def http(self) -> Http:
        """Requests through the egress check."""
        found: Http = self._handles.http
        return found

    @property
    def made_tools(self) -> ToolStore:
        """Where tools are kept that are written at run time (needs tool:tool_create)."""
        found: ToolStore = self._handles.made_tools
        return found

    @property
    def agents(self) -> Agents:
        """Other agents: to give them tasks, and to talk with them (needs delegate:...)."""
        found: Agents = self._handles.agents
        return found

    @property
    def code(self) -> Code:
        """Code in a sandbox that lends nothing by itself."""
        found: Code = self._handles.code
        return found
