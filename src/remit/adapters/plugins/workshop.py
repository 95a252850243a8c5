"""Makes plugins: a new folder from a template, a package from a folder.

The folder is the author's own and trusted as such: building runs the author's tools (componentize-py, or node with
componentize-js). What comes out is not trusted: it is vetted and sandboxed like a stranger's.
"""

from __future__ import annotations

import os
from typing import Final, Protocol

from remit.adapters.plugins.arguments import check_schema
from remit.adapters.plugins.manifest import MAX_MANIFEST_BYTES, Manifest, encode_manifest, manifest_of
from remit.adapters.plugins.package import Package
from remit.adapters.plugins.signing import sign
from remit.errors import Denied, Invalid

TEMPLATES: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates")
SETTINGS: Final = "plugin.toml"
SDK: Final = "remit_plugin"
SOURCES: Final = {"python": "plugin.py", "javascript": "plugin.js"}
MAX_SOURCES: Final = 100
MAX_SOURCE_BYTES: Final = 1024 * 1024


class Builders(Protocol):
    """Whoever turns source into a component."""

    def build_component(self, sources: dict[str, str], module: str, world: str, imports: tuple[str, ...]) -> bytes:
        """Python modules by file name."""
        ...

    def build_javascript(self, folder: str, source: str, imports: tuple[str, ...]) -> bytes:
        """One JavaScript module of a folder."""
        ...


def scaffold(folder: str, plugin: str, language: str) -> tuple[str, ...]:
    """Write a new plugin's files; returns their names. Raises value_invalid, path_denied (a file is there already)."""
    if language not in SOURCES:
        raise Invalid("value_invalid", f"{language[:20]!r}: the templates are {', '.join(SOURCES)}")
    made = []
    manifest_of(
        _template(language, f"{SETTINGS}.template", plugin), b""
    )  # the id is checked before anything is written
    os.makedirs(folder, exist_ok=True)
    for name in sorted(os.listdir(os.path.join(TEMPLATES, language))):
        if not name.endswith(".template"):
            continue
        target = os.path.join(folder, name.removesuffix(".template"))
        try:
            with open(target, "x", encoding="utf-8") as file:
                file.write(_template(language, name, plugin))
        except FileExistsError:
            raise Denied("path_denied", f"{os.path.basename(target)} exists already; nothing is written over") from None
        made.append(os.path.basename(target))
    return tuple(made)


def build(folder: str, builders: Builders, key_file: str = "") -> tuple[Manifest, Package]:
    """The package of a plugin's folder, signed with a key file when one is named.

    Raises: Invalid `value_invalid`; Unavailable `program_missing`, `tool_failed`.
    """
    settings = _read(os.path.join(folder, SETTINGS), MAX_MANIFEST_BYTES)
    draft = manifest_of(settings, b"")
    for tool in draft.tools:
        check_schema(tool.input_schema)
    imports = tuple(draft.imports)
    if draft.language == "python":
        wasm = builders.build_component(_python_sources(folder), SDK, "plugin", imports)
    elif draft.language == "javascript":
        wasm = builders.build_javascript(folder, SOURCES["javascript"], imports)
    else:
        wasm = _read_component(os.path.join(folder, "plugin.wasm"))
    manifest = manifest_of(settings, wasm)
    raw = encode_manifest(manifest)
    return manifest, Package(raw, wasm, sign(raw, key_file) if key_file else b"")


def _python_sources(folder: str) -> dict[str, str]:
    names = sorted(name for name in os.listdir(folder) if name.endswith(".py") and not name.startswith("."))
    if SOURCES["python"] not in names or len(names) > MAX_SOURCES:
        raise Invalid("value_invalid", f"the folder holds plugin.py and at most {MAX_SOURCES} modules")
    found = {name: _read(os.path.join(folder, name), MAX_SOURCE_BYTES) for name in names}
    return {**found, f"{SDK}.py": _template("python", f"{SDK}.guest", "")}


def _template(language: str, name: str, plugin: str) -> str:
    text = _read(os.path.join(TEMPLATES, language, name), MAX_SOURCE_BYTES)
    return text.replace("{id}", plugin).replace("{language}", language) if plugin else text


def _read_component(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(64 * 1024 * 1024)
    except OSError as error:
        raise Invalid(
            "value_invalid", f"plugin.wasm: {error.strerror}", hint="Build it with your own toolchain."
        ) from None


def _read(path: str, limit: int) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(limit + 1)
    except (OSError, UnicodeError) as error:
        raise Invalid("value_invalid", f"{os.path.basename(path)}: {error}"[:300]) from None
    if len(text) > limit:
        raise Invalid("value_invalid", f"{os.path.basename(path)} has more than {limit} characters")
    return text
