"""A plugin's manifest: who it is, what it holds by digest, what it may import and touch, which tools it offers.

`plugin.toml` is what an author writes; `remit plugin build` makes `plugin.json` of it, with the component's digest.
The signature covers the bytes of plugin.json, so whoever vouches for it vouches for the component and every grant.

Invariants: strict decoding, bounded sizes, unknown keys are refused; an import that is not listed is a load error.
Source: spec/tools.md 6.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from remit.core.grants import parse_grant
from remit.errors import Invalid, RemitError

RUNTIME_API: Final = 1
MAX_MANIFEST_BYTES: Final = 256 * 1024
MAX_WASM_BYTES: Final = 50 * 1024 * 1024
MAX_TOOLS: Final = 64
MANIFEST: Final = "plugin.json"
COMPONENT: Final = "plugin.wasm"
SIGNATURE: Final = "plugin.sig"
GRANT_VERBS: Final = ("fs.read", "net")
_ID: Final = re.compile(r"[a-z][a-z0-9_]{1,30}")
_TOOL: Final = re.compile(r"[a-z][a-z0-9_]{0,26}")
_VERSION: Final = re.compile(r"\d{1,5}\.\d{1,5}\.\d{1,5}(-[a-z0-9.]{1,20})?")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

Capability = Literal["log", "files", "http", "clock", "random"]


class PluginTool(Struct, frozen=True, forbid_unknown_fields=True):
    """One tool of a plugin."""

    name: str
    description: str
    input_schema: dict[str, Any]


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """plugin.json."""

    id: str
    version: str
    wasm_sha256: str
    tools: tuple[PluginTool, ...]
    imports: tuple[Capability, ...] = ()
    """capabilities that the component may import"""
    grants: tuple[str, ...] = ()
    """the most that it asks for: fs.read:... and net:...; the user grants all, some or none of it"""
    description: str = ""
    language: Literal["python", "javascript", "other"] = "other"
    min_runtime_api: int = RUNTIME_API
    max_runtime_api: int = RUNTIME_API
    timeout_s: float = 30.0
    memory_mb: int = 64

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of plugin.json as it is signed."""
        return hashlib.sha256(encode_manifest(self)).hexdigest()


def encode_manifest(manifest: Manifest) -> bytes:
    """The one form of a manifest: sorted keys, UTF-8."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1) + b"\n"


def decode_manifest(raw: bytes) -> Manifest:
    """A manifest from plugin.json; raises value_invalid."""
    if len(raw) > MAX_MANIFEST_BYTES:
        raise Invalid("value_invalid", f"{MANIFEST} has more than {MAX_MANIFEST_BYTES} bytes")
    try:
        found = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("value_invalid", f"{MANIFEST}: {str(error)[:300]}") from None
    check(found)
    if encode_manifest(found) != raw:
        raise Invalid("value_invalid", f"{MANIFEST} is not in its one form; build it with: remit plugin build")
    return found


def manifest_of(toml: str, wasm: bytes) -> Manifest:
    """The manifest of an author's plugin.toml and a built component; raises value_invalid."""
    try:
        data = tomllib.loads(toml)
        data["wasm_sha256"] = hashlib.sha256(wasm).hexdigest()
        found = msgspec.convert(data, Manifest)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise Invalid("value_invalid", f"plugin.toml: {str(error)[:300]}") from None
    check(found)
    return found


def check(manifest: Manifest) -> None:
    """Raises value_invalid for names, bounds, versions or grants that are none."""
    names = [tool.name for tool in manifest.tools]
    problems = {
        f"id {manifest.id[:40]!r} is not [a-z][a-z0-9_]{{1,30}}": not _ID.fullmatch(manifest.id),
        f"version {manifest.version[:40]!r} is not MAJOR.MINOR.PATCH": not _VERSION.fullmatch(manifest.version),
        "wasm_sha256 is not 64 hex digits": not _SHA256.fullmatch(manifest.wasm_sha256),
        f"1 to {MAX_TOOLS} tools with different names": not 1 <= len(set(names)) == len(names) <= MAX_TOOLS,
        "a tool's name is not [a-z][a-z0-9_]{0,26}": not all(map(_TOOL.fullmatch, names)),
        "a tool's input_schema is not of an object": any(
            t.input_schema.get("type") != "object" for t in manifest.tools
        ),
        "an import stands twice": len(set(manifest.imports)) != len(manifest.imports),
        "timeout_s is more than 0 and at most 30": not 0 < manifest.timeout_s <= 30,
        "memory_mb is 1 to 256": not 1 <= manifest.memory_mb <= 256,
    }
    for problem, found in problems.items():
        if found:
            raise Invalid("value_invalid", f"the manifest: {problem}")
    if not manifest.min_runtime_api <= RUNTIME_API <= manifest.max_runtime_api:
        said = f"{manifest.min_runtime_api} to {manifest.max_runtime_api}"
        raise Invalid("value_invalid", f"{manifest.id} is made for runtime api {said}; this is {RUNTIME_API}")
    for grant in manifest.grants:
        _check_grant(grant, manifest)


def _check_grant(text: str, manifest: Manifest) -> None:
    try:
        grant = parse_grant(text)
    except RemitError as error:
        raise Invalid("value_invalid", f"the manifest: {error.message}") from None
    needed = {"fs.read": "files", "net": "http"}.get(grant.verb)
    if needed is None:
        raise Invalid("value_invalid", f"the manifest: a plugin asks for {' or '.join(GRANT_VERBS)}, not {text[:80]!r}")
    if needed not in manifest.imports:
        raise Invalid("value_invalid", f"the manifest: {text[:80]!r} needs the import {needed}")
