"""How one server is reached: its process or its URL, kept between calls, checked against what was approved.

A process is shared by the calls that may share it: those whose runs forbid the same files. Before a call its tool's
definition is compared with the approved one: on a new connection, after the server says that its tools changed, and
once `VERIFY_S` have passed. A server that fails is tried again after a pause that doubles, up to a minute.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from remit.adapters.mcp.connection import Connection, list_tools
from remit.adapters.mcp.http import HttpConnection, HttpServer
from remit.adapters.mcp.pins import Pin, PinnedTool, origin_of
from remit.adapters.mcp.stdio import StdioConnection
from remit.core.remit import Remit
from remit.core.sections import McpSection
from remit.errors import Denied, RemitError, Unavailable
from remit.ports.sandbox import SandboxJob, Servant
from remit.ports.tool import Http
from remit.wire.mcp.http import mirrored, mirrored_paths
from remit.wire.mcp.session import Session
from remit.wire.mcp.tools import Definition

VERIFY_S: Final = 60.0
MAX_PAUSE_S: Final = 60.0
MAX_PROCESSES: Final = 8
LIFE_S: Final = 86_400.0
_Key = tuple[tuple[str, ...], tuple[str, ...]]


class Outside:
    """What the composition root lends: the sandbox, a way out for a program, and which folders it may write."""

    def __init__(
        self,
        sandbox: Callable[[], Servant],
        way_out: Callable[[tuple[str, ...]], AbstractAsyncContextManager[str]],
        writable: Callable[[Remit], tuple[str, ...]],
    ) -> None:
        self.sandbox = sandbox
        self.way_out = way_out
        self.writable = writable


class Reach:
    """One server of the configuration."""

    def __init__(self, entry: McpSection, outside: Outside) -> None:
        self.entry = entry
        self._outside = outside
        self._processes: dict[_Key, StdioConnection] = {}
        self._ending: list[StdioConnection] = []
        self._http: HttpServer | None = None
        self._lock = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._offered: dict[str, str] = {}
        self._verified = -VERIFY_S
        self._failures = 0
        self._pause_until = 0.0

    @property
    def here(self) -> bool:
        """Whether this belongs to the running loop."""
        return self._loop is asyncio.get_running_loop()

    async def connect(self, remit: Remit, http: Http, headers: dict[str, str] | None = None) -> Connection:
        """A connection that is open; raises mcp_failed and what sandbox or egress raise."""
        left = self._pause_until - self._loop.time()
        if left > 0:
            raise Unavailable(
                "mcp_failed", f"the MCP server {self.entry.name} failed; it is tried again in {left:.0f} s"
            )
        async with self._lock:
            try:
                return await (self._post(http, headers or {}) if self.entry.url else self._process(remit))
            except RemitError as error:
                if not isinstance(error, Denied):
                    self.failed()
                raise

    def failed(self) -> None:
        """Count a failure; the next attempt waits."""
        self._pause_until = self._loop.time() + min(MAX_PAUSE_S, 2.0**self._failures)
        self._failures += 1

    def answered(self) -> None:
        """The server works."""
        self._failures = 0

    async def verify(self, connection: Connection, pin: Pin, tool: PinnedTool) -> None:
        """Refuse a tool whose definition is not the approved one; raises mcp_changed, mcp_failed."""
        if self._loop.time() - self._verified >= VERIFY_S:
            if await asyncio.to_thread(origin_of, self.entry) != pin.origin:
                raise Denied("mcp_changed", f"the server {pin.server} is not the one that was approved")
            self._offered = {each.name: each.digest for each in await list_tools(connection)}
            self._verified = self._loop.time()
        if self._offered.get(tool.name) != tool.digest:
            raise Denied("mcp_changed", f"{tool.tool} is not what was approved: the server changed its definition")

    async def definitions(self, connection: Connection) -> list[Definition]:
        """What the server offers now."""
        return await list_tools(connection)

    async def aclose(self) -> None:
        """End every process."""
        ending = [*self._processes.values(), *self._ending]
        self._processes.clear()
        self._ending.clear()
        for each in ending:
            await each.aclose()

    def _changed(self) -> None:
        self._verified = self._loop.time() - VERIFY_S

    async def _process(self, remit: Remit) -> StdioConnection:
        key = self._bounds(remit)
        held = self._processes.get(key)
        if held is not None and not held.over:
            return held
        if held is not None:
            self._ending.append(self._processes.pop(key))
        self._ending = [each for each in self._ending if not await _gone(each)]
        while len(self._processes) >= MAX_PROCESSES:
            self._ending.append(self._processes.pop(next(iter(self._processes))))
        self._changed()
        made = StdioConnection(Session(client_info()), self._changed)
        job = await self._job(key, made)
        sandbox = self._outside.sandbox()
        await made.open(sandbox.with_folders(self.entry.show) if self.entry.show else sandbox, job)
        self._processes[key] = made
        return made

    def _bounds(self, remit: Remit) -> _Key:
        """What the process may not see and what it may write: the configuration's, less what the run forbids."""
        entry = self.entry
        if not entry.folder:
            return (), ()
        denials = [f"fs.write:{pattern}" for pattern in remit.denied("fs.write")]
        written = Remit.allow(*(f"fs.write:{pattern}" for pattern in entry.write)).deny(*denials)
        return tuple(dict.fromkeys((*entry.deny, *remit.denied("fs.read")))), self._outside.writable(written)

    async def _job(self, key: _Key, made: StdioConnection) -> SandboxJob:
        entry = self.entry
        folder = entry.folder or made.held.enter_context(tempfile.TemporaryDirectory(prefix="remit-mcp-"))
        network = await made.held.enter_async_context(self._outside.way_out(entry.hosts)) if entry.hosts else ""
        return SandboxJob(
            entry.command,
            folder,
            denied=key[0],
            writable=key[1],
            env=entry.env,
            timeout_s=LIFE_S,
            max_memory_bytes=entry.memory_mb * 1024 * 1024,
            max_processes=entry.processes,
            network=network,
        )

    async def _post(self, http: Http, headers: dict[str, str]) -> HttpConnection:
        if self._http is None:
            self._http = HttpServer(self.entry.url, dict(self.entry.headers), client_info())
        connection = HttpConnection(self._http, http, headers)
        await connection.open()
        return connection


def client_info() -> dict[str, str]:
    """What a server is told of its client."""
    try:
        found = version("remit")
    except PackageNotFoundError:
        found = "0"
    return {"name": "remit", "version": found}


def argument_headers(schema: dict[str, Any], arguments: dict[str, Any]) -> dict[str, str]:
    """The headers that repeat arguments, where a schema asks for it."""
    return mirrored(mirrored_paths(schema), arguments)


async def _gone(connection: StdioConnection) -> bool:
    """End a connection that has ended by itself; one that still drains goes on."""
    if connection.idle:
        await connection.aclose()
        return True
    return False
