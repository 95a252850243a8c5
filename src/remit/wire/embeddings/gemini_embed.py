"""gemini-embed: POST {base}/models/MODEL:batchEmbedContents, at the Gemini API and at Vertex AI.

Also decoded: the answer of embedContent (one vector), and Vertex's older `predict`.
Source: Gemini API reference "Embeddings"; Vertex AI reference "Text embeddings API".
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
from remit.wire.reading import bad_reply, count, obj, objects

_ENCODER = msgspec.json.Encoder()


class GeminiEmbed:
    """Codec of the wire."""

    wire: str = "gemini-embed"
    path: str = "/models/{model}:batchEmbedContents"

    def headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """The key's header, or none without a key."""
        return (("x-goog-api-key", api_key),) if api_key else ()

    def encode(self, request: EmbedRequest) -> bytes:
        """The JSON body: a request a text."""
        model = f"models/{request.model.removeprefix('models/')}"
        task = "RETRIEVAL_QUERY" if request.query else "RETRIEVAL_DOCUMENT"
        rows = []
        for text in request.texts:
            row: dict[str, Any] = {"model": model, "content": {"parts": [{"text": text}]}, "taskType": task}
            if request.dimensions is not None:
                row["outputDimensionality"] = request.dimensions
            rows.append(row | request.extra)
        return _ENCODER.encode({"requests": rows})

    def decode(self, body: bytes) -> EmbedReply:
        """Vectors in the order of the texts."""
        raw = reading.read_object(body)
        error = error_in(raw)
        if error is not None:
            raise error
        if "predictions" in raw:
            rows = [obj(row, "embeddings") for row in objects(raw, "predictions")]
            tokens = sum(count(obj(row, "statistics"), "token_count") for row in rows)
        elif "embeddings" in raw or "embedding" in raw:
            rows = objects(raw, "embeddings") or [obj(raw, "embedding")]
            tokens = count(obj(raw, "usageMetadata"), "promptTokenCount")
        else:
            raise bad_reply("the reply has no embeddings")
        return EmbedReply(tuple(_vector(row) for row in rows), Usage(tokens), raw=raw)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error of an answer whose status is not 2xx."""
        return http_error(status, headers, body)


def _vector(row: dict[str, Any]) -> Vector:
    values = row.get("values")
    if type(values) is not list:
        raise bad_reply("an embedding has no values")
    return Vector(values)


CODEC = GeminiEmbed()
