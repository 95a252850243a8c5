"""From [[mcp]] of a remit.toml to checked entries: every mistake is found when the file is read."""

from __future__ import annotations

import os.path
import re
from typing import Any, Final

from msgspec import structs

from remit.core.grants import parse_denial, parse_grant
from remit.core.needs import net, tunnel
from remit.core.sections import ConfigFile, McpSection
from remit.errors import Invalid, RemitError

MAX_VALUE_CHARS: Final = 8_192
_OF_COMMAND: Final = ("folder", "write", "deny", "show", "hosts", "env")
_OF_URL: Final = ("headers",)
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_OWN_HEADERS: Final = re.compile(r"(?i)accept|content-.*|host|mcp-.*|connection|transfer-encoding")


def mcp_keys(file: ConfigFile, place: str) -> dict[str, Any]:
    """`{"mcp": entries}` with absolute folders, {} where there are none; raises config_invalid.

    Args:
        place: the file's path; errors name it, and folders are relative to it.
    """
    seen: set[str] = set()
    found = []
    for index, entry in enumerate(file.mcp):
        try:
            if entry.name in seen:
                raise Invalid("value_invalid", f"two servers are named {entry.name}")
            seen.add(entry.name)
            found.append(_checked(entry, os.path.dirname(place)))
        except RemitError as e:
            raise Invalid("config_invalid", f"{place}: mcp[{index}]: {e.message}", hint=e.hint) from None
    return {"mcp": tuple(found)} if found else {}


def _checked(entry: McpSection, base: str) -> McpSection:
    if bool(entry.command) == bool(entry.url):
        raise Invalid("value_invalid", "give either command or url")
    strange = [name for name in (_OF_URL if entry.command else _OF_COMMAND) if getattr(entry, name)]
    if strange:
        raise Invalid(
            "value_invalid", f"{strange[0]} does not fit a server with a {'command' if entry.command else 'url'}"
        )
    if entry.write and not entry.folder:
        raise Invalid("value_invalid", "write needs a folder")
    _check_reach(entry)
    _check_values(entry)

    def absolute(path: str) -> str:
        return os.path.abspath(os.path.join(base, os.path.expanduser(path)))

    folder = absolute(entry.folder) if entry.folder else ""
    return structs.replace(entry, folder=folder, show=tuple([absolute(path) for path in entry.show]))


def _check_reach(entry: McpSection) -> None:
    """Addresses and patterns are what grants could say."""
    if entry.url:
        net("POST", entry.url)
    for pattern in entry.write:
        parse_grant(f"fs.write:{pattern}")
    for pattern in entry.deny:
        parse_denial(f"fs.read:{pattern}")
    for host in entry.hosts:
        tunnel(host)


def _check_values(entry: McpSection) -> None:
    for name, value in entry.headers.items():
        if not _HEADER.fullmatch(name) or _OWN_HEADERS.fullmatch(name) or not value.isprintable():
            raise Invalid("value_invalid", f"the header {name[:64]!r} cannot be set")
    for name, value in entry.env.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value or "{{secret:" in value:
            raise Invalid("value_invalid", f"the variable {name[:64]!r} cannot be set; a program never gets secrets")
    if any(len(v) > MAX_VALUE_CHARS for v in (*entry.env.values(), *entry.headers.values(), *entry.command)):
        raise Invalid("value_invalid", f"a value has more than {MAX_VALUE_CHARS} characters")
