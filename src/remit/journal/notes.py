"""Signed notes: the texts that the log's key signs, and the texts that name public keys.

    remit/audit/<log id>            the log (32 hex digits, made with the file)
    <size>                          records in the tree
    <root>                          base64
    time <milliseconds since 1970>  of the newest record
    places <base64 of SHA-256>      digest of where each new record stands (log.py)

    — remit-audit <base64 of key id and signature>

A checkpoint is a note of this form; other notes (rotation.py) begin with another line, so that no text can be taken
for one of the other kind. A public key is written `remit-audit+<key id>+<base64>`, the key id as 8 hex digits.

Source: C2SP signed-note and tlog-checkpoint: Ed25519 is algorithm 1, key id = the first 4 bytes of
SHA-256(name || 0x0A || 0x01 || public key), the signature is over the text up to and with its last newline.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from msgspec import Struct

from remit.errors import Invalid

KEY_NAME: Final = "remit-audit"
ORIGIN: Final = "remit/audit/"
ALGORITHM: Final = b"\x01"
SIGNATURE_BYTES: Final = 68
"""key id (4) and Ed25519 signature (64)"""
MAX_NOTE_BYTES: Final = 8 * 1024 * 1024


class Checkpoint(Struct, frozen=True):
    """What one checkpoint says."""

    log_id: str
    size: int
    root: bytes
    at_ms: int
    places: bytes
    """SHA-256"""

    def text(self) -> bytes:
        """The text that is signed."""
        root, places = b64encode(self.root).decode(), b64encode(self.places).decode()
        return f"{ORIGIN}{self.log_id}\n{self.size}\n{root}\ntime {self.at_ms}\nplaces {places}\n".encode()


def key_id(public: bytes) -> bytes:
    """The 4 bytes that name a public key in a signature."""
    return sha256(KEY_NAME.encode() + b"\n" + ALGORITHM + public).digest()[:4]


def key_text(public: bytes) -> str:
    """The public key as people and files write it."""
    return f"{KEY_NAME}+{key_id(public).hex()}+{b64encode(ALGORITHM + public).decode()}"


def parse_key(text: str) -> bytes:
    """The 32 bytes of a written public key; value_invalid for anything else."""
    name, _, rest = text.strip().partition("+")
    named, _, encoded = rest.partition("+")
    try:
        raw = b64decode(encoded, validate=True)
    except (Base64Error, ValueError):
        raw = b""
    public = raw[1:]
    if name != KEY_NAME or len(public) != 32 or raw[:1] != ALGORITHM or key_id(public).hex() != named:
        raise Invalid("value_invalid", f"not a public audit key: {text!r:.120}")
    return public


def join_note(text: bytes, signature: bytes) -> bytes:
    """The note of a text and its key id and signature."""
    return text + b"\n" + f"\u2014 {KEY_NAME} {b64encode(signature).decode()}\n".encode()


def split_note(note: bytes) -> tuple[bytes, bytes]:
    """(text, key id and signature) of a note; ValueError for anything else."""
    if len(note) > MAX_NOTE_BYTES:
        raise ValueError("the note is too long")
    text, gap, line = note.rpartition(b"\n\n")
    prefix = f"\u2014 {KEY_NAME} ".encode()
    if not gap or not line.startswith(prefix) or not line.endswith(b"\n") or line.count(b"\n") != 1:
        raise ValueError("not a signed note")
    signature = b64decode(line[len(prefix) : -1], validate=True)
    if len(signature) != SIGNATURE_BYTES:
        raise ValueError("not an Ed25519 signature")
    return text + b"\n", signature


def parse_checkpoint(text: bytes) -> Checkpoint:
    """The checkpoint of a note's text; ValueError unless it is written exactly as `Checkpoint.text` writes it."""
    lines = text.decode().split("\n")
    if len(lines) != 6 or not lines[0].startswith(ORIGIN):
        raise ValueError("not a checkpoint")
    found = Checkpoint(
        lines[0][len(ORIGIN) :],
        int(lines[1]),
        b64decode(lines[2], validate=True),
        int(lines[3].removeprefix("time ")),
        b64decode(lines[4].removeprefix("places "), validate=True),
    )
    if found.text() != text:
        raise ValueError("not a checkpoint")
    return found


def is_signed(text: bytes, signature: bytes, keys: Mapping[bytes, bytes]) -> bool:
    """Whether one of the `keys` (key id -> public key) signed the text."""
    public = keys.get(signature[:4])
    if public is None or len(signature) != SIGNATURE_BYTES:
        return False
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text)
    except (InvalidSignature, ValueError):
        return False
    return True
