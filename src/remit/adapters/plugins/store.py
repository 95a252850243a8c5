"""Installed plugins: vetted once at install, checked again at every load.

One folder a plugin: plugin.json, plugin.wasm, plugin.sig as they were signed, and `installed.json`, which pins digest
and key and holds what the user granted. A changed byte of any of them is refused. Only one install works at a time (a
lock file); a new version is put in place by one rename.

Invariants: unsigned only with an explicit flag, which is recorded and shown; another key or wider grants of a new
version need a new answer of the user; a plugin's authority = manifest, met with the user's grants and the run's remit.
Source: spec/tools.md 6.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from msgspec import Struct

from remit.adapters.plugins.manifest import COMPONENT, MANIFEST, SIGNATURE, Manifest, decode_manifest
from remit.adapters.plugins.package import LIMITS, Package
from remit.adapters.plugins.signing import CHANGED, verify
from remit.core.grants import parse_grant
from remit.core.remit import Remit
from remit.errors import Conflict, Denied, Invalid

RECORD: Final = "installed.json"
MAX_PLUGINS: Final = 256


class Installed(Struct, frozen=True, forbid_unknown_fields=True):
    """installed.json: what the user agreed to."""

    id: str
    version: str
    digest: str
    """SHA-256 of plugin.json"""
    key: str
    """public key of the signer; "" = unsigned, for development on this machine only"""
    grants: tuple[str, ...] = ()
    """what the user granted"""


class Loaded(Struct, frozen=True):
    """A plugin that passed every check just now."""

    manifest: Manifest
    component: bytes
    installed: Installed

    @property
    def ceiling(self) -> Remit:
        """What manifest and user both grant."""
        asked: Remit = Remit.allow(*self.manifest.grants)
        return asked.meet(Remit.allow(*self.installed.grants))


class PluginStore:
    """The plugins of one user.

    Args:
        folder: made with mode 0700 when it is absent.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def vet(self, package: Package, *, key: str = "", unsigned: bool = False) -> tuple[Manifest, str]:
        """The manifest and the signer's key of a package; nothing is written.

        Raises: Denied `denied_by_rule` (unsigned, another key, changed), Invalid `value_invalid`.
        """
        manifest = decode_manifest(package.manifest)
        if hashlib.sha256(package.component).hexdigest() != manifest.wasm_sha256:
            raise Denied("denied_by_rule", f"{COMPONENT} is not what the manifest was made for", hint=CHANGED)
        if not package.signature:
            if not unsigned:
                raise Denied(
                    "denied_by_rule", f"{manifest.id} is not signed",
                    hint="Ask its maker for a signed one; your own work in progress installs with --unsigned.",
                )  # fmt: skip
            return manifest, ""
        signer = verify(package.manifest, package.signature)
        trusted = key.lower() or self._pinned_key(manifest.id)
        if not trusted:
            raise Denied(
                "denied_by_rule", f"{manifest.id} is signed by a key that is not trusted yet: {signer}",
                hint=f"Compare it with the maker's, then: --key {signer}",
            )  # fmt: skip
        if signer != trusted:
            raise Denied("denied_by_rule", f"{manifest.id} is signed by another key: {signer}", hint=CHANGED)
        return manifest, signer

    def install(
        self, package: Package, *, key: str = "", unsigned: bool = False, grants: tuple[str, ...] = ()
    ) -> Installed:
        """Vet and keep; raises as `vet`, and grant_invalid, not_granted (more than the manifest asks for)."""
        manifest, signer = self.vet(package, key=key, unsigned=unsigned)
        _check_grants(grants, manifest)
        record = Installed(manifest.id, manifest.version, manifest.digest, signer, tuple(sorted(grants)))
        with self._locked():
            if len(self.ids()) >= MAX_PLUGINS:
                raise Invalid("value_invalid", f"there are {MAX_PLUGINS} plugins already")
            self._replace(record, package)
        return record

    def load(self, plugin: str) -> Loaded:
        """An installed plugin, every byte checked; raises tool_unknown, denied_by_rule."""
        try:
            package = Package(
                self._read(plugin, MANIFEST), self._read(plugin, COMPONENT), self._read(plugin, SIGNATURE)
            )
            record = msgspec.json.decode(self._read(plugin, RECORD), type=Installed)
        except FileNotFoundError:
            raise Invalid("tool_unknown", f"no plugin {plugin[:40]!r} is installed", hint="remit plugin list") from None
        except (OSError, msgspec.DecodeError):
            raise Denied("denied_by_rule", f"the files of {plugin[:40]!r} cannot be trusted", hint=CHANGED) from None
        try:
            manifest, signer = self.vet(package, key=record.key, unsigned=not record.key)
        except Invalid as error:
            raise Denied("denied_by_rule", f"{plugin}: {error.message}", hint=CHANGED) from None
        if (manifest.id, manifest.digest, signer) != (plugin, record.digest, record.key):
            raise Denied("denied_by_rule", f"{plugin} is not what was installed", hint=CHANGED)
        return Loaded(manifest, package.component, record)

    def ids(self) -> tuple[str, ...]:
        """Installed plugins, sorted."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return ()
        return tuple(sorted(name for name in names if os.path.isfile(os.path.join(self.folder, name, RECORD))))

    def remove(self, plugin: str) -> None:
        """Take a plugin away; raises tool_unknown."""
        with self._locked():
            if plugin not in self.ids():
                raise Invalid("tool_unknown", f"no plugin {plugin[:40]!r} is installed", hint="remit plugin list")
            shutil.rmtree(os.path.join(self.folder, plugin))

    def _pinned_key(self, plugin: str) -> str:
        """The key that an installed plugin of this id was signed with: updates need the same one."""
        try:
            return msgspec.json.decode(self._read(plugin, RECORD), type=Installed).key
        except (OSError, msgspec.DecodeError):
            return ""

    def _replace(self, record: Installed, package: Package) -> None:
        fresh = os.path.join(self.folder, f".new-{secrets.token_hex(8)}")
        place = os.path.join(self.folder, record.id)
        old = os.path.join(self.folder, f".old-{secrets.token_hex(8)}")
        os.mkdir(fresh, 0o700)
        try:
            files = {MANIFEST: package.manifest, COMPONENT: package.component, SIGNATURE: package.signature}
            for name, data in {**files, RECORD: msgspec.json.encode(record)}.items():
                with open(os.path.join(fresh, name), "xb") as file:
                    file.write(data)
            if os.path.lexists(place):
                os.rename(place, old)
            os.rename(fresh, place)
        finally:
            for leftover in (fresh, old):
                shutil.rmtree(leftover, ignore_errors=True)

    def _read(self, plugin: str, name: str) -> bytes:
        if "/" in plugin or plugin.startswith("."):
            raise FileNotFoundError(plugin)
        fd = os.open(os.path.join(self.folder, plugin, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            return file.read(LIMITS.get(name, 64 * 1024) + 1)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        fd = os.open(os.path.join(self.folder, ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict("run_active", "another command installs a plugin right now", hint="Try again.") from None
            yield
        finally:
            os.close(fd)


def _check_grants(grants: tuple[str, ...], manifest: Manifest) -> None:
    for grant in grants:
        parse_grant(grant)
        if grant not in manifest.grants:
            asked = ", ".join(manifest.grants) or "nothing"
            raise Denied("not_granted", f"{manifest.id} does not ask for {grant}", hint=f"It asks for: {asked}")
