"""The log's signing key: one Ed25519 key a user, made at the first write, kept in the state folder.

    <folder>/key        the 32-byte seed as 64 hex digits, mode 0600
    <folder>/keys.pub   the public keys that checkpoints of this user's journals may be signed with, one a line

A new key (the old one was moved away) is added to keys.pub; the old line stays, so old checkpoints still verify.
A key that others can read is refused: whoever has it can sign another history. Keep a copy of keys.pub elsewhere:
who can replace the whole folder can replace the public key with it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from msgspec import Struct

from remit.errors import Invalid, Unavailable
from remit.journal.notes import key_id, key_text, parse_key

KEY_FILE: Final = "key"
PUBLIC_FILE: Final = "keys.pub"
MAX_PUBLIC_BYTES: Final = 64 * 1024
_PROVING: Final = b"remit landed events"  # what the key of proofs is derived for
PROOF_BYTES: Final = 32


class AuditPlace(Struct, frozen=True):
    """Where a journal's key and witnesses lie."""

    folder: str
    """the key, keys.pub and the kept heads"""
    witness: str = ""
    """a file that gets a checkpoint every 100 records or second; "" = none"""
    keys: tuple[str, ...] = ()
    """the public keys that `verify` trusts, as keys.pub writes them; () = those of keys.pub"""


def default_place() -> AuditPlace:
    """The audit folder in the user's state folder."""
    from remit.config import state_folder

    return AuditPlace(os.path.join(state_folder(), "audit"))


class SigningKey:
    """The key of `folder`; read, or made, at the first signature."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._sign: Any = None
        self._prove_with = b""
        self._id = b""

    @property
    def id(self) -> bytes:
        """The key's id in signatures; raises as `sign`."""
        if self._sign is None:
            self._load()
        return self._id

    def sign(self, text: bytes) -> bytes:
        """Key id and signature of `text`; raises audit_key and disk_failed."""
        if self._sign is None:
            self._load()
        signature: bytes = self._sign(text)
        return self._id + signature

    def prove(self, text: bytes) -> bytes:
        """Key id and keyed BLAKE2b of `text`, which only who has this key can make or check; raises as `sign`.

        Source: RFC 7693, 2.9 (4 us after a wait, HMAC-SHA256 12 us).
        """
        if self._sign is None:
            self._load()
        return self._id + blake2b(text, key=self._prove_with, digest_size=PROOF_BYTES).digest()

    def _load(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # 15 ms, in the writer thread

        try:
            seed = _seed(self.folder)
            private = Ed25519PrivateKey.from_private_bytes(seed)
            public = private.public_key().public_bytes_raw()
            _publish(self.folder, public)
        except OSError as error:
            raise Unavailable("disk_failed", f"the audit key: {error.strerror}: {error.filename!r:.120}") from None
        self._id = key_id(public)
        self._prove_with = blake2b(_PROVING, key=seed, digest_size=32).digest()
        self._sign = private.sign


def proving_key(folder: str) -> Callable[[bytes], bytes] | None:
    """`SigningKey.prove` of the folder's key; None when there is none that can be read. No key is made."""
    if not os.path.exists(os.path.join(folder, KEY_FILE)):
        return None
    key = SigningKey(folder)
    try:
        key.prove(b"")
    except (Invalid, Unavailable):
        return None
    return key.prove


def trusted_keys(place: AuditPlace) -> dict[bytes, bytes]:
    """The public keys that count, key id -> key; empty when there is none yet. Raises value_invalid."""
    keys = [parse_key(line) for line in place.keys or _public_lines(place.folder)]
    return {key_id(public): public for public in keys}


def _public_lines(folder: str) -> list[str]:
    try:
        with open(os.path.join(folder, PUBLIC_FILE), encoding="ascii", errors="replace") as file:
            return [line for line in file.read(MAX_PUBLIC_BYTES).splitlines() if line.strip()]
    except FileNotFoundError:
        return []
    except PermissionError:
        raise Invalid("audit_key", f"the public audit keys cannot be read: {folder!r:.200}") from None


def _seed(folder: str) -> bytes:
    """The private key's 32 bytes, made when there is none."""
    path = os.path.join(folder, KEY_FILE)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        _make(folder, path)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077:
            raise Invalid("audit_key", f"the audit key can be read by others: {path!r:.200}")
        text = file.read(200).strip()
    try:
        seed = bytes.fromhex(text.decode())
    except ValueError:
        seed = b""
    if len(seed) != 32:
        raise Invalid("audit_key", f"the audit key is damaged: {path!r:.200}")
    return seed


def _make(folder: str, path: str) -> None:
    """Make the key; when two processes do so at once, one of them wins and both use it."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    trial = f"{path}.{os.urandom(8).hex()}"
    descriptor = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(os.urandom(32).hex().encode() + b"\n")
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(trial, path)
        except FileExistsError:
            pass  # the other process's key counts
    finally:
        os.unlink(trial)
    _sync_folder(folder)


def _publish(folder: str, public: bytes) -> None:
    """Put the public key into keys.pub unless it is there."""
    if key_text(public) in _public_lines(folder):
        return
    path = os.path.join(folder, PUBLIC_FILE)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key_text(public).encode() + b"\n")
        file.flush()
        os.fsync(descriptor)
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
