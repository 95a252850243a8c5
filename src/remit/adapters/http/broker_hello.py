"""The first message of a TLS client, read far enough to know which host it asks for.

Pure: bytes in, a value or a refusal out. Whatever is not exactly one ClientHello in TLS records, or names hosts in
a way that two readers may read differently, is refused; an encrypted ClientHello too, because the name that counts
cannot be seen in it.

Source: RFC 8446 4.1.2 and 5.1 (records), RFC 6066 3 (server_name), RFC 9849 (encrypted_client_hello, type 0xfe0d).
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from remit.errors import Invalid

MAX_HELLO_BYTES: Final = 32 * 1024  # post-quantum key shares make a hello of about 2 KB
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_MAX_RECORD: Final = 1 << 14
_SERVER_NAME: Final = 0
_ENCRYPTED_HELLO: Final = 0xFE0D
_HOST_NAME: Final = 0
_NAME: Final = re.compile(rb"[A-Za-z0-9_.-]{1,253}")


class Hello(Struct, frozen=True):
    """What a client asks for."""

    server_name: str
    """lower case; "" = it names none"""


class _Reader:
    """Length-prefixed fields of one message."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        piece = self.data[self.at : self.at + size]
        if len(piece) != size:
            raise _refused("a length that does not fit")
        self.at += size
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_bytes: int) -> bytes:
        return self.take(self.number(length_bytes))

    @property
    def done(self) -> bool:
        return self.at == len(self.data)


def read_hello(data: bytes) -> Hello | None:
    """The hello at the start of `data`; None while it is incomplete.

    Raises:
        Invalid: `value_invalid`, these bytes are no hello, or one that cannot be judged.
    """
    if len(data) > MAX_HELLO_BYTES:
        raise _refused("it is too long")
    message = b""
    at = 0
    while at < len(data):
        if data[at] != _HANDSHAKE:
            raise _refused("it does not begin with a TLS handshake")
        if len(data) < at + 5:
            return None
        size = _record_size(data[at : at + 5])
        message += data[at + 5 : at + 5 + size]
        at += 5 + size
        if message[:1] not in (b"", b"\1"):
            raise _refused("another message stands first")
        whole = 4 + int.from_bytes(message[1:4], "big")
        if len(message) >= 4 and len(message) >= whole:
            if at != len(data) or len(message) != whole:
                raise _refused("more stands behind it")
            return _hello(message)
    return None


def _record_size(header: bytes) -> int:
    if header[1] != 3 or header[2] > 3:
        raise _refused("the record has an unknown version")
    size = int.from_bytes(header[3:5], "big")
    if not 0 < size <= _MAX_RECORD:
        raise _refused("a record of a forbidden size")
    return size


def _hello(message: bytes) -> Hello:
    reader = _Reader(message)
    if reader.number(1) != _CLIENT_HELLO:
        raise _refused("another message stands first")
    reader.take(3)
    reader.take(2 + 32)  # legacy_version, random
    reader.vector(1)  # legacy_session_id
    reader.vector(2)  # cipher_suites
    reader.vector(1)  # legacy_compression_methods
    if reader.done:
        return Hello("")
    extensions = _Reader(reader.vector(2))
    if not reader.done:
        raise _refused("more stands behind its extensions")
    found: dict[int, bytes] = {}
    while not extensions.done:
        kind = extensions.number(2)
        if kind in found:
            raise _refused("an extension stands there twice")
        found[kind] = extensions.vector(2)
    if _ENCRYPTED_HELLO in found:
        raise _refused("its name is encrypted (ECH)")
    return Hello(_server_name(found[_SERVER_NAME]) if _SERVER_NAME in found else "")


def _server_name(data: bytes) -> str:
    reader = _Reader(data)
    names = _Reader(reader.vector(2))
    kind, name = names.number(1), names.vector(2)
    if kind != _HOST_NAME or not names.done or not reader.done or _NAME.fullmatch(name) is None:
        raise _refused("it does not name exactly one host")
    return name.decode("ascii").lower()


def _refused(why: str) -> Invalid:
    return Invalid("value_invalid", f"not a TLS ClientHello that can be judged: {why}")
