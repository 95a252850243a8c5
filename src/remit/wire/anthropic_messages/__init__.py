"""The anthropic-messages wire family: POST {base}/messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from remit.core.model import ModelRequest, Reply
from remit.errors import ModelError
from remit.wire import prompt_cache
from remit.wire.anthropic_messages.decode import WIRE, decode
from remit.wire.anthropic_messages.encode import body_of
from remit.wire.anthropic_messages.plain import decode_plain
from remit.wire.anthropic_messages.stream import StreamDecoder
from remit.wire.provider_errors import http_error

VERSION: Final = "2023-06-01"  # Source: Anthropic API reference, "Versions"
_ENCODER = msgspec.json.Encoder()


class MessagesCodec:
    """Codec of the family. `caching`: the mode of wire/prompt_cache.py for requests that name none."""

    wire: str = WIRE
    path: str = "/messages"
    version_path: str = "/v1"

    def __init__(self, caching: str = "auto") -> None:
        self._caching = prompt_cache.mode_of(caching, "auto")

    def headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """The version header, and the key where there is one."""
        version = (("anthropic-version", VERSION),)
        return (("x-api-key", api_key), *version) if api_key else version

    def encode(self, request: ModelRequest, stream: bool) -> bytes:
        """The JSON body; `settings.extra` is merged last, then a long prefix is marked to be kept."""
        body = body_of(request, stream)
        if request.settings.extra:
            body.update(request.settings.extra)
        raw = _ENCODER.encode(body)
        mode = prompt_cache.mode_of(request.settings.prompt_cache, self._caching)
        marked = prompt_cache.marked(prompt_cache.MESSAGES, body, raw, request.model, mode)
        return raw if marked is None else _ENCODER.encode(marked)

    def decode(self, body: bytes) -> Reply:
        """A whole successful reply."""
        return decode_plain(body) or decode(body)

    def stream(self) -> StreamDecoder:
        """A decoder for one streamed reply."""
        return StreamDecoder()

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error of an answer whose status is not 2xx."""
        return http_error(status, headers, body)


CODEC = MessagesCodec()
