"""The bedrock-converse wire family: POST {base}/model/MODEL/converse and converse-stream.

Authentication by a Bedrock API key is a bearer header; by an AWS key it is a signature over the
whole request (`wire/sigv4.py`), which the provider's adapter makes.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from remit.core.model import ModelRequest, Reply
from remit.errors import ModelError
from remit.wire import prompt_cache
from remit.wire.bedrock_converse.decode import WIRE, decode
from remit.wire.bedrock_converse.encode import body_of
from remit.wire.bedrock_converse.plain import decode_plain
from remit.wire.bedrock_converse.stream import StreamDecoder
from remit.wire.provider_errors import http_error

_ENCODER = msgspec.json.Encoder()


class ConverseCodec:
    """Codec of the family. `caching`: the mode of wire/prompt_cache.py for requests that name none."""

    wire: str = WIRE
    path: str = "/model/{model}/converse"
    stream_path: str = "/model/{model}/converse-stream"
    stream_type: str = "application/vnd.amazon.eventstream"
    version_path: str = ""

    def __init__(self, caching: str = "auto") -> None:
        self._caching = prompt_cache.mode_of(caching, "auto")

    def headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """A bearer header, or none without a key."""
        return (("authorization", f"Bearer {api_key}"),) if api_key else ()

    def encode(self, request: ModelRequest, stream: bool) -> bytes:
        """The JSON body; `settings.extra` is merged last, then a long prefix is marked to be kept.

        A streamed request differs in its path only.
        """
        body = body_of(request)
        if request.settings.extra:
            body.update(request.settings.extra)
        raw = _ENCODER.encode(body)
        mode = prompt_cache.mode_of(request.settings.prompt_cache, self._caching)
        marked = prompt_cache.marked(prompt_cache.CONVERSE, body, raw, request.model, mode)
        return raw if marked is None else _ENCODER.encode(marked)

    def decode(self, body: bytes) -> Reply:
        """A whole successful reply."""
        return decode_plain(body) or decode(body)

    def stream(self) -> StreamDecoder:
        """A decoder for one streamed reply."""
        return StreamDecoder()

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error of an answer whose status is not 2xx; x-amzn-errortype says more than the status."""
        return http_error(status, headers, body)


CODEC = ConverseCodec()
