"""The file of a key ring: what it holds, its bytes, and the anchor that shows an old one.

    line 1: the ring as JSON (no line feed inside)
    line 2: HMAC-SHA256 over line 1 in hex, under a key derived from the ring's root key

The ring holds no name of a person and no key in the clear: data keys are wrapped by the root key, the root key by
the key-encryption key. Every change raises `generation`. The anchor lies in another folder and says the highest
generation seen: a ring that is older, or whose anchor is gone, is refused (key_rollback). Whoever can
put back both files can put back both: keep the two folders apart in backups.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from remit.errors import Conflict, Invalid
from remit.guard.keys_sources import derive, wrong_key
from remit.guard.private_file import locked, make_folder, read_private, write_private

if TYPE_CHECKING:
    from remit.ports.keys import KeySource

RING_FILE: Final = "keys.ring"
MAX_RING_BYTES: Final = 8 * 1024 * 1024
MAX_ANCHOR_BYTES: Final = 256
_MAC_HEX: Final = 64

Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
Purpose = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9/_.-]{0,63}\Z")]
Wrapped = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/=]{0,8192}\Z")]


class RootRow(Struct, frozen=True, forbid_unknown_fields=True):
    """The root key, wrapped by the key-encryption key."""

    source: Annotated[str, Meta(min_length=1, max_length=64)]
    """id of the key-encryption key"""
    wrapped: Wrapped
    params: dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=256)]] = {}


class KeyRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One data key of one purpose."""

    id: Id
    purpose: Purpose
    state: Literal["active", "retired", "destroyed"]
    algorithm: Literal["aes-256-gcm", "chacha20-poly1305"]
    wrapped: Wrapped
    """ "" once destroyed"""


class RingFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole ring."""

    format: Literal[1]
    ring: Id
    generation: Annotated[int, Meta(ge=1, le=2**53)]
    root: RootRow
    keys: tuple[KeyRow, ...] = ()
    erased: tuple[Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")], ...] = ()
    """subjects whose keys were destroyed: a key file that is put back stays refused"""


_decoder: Final = msgspec.json.Decoder(RingFile)


def encode_ring(ring: RingFile, root: bytes | bytearray) -> bytes:
    """The file's bytes."""
    body = msgspec.json.encode(ring)
    return body + b"\n" + _mac(body, root) + b"\n"


def decode_ring(raw: bytes) -> tuple[RingFile, bytes, bytes]:
    """(ring, line 1, MAC) of a file; nothing of it is proven before `check_ring`. Raises record_altered."""
    body, mac = raw[: -_MAC_HEX - 2], raw[-_MAC_HEX - 1 : -1]
    if raw[-_MAC_HEX - 2 :: _MAC_HEX + 1] != b"\n\n" or b"\n" in body:
        raise ring_altered()
    try:
        ring = _decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ring_altered() from None
    return ring, body, mac


def check_ring(body: bytes, mac: bytes, root: bytes | bytearray) -> None:
    """Prove that the bytes are the ones that were written under `root`; raises record_altered."""
    if not hmac.compare_digest(mac, _mac(body, root)):
        raise ring_altered()


def ring_altered() -> Conflict:
    """The error of a ring file that is not as it was written."""
    return Conflict(
        "record_altered", "the key ring was altered", hint="Keep the file; restore the newest backup of it."
    )


class RingStore:
    """Reads and replaces the file of one ring, with its anchor. Whoever changes it holds `locked`.

    Args:
        path: of the ring.
        anchor: of the anchor file, in another folder.
    """

    def __init__(self, path: str, anchor: str) -> None:
        self.path = path
        self._anchor = anchor
        self._seen = 0
        self._stamp = (0, 0)
        make_folder(os.path.dirname(path))

    def locked(self) -> AbstractContextManager[None]:
        """Hold the ring against other processes."""
        return locked(f"{self.path}.lock")

    def params(self) -> dict[str, str]:
        """What the key source of the file needs; {} when there is no file. Raises record_altered."""
        raw = read_private(self.path, MAX_RING_BYTES)
        return {} if raw is None else decode_ring(raw)[0].root.params

    def changed(self) -> bool:
        """Whether somebody has replaced the file since it was read or written here."""
        return self._stamp != _stamp(self.path)

    def read(self, source: KeySource, accept: bool = False) -> tuple[RingFile, bytearray] | None:
        """(ring, root key), proven; None when there is no file.

        accept: a person vouches for a ring that is older than the anchor says.

        Raises key_wrong, record_altered, key_rollback.
        """
        stamp = _stamp(self.path)
        raw = read_private(self.path, MAX_RING_BYTES)
        if raw is None:
            return None
        ring, body, mac = decode_ring(raw)
        if ring.root.source != source.id:
            raise wrong_key(source.id, ring.root.source)
        root = bytearray(source.unwrap(decode_base64(ring.root.wrapped), context_of(ring.ring)))
        try:
            check_ring(body, mac, root)
            self._check_anchor(ring, accept)
        except BaseException:
            wipe(root)
            raise
        self._seen, self._stamp = ring.generation, stamp
        return ring, root

    def check_new(self) -> None:
        """Refuse to begin a ring where one was: key_rollback."""
        found = read_anchor(self._anchor)
        if found is not None and found[1] > 0:
            raise Conflict("key_rollback", f"the key ring {found[0]} is missing: {self.path}",
                           hint=f"Restore it from a backup; to begin a new one, remove {self._anchor}")  # fmt: skip

    def write(self, ring: RingFile, root: bytearray) -> None:
        """Replace the file, then move the anchor. Raises value_invalid (too large), disk_failed."""
        raw = encode_ring(ring, root)
        if len(raw) > MAX_RING_BYTES:
            raise Invalid("value_invalid", f"the key ring would have {len(raw)} bytes; at most {MAX_RING_BYTES} fit")
        if ring.generation == 1:
            write_anchor(self._anchor, ring.ring, 0)  # a new ring without an anchor would look put back
        write_private(self.path, raw)
        self._seen, self._stamp = ring.generation, _stamp(self.path)
        write_anchor(self._anchor, ring.ring, ring.generation)

    def _check_anchor(self, ring: RingFile, accept: bool) -> None:
        if accept:
            write_anchor(self._anchor, ring.ring, ring.generation)
            return
        found = read_anchor(self._anchor)
        if found is None:
            raise Conflict("key_rollback", f"nothing says that this key ring is the newest: {self._anchor} is missing")
        name, generation = found[0], max(found[1], self._seen)
        if name != ring.ring or generation > ring.generation:
            has = f"the file has ring {ring.ring} generation {ring.generation}"
            raise Conflict("key_rollback", f"ring {name} generation {generation} was seen, {has}")
        if found[1] < ring.generation:  # the process ended between the two writes
            write_anchor(self._anchor, ring.ring, ring.generation)


def read_anchor(path: str) -> tuple[str, int] | None:
    """(ring id, generation) of the anchor file; None when there is none. Raises record_altered."""
    raw = read_private(path, MAX_ANCHOR_BYTES)
    if raw is None:
        return None
    ring, _, rest = raw.decode("ascii", "replace").partition(" ")
    generation = rest.partition(" ")[0]
    if not generation.isdigit() or len(generation) > 16 or raw != _anchor(ring, int(generation)):
        raise Conflict("record_altered", f"the anchor of the key ring was altered: {path}")
    return ring, int(generation)


def write_anchor(path: str, ring: str, generation: int) -> None:
    """Say that `generation` was seen; 0 = a ring is about to be made."""
    make_folder(os.path.dirname(path))
    write_private(path, _anchor(ring, generation))


def _anchor(ring: str, generation: int) -> bytes:
    text = f"{ring} {generation}"
    return f"{text} {hashlib.sha256(text.encode()).hexdigest()[:16]}\n".encode()


def _mac(body: bytes, root: bytes | bytearray) -> bytes:
    return hmac.digest(derive(root, b"remit ring 1"), body, "sha256").hex().encode()


def context_of(name: str) -> bytes:
    """What the root key of the ring `name` is wrapped together with."""
    return f"remit key ring {name}".encode()


def decode_base64(text: str) -> bytes:
    """The bytes of a wrapped key; raises record_altered."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ring_altered() from None


def wipe(key: bytearray) -> None:
    """Overwrite a key in place."""
    for index in range(len(key)):
        key[index] = 0


def _stamp(path: str) -> tuple[int, int]:
    """What changes whenever the file is replaced."""
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return (found.st_ino, found.st_mtime_ns)
