"""MCP servers over streamable HTTP, as tools of a run: through gate and egress, of both eras, and hostile ones."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from remit import Agent, Remit, Runtime, ToolCall
from remit.cli._one_call import call_tool
from remit.core.sections import McpSection
from remit.errors import Denied, RemitError, Unavailable
from remit.testing import ScriptedModel

Handler = Callable[[dict[str, str], dict[str, Any]], tuple[int, dict[str, str], bytes]]
SESSIONS = itertools.count(1)
DEFINITION = {
    "name": "echo",
    "description": "Say it again.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string", "x-mcp-header": "Text"}}},
}


class Server:
    """A server of one handler: (headers, message) -> (status, headers, body)."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.seen: list[tuple[dict[str, str], dict[str, Any]]] = []

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/mcp"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head[1:] if line}
            message = json.loads(await reader.readexactly(int(headers["content-length"])))
            self.seen.append((headers, message))
            status, more, body = self.handler(headers, message)
            lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close"]
            lines += [f"{name}: {value}" for name, value in more.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def reply(message: dict[str, Any], **result: Any) -> tuple[int, dict[str, str], bytes]:
    body = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": result}).encode()
    return 200, {"content-type": "application/json"}, body


def modern(headers: dict[str, str], message: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """A server of the stateless era; the answer to a call comes as events."""
    if message["method"] == "server/discover":
        return reply(message, supportedVersions=["2026-07-28"])
    if message["method"] == "tools/list":
        return reply(message, tools=[DEFINITION])
    note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}
    said = {"content": [{"type": "text", "text": json.dumps(headers)}]}
    answer = {"jsonrpc": "2.0", "id": message["id"], "result": said}
    events = f"data: {json.dumps(note)}\n\ndata: {json.dumps(answer)}\n\n"
    return 200, {"content-type": "text/event-stream"}, events.encode()


def older(headers: dict[str, str], message: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """A server with a handshake and a session, which it forgets once."""
    if message["method"] == "server/discover":
        return 400, {"content-type": "text/plain"}, b"what?"
    if message["method"] == "initialize":
        status, more, body = reply(message, protocolVersion="2025-06-18")
        return status, {**more, "mcp-session-id": f"s{next(SESSIONS)}"}, body
    if message["method"] == "notifications/initialized":
        return 202, {}, b""
    if message["method"] == "tools/call" and headers["mcp-session-id"] == "s1":
        return 404, {"content-type": "text/plain"}, b"gone"
    return modern(headers, message)


async def approve(runtime: Runtime, server: Server, **more: Any) -> McpSection:
    entry = McpSection("web", url=server.url, **more)
    runtime.outside.mcp_servers = (entry,)
    probe, found = runtime.outside.mcp.probe("web")
    await call_tool("test", probe, {}, [f"net:POST {server.url}"])
    runtime.outside.mcp.pins.put(found())
    return entry


async def once(runtime: Runtime, server: Server, *allow: str) -> str:
    tool = runtime.outside.tool("mcp__web__echo")
    return await call_tool("test", tool, {"text": "größe"}, [f"net:POST {server.url}", *allow])


def against(handler: Handler, work: Callable[[Runtime, Server], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with Server(handler) as server, Runtime("memory:", tune_gc=False) as runtime:
            await approve(runtime, server)
            return await work(runtime, server)

    return asyncio.run(main())


def test_a_stateless_server_gets_its_headers() -> None:
    """Method, name, version and mirrored arguments stand in headers; events are read to the answer."""
    got = json.loads(against(modern, once))
    assert (got["mcp-method"], got["mcp-name"], got["mcp-protocol-version"]) == ("tools/call", "echo", "2026-07-28")
    assert got["mcp-param-text"] == "=?base64?Z3LDtsOfZQ==?="


def test_an_older_server_keeps_its_session_and_may_forget_it() -> None:
    """The session id is sent back; after a 404 the client opens another session and asks again."""

    async def work(runtime: Runtime, server: Server) -> list[Any]:
        await once(runtime, server)
        return [(m["method"], h.get("mcp-session-id")) for h, m in server.seen]

    called = [session for method, session in against(older, work) if method == "tools/call"]
    assert len(called) == 2
    assert called[0] == "s1"
    assert called[1] not in (None, "s1")


def test_the_run_must_hold_the_address() -> None:
    """tool:mcp__web__* is not enough: the request is a need of its own, for exactly this address and port."""

    async def work(runtime: Runtime, server: Server) -> list[str]:
        codes = []
        for remit in (
            Remit.allow("tool:mcp__web__*"),
            Remit.allow("tool:mcp__web__*", "net:POST http://127.0.0.1:1/mcp"),
        ):
            model = ScriptedModel([ToolCall("c", "mcp__web__echo", {"text": "x"}), "end"])
            run = await runtime.run(Agent("a", model, tools=["mcp__web__echo"], remit=remit), "go")
            codes += [e.code for e in run.events if hasattr(e, "check")]
        return codes

    assert against(modern, work) == ["not_granted", "not_granted"]


def test_after_untrusted_data_a_person_is_asked() -> None:
    """A call to a server outside carries what the context holds: the second one of a run waits for a person."""

    async def work(runtime: Runtime, server: Server) -> str:
        model = ScriptedModel(
            [ToolCall("c", "mcp__web__echo", {"text": "x"}), ToolCall("d", "mcp__web__echo", {}), "end"]
        )
        remit = Remit.allow("tool:mcp__web__*", f"net:POST {server.url}")
        run = await runtime.run(Agent("a", model, tools=["mcp__web__echo"], remit=remit), "go")
        return run.status

    assert against(modern, work) == "waiting"


@pytest.mark.parametrize(
    ("status", "kind", "body", "why"),
    [
        (200, "text/html", b"<html>", "text/html"),
        (200, "application/json", b"[]", "JSON-RPC"),
        (200, "application/json", b"x" * 5_000_000, "has more than"),
        (200, "text/event-stream", b"data: nonsense\n\n", "not JSON"),
        (401, "text/plain", b"", "status 401"),
        (500, "text/plain", b"", "status 500"),
        (302, "text/plain", b"", "status 302"),
        (200, "application/json", b'{"jsonrpc":"2.0","id":777,"result":{}}', "no answer"),
        (400, "application/json", b'{"jsonrpc":"2.0","id":3,"error":{"code":-32020,"message":"mismatch"}}', "-32020"),
    ],
)
def test_a_broken_answer_fails_the_call(status: int, kind: str, body: bytes, why: str) -> None:
    """The call fails with its reason; a redirect is not followed."""

    def handler(headers: dict[str, str], message: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        if message["method"] != "tools/call":
            return modern(headers, message)
        return status, {"content-type": kind, "location": "http://127.0.0.1:1/"}, body

    async def work(runtime: Runtime, server: Server) -> RemitError:
        with pytest.raises(Unavailable) as caught:
            await once(runtime, server)
        return caught.value

    error = against(handler, work)
    assert (error.code, why in error.message) == ("tool_failed", True), error.message


def test_a_secret_of_a_header_needs_its_grant() -> None:
    """headers with {{secret:NAME}} are a need secret:NAME@HOST of the call; without it nothing is sent."""

    async def main() -> tuple[str, int]:
        async with Server(modern) as server, Runtime("memory:", tune_gc=False) as runtime:
            await approve(runtime, server)
            before = len(server.seen)
            entry = McpSection("web", url=server.url, headers={"authorization": "Bearer {{secret:docs}}"})
            runtime.outside.mcp_servers, runtime.outside._mcp = (entry,), None
            with pytest.raises(Denied) as caught:
                await once(runtime, server)
            return caught.value.code, len(server.seen) - before

    assert asyncio.run(main()) == ("not_granted", 0)
