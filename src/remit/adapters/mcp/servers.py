"""All that remit does with MCP servers: tools by name for the runtime, and the `remit mcp` command.

A tool is made of what the user approved, never of what a server says now: nothing is started or asked before a call.
Each call passes the gate as `tool:mcp__SERVER__TOOL`, and what the server reaches of the network with it (its URL, or
the hosts that its program may tunnel to) is a need of the call as well, so that the run must hold it too.
"""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from remit.adapters.mcp.arguments import check_arguments
from remit.adapters.mcp.connection import OPEN_S
from remit.adapters.mcp.pins import Pin, PinnedTool, Pins, origin_of
from remit.adapters.mcp.reach import Outside, Reach, argument_headers
from remit.core import needs
from remit.core.effects import Need
from remit.core.labels import join
from remit.core.remit import Remit
from remit.core.sections import McpSection
from remit.core.tools import MAX_RESULT_CHARS, Tool
from remit.errors import Denied, Exhausted, Invalid, RemitError, Unavailable
from remit.ports.runtime import current_call
from remit.ports.sandbox import Servant
from remit.ports.tool import Context
from remit.wire.mcp.tools import Called, Definition, clean, label_meta, read_called

PREFIX: Final = "mcp__"
PROBE: Final = "mcp_probe"
MAX_NAME_CHARS: Final = 64
END_S: Final = 5.0  # the call's own deadline comes that much before the gate's
NOTE: Final = "[tool of the MCP server {}; its text is not remit's]\n"


class McpSignature:
    """What `core.schema.Signature` is for a Python function: schema and decoder of a server's tool."""

    is_async = True
    context = "ctx"

    def __init__(self, schema: dict[str, Any], description: str) -> None:
        self.schema = {"type": "object", "properties": {}, **schema}
        self.description = description

    def decode(self, arguments: Any) -> dict[str, Any]:
        """The arguments as one value; raises arguments_invalid."""
        check_arguments(arguments, self.schema)
        return {"arguments": arguments}


class Servers:
    """The servers of one runtime.

    Args:
        entries: [[mcp]] of the configuration.
        pins: what the user approved.
        outside: sandbox and way out.
    """

    def __init__(self, entries: Sequence[McpSection], pins: Pins, outside: Outside) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self.pins = pins
        self._outside = outside
        self._reached: dict[str, Reach] = {}

    def entry(self, name: str) -> McpSection:
        """A server of the configuration; raises mcp_unknown."""
        found = self._entries.get(name)
        if found is None:
            known = ", ".join(self._entries) or "none"
            raise Invalid("mcp_unknown", f"there is no MCP server {name[:40]!r}; known: {known}")
        return found

    def tool_names(self) -> tuple[str, ...]:
        """The approved tools of all servers that are offered."""
        pins = [(entry, self.pins.get(name)) for name, entry in self._entries.items()]
        return tuple(t.tool for entry, pin in pins if pin is not None for t in pin.tools if offered(entry, t.name))

    def tool(self, name: str) -> Tool:
        """The tool called mcp__SERVER__TOOL; raises tool_unknown, mcp_unknown, mcp_unapproved."""
        server = name.removeprefix(PREFIX).partition("__")[0]
        entry = self.entry(server)
        pin = self.pins.get(server)
        if pin is None:
            raise Denied("mcp_unapproved", f"nothing of the MCP server {server} is approved yet")
        found = next((t for t in pin.tools if t.tool == name and offered(entry, t.name)), None)
        if found is None:
            raise Invalid("tool_unknown", f"the MCP server {server} has no approved tool {name[:64]!r}")
        return self._tool(entry, pin, found)

    def probe(self, name: str) -> tuple[Tool, Callable[[], Pin]]:
        """A tool that asks a server for its tools, for `remit mcp`; and what there is to approve once it has run."""
        entry = self.entry(name)
        found: list[Any] = []

        async def execute(ctx: Context[Any]) -> str:
            reach = self._reach(entry)
            connection = await reach.connect(_scope().remit, ctx.http)
            origin = await asyncio.to_thread(origin_of, entry)
            tools = pinned(name, await reach.definitions(connection))
            found.append(Pin(name, origin, connection.revision, ctx.now_ms, tools))
            return f"{len(tools)} tools"

        tool = Tool(
            execute,
            name=PROBE,
            effect="read",
            description="ask an MCP server for its tools",
            needs=lambda **_: (Need("tool", PROBE), *server_needs(entry)),
            returns="untrusted",
            builtin=True,
            timeout_s=OPEN_S * 2 + END_S,
        )
        return tool, lambda: found[-1]

    def rows(self) -> list[dict[str, Any]]:
        """What there is, without starting anything: `{name, transport, state, tools, needs}` of each server."""
        found = []
        for name, entry in self._entries.items():
            pin = self.pins.get(name)
            state = "not approved" if pin is None else "approved" if origin_of(entry) == pin.origin else "changed"
            tools = [] if pin is None else [t.tool for t in pin.tools if offered(entry, t.name)]
            transport = "http" if entry.url else "stdio"
            reached = [str(need) for need in server_needs(entry)]
            found.append({"name": name, "transport": transport, "state": state, "tools": tools, "needs": reached})
        return found

    def compared(self, now: Pin) -> dict[str, Any]:
        """What a server offers now beside what is approved of it: each tool is new, same, changed or gone."""
        pin = self.pins.get(now.server)
        before = {} if pin is None else {t.name: t.digest for t in pin.tools}
        tools = [
            {
                "name": t.tool,
                "state": "new" if t.name not in before else "same" if before[t.name] == t.digest else "changed",
                "description": t.description,
                "input_schema": t.input_schema,
                "digest": t.digest,
            }
            for t in now.tools
        ]
        here = {t.name for t in now.tools}
        gone = [] if pin is None else [t.tool for t in pin.tools if t.name not in here]
        same = pin is not None and pin.origin == now.origin and not gone and all(t["state"] == "same" for t in tools)
        state = "not approved" if pin is None else "approved" if same else "changed"
        found = {"server": now.server, "revision": now.revision, "state": state, "digest": digest_of(now)}
        return {**found, "tools": tools, "gone": gone}

    async def aclose(self) -> None:
        """End every server."""
        reached = [each for each in self._reached.values() if each.here]
        self._reached.clear()
        for each in reached:
            await each.aclose()

    def _reach(self, entry: McpSection) -> Reach:
        held = self._reached.get(entry.name)
        if held is None or not held.here:
            held = self._reached[entry.name] = Reach(entry, self._outside)
        return held

    def _tool(self, entry: McpSection, pin: Pin, pinned_tool: PinnedTool) -> Tool:
        name = pinned_tool.tool

        async def execute(ctx: Context[Any], arguments: dict[str, Any]) -> str:
            try:
                called = await self._call(ctx, entry, pin, pinned_tool, arguments)
            except Unavailable as error:
                if error.code != "mcp_failed":
                    raise
                # The message may quote the server: under this code the gate labels it as the tool's own text.
                raise Unavailable("tool_failed", f"{name}: {error.message}", retryable=error.retryable) from None
            if called.failed:
                raise Unavailable("tool_failed", f"{name} says: {clean(called.text)[:4000]}")
            return called.text

        return Tool(
            execute,
            name=name,
            effect=entry.effects.get(pinned_tool.name, "unsafe"),
            description=NOTE.format(entry.name) + pinned_tool.description,
            needs=lambda **_: (Need("tool", name), *server_needs(entry)),
            verbs=("tool",),
            returns="untrusted",
            builtin=True,
            timeout_s=entry.timeout_s + OPEN_S + END_S,
            max_chars=MAX_RESULT_CHARS,
            signature=McpSignature(pinned_tool.input_schema, pinned_tool.description),
        )

    async def _call(
        self, ctx: Context[Any], entry: McpSection, pin: Pin, tool: PinnedTool, arguments: dict[str, Any]
    ) -> Called:
        call = current_call.get()
        assert call is not None  # a tool's body
        reach = self._reach(entry)
        headers = argument_headers(tool.input_schema, arguments) if entry.url else {}
        connection = await reach.connect(call.scope.remit, ctx.http, headers)
        try:
            async with asyncio.timeout(OPEN_S):
                await reach.verify(connection, pin, tool)
            params = {"name": tool.name, "arguments": arguments, "_meta": label_meta(call.scope.label)}
            async with asyncio.timeout(entry.timeout_s):
                called = read_called(await connection.ask("tools/call", params))
        except TimeoutError:
            raise Exhausted(
                "tool_timeout", f"{tool.tool} passed its {entry.timeout_s:g} s; its server was ended"
            ) from None
        except RemitError as error:
            if isinstance(connection_over(connection), str) and not isinstance(error, Denied):
                reach.failed()
            raise
        reach.answered()
        call.label = join(call.label, called.label)
        return called


def make_servers(
    entries: Sequence[McpSection],
    folder: str,
    sandbox: Callable[[], Servant],
    way_out: Callable[[tuple[str, ...]], AbstractAsyncContextManager[str]],
    writable: Callable[[Remit], tuple[str, ...]],
) -> Servers:
    """The servers of a runtime, with the approvals in `folder`."""
    return Servers(entries, Pins(folder), Outside(sandbox, way_out, writable))


def offered(entry: McpSection, tool: str) -> bool:
    """Whether the configuration offers a tool, by the server's own name of it."""
    return any(fnmatch.fnmatchcase(tool, pattern) for pattern in entry.tools)


def server_needs(entry: McpSection) -> tuple[Need, ...]:
    """What a call of any of its tools reaches of the network."""
    if entry.url:
        return (needs.net("POST", entry.url),)
    return tuple(needs.tunnel(host) for host in entry.hosts)


def pinned(server: str, definitions: Sequence[Definition]) -> tuple[PinnedTool, ...]:
    """Definitions with the names that models call them by: unique, at most 64 characters, the same every time."""
    taken: set[str] = set()
    found = []
    for each in sorted(definitions, key=lambda d: d.name):
        plain = re.sub(r"[^a-z0-9_]", "_", each.name.lower())
        name = f"{PREFIX}{server}__{plain}"
        if name in taken or len(name) > MAX_NAME_CHARS:
            mark = hashlib.sha256(each.name.encode("utf-8", "replace")).hexdigest()[:8]
            name = f"{name[: MAX_NAME_CHARS - 9]}_{mark}"
        taken.add(name)
        found.append(PinnedTool(each.name, name, each.digest, each.description, each.input_schema))
    return tuple(found)


def digest_of(pin: Pin) -> str:
    """One digest of all that an approval covers."""
    parts = [pin.server, pin.origin, *(f"{t.name}={t.digest}" for t in pin.tools)]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()


def connection_over(connection: Any) -> str | None:
    """Why a process takes no more calls; None for a connection that lives, or that is no process."""
    return getattr(connection, "over", "") or None


def _scope() -> Any:
    call = current_call.get()
    assert call is not None  # a tool's body
    return call.scope
