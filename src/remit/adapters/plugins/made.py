"""Tools that agents write at run time: Python as data, run in T1 or T2 and nowhere else.

A made tool gets its arguments and gives a value. Nothing is lent to it, so it can do no more than compute, whoever
wrote it and whoever calls it; what it returns is untrusted. Each version is a file of its own with a digest, never
changed; the newest one counts, and a file that does not fit its digest is refused.

Source: spec/tools.md 4; issue 3 (tools may be written at run time only as T1 or T2 code).
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.adapters.plugins.arguments import check_schema
from remit.adapters.plugins.manifest import PluginTool
from remit.adapters.plugins.tools import PluginSignature
from remit.core.effects import Need
from remit.core.tools import Tool
from remit.errors import Denied, Invalid, Unavailable
from remit.ports.made_tool import MadeTool
from remit.ports.tool import Context

PREFIX: Final = "made_"
MAX_TOOLS: Final = 200
MAX_VERSIONS: Final = 999
MAX_FILE_BYTES: Final = 512 * 1024
MAX_CODE_CHARS: Final = 64 * 1024
TIMEOUT_S: Final = 20.0
_NAME: Final = re.compile(r"made_[a-z][a-z0-9_]{0,50}")
_FILE: Final = re.compile(r"(made_[a-z][a-z0-9_]{0,50})\.(\d{3})\.json")


class Stored(Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    digest: str
    tool: MadeTool


class MadeTools:
    """A `ToolStore` in a folder.

    Args:
        folder: made with mode 0700 when it is absent.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def save(self, tool: MadeTool) -> str:
        """Keep a new version; its digest. Raises value_invalid, disk_failed."""
        _check(tool)
        versions = self._versions()
        if tool.name not in versions and len(versions) >= MAX_TOOLS:
            raise Invalid("value_invalid", f"there are {MAX_TOOLS} made tools already")
        number = versions.get(tool.name, 0) + 1
        if number > MAX_VERSIONS:
            raise Invalid("value_invalid", f"{tool.name} has {MAX_VERSIONS} versions already")
        digest = _digest(tool)
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            path = os.path.join(self._folder, f"{tool.name}.{number:03}.json")
            fd = os.open(path + ".part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(msgspec.json.encode(Stored(digest, tool)))
            os.link(path + ".part", path)  # fails where another process was first: a version is never replaced
            os.unlink(path + ".part")
        except OSError as error:
            raise Unavailable("disk_failed", f"{tool.name} cannot be kept: {error.strerror}") from error
        return digest

    def load(self, name: str) -> MadeTool:
        """The newest version; raises tool_unknown, denied_by_rule (changed)."""
        number = self._versions().get(name)
        if number is None:
            raise Invalid("tool_unknown", f"nobody has made a tool {name[:64]!r}")
        try:
            path = os.path.join(self._folder, f"{name}.{number:03}.json")
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(fd, "rb") as file:
                stored = msgspec.json.decode(file.read(MAX_FILE_BYTES + 1), type=Stored)
        except (OSError, msgspec.DecodeError, RecursionError):
            raise Denied("denied_by_rule", f"the file of {name} cannot be read as it was written") from None
        if stored.digest != _digest(stored.tool) or stored.tool.name != name:
            raise Denied("denied_by_rule", f"{name} was changed after it was made")
        _check(stored.tool)
        return stored.tool

    def names(self) -> tuple[str, ...]:
        """All made tools, sorted."""
        return tuple(sorted(self._versions()))

    def tool(self, name: str) -> Tool:
        """The made tool as a tool of remit; raises as `load`."""
        made = self.load(name)

        async def execute(ctx: Context[Any], arguments: dict[str, Any]) -> str:
            result = await ctx.code.run(
                made.code, tier=made.tier, inputs={"arguments": arguments}, timeout_s=TIMEOUT_S - 1
            )
            if result.killed or result.error:
                last = result.error.strip().rsplit("\n", 1)[-1]
                raise Unavailable("tool_failed", f"{name}: {result.killed or last}"[:500])
            value = result.value if result.value is not None else result.output
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()

        return Tool(
            execute,
            name=name,
            effect="read",
            description=made.description,
            needs=lambda **_: (Need("tool", name),),
            verbs=("tool",),
            returns="untrusted",
            builtin=True,
            timeout_s=TIMEOUT_S,
            signature=PluginSignature(PluginTool(name, made.description, made.input_schema)),
        )

    def _versions(self) -> dict[str, int]:
        """name -> newest version."""
        found: dict[str, int] = {}
        try:
            files = os.listdir(self._folder)
        except FileNotFoundError:
            return found
        for file in files:
            parts = _FILE.fullmatch(file)
            if parts:
                found[parts[1]] = max(found.get(parts[1], 0), int(parts[2]))
        return found


def _check(tool: MadeTool) -> None:
    if not _NAME.fullmatch(tool.name):
        raise Invalid("value_invalid", f"{tool.name[:64]!r}: a made tool is called made_..., in [a-z0-9_]")
    if not 0 < len(tool.code) <= MAX_CODE_CHARS or "\0" in tool.code or len(tool.description) > 2000:
        raise Invalid("value_invalid", f"code is 1 to {MAX_CODE_CHARS} characters, a description at most 2000")
    if tool.input_schema.get("type") != "object":
        raise Invalid("value_invalid", "input_schema describes an object")
    check_schema(tool.input_schema)


def _digest(tool: MadeTool) -> str:
    return hashlib.sha256(msgspec.json.encode(tool, order="deterministic")).hexdigest()
