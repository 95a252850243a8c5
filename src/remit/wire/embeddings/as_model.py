"""A codec of embeddings in the place of a chat codec: texts are a request's messages, vectors are a reply's part.

So an embedding passes everything that a model call passes (gate, journal, limits, prices, retries, keys), and is
journalled as one `Data` part: {"dimensions": n, "float32": base64 of all vectors, little-endian, one after the other}.
"""

from __future__ import annotations

import math
from array import array
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from remit.core.messages import Data, Message, Text
from remit.core.model import ModelRequest, Reply, Settings
from remit.errors import Invalid, ModelError
from remit.wire.embeddings import EmbedCodec, EmbedRequest
from remit.wire.reading import bad_reply

PART: Final = "embeddings"
_OPTIONS: Final = ("query", "dimensions")


def request_of(texts: Sequence[str], *, query: bool = False, dimensions: int | None = None) -> ModelRequest:
    """The request of some texts, as a model call."""
    options = {"query": query, "dimensions": dimensions}
    extra = {name: value for name, value in options.items() if value}
    # One output token at most: nothing is written, and a budget reserves nothing for it.
    return ModelRequest(
        tuple([Message("user", (Text(t),)) for t in texts]), settings=Settings(max_tokens=1, extra=extra)
    )


def vectors_of(reply: Reply) -> list[list[float]]:
    """The vectors of a reply, in the order of the texts; raises model_bad_reply for a reply that holds none."""
    part = next((p for p in reply.parts if type(p) is Data and p.name == PART), None)
    if part is None or not isinstance(part.value, dict):
        raise bad_reply("the reply holds no embeddings")
    numbers = array("f")
    numbers.frombytes(b64decode(part.value["float32"]))
    size: int = part.value["dimensions"]
    return [list(numbers[at : at + size]) for at in range(0, len(numbers), size)]


class EmbeddingCodec:
    """`ports.wire.Codec` over an `EmbedCodec`."""

    version_path = ""

    def __init__(self, inner: EmbedCodec) -> None:
        self._inner = inner
        self.wire = inner.wire
        self.path = inner.path

    def headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """See Codec."""
        return self._inner.headers(api_key)

    def encode(self, request: ModelRequest, stream: bool) -> bytes:
        """The JSON body of the texts of all messages."""
        extra = {k: v for k, v in request.settings.extra.items() if k not in _OPTIONS}
        options = {k: v for k, v in request.settings.extra.items() if k in _OPTIONS}
        texts = tuple([message.text for message in request.messages])
        return self._inner.encode(EmbedRequest(texts, request.model, extra=extra, **options))

    def decode(self, body: bytes) -> Reply:
        """The vectors as one part; raises model_bad_reply where they differ in size or hold what is no number."""
        found = self._inner.decode(body)
        rows = [vector.values for vector in found.vectors]
        size = len(rows[0]) if rows else 0
        if not size or any(len(row) != size for row in rows):
            raise bad_reply("the vectors of the reply differ in their size, or there are none")
        return Reply((Data(_packed(rows, size), PART),), "end", found.usage, found.model, found.id)

    def stream(self) -> Any:
        """Embeddings are not streamed."""
        raise Invalid("value_invalid", "embeddings are not streamed")

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """See Codec."""
        return self._inner.error(status, headers, body)


def _packed(rows: list[list[float]], size: int) -> dict[str, Any]:
    numbers = array("f")
    try:
        for row in rows:
            numbers.extend(row)
    except OverflowError:
        raise bad_reply("a vector holds a number that is too large") from None
    if not all(map(math.isfinite, numbers)):
        raise bad_reply("a vector holds what is no finite number")
    return {"dimensions": size, "float32": b64encode(numbers.tobytes()).decode()}
