"""A plugin's tools as tools of remit: named `wasm_PLUGIN_TOOL`, run in tier T2, trusted with nothing.

Each call passes the gate like any other; the grant is `tool:wasm_PLUGIN_TOOL`. What the component asks for during the
call is checked three times: manifest and user (here), and the run's remit (the handles). What it returns is untrusted.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Callable
from typing import Any, Final

import msgspec

from remit.adapters.plugins.arguments import check_arguments, check_schema
from remit.adapters.plugins.manifest import PluginTool
from remit.adapters.plugins.store import Loaded
from remit.core import needs
from remit.core.effects import Need
from remit.core.tools import Tool
from remit.errors import Denied, Invalid, Unavailable
from remit.ports.code_sandbox import ComponentJob, ComponentSandbox
from remit.ports.tool import Context

PREFIX: Final = "wasm_"
MAX_READ_BYTES: Final = 1024 * 1024
END_S: Final = 1.0  # the sandbox ends that much before the gate's own deadline


class PluginSignature:
    """What `core.schema.Signature` is for a Python function: schema and decoder of a tool that has none."""

    is_async = True
    context = "ctx"

    def __init__(self, tool: PluginTool) -> None:
        check_schema(tool.input_schema)
        self.schema = {"properties": {}, "additionalProperties": False, **tool.input_schema}
        self.description = tool.description

    def decode(self, arguments: Any) -> dict[str, Any]:
        """The arguments as one value; raises arguments_invalid."""
        check_arguments(arguments, self.schema)
        return {"arguments": arguments}


def tool_name(plugin: str, tool: str) -> str:
    """What a model calls it."""
    return f"{PREFIX}{plugin}_{tool}"


def make_tool(loaded: Loaded, declared: PluginTool, sandbox: Callable[[], ComponentSandbox]) -> Tool:
    """The tool; raises value_invalid for a schema that cannot be checked in full."""
    manifest = loaded.manifest
    name = tool_name(manifest.id, declared.name)
    ceiling = loaded.ceiling

    async def execute(ctx: Context[Any], arguments: dict[str, Any]) -> str:
        async def host(function: str, values: list[Any]) -> Any:
            if len(values) != 1 or type(values[0]) is not str:
                raise Denied("argument_denied", f"{function} takes one text")
            if function == "files.read":
                value = _plain_path(values[0])
                need = needs.fs_read(value)
            else:
                value = values[0]
                need = needs.net("GET", value)
            if not ceiling.allows(need, ctx.now_ms):
                raise Denied("not_granted", f"manifest and user do not both grant {need} to the plugin {manifest.id}")
            return await _answer(ctx, function, value)

        job = ComponentJob(
            loaded.component,
            "execute",
            (declared.name, msgspec.json.encode(arguments).decode()),
            imports=tuple(sorted(manifest.imports)),
            timeout_s=manifest.timeout_s,
            max_memory_bytes=manifest.memory_mb * 1024 * 1024,
        )
        result = await sandbox().call(job, host)
        if result.killed or result.error:
            raise Unavailable("tool_failed", f"{name} was ended: {result.killed or 'error'}: {result.error[:500]}")
        return _shown(result.value, name)

    return Tool(
        execute,
        name=name,
        effect="read",
        description=declared.description,
        needs=lambda **_: (Need("tool", name),),
        verbs=("tool",),
        returns="untrusted",
        builtin=True,
        timeout_s=manifest.timeout_s + END_S,
        signature=PluginSignature(declared),
    )


async def _answer(ctx: Context[Any], function: str, value: str) -> str:
    """Do what the component asked for, with the handles of the call. The answer travels as text inside JSON."""
    if function == "files.read":
        raw = await asyncio.to_thread(ctx.files.read, value, 0, MAX_READ_BYTES)
        return raw.decode("utf-8", "replace")
    reply = await ctx.http.fetch("GET", value)
    found = {"status": reply.status, "body": reply.body[:MAX_READ_BYTES].decode("utf-8", "replace")}
    return msgspec.json.encode(found).decode()


def _plain_path(path: str) -> str:
    """The path as grants name it; raises path_denied for what a glob and the file system could read differently."""
    if path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise Denied("path_denied", f"{path[:100]!r} is no path beneath the workspace")
    return posixpath.normpath(path)


def _shown(value: Any, name: str) -> str:
    if isinstance(value, dict) and set(value) == {"ok"} and isinstance(value["ok"], str):
        return value["ok"]
    if isinstance(value, dict) and set(value) == {"err"}:
        raise Unavailable("tool_failed", f"{name} says: {str(value['err'])[:1000]}")
    raise Invalid("value_invalid", f"{name} answered with neither a text nor an error")
