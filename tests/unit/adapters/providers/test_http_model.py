"""A model over a transport: one attempt, mapped errors, nothing left open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from remit.adapters import providers
from remit.adapters.providers.http_model import HttpModel
from remit.core.messages import Message
from remit.core.model import ModelRequest, StreamEnd, TextDelta
from remit.errors import Exhausted, ModelError, RemitError, Unavailable
from remit.ports.http import HttpReply, HttpRequest

KEY = "secret-value-4711"
ASK = ModelRequest((Message("user", "hi"),))
REPLY = {
    "id": "c",
    "model": "m",
    "choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1},
}
CHUNKS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"o"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":"k"},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
)


class FakeHttp:
    """An `HttpClient` that plays one answer and counts what is open."""

    def __init__(self, status: int = 200, body: Any = (), error: RemitError | None = None, hang: bool = False) -> None:
        self.status, self.body, self.error, self.hang = status, body, error, hang
        self.headers = {"content-type": "x", "retry-after": "3"}
        self.sent: list[HttpRequest] = []
        self.open = 0

    async def fetch(self, request: HttpRequest) -> HttpReply:
        self.sent.append(request)
        self.open += 1
        try:
            if self.hang:
                await asyncio.sleep(3600)
            if self.error is not None:
                raise self.error
            return HttpReply(self.status, self.headers, b"".join(self.body))
        finally:
            self.open -= 1

    def stream(self, request: HttpRequest) -> FakeHttp:
        self.sent.append(request)
        return self

    async def __aenter__(self) -> FakeHttp:
        self.open += 1
        if self.error is not None and not self.body:
            self.open -= 1
            raise self.error
        return self

    async def __aexit__(self, *_: object) -> None:
        self.open -= 1

    async def chunks(self) -> AsyncIterator[bytes]:
        for chunk in self.body:
            yield chunk
        if self.error is not None:
            raise self.error
        if self.hang:
            await asyncio.sleep(3600)

    async def read(self) -> bytes:
        return b"".join(self.body)

    async def aclose(self) -> None:
        return None


def _model(http: FakeHttp, key: str = KEY, base_url: str = "http://h:1/v1", provider: str = "openai-chat") -> HttpModel:
    row = providers.profile(provider)
    return HttpModel(row, providers.codec(row), "m", base_url, key, http)  # type: ignore[arg-type]


async def _all(model: HttpModel) -> list[Any]:
    return [event async for event in model.stream(ASK)]


def test_a_request() -> None:
    """Method, address, headers, deadlines and body of what is sent; the reply is decoded."""
    http = FakeHttp(body=(json.dumps(REPLY).encode(),))
    model = _model(http)
    reply = asyncio.run(model.request(ASK))
    assert (reply.text, reply.usage.input_tokens) == ("ok", 1)
    assert model.answered is http.headers
    (sent,) = http.sent
    assert (sent.method, sent.url, sent.address, sent.first_byte_s, sent.idle_s) == (
        "POST",
        "http://h:1/v1/chat/completions",
        "",
        60.0,
        120.0,
    )
    assert dict(sent.headers) == {
        "content-type": "application/json",
        "user-agent": "remit",
        "authorization": f"Bearer {KEY}",
        "accept": "application/json",
    }
    assert json.loads(sent.body) == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    assert KEY.encode() not in sent.body


def test_a_stream() -> None:
    """Deltas, then the folded reply; the connection is given back."""
    http = FakeHttp(body=CHUNKS)
    events = asyncio.run(_all(_model(http)))
    assert events[:2] == [TextDelta("o"), TextDelta("k")]
    assert type(events[2]) is StreamEnd and events[2].reply.text == "ok"
    assert (len(events), http.open) == (3, 0)
    assert json.loads(http.sent[0].body)["stream"] is True


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (Unavailable("network_failed", "refused"), "model_connection", True),
        (Exhausted("deadline_exceeded", "late"), "model_timeout", True),
        (Exhausted("output_too_large", "much"), "model_bad_reply", False),
    ],
)
def test_transport_errors_are_model_errors(error: RemitError, code: str, retryable: bool) -> None:
    """One family of errors, whole and streamed."""
    for run in (lambda m: m.request(ASK), _all):
        http = FakeHttp(error=error)
        with pytest.raises(ModelError) as caught:
            asyncio.run(run(_model(http)))
        assert (caught.value.code, caught.value.retryable, http.open) == (code, retryable, 0)


def test_a_connection_lost_in_the_middle_is_a_cut_stream() -> None:
    """After the first bytes a lost connection is model_stream_cut; after the end marker it is nothing."""
    http = FakeHttp(body=CHUNKS[:1], error=Unavailable("network_failed", "reset"))
    with pytest.raises(ModelError) as caught:
        asyncio.run(_all(_model(http)))
    assert (caught.value.code, caught.value.retryable, http.open) == ("model_stream_cut", True, 0)
    http = FakeHttp(body=CHUNKS, error=Unavailable("network_failed", "reset"))
    assert asyncio.run(_all(_model(http)))[-1].reply.text == "ok"


@pytest.mark.parametrize("streamed", [False, True])
def test_an_error_status(streamed: bool) -> None:
    """The codec reads the answer; the key never shows, whatever the provider repeats."""
    body = json.dumps({"error": {"message": f"slow down, key {KEY}"}}).encode()
    http = FakeHttp(429, (body,))
    model = _model(http)
    with pytest.raises(ModelError) as caught:
        asyncio.run(_all(model) if streamed else model.request(ASK))
    error = caught.value
    assert (error.code, error.retryable, error.status, error.retry_after_s) == ("model_rate_limited", True, 429, 3.0)
    for shown in (error.message, str(error), repr(error), error.for_model(), str(error.for_user())):
        assert KEY not in shown
    assert http.open == 0


def test_errors_inside_a_success_hide_the_key_too() -> None:
    """A 200 that carries an error, whole and streamed."""
    body = json.dumps({"error": {"message": f"bad {KEY}", "code": 500}}).encode()
    for run, raw in ((lambda m: m.request(ASK), body), (_all, b"data: " + body + b"\n\n")):
        with pytest.raises(ModelError) as caught:
            asyncio.run(run(_model(FakeHttp(body=(raw,)))))
        assert caught.value.code == "model_server_error" and KEY not in str(caught.value)


def test_retry_after_on_a_success_is_ignored() -> None:
    """A wait hint counts on error statuses only."""
    with pytest.raises(ModelError) as caught:
        asyncio.run(_model(FakeHttp(body=(b'{"error":{"code":429,"message":"m"}}',))).request(ASK))
    assert caught.value.retry_after_s is None


def test_cancelling_leaves_nothing_open() -> None:
    """A cancelled request and a stream that is left early close what they opened."""

    async def run() -> tuple[int, int]:
        whole, piece = FakeHttp(hang=True), FakeHttp(body=CHUNKS[:1], hang=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await _model(whole).request(ASK)
        events = _model(piece).stream(ASK)
        assert await anext(events) == TextDelta("o")
        assert piece.open == 1
        await events.aclose()  # type: ignore[attr-defined]
        return whole.open, piece.open

    assert asyncio.run(run()) == (0, 0)


def test_a_server_that_lingers_after_the_end_is_not_waited_for() -> None:
    """After [DONE] the reply comes, although the body never ends."""

    async def run() -> Any:
        async with asyncio.timeout(30):
            return await _all(_model(FakeHttp(body=CHUNKS, hang=True)))

    assert asyncio.run(run())[-1].reply.text == "ok"


def test_no_key_for_the_providers_own_address() -> None:
    """Nothing is sent without a key to where one is needed; another address may need none."""
    http = FakeHttp(body=(json.dumps(REPLY).encode(),))
    with pytest.raises(ModelError) as caught:
        asyncio.run(_model(http, key="", base_url="https://api.openai.com/v1").request(ASK))
    assert (caught.value.code, caught.value.retryable, http.sent) == ("model_auth", False, [])
    assert "OPENAI_API_KEY" in caught.value.hint
    asyncio.run(_model(http, key="").request(ASK))
    assert "authorization" not in dict(http.sent[0].headers)
