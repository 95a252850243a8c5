"""What the user has approved of each server: its definitions, by digest, and where they come from.

An approval is the endorsement of text that a stranger wrote. It holds for exactly these definitions from exactly this
server (the same command and files, or the same URL); anything else is refused until it is approved again.

Source: spec/security.md 11; spec/interop.md 2.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.core.sections import McpSection
from remit.errors import Conflict, Unavailable

MAX_FILE_BYTES: Final = 32 * 1024 * 1024
_PROGRAM_FOLDERS: Final = ("/usr/local/bin", "/usr/bin", "/bin")  # PATH inside the sandbox
MAX_PROGRAM_BYTES: Final = 512 * 1024 * 1024
_PIECE: Final = 1 << 20


class PinnedTool(Struct, frozen=True):
    """One approved definition."""

    name: str
    """as the server calls it"""
    tool: str
    """mcp__SERVER__TOOL"""
    digest: str
    description: str
    input_schema: dict[str, Any]


class Pin(Struct, frozen=True):
    """What was approved of one server."""

    server: str
    origin: str
    """digest of what the server is (`origin_of`)"""
    revision: str
    approved_ms: int
    tools: tuple[PinnedTool, ...]


class Pins:
    """The approvals in one folder, a file a server."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def get(self, server: str) -> Pin | None:
        """The approval of a server; raises record_altered for a damaged one."""
        path = self._path(server)
        try:
            with open(path, "rb") as file:
                raw = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable("disk_failed", f"{path}: {error.strerror}") from None
        try:
            return msgspec.json.decode(raw, type=Pin)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Conflict("record_altered", f"{path} is damaged: {error}"[:300]) from None

    def put(self, pin: Pin) -> None:
        """Keep an approval in place of an older one."""
        path = self._path(pin.server)
        fresh = f"{path}.{os.getpid()}"
        try:
            os.makedirs(self._folder, 0o700, exist_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(pin))
                file.flush()
                os.fsync(descriptor)
            os.replace(fresh, path)
        except OSError as error:
            raise Unavailable("disk_failed", f"{path}: {error.strerror}") from None

    def drop(self, server: str) -> bool:
        """Forget an approval."""
        try:
            os.unlink(self._path(server))
        except FileNotFoundError:
            return False
        return True

    def _path(self, server: str) -> str:
        return os.path.join(self._folder, f"{server}.json")  # names are [a-z0-9_], checked with the configuration


def origin_of(entry: McpSection) -> str:
    """SHA-256 of what a server is: its configuration, and the bytes of its program and of the files that it is given.

    What does not change what runs or what is sent (deadlines, effects, offered tools) is left out.
    """
    facts: dict[str, Any] = {
        "url": entry.url,
        "command": entry.command,
        "env": entry.env,
        "headers": sorted(entry.headers),
        "files": [_digest(path) for path in _files(entry)],
    }
    return hashlib.sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()


def _files(entry: McpSection) -> list[str]:
    """The program as the sandbox finds it, and each argument that is a file."""
    if not entry.command:
        return []
    program = entry.command[0]
    found = [program] if "/" in program else [os.path.join(folder, program) for folder in _PROGRAM_FOLDERS]
    inside = [os.path.join(entry.folder, path) if entry.folder else path for path in entry.command[1:]]
    return [path for path in found if os.path.isfile(path)][:1] + [path for path in inside if os.path.isfile(path)]


def _digest(path: str) -> str:
    summed = hashlib.sha256()
    size = 0
    try:
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                size += len(piece)
                if size > MAX_PROGRAM_BYTES:
                    break
                summed.update(piece)
    except OSError as error:
        raise Unavailable("mcp_failed", f"{path} cannot be read: {error.strerror}") from None
    return summed.hexdigest()
