"""openai-embeddings: POST {base}/embeddings, spoken by OpenAI, Voyage, Mistral, Ollama, vLLM and others.

Source: OpenAI API reference "Embeddings"; Voyage AI API reference "Text embeddings" (usage has a total only).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from remit.core.usage import Usage
from remit.errors import ModelError
from remit.wire import reading
from remit.wire.embeddings import EmbedReply, EmbedRequest, Vector
from remit.wire.provider_errors import error_in, http_error
from remit.wire.reading import bad_reply, count, index, label, obj, objects

_ENCODER = msgspec.json.Encoder()


class OpenAIEmbeddings:
    """Codec of the wire."""

    wire: str = "openai-embeddings"
    path: str = "/embeddings"

    def headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """A bearer header, or none without a key."""
        return (("authorization", f"Bearer {api_key}"),) if api_key else ()

    def encode(self, request: EmbedRequest) -> bytes:
        """The JSON body; base64 halves the answer."""
        body: dict[str, Any] = {"model": request.model, "input": request.texts, "encoding_format": "base64"}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        return _ENCODER.encode(body | request.extra)

    def decode(self, body: bytes) -> EmbedReply:
        """Vectors in the order of their index."""
        raw = reading.read_object(body)
        error = error_in(raw)
        if error is not None:
            raise error
        if "data" not in raw:
            raise bad_reply("the reply has no data")
        rows = objects(raw, "data")
        ordered = sorted(enumerate(rows), key=lambda row: row[0] if (at := index(row[1], "index")) is None else at)
        vectors = tuple(_vector(row) for _, row in ordered)
        usage = obj(raw, "usage")
        tokens = count(usage, "prompt_tokens") or count(usage, "total_tokens")
        return EmbedReply(vectors, Usage(tokens), label(raw, "model"), label(raw, "id"), raw)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error of an answer whose status is not 2xx."""
        return http_error(status, headers, body)


def _vector(row: dict[str, Any]) -> Vector:
    data = row.get("embedding")
    if not isinstance(data, list | str):
        raise bad_reply("an embedding is neither numbers nor base64")
    return Vector(data)


CODEC = OpenAIEmbeddings()
