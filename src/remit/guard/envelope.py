"""Sealed records: bytes encrypted and bound to the place where they are kept.

    sealed = MAGIC[4] || version[1] || algorithm[1] || key id[8] || nonce[12] || ciphertext || tag[16]
    AAD    = the first 14 bytes || u16 len(store) || store || u32 len(record) || record || u64 version

The place (store, record id, version of the record) is authenticated and not stored: a sealed record that
is moved to another id, another store or another version does not open. The algorithm belongs to the key, so
no key is ever used with two algorithms.

Nonces are random: one key may seal 2**32 records before a repeated nonce becomes likelier than 2**-32; rotate
earlier. Source: NIST SP 800-38D, 8.3; RFC 8439 (ChaCha20-Poly1305).

Rejected: AES-GCM-SIV (not in every OpenSSL), a counter as nonce (two processes share a key), XChaCha20
(the cryptography package has none).
"""

from __future__ import annotations

import secrets
from struct import Struct as Packer
from typing import Any, Final, NamedTuple

from remit.errors import Conflict, Invalid

MAGIC: Final = b"rmte"
FORMAT: Final = 1
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
KEY_BYTES: Final = 32
HEADER_BYTES: Final = 14
OVERHEAD_BYTES: Final = HEADER_BYTES + NONCE_BYTES + TAG_BYTES
MAX_PLAIN_BYTES: Final = 256 * 1024 * 1024
ALGORITHMS: Final[dict[str, int]] = {"aes-256-gcm": 1, "chacha20-poly1305": 2}
_NAMES: Final = {number: name for name, number in ALGORITHMS.items()}
_header: Final = Packer(">4sBB8s")
_store_length: Final = Packer(">H")
_record_length: Final = Packer(">I")
_version: Final = Packer(">Q")


class Place(NamedTuple):
    """Where a record is kept: what a sealed record is bound to."""

    store: str
    record: str
    version: int = 1
    """of the record, 0 to 2**64-1"""


class Header(NamedTuple):
    """What a sealed record says about itself."""

    algorithm: str
    key_id: str
    """16 hex digits"""


class Cipher:
    """One data key with its id and its algorithm."""

    __slots__ = ("_aead", "_start", "algorithm", "key_id")

    def __init__(self, key: bytes | bytearray, key_id: str, algorithm: str) -> None:
        """Args: key: 32 B; key_id: 16 hex digits; algorithm: one of ALGORITHMS. Raises key_invalid."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

        if algorithm not in ALGORITHMS or len(key) != KEY_BYTES:
            raise Invalid("key_invalid", f"a data key has {KEY_BYTES} bytes and one of {', '.join(ALGORITHMS)}")
        self._aead: Any = (AESGCM if algorithm == "aes-256-gcm" else ChaCha20Poly1305)(key)
        self._start = _header.pack(MAGIC, FORMAT, ALGORITHMS[algorithm], bytes.fromhex(key_id))
        self.key_id = key_id
        self.algorithm = algorithm

    def seal(self, plain: bytes, place: Place) -> bytes:
        """`plain` sealed for `place`: OVERHEAD_BYTES longer. Raises value_invalid above 256 MB."""
        if len(plain) > MAX_PLAIN_BYTES:
            raise Invalid("value_invalid", f"a record has at most {MAX_PLAIN_BYTES} bytes, this one {len(plain)}")
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed: bytes = self._aead.encrypt(nonce, plain, self._start + place_bytes(place))
        return self._start + nonce + sealed

    def open(self, sealed: bytes, place: Place) -> bytes:
        """What was sealed for `place`; raises record_altered for anything else."""
        from cryptography.exceptions import InvalidTag

        start = sealed[:HEADER_BYTES]
        if start != self._start or len(sealed) < OVERHEAD_BYTES or len(sealed) > MAX_PLAIN_BYTES + OVERHEAD_BYTES:
            raise altered(place)
        after = HEADER_BYTES + NONCE_BYTES
        try:
            plain: bytes = self._aead.decrypt(sealed[HEADER_BYTES:after], sealed[after:], start + place_bytes(place))
        except InvalidTag:
            raise altered(place) from None
        return plain


def header_of(sealed: bytes, place: Place) -> Header:
    """Algorithm and key id of a sealed record; nothing of it is proven yet. Raises record_altered."""
    if len(sealed) < OVERHEAD_BYTES:
        raise altered(place)
    magic, version, algorithm, key_id = _header.unpack_from(sealed)
    if magic != MAGIC or version != FORMAT or algorithm not in _NAMES:
        raise altered(place)
    return Header(_NAMES[algorithm], key_id.hex())


def place_bytes(place: Place) -> bytes:
    """The authenticated form of a place: every part has its length in front, so no two places are alike."""
    store = place.store.encode()
    record = place.record.encode()
    return b"".join(
        (_store_length.pack(len(store)), store, _record_length.pack(len(record)), record, _version.pack(place.version))
    )


def altered(place: Place) -> Conflict:
    """The error of a record that does not open."""
    return Conflict(
        "record_altered", f"{place.store}: the record {place.record!r:.80} was altered or belongs elsewhere"
    )
