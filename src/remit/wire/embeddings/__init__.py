"""Embeddings: texts to vectors, one codec a wire, sans-I/O like the chat codecs.

`codec(wire)` gives the codec of openai-embeddings, cohere-embed or gemini-embed. Vectors are decoded
when they are asked for: base64 may hold float32, int8 or bits, which only the request's type says.
"""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, Protocol

from msgspec import Struct

from remit.core.usage import Usage
from remit.errors import Invalid, ModelError
from remit.wire.reading import bad_reply

WIRES: Final = ("cohere-embed", "gemini-embed", "openai-embeddings")
MAX_DIMENSIONS: Final = 65_536
_NUMBERS: Final = (int, float)


class EmbedRequest(Struct, frozen=True):
    """Texts to be embedded by one call."""

    texts: tuple[str, ...]
    model: str = ""
    query: bool = False
    """whether the texts are queries; else they are documents"""
    dimensions: int | None = None
    extra: dict[str, Any] = {}
    """further body fields of the wire, merged last"""


class Vector(Struct, frozen=True):
    """One embedding, as the provider sent it: numbers, or base64 of them."""

    data: list[Any] | str

    @property
    def values(self) -> list[float]:
        """The numbers; raises model_bad_reply where they are none."""
        if isinstance(self.data, str):
            return _unpacked(self.data)
        if len(self.data) > MAX_DIMENSIONS or not all(type(value) in _NUMBERS for value in self.data):
            raise bad_reply("a vector holds what is no number")
        return [float(value) for value in self.data]


class EmbedReply(Struct, frozen=True):
    """One vector a text, in the order of the texts."""

    vectors: tuple[Vector, ...]
    usage: Usage = Usage()
    model: str = ""
    id: str = ""
    raw: Any = None


class EmbedCodec(Protocol):
    """One wire of embeddings."""

    wire: str
    path: str
    """appended to base_url; {model} in it is the model's name"""

    def headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """Authentication headers; none when `api_key` is empty."""
        ...

    def encode(self, request: EmbedRequest) -> bytes:
        """The JSON body."""
        ...

    def decode(self, body: bytes) -> EmbedReply:
        """A whole successful reply; raises ModelError."""
        ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error of an answer whose status is not 2xx."""
        ...


def codec(wire: str) -> EmbedCodec:
    """The codec of a wire; raises value_invalid for an unknown one."""
    if wire not in WIRES:
        raise Invalid("value_invalid", f"{wire[:60]!r} is no wire of embeddings; one of {', '.join(WIRES)}")
    found: EmbedCodec = import_module(f"remit.wire.embeddings.{wire.replace('-', '_')}").CODEC
    return found


def _unpacked(data: str) -> list[float]:
    try:
        raw = b64decode(data, validate=True)
    except ValueError:
        raise bad_reply("a vector is not base64") from None
    if len(raw) % 4 or len(raw) > 4 * MAX_DIMENSIONS:
        raise bad_reply(f"a vector of {len(raw)} bytes is not made of float32")
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))
