"""The gemini wire family: POST {base}/models/MODEL:generateContent, at the Gemini API and at Vertex AI."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from remit.core.model import ModelRequest, Reply
from remit.errors import ModelError
from remit.wire.gemini.decode import WIRE, decode
from remit.wire.gemini.encode import body_of
from remit.wire.gemini.plain import decode_plain
from remit.wire.gemini.stream import StreamDecoder
from remit.wire.provider_errors import http_error

_ENCODER = msgspec.json.Encoder()


class GeminiCodec:
    """Codec of the family."""

    wire: str = WIRE
    path: str = "/models/{model}:generateContent"
    stream_path: str = "/models/{model}:streamGenerateContent?alt=sse"
    version_path: str = "/v1beta"

    def headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """The key's header, or none without a key."""
        return (("x-goog-api-key", api_key),) if api_key else ()

    def encode(self, request: ModelRequest, stream: bool) -> bytes:
        """The JSON body; `settings.extra` is merged last. A streamed request differs in its path only."""
        body = body_of(request)
        if request.settings.extra:
            body.update(request.settings.extra)
        return _ENCODER.encode(body)

    def decode(self, body: bytes) -> Reply:
        """A whole successful reply."""
        return decode_plain(body) or decode(body)

    def stream(self) -> StreamDecoder:
        """A decoder for one streamed reply."""
        return StreamDecoder()

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error of an answer whose status is not 2xx; a RetryInfo in the body is its wait."""
        return http_error(status, headers, body)


CODEC = GeminiCodec()
