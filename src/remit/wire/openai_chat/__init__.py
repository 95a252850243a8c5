"""The openai-chat wire family: POST {base}/chat/completions, spoken by most servers there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from remit.core.model import ModelRequest, Reply
from remit.errors import ModelError
from remit.wire.openai_chat.decode import WIRE, decode
from remit.wire.openai_chat.encode import body_of
from remit.wire.openai_chat.plain import decode_plain
from remit.wire.provider_errors import http_error

if TYPE_CHECKING:
    from remit.wire.openai_chat.stream import StreamDecoder

_ENCODER = msgspec.json.Encoder()


class ChatCodec:
    """Codec of the family; `renames` maps body fields of a dialect: old name -> new name, or "" = leave out."""

    wire: str = WIRE
    path: str = "/chat/completions"
    version_path: str = "/v1"

    __slots__ = ("_renames",)

    def __init__(self, renames: Mapping[str, str] | None = None) -> None:
        self._renames = dict(renames or {})

    def headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """A bearer header, or none without a key."""
        return (("authorization", f"Bearer {api_key}"),) if api_key else ()

    def encode(self, request: ModelRequest, stream: bool) -> bytes:
        """The JSON body; `settings.extra` is merged last."""
        body = body_of(request, stream)
        for old, new in self._renames.items():
            if old in body:
                value = body.pop(old)
                if new:
                    body[new] = value
        if request.settings.extra:
            body.update(request.settings.extra)
        return _ENCODER.encode(body)

    def decode(self, body: bytes) -> Reply:
        """A whole successful reply."""
        return decode_plain(body) or decode(body)

    def stream(self) -> StreamDecoder:
        """A decoder for one streamed reply."""
        from remit.wire.openai_chat.stream import StreamDecoder  # a run that nobody watches never streams

        return StreamDecoder()

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error of an answer whose status is not 2xx."""
        return http_error(status, headers, body)


CODEC = ChatCodec()
