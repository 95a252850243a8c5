"""cohere-embed: POST {base}/embed. Source: Cohere API reference "Embed" (v2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from remit.core.usage import Usage
from remit.errors import ModelError
from remit.wire import reading
from remit.wire.embeddings import EmbedReply, EmbedRequest, Vector
from remit.wire.provider_errors import body_error, error_in, http_error
from remit.wire.reading import bad_reply, count, label, obj

_ENCODER = msgspec.json.Encoder()
_TYPES: Final = ("float", "base64", "int8", "uint8", "binary", "ubinary")  # the first that came is taken


class CohereEmbed:
    """Codec of the wire."""

    wire: str = "cohere-embed"
    path: str = "/embed"

    def headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """A bearer header, or none without a key."""
        return (("authorization", f"Bearer {api_key}"),) if api_key else ()

    def encode(self, request: EmbedRequest) -> bytes:
        """The JSON body."""
        kind = "search_query" if request.query else "search_document"
        body: dict[str, Any] = {"model": request.model, "texts": request.texts, "input_type": kind}
        body["embedding_types"] = ["float"]
        if request.dimensions is not None:
            body["output_dimension"] = request.dimensions
        return _ENCODER.encode(body | request.extra)

    def decode(self, body: bytes) -> EmbedReply:
        """Vectors in the order of the texts; the counts are the billed units."""
        raw = reading.read_object(body)
        error = error_in(raw)
        if error is not None:
            raise error
        if "embeddings" not in raw:
            raise body_error(raw) if raw.get("message") else bad_reply("the reply has no embeddings")
        found = raw["embeddings"]
        if type(found) is dict:
            found = next((found[kind] for kind in _TYPES if found.get(kind)), [])
        if type(found) is not list or not all(isinstance(each, list | str) for each in found):
            raise bad_reply("the embeddings are no list of vectors")
        meta = obj(raw, "meta")
        billed = obj(meta, "billed_units")
        tokens = count(obj(meta, "tokens"), "input_tokens") or count(billed, "input_tokens")
        vectors = tuple(Vector(each) for each in found)
        return EmbedReply(vectors, Usage(tokens), "", label(raw, "id"), raw)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error of an answer whose status is not 2xx."""
        return http_error(status, headers, body)


CODEC = CohereEmbed()
