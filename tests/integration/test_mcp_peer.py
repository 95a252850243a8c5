"""The official SDK's servers as peers: stdio inside T3, and streamable HTTP; both eras of the protocol."""

from __future__ import annotations

import asyncio
import os
import runpy
import socket
import sys
import threading
from pathlib import Path

import pytest

from remit import Runtime
from remit.cli._one_call import call_tool
from remit.core.sections import McpSection

pytest.importorskip("mcp.server.mcpserver", reason="the MCP SDK is not installed: pip install mcp")

PROGRAM = """
import sys
from mcp.server.mcpserver import MCPServer
server = MCPServer("peer")

@server.tool()
def add(a: int, b: int) -> int:
    \"\"\"Add two numbers.\"\"\"
    return a + b

@server.tool()
def fail() -> str:
    \"\"\"Fail.\"\"\"
    raise RuntimeError("as asked")

if __name__ == "__main__":
    server.run()
"""


async def use(runtime: Runtime, allow: list[str]) -> tuple[str, str]:
    probe, found = runtime.outside.mcp.probe("peer")
    await call_tool("test", probe, {}, allow)
    runtime.outside.mcp.pins.put(found())
    tool = runtime.outside.tool("mcp__peer__add")
    return found().revision, await call_tool("test", tool, {"a": 2, "b": 40}, allow)


@pytest.mark.sandbox
def test_the_sdk_over_stdio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of the SDK runs in T3 with nothing but its packages shown, and adds."""
    import mcp

    from remit.adapters.mcp import servers, stdio

    monkeypatch.setattr(stdio, "OPEN_S", 120.0)  # its imports take seconds, and a busy machine's many
    monkeypatch.setattr(servers, "OPEN_S", 120.0)
    packages = str(Path(mcp.__file__).parents[1])
    (tmp_path / "peer.py").write_text(PROGRAM)
    python = os.path.realpath(os.path.join(sys.base_prefix, "bin", "python3"))
    entry = McpSection("peer", (python, str(tmp_path / "peer.py")), show=(str(tmp_path), packages),
                       env={"PYTHONPATH": packages})  # fmt: skip

    async def main() -> tuple[str, str]:
        async with Runtime("memory:", tune_gc=False) as runtime:
            runtime.outside.mcp_servers = (entry,)
            return await use(runtime, [])

    assert asyncio.run(main()) == ("2026-07-28", "42")


def test_the_sdk_over_http(tmp_path: Path) -> None:
    """A server of the SDK answers POSTs with JSON or events."""
    import uvicorn

    (tmp_path / "peer.py").write_text(PROGRAM)
    names = runpy.run_path(str(tmp_path / "peer.py"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    app = names["server"].streamable_http_app()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{port}/mcp"

    async def main() -> tuple[str, str]:
        while not server.started:
            await asyncio.sleep(0.02)
        async with Runtime("memory:", tune_gc=False) as runtime:
            runtime.outside.mcp_servers = (McpSection("peer", url=url),)
            return await use(runtime, [f"net:POST {url}"])

    try:
        assert asyncio.run(main()) == ("2026-07-28", "42")
    finally:
        server.should_exit = True
        thread.join(10)
