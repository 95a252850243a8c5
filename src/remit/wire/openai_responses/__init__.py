"""The openai-responses wire family: POST {base}/responses."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from remit.core.model import ModelRequest, Reply
from remit.errors import ModelError
from remit.wire.openai_responses.decode import WIRE, decode
from remit.wire.openai_responses.encode import body_of
from remit.wire.openai_responses.plain import decode_plain
from remit.wire.openai_responses.stream import StreamDecoder
from remit.wire.provider_errors import http_error

_ENCODER = msgspec.json.Encoder()


class ResponsesCodec:
    """Codec of the family."""

    wire: str = WIRE
    path: str = "/responses"
    version_path: str = "/v1"

    def headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """A bearer header, or none without a key."""
        return (("authorization", f"Bearer {api_key}"),) if api_key else ()

    def encode(self, request: ModelRequest, stream: bool) -> bytes:
        """The JSON body; `settings.extra` is merged last."""
        body = body_of(request, stream)
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
        """The error of an answer whose status is not 2xx."""
        return http_error(status, headers, body)


CODEC = ResponsesCodec()
