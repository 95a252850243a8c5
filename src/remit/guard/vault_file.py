"""The vault's file: every secret with its bindings, as one sealed record.

The idea: names, bindings and values are sealed together (guard/envelope.py), so that nobody who may write the
file can bind a secret to another host, put an old value back under a new name, or learn which secrets there
are. The key comes from the key ring, purpose `vault`.

Invariants: mode 0600, replaced atomically, one writer at a time; what does not open is vault_damaged, never an
empty vault. What the seal cannot see is a whole older file put back: the ring's own counter is the place for that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from remit.core.folders import VAULT_FILE
from remit.errors import Conflict, RemitError, Unavailable
from remit.guard.envelope import OVERHEAD_BYTES
from remit.guard.private_file import locked, make_folder, read_private, write_private

if TYPE_CHECKING:
    from remit.guard.keys import KeyRing

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
PURPOSE: Final = "vault"
RECORD: Final = "entries"


class Binding(Struct, frozen=True, forbid_unknown_fields=True):
    """One use that a secret may be put to."""

    target: str
    """a net pattern: [METHOD[,METHOD] ][scheme://]host[:port][/path], GET and HEAD over https by default"""
    slot: str
    """header:NAME or body:FIELD"""


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One secret."""

    name: str
    value: str
    bindings: tuple[Binding, ...] = ()
    created_ms: int = 0
    rotated_ms: int = 0
    expires_ms: int | None = None
    version: int = 1
    previous: tuple[str, ...] = ()
    """values before the last rotations: still masked, never inserted"""

    def __repr__(self) -> str:
        return f"Entry({self.name})"  # never the value: a repr ends in logs


class Content(Struct, frozen=True, forbid_unknown_fields=True):
    """What is sealed."""

    format: int = 1
    entries: tuple[Entry, ...] = ()


_decoder: Final = msgspec.json.Decoder(Content)


class VaultFile:
    """Reads and replaces the file.

    Args:
        folder: where it lies; made when a secret is first written.
        ring: opens the key ring; called only when there is something to open or to seal.
    """

    def __init__(self, folder: str, ring: Callable[[], KeyRing]) -> None:
        self.path = os.path.join(folder, VAULT_FILE)
        self._open_ring = ring

    def signature(self) -> tuple[int, ...] | None:
        """Changes whenever the file does; None = there is none."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable("disk_failed", f"{error.strerror}: {self.path}") from None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def read(self) -> tuple[Entry, ...]:
        """Every entry; raises vault_damaged, vault_locked."""
        sealed = self._sealed()
        if sealed is None:
            return ()
        ring = self._ring()  # outside the try: a missing key is no damage
        try:
            content = _decoder.decode(ring.open(PURPOSE, sealed, RECORD))
        except (Conflict, msgspec.DecodeError, RecursionError):
            raise Conflict("vault_damaged", f"the vault does not open: {self.path}") from None
        if content.format != 1:
            raise Conflict("vault_damaged", f"the vault has format {content.format}, this version reads 1")
        return content.entries

    @contextmanager
    def changing(self) -> Iterator[dict[str, Entry]]:
        """The entries by name, to change in place; written when the block ends well."""
        make_folder(os.path.dirname(self.path))
        with locked(self.path + ".lock"):
            entries = {entry.name: entry for entry in self.read()}
            yield entries
            plain = msgspec.json.encode(Content(1, tuple(entries[name] for name in sorted(entries))))
            if len(plain) + OVERHEAD_BYTES > MAX_FILE_BYTES:
                raise Unavailable("disk_failed", f"the vault would have more than {MAX_FILE_BYTES} bytes")
            write_private(self.path, self._ring().seal(PURPOSE, plain, RECORD))

    def _sealed(self) -> bytes | None:
        try:
            return read_private(self.path, MAX_FILE_BYTES)
        except Conflict as error:
            raise Conflict("vault_damaged", error.message) from None

    def _ring(self) -> KeyRing:
        try:
            return self._open_ring()
        except RemitError as error:
            raise Unavailable(
                "vault_locked", f"the vault's key cannot be had: {error.message}", hint=error.hint, retryable=False
            ) from None
