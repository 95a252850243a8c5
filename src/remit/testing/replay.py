"""A model that answers from recorded traffic: what a provider once sent, through the real codecs.

A recording is a JSON object a line: `wire`, `name`, `request {body}`, `response {status, headers,
body | sse | text | body_b64}`. Exchanges are answered in order. A streamed recording answers `request` too, and
the other way round, because both decode to the same reply.
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import AsyncIterator, Iterable
from importlib import import_module
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.core.model import ModelRequest, Reply, StreamEnd, StreamEvent
from remit.errors import Invalid
from remit.ports.wire import Codec
from remit.testing.answers import pieces
from remit.testing.failures import script_error

WIRES: Final = (
    *("anthropic-messages", "bedrock-converse", "cohere-v2", "gemini"),
    *("openai-chat", "openai-responses"),
)
CHUNK_BYTES: Final = 64
MAX_LINE_BYTES: Final = 64 * 1024 * 1024


class Recorded(Struct, frozen=True):
    """One response as recorded."""

    status: int
    headers: dict[str, str] = {}
    body: Any = None
    sse: str | None = None
    text: str | None = None
    body_b64: str | None = None
    """a binary stream, for example Bedrock's"""

    @property
    def streamed(self) -> bool:
        """Whether the answer came as a stream."""
        return self.sse is not None or self.body_b64 is not None


class Exchange(Struct, frozen=True):
    """One recorded exchange; further fields of the line are ignored."""

    wire: str
    response: Recorded
    name: str = ""
    request: dict[str, Any] = {}


class ReplayModel:
    """Answers with recorded exchanges, in order, each once.

    Args:
        recorded: a JSONL file, or exchanges (Exchange or dict).
        name: `provider:model`; by default `replay:` and the file's name.
        only: keep the exchanges whose `name` starts so (a recorded conversation is NAME#0, NAME#1 ...).
        strict: whether the number of messages must be the recorded one.

    Raises: value_invalid for a file that is no recording or a wire that has no codec; from a request,
        model_script when the recording has ended or differs, and the recorded error of a status >= 400.
    """

    url = ""

    def __init__(self, recorded: Any, *, name: str = "", only: str = "", strict: bool = False) -> None:
        self.name = name or f"replay:{_title(recorded)}"
        self.requests: list[ModelRequest] = []
        self._strict = strict
        self._exchanges = [e for e in read_exchanges(recorded) if e.name.startswith(only)]
        self._next = 0
        for exchange in self._exchanges:
            if exchange.wire not in WIRES:
                raise Invalid("value_invalid", f"{exchange.name}: no codec for wire {exchange.wire!r:.60}")

    @property
    def left(self) -> int:
        """How many exchanges were not used."""
        return len(self._exchanges) - self._next

    async def request(self, request: ModelRequest) -> Reply:
        """The next recorded reply, decoded."""
        exchange = self._take(request)
        codec, response = _codec(exchange.wire), exchange.response
        if response.status >= 400:
            raise codec.error(response.status, response.headers, _body(response))
        if not response.streamed:
            return codec.decode(_body(response))
        decoder = codec.stream()
        for chunk in _chunks(response):
            decoder.feed(chunk)
        return decoder.finish()

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The next recorded reply: its own deltas when it was streamed, cut up when it was not."""
        exchange = self._take(request)
        codec, response = _codec(exchange.wire), exchange.response
        if response.status >= 400:
            raise codec.error(response.status, response.headers, _body(response))
        if not response.streamed:
            for event in pieces(codec.decode(_body(response))):
                yield event
            return
        decoder = codec.stream()
        for chunk in _chunks(response):
            for event in decoder.feed(chunk):
                yield event
        yield StreamEnd(decoder.finish())

    def _take(self, request: ModelRequest) -> Exchange:
        self.requests.append(request)
        if not self.left:
            raise script_error(self.name, f"no request after its {len(self._exchanges)} recorded ones", request)
        exchange = self._exchanges[self._next]
        body = exchange.request.get("body") or {}
        sent = body.get("messages", body.get("input")) if isinstance(body, dict) else None
        system = sum(1 for m in request.messages if m.role == "system")
        if self._strict and isinstance(sent, list) and len(sent) not in (
            len(request.messages), len(request.messages) - system
        ):  # fmt: skip
            raise script_error(self.name, f"at {exchange.name or self._next + 1} {len(sent)} messages", request)
        self._next += 1
        return exchange


def _title(recorded: Any) -> str:
    return os.path.basename(recorded).partition(".")[0] if isinstance(recorded, str | os.PathLike) else "recorded"


def read_exchanges(recorded: Any) -> Iterable[Exchange]:
    """The exchanges of a JSONL file, or of Exchange and dict values; raises value_invalid."""
    if not isinstance(recorded, str | os.PathLike):
        return [e if isinstance(e, Exchange) else _convert(e, str(i)) for i, e in enumerate(recorded)]
    decode = msgspec.json.Decoder().decode
    found = []
    try:
        with open(recorded, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
                if line.strip():
                    found.append(_convert(decode(line), f"line {number}"))
    except OSError as e:
        raise Invalid("value_invalid", f"the recording cannot be read: {e.strerror}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
        raise Invalid("value_invalid", f"line {len(found) + 1} of the recording is not JSON: {e}") from None
    return found


def _convert(value: Any, place: str) -> Exchange:
    try:
        return msgspec.convert(value, Exchange)
    except msgspec.ValidationError as e:
        raise Invalid("value_invalid", f"{place} of the recording is no exchange: {e}") from None


def _codec(wire: str) -> Codec:
    codec: Codec = import_module(f"remit.wire.{wire.replace('-', '_')}").CODEC
    return codec


def _body(response: Recorded) -> bytes:
    if response.body_b64 is not None:
        return b64decode(response.body_b64)
    if response.sse is not None or response.text is not None:
        return (response.sse or response.text or "").encode()
    return msgspec.json.encode(response.body)


def _chunks(response: Recorded) -> list[bytes]:
    raw = _body(response)
    return [raw[i : i + CHUNK_BYTES] for i in range(0, len(raw), CHUNK_BYTES)]
