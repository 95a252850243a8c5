"""Insertion and masking around the transport."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from remit.adapters.http.broker_secrets import SecretHttp, filled
from remit.errors import Denied, RemitError
from remit.guard.leaks_matcher import Matcher, StreamMask
from remit.ports.http import HttpReply, HttpRequest, HttpStream
from remit.ports.secrets import SecretUse

VALUE = 'Tq7"vault\\value-9xK2'
URL = "https://api.example.org/x"


class Store:
    """Secrets that go anywhere, noting each use."""

    def __init__(self, live: bool = True) -> None:
        self.live = live
        self.uses: list[tuple[str, SecretUse]] = []
        self.matcher = Matcher([("token", VALUE.encode())])

    def value(self, name: str, use: SecretUse) -> str:
        self.uses.append((name, use))
        return VALUE

    def mask(self, data: bytes) -> bytes:
        return self.matcher.mask(data)

    def stream_mask(self) -> StreamMask:
        return StreamMask(self.matcher)


class Server:
    """A transport that answers with what it got, in pieces of seven bytes."""

    def __init__(self, answer: bytes = b"") -> None:
        self.sent: list[HttpRequest] = []
        self.answer = answer
        self.status = 200
        self.headers = {"x-echo": f"<{VALUE}>"}

    async def fetch(self, request: HttpRequest) -> HttpReply:
        self.sent.append(request)
        return HttpReply(200, self.headers, self.answer)

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        self.sent.append(request)
        return self  # type: ignore[return-value]

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.answer), 7):
            yield self.answer[at : at + 7]

    async def aclose(self) -> None:
        pass


def request(**more: Any) -> HttpRequest:
    more.setdefault("secrets", (("token", "header"), ("token", "body")))
    return HttpRequest("POST", URL, **more)


def denied(made: HttpRequest) -> str:
    with pytest.raises(RemitError) as caught:
        filled(made, Store())
    assert VALUE not in str(caught.value)
    return caught.value.code


def test_a_header_and_a_field_are_filled() -> None:
    """The value stands where the handle stood, as JSON and forms write it; each use is told to the store."""
    store = Store()
    body = json.dumps({"a": [{"key": "{{secret:token}}"}], "n": 1}).encode()
    headers = (("Authorization", "Bearer {{secret:token}}"), ("content-type", "application/json; charset=utf-8"))
    done = filled(request(headers=headers, body=body), store)
    assert done.headers[0] == ("Authorization", f"Bearer {VALUE}")
    assert json.loads(done.body) == {"a": [{"key": VALUE}], "n": 1}
    assert store.uses == [
        ("token", SecretUse("POST", URL, "header:authorization")),
        ("token", SecretUse("POST", URL, "body:a.0.key")),
    ]
    form = (("content-type", "application/x-www-form-urlencoded"),)
    done = filled(request(headers=form, body=b"u=x&client_secret=%7B%7Bsecret%3Atoken%7D%7D"), Store())
    assert done.body == b"u=x&client_secret=%7B%7Bsecret%3Atoken%7D%7D", "an escaped handle is no handle"
    done = filled(request(headers=form, body=b"u=x&client_secret={{secret:token}}"), Store())
    assert done.body == b"u=x&client_secret=Tq7%22vault%5Cvalue-9xK2"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"a":"x {{secret:token}}"}'),
        ("application/json", b'{"{{secret:token}}":1}'),
        ("application/json", b'{"a":"{{secret:token}}"'),
        ("application/json", b'"{{secret:token}}' + b"[" * 100_000),
        ("text/plain", b"{{secret:token}}"),
        ("", b"{{secret:token}}"),
        ("application/x-www-form-urlencoded", b"a=1{{secret:token}}"),
        ("multipart/form-data", b"{{secret:token}}"),
    ],
)
def test_a_handle_in_another_place_of_a_body_is_refused(kind: str, body: bytes) -> None:
    """A part of a text, a name, an unknown type: secret_denied, nothing is sent."""
    assert denied(request(headers=(("content-type", kind),), body=body)) == "secret_denied"


def test_only_what_the_request_may_use_is_filled() -> None:
    """A handle of another name is refused; a model's request keeps the handles of its conversation as text."""
    headers = (("authorization", "Bearer {{secret:other}}"),)
    assert denied(request(headers=headers)) == "secret_denied"
    conversation = b'{"messages":[{"content":"use {{secret:token}} there"}]}'
    made = request(headers=(("x-api-key", "{{secret:token}}"),), body=conversation, secrets=(("token", "header"),))
    assert filled(made, Store()).body == conversation
    assert filled(request(headers=headers, secrets=()), Store()).headers == headers


@pytest.mark.parametrize("form", [VALUE.encode(), b64encode(VALUE.encode()), VALUE.encode().hex().encode()])
def test_what_comes_back_is_masked(form: bytes) -> None:
    """Header and body of an answer lose the value in any form; so do the pieces of a stream."""

    async def main() -> tuple[HttpReply, dict[str, str], bytes, bytes]:
        http = SecretHttp(Server(b"it is " + form + b"."), Store())
        reply = await http.fetch(request())
        async with http.stream(request()) as stream:
            pieces = b"".join([piece async for piece in stream.chunks()])
        async with http.stream(request()) as stream:
            return reply, stream.headers, pieces, await stream.read()

    reply, headers, pieces, whole = asyncio.run(main())
    assert reply.headers == {"x-echo": "<[secret:token]>"}
    assert reply.body.startswith(b"it is [secret:token]") and form[:-2] not in reply.body
    assert (headers, whole) == (reply.headers, pieces)
    assert form not in pieces and b"[secret:token]" in pieces


def test_a_value_in_a_body_does_not_leave() -> None:
    """A body that holds the value itself, in whatever request, leaves without it."""
    server = Server()
    asyncio.run(SecretHttp(server, Store()).fetch(request(body=f"I know {VALUE}".encode(), secrets=())))
    assert server.sent[0].body == b"I know [secret:token]"


def test_without_a_vault_nothing_is_looked_at() -> None:
    """The transport's own coroutine and stream are handed on when there is no secret."""
    server, store = Server(VALUE.encode()), Store(live=False)
    http = SecretHttp(server, store)
    reply = asyncio.run(http.fetch(request(secrets=(), body=VALUE.encode())))
    assert (reply.body, server.sent[0].body, store.uses) == (VALUE.encode(), VALUE.encode(), [])
    assert http.stream(request(secrets=())) is server


def test_a_refused_use_is_not_sent() -> None:
    """When the store refuses, nothing reaches the transport."""

    class Refusing(Store):
        def value(self, name: str, use: SecretUse) -> str:
            raise Denied("secret_denied", "not bound")

    server = Server()
    with pytest.raises(Denied):
        asyncio.run(SecretHttp(server, Refusing()).fetch(request(headers=(("x", "{{secret:token}}"),))))
    assert server.sent == []
