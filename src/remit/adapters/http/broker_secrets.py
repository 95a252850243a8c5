"""Where a handle becomes its value: between the address check and the socket.

The idea: a client around the transport. The egress has judged and pinned the address by then, so the value
is inserted for a request whose destination can no longer change; nothing above this line ever sees it.
A body is masked before that: a value that somebody got to know otherwise does not leave, in no request (a model's
neither). What comes back is masked too, before anybody reads it, also across the pieces of a stream.

Invariants: a handle is replaced only where the request says so (`HttpRequest.secrets`: name and kind of slot, put
there by whoever checked the grant) and a binding of the secret covers method, URL and slot; in a body it is the
whole value of one JSON or form field. No message of an error holds a value.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from remit.errors import Denied
from remit.ports.http import HttpClient, HttpReply, HttpRequest, HttpStream
from remit.ports.secrets import HANDLE, MARK, Secrets, SecretUse

_MARK_BYTES: Final = MARK.encode()


class SecretHttp:
    """An `HttpClient` that inserts secrets into requests and masks them in answers.

    Args:
        client: the transport.
        secrets: the store.
    """

    def __init__(self, client: HttpClient, secrets: Secrets) -> None:
        self._client = client
        self._secrets = secrets

    def fetch(self, request: HttpRequest) -> Coroutine[Any, Any, HttpReply]:
        """See `ports.http.HttpClient`; without a vault the transport's own coroutine."""
        if not self._secrets.live and not request.secrets:
            return self._client.fetch(request)
        return self._masked(request)

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        """See `ports.http.HttpClient`."""
        if not self._secrets.live and not request.secrets:
            return self._client.stream(request)
        return _MaskedStreaming(self._client, request, self._secrets)

    async def aclose(self) -> None:
        """Close the transport."""
        await self._client.aclose()

    async def _masked(self, request: HttpRequest) -> HttpReply:
        reply = await self._client.fetch(filled(request, self._secrets))
        return HttpReply(reply.status, _masked_headers(reply.headers, self._secrets), self._secrets.mask(reply.body))


class _MaskedStreaming:
    """The block of a masked stream."""

    def __init__(self, client: HttpClient, request: HttpRequest, secrets: Secrets) -> None:
        self._client = client
        self._request = request
        self._secrets = secrets

    async def __aenter__(self) -> HttpStream:
        self._block = self._client.stream(filled(self._request, self._secrets))
        return _MaskedStream(await self._block.__aenter__(), self._secrets)

    async def __aexit__(self, *reason: object) -> None:
        await self._block.__aexit__(*reason)  # type: ignore[arg-type]  # passed on as it came


class _MaskedStream:
    """A stream whose pieces are masked; one reader."""

    def __init__(self, stream: HttpStream, secrets: Secrets) -> None:
        self.status = stream.status
        self.headers = _masked_headers(stream.headers, secrets)
        self._stream = stream
        self._mask = secrets.stream_mask()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, but for what may be the beginning of a value."""
        async for chunk in self._stream.chunks():
            shown = self._mask.feed(chunk)
            if shown:
                yield shown
        rest = self._mask.finish()
        if rest:
            yield rest

    async def read(self) -> bytes:
        """The rest of the body."""
        return b"".join([chunk async for chunk in self.chunks()])


def filled(request: HttpRequest, secrets: Secrets) -> HttpRequest:
    """The request with values in place of the handles that it may use, and nowhere else; raises secret_denied."""
    body = secrets.mask(request.body) if request.body else request.body
    if not request.secrets:
        return request if body is request.body else replace(request, body=body)
    headers = tuple((name, _header(name, value, request, secrets)) for name, value in request.headers)
    if _MARK_BYTES in body and any(kind == "body" for _, kind in request.secrets):
        body = _body(replace(request, body=body), secrets)
    return replace(request, headers=headers, body=body)


def _header(name: str, text: str, request: HttpRequest, secrets: Secrets) -> str:
    if MARK not in text:
        return text
    slot = f"header:{name.lower()}"
    return HANDLE.sub(lambda found: _value(found[1], "header", slot, request, secrets), text)


def _value(name: str, kind: str, slot: str, request: HttpRequest, secrets: Secrets) -> str:
    if (name, kind) not in request.secrets:
        raise Denied("secret_denied", f"no grant lets this request use the secret {name}")
    return secrets.value(name, SecretUse(request.method, request.url, slot))


def _body(request: HttpRequest, secrets: Secrets) -> bytes:
    """The body with each handle, the whole value of a field, replaced."""
    kind = next((v for n, v in request.headers if n.lower() == "content-type"), "").partition(";")[0].strip().lower()

    def field(value: Any, path: str) -> Any:
        if not isinstance(value, str) or MARK not in value:
            return value
        found = HANDLE.fullmatch(value)
        if found is None:
            raise Denied("secret_denied", "a handle in a body is the whole value of a JSON or form field")
        return _value(found[1], "body", f"body:{path}", request, secrets)

    if kind == "application/x-www-form-urlencoded":
        from urllib.parse import parse_qsl, urlencode  # only forms with a handle need it

        pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        return urlencode([(_plain(name), field(value, name)) for name, value in pairs]).encode()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Denied("secret_denied", "a handle in a body needs the content type JSON or form-urlencoded")
    try:
        return msgspec.json.encode(_walked(msgspec.json.decode(request.body), "", field))
    except (msgspec.DecodeError, RecursionError):
        raise Denied("secret_denied", "the body holds a handle and is not JSON") from None


def _walked(value: Any, path: str, field: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(key): _walked(item, f"{path}.{key}" if path else key, field) for key, item in value.items()}
    if isinstance(value, list):
        return [_walked(item, f"{path}.{index}" if path else str(index), field) for index, item in enumerate(value)]
    return field(value, path)


def _plain(name: str) -> str:
    if MARK in name:
        raise Denied("secret_denied", "a handle stands in a value, never in a name")
    return name


def _masked_headers(headers: dict[str, str], secrets: Secrets) -> dict[str, str]:
    return {
        secrets.mask(name.encode("latin-1", "replace")).decode("latin-1"): secrets.mask(
            value.encode("latin-1", "replace")
        ).decode("latin-1")
        for name, value in headers.items()
    }
