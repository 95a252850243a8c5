"""Ed25519 signatures of plugin manifests.

A key file holds 64 hex digits (the private key) with mode 0600. `plugin.sig` names the public key and the signature of
the bytes of plugin.json behind a fixed prefix, so that a signature made for something else never fits.

Source: RFC 8032.
"""

from __future__ import annotations

import os
import re
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from remit.errors import Denied, Invalid

PREFIX: Final = b"remit plugin 1\0"
MAX_SIGNATURE_BYTES: Final = 1024
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")


class Signature(Struct, frozen=True, forbid_unknown_fields=True):
    """plugin.sig."""

    key: str
    """public key, 64 hex digits"""
    signature: str
    """128 hex digits"""


def new_key(path: str) -> str:
    """Make a key file; returns the public key. Raises path_denied where a file is already."""
    key = Ed25519PrivateKey.generate()
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Denied("path_denied", "the key file exists already; a key is never written over") from None
    with open(fd, "w", encoding="ascii") as file:
        file.write(key.private_bytes_raw().hex() + "\n")
    return key.public_key().public_bytes_raw().hex()


def sign(manifest: bytes, key_file: str) -> bytes:
    """plugin.sig for the bytes of plugin.json; raises value_invalid, path_denied."""
    fd = os.open(key_file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(fd, encoding="ascii", errors="replace") as file:
        if os.fstat(fd).st_mode & 0o077:
            raise Denied("path_denied", "others may read the key file", hint="chmod 600 it, and think of a new key.")
        text = file.read(100).strip()
    if not _HEX.fullmatch(text):
        raise Invalid("value_invalid", "the key file does not hold 64 hex digits", hint="remit plugin key FILE")
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
    made = Signature(key.public_key().public_bytes_raw().hex(), key.sign(PREFIX + manifest).hex())
    return msgspec.json.encode(made) + b"\n"


def verify(manifest: bytes, raw: bytes) -> str:
    """The public key that signed the manifest; raises denied_by_rule for a signature that does not fit."""
    try:
        if len(raw) > MAX_SIGNATURE_BYTES:
            raise ValueError
        found = msgspec.json.decode(raw, type=Signature)
        if (
            msgspec.json.encode(found) + b"\n" != raw
            or not _HEX.fullmatch(found.key)
            or not _SIGNATURE.fullmatch(found.signature)
        ):
            raise ValueError  # one form only: a changed byte is a changed file
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(found.key))
        key.verify(bytes.fromhex(found.signature), PREFIX + manifest)
    except (ValueError, msgspec.DecodeError, InvalidSignature):
        raise Denied("denied_by_rule", "the plugin's signature does not fit its manifest", hint=CHANGED) from None
    return found.key


CHANGED: Final = "The plugin was changed after it was signed; get it again from its maker."
