"""A model behind HTTP: a codec, an address, a key and a transport.

One attempt, no retry. The key, or the handle of one in the vault, is in a header of the request and nowhere
else: whatever a provider says about it is masked before it becomes a message. Where the proof of identity depends
on the request or on the time, a signer adds it to each request (`signing.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final, Protocol

from msgspec.structs import replace

from remit.core.model import ModelRequest, Reply, StreamEnd, StreamEvent
from remit.core.needs import secret
from remit.core.urls import parse_url
from remit.errors import Exhausted, ModelError, Unavailable
from remit.ports.http import HttpClient, HttpReply, HttpRequest
from remit.ports.provider import Profile
from remit.ports.secrets import handle_names
from remit.ports.wire import Codec

FIRST_BYTE_S: Final = 60.0  # Source: issue "Foundation", model deadlines
IDLE_S: Final = 120.0
TOTAL_S: Final = 3600.0  # a whole answer; one that drips forever passes every shorter deadline
DRAIN_S: Final = 1.0  # after the end marker; what is left then is only the end of the body
MIN_MASKED: Final = 8  # characters of a key that is masked in replies
_AGENT: Final = "remit"


class Signer(Protocol):
    """Proves who asks, request by request."""

    def headers(self, url: str, headers: tuple[tuple[str, str], ...], body: bytes) -> tuple[tuple[str, str], ...]:
        """Further headers of this request; raises ModelError model_auth."""
        ...


class HttpModel:
    """`Model` over an `HttpClient`; the client checks and pins the address.

    Args:
        profile: the provider's row.
        codec: speaks its wire.
        name: the model's name at the provider.
        base_url: scheme, host and version prefix.
        api_key: "" = no authentication.
        http: the transport.
    """

    __slots__ = (
        *(
            "_accept",
            "_codec",
            "_headers",
            "_http",
            "_key",
            "_lacking",
            "_local",
            "_masked",
            "_model",
            "_profile",
            "_secrets",
        ),
        *("_signer", "_stream_url", "_unkeyed", "answered", "name", "secret_needs", "url"),
    )

    def __init__(  # noqa: PLR0913  # what a request is made of; the signer has a default
        self, profile: Profile, codec: Codec, name: str, base_url: str, api_key: str, http: HttpClient,
        *, signer: Signer | None = None,
    ) -> None:  # fmt: skip
        self.name = f"{profile.name}:{name}"
        self.url = base_url + path_of(codec.path, name)
        self._stream_url = base_url + path_of(getattr(codec, "stream_path", codec.path), name)
        self._accept = getattr(codec, "stream_type", "text/event-stream")
        self._signer = signer
        self._local = profile.local
        self.answered: Mapping[str, str] = {}
        """headers of the newest good answer; limits of rate read in them what the provider has left"""
        self._profile = profile
        self._lacking: set[str] = set()  # forms of an answer that the model is known to lack
        self._codec = codec
        self._model = name
        self._http = http
        self._key = api_key
        names = handle_names(api_key)
        # Short ones, which local servers take, could be words of a text; one in the vault the egress masks.
        self._masked = api_key.encode() if len(api_key) >= MIN_MASKED and not names else b""
        self._secrets = tuple((name, "header") for name in names)
        self.secret_needs = tuple(secret(name, parse_url(base_url).host) for name in names)
        """its key, where that lies in the vault: naming the model grants it, and a denial stands against it"""
        # The provider's own address without a key would only answer 401.
        own = bool(profile.base_url) and (base_url == profile.base_url or bool(profile.places))
        self._unkeyed = not api_key and signer is None and bool(profile.key_env) and own
        self._headers = (
            ("content-type", "application/json"),
            ("user-agent", _AGENT),
            *key_headers(profile, codec, api_key),
            *profile.headers,
        )

    async def request(self, request: ModelRequest) -> Reply:
        """One attempt; raises ModelError."""
        if request.output is not None:
            return await self._formed(request)
        return await self._request(request)

    async def _request(self, request: ModelRequest) -> Reply:
        sent = self._sent(request, stream=False)
        try:
            answer: HttpReply = await self._http.fetch(sent)
        except (Unavailable, Exhausted) as error:
            raise self._explained(_transport_error(error)) from error
        if not 200 <= answer.status < 300:
            raise self._error(self._codec.error(answer.status, answer.headers, answer.body))
        self.answered = answer.headers
        try:
            reply = self._codec.decode(answer.body)
        except ModelError as error:
            raise self._error(error, answer.body) from None
        body = answer.body
        escapes = b"\\u00" in body or b"\\/" in body
        return self._finished(reply, request, escapes or self._masked in body)

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The same attempt, piece by piece; the last event is StreamEnd."""
        return self._pieces(request) if request.output is None else self._formed_pieces(request)

    async def _pieces(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        sent = self._sent(request, stream=True)
        decoder, mask = self._codec.stream(), None
        if self._masked:
            from remit.adapters.providers._key_echo import KeyMask

            mask = KeyMask(self._key)
        begun = False
        try:
            async with self._http.stream(sent) as answer:
                if not 200 <= answer.status < 300:
                    body = await answer.read()
                    raise self._codec.error(answer.status, answer.headers, body)
                self.answered = answer.headers
                chunks = answer.chunks()
                async for chunk in chunks:
                    begun = True
                    for event in decoder.feed(chunk):
                        if mask is None:
                            yield event
                        else:
                            for shown in mask.events(event):
                                yield shown
                    if getattr(decoder, "closed", False):  # those that cannot tell are read to the end of the body
                        await _drain(chunks)
                        break
                reply = decoder.finish()
        except ModelError as error:
            raise self._error(error) from None
        except (Unavailable, Exhausted) as error:
            raise self._explained(_transport_error(error, begun)) from error
        yield StreamEnd(self._finished(reply, request, True))

    def _sent(self, request: ModelRequest, stream: bool) -> HttpRequest:
        if self._unkeyed:
            env = " or ".join(self._profile.key_env)
            hint = f"Set {env}, or give api_key=..."
            raise ModelError("model_auth", f"no key for {self._profile.name}", hint=hint, retryable=False)
        if request.model != self._model:
            request = replace(request, model=self._model)
        accept = ("accept", self._accept if stream else "application/json")
        body = self._codec.encode(request, stream)
        headers = (*self._headers, accept)
        url = self._stream_url if stream else self.url
        if self._signer is not None:
            headers = (*headers, *self._signer.headers(url, headers, body))
        return HttpRequest("POST", url, headers, body, first_byte_s=FIRST_BYTE_S, idle_s=IDLE_S,
                           total_s=TOTAL_S, secrets=self._secrets)  # fmt: skip

    async def _formed(self, request: ModelRequest) -> Reply:
        """One attempt for an answer of an asked form; a form that the provider refuses is asked for in another way."""
        from remit.adapters.providers._answer_form import Forms  # most requests ask for no form
        from remit.wire.answer_tool import answered

        forms = Forms(self._profile, replace(request, model=self._model), self._lacking)
        while True:
            asked, tool = forms.sent
            try:
                reply = await self._request(asked)
            except ModelError as error:
                if not forms.refused(error):
                    raise
                continue
            forms.answered()
            return answered(reply, tool) if tool else reply

    async def _formed_pieces(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        from contextlib import aclosing

        from remit.adapters.providers._answer_form import Forms
        from remit.wire.answer_tool import AnswerDeltas

        forms, begun = Forms(self._profile, replace(request, model=self._model), self._lacking), False
        while True:
            asked, tool = forms.sent
            deltas = AnswerDeltas(tool) if tool else None
            try:
                async with aclosing(self._pieces(asked)) as events:
                    async for event in events:
                        if not begun:
                            begun = True
                            forms.answered()
                        for shown in (event,) if deltas is None else deltas.events(event):
                            yield shown
            except ModelError as error:
                if begun or not forms.refused(error):
                    raise
            else:
                return

    def _finished(self, reply: Reply, request: ModelRequest, hides: bool) -> Reply:
        """What callers get: without the key, which the reply may hold (`hides`), with counts, its calls mended."""
        if hides and self._masked:
            from remit.adapters.providers._key_echo import without_key

            reply = without_key(reply, self._key)
        if not reply.usage.input_tokens and not reply.usage.output_tokens:
            from remit.adapters.providers._estimate import estimated  # most servers count

            reply = estimated(reply, request)
        return _mended(reply, request) if self._local else reply

    def _error(self, error: ModelError, body: bytes = b"") -> ModelError:
        """The error without the key, which a provider may repeat in any form of its message."""
        if body and error.code == "model_bad_reply" and body.lstrip()[:1] == b"<":
            from remit.adapters.providers import _hints

            if _hints.is_page(body):
                return _hints.page_error(self._profile, self.url)
        if len(self._key) >= 4 and self._key in error.message:
            error.message = error.message.replace(self._key, "[secret]")
            error.args = (error.message,)
        return self._explained(error)

    def _explained(self, error: ModelError) -> ModelError:
        from remit.adapters.providers import _hints

        _hints.explain(error, self._profile, self._model, self.url)
        return error


def path_of(path: str, model: str) -> str:
    """The path of a model's requests; a name is quoted where it stands in the path."""
    if "{model}" not in path:
        return path
    from urllib.parse import quote

    # Gemini writes models/NAME and tunedModels/NAME; the prefix is in the path already.
    return path.replace("{model}", quote(model.removeprefix("models/"), safe=""))


def key_headers(profile: Profile, codec: Codec, api_key: str) -> tuple[tuple[str, str], ...]:
    """Where the key stands: as the profile says, else as its wire does. aws and google sign each request instead."""
    auth = profile.auth
    if not api_key or not auth or auth == "aws":
        return codec.headers(api_key)
    if auth in ("bearer", "google"):
        return (*codec.headers(""), ("authorization", f"Bearer {api_key}"))
    return (*codec.headers(""), (auth, api_key))


def _mended(reply: Reply, request: ModelRequest) -> Reply:
    from remit.wire.repair import repaired  # small models only

    return repaired(reply, request)


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read the rest of the body, so that the connection can serve again; a server that lingers is left."""
    try:
        async with asyncio.timeout(DRAIN_S):
            async for _ in chunks:
                pass
    except (TimeoutError, Unavailable, Exhausted):
        return  # the reply is whole; how the connection ends does not matter


def _transport_error(error: Unavailable | Exhausted, begun: bool = False) -> ModelError:
    if isinstance(error, ModelError):
        return error
    if error.code == "deadline_exceeded":
        return ModelError("model_timeout", error.message, retryable=True, details=error.details)
    if error.code == "output_too_large":
        return ModelError("model_bad_reply", error.message, retryable=False, details=error.details)
    if error.code == "network_failed" and begun:
        return ModelError("model_stream_cut", error.message, retryable=True, details=error.details)
    return ModelError("model_connection", error.message, retryable=True, details=error.details)
