"""The file of a plugin, `ID-VERSION.rplugin`: a tar with plugin.json, plugin.wasm and, when signed, plugin.sig.

Reading trusts nothing: exactly these names, regular files only, once each, bounded, before anything is written. So a
package cannot name `..`, an absolute path, a link or a device, and cannot unpack to more than it may.

Rejected: `tarfile.extract` with filters (it still writes what it reads; here three byte strings are read, no more).
Source: POSIX pax; spec/tools.md 6 (install refuses).
"""

from __future__ import annotations

import io
import os
import tarfile
from typing import Final

from msgspec import Struct

from remit.adapters.plugins.manifest import COMPONENT, MANIFEST, MAX_MANIFEST_BYTES, MAX_WASM_BYTES, SIGNATURE
from remit.adapters.plugins.signing import MAX_SIGNATURE_BYTES
from remit.errors import Denied, Invalid

LIMITS: Final = {MANIFEST: MAX_MANIFEST_BYTES, COMPONENT: MAX_WASM_BYTES, SIGNATURE: MAX_SIGNATURE_BYTES}
MAX_PACKAGE_BYTES: Final = sum(LIMITS.values()) + 64 * 1024


class Package(Struct, frozen=True):
    """The three files as they were."""

    manifest: bytes
    component: bytes
    signature: bytes
    """empty = unsigned"""


def write_package(package: Package) -> bytes:
    """The tar: fixed order, owner and time, so that the same content is the same file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (
            (MANIFEST, package.manifest),
            (COMPONENT, package.component),
            (SIGNATURE, package.signature),
        ):
            if data:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o644
                tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def read_package(path: str) -> Package:
    """A package from a file; raises value_invalid, path_denied (a member that is no plain file of a known name)."""
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        raw = file.read(MAX_PACKAGE_BYTES + 1)
    if len(raw) > MAX_PACKAGE_BYTES:
        raise Invalid("value_invalid", f"the package has more than {MAX_PACKAGE_BYTES} bytes")
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:  # "r:" = never compressed: no bombs
            for entry in tar:
                found[entry.name] = _member(tar, entry, found)
    except (tarfile.TarError, EOFError, ValueError, UnicodeError, RecursionError) as error:
        raise Invalid("value_invalid", f"not a plugin package: {str(error)[:200]}") from None
    if MANIFEST not in found or COMPONENT not in found:
        raise Invalid("value_invalid", f"the package lacks {MANIFEST} or {COMPONENT}")
    return Package(found[MANIFEST], found[COMPONENT], found.get(SIGNATURE, b""))


def _member(tar: tarfile.TarFile, entry: tarfile.TarInfo, seen: dict[str, bytes]) -> bytes:
    if entry.name not in LIMITS or entry.name in seen:
        raise Denied(
            "path_denied", f"the package holds {entry.name[:100]!r}; it may hold each of {', '.join(LIMITS)} once"
        )
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):  # no links, devices, folders, sparse files
        raise Denied("path_denied", f"{entry.name} is not a plain file")
    if entry.size > LIMITS[entry.name]:
        raise Invalid("value_invalid", f"{entry.name} has {entry.size} bytes; at most {LIMITS[entry.name]}")
    opened = tar.extractfile(entry)
    data = opened.read(LIMITS[entry.name] + 1) if opened else b""
    if len(data) != entry.size:
        raise Invalid("value_invalid", f"{entry.name} is cut short")
    return data
