"""http_request: what is sent, what is shown, what a header may not be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from remit.adapters.tools.http_request import http_request
from remit.core.effects import Need
from remit.errors import Denied, Invalid


def send(ctx: Any, **arguments: Any) -> str:
    return str(asyncio.run(http_request(ctx, **arguments)))


def test_request_and_answer(bench: Any) -> None:
    """Method, headers and body go out as given; status, headers and body come back, errors too."""
    ctx = bench.ctx(http=bench.http(500, b'{"a":1}', content_type="application/json"))
    shown = send(ctx, method="POST", url="https://a.org/", headers={"X-A": "b"}, body="\u00e9")
    assert shown == 'status: 500\ncontent-type: application/json\n\n{"a":1}'
    assert ctx.http.calls == [("POST", "https://a.org/", {"X-A": "b"}, "\u00e9".encode())]
    binary = bench.ctx(http=bench.http(200, b"\0\1", content_type="image/png"))
    assert send(binary, method="GET", url="https://a.org/").endswith(
        "[the answer is not text: image/png, 2 bytes; not shown]"
    )
    empty = bench.ctx(http=bench.http(204))
    assert send(empty, method="DELETE", url="https://a.org/") == "status: 204"
    long = send(bench.ctx(http=bench.http(200, b"x" * 50_000)), method="GET", url="https://a.org/")
    assert long.endswith("[cut: 40000 of 50000 characters shown]")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Host", "b.org", "argument_denied"),
        ("content-length", "1", "argument_denied"),
        ("Transfer-Encoding", "chunked", "argument_denied"),
        ("Connection", "upgrade", "argument_denied"),
        ("Proxy-Authorization", "x", "argument_denied"),
        ("X-A\r\nHost", "b", "value_invalid"),
        ("X-A", "b\r\nHost: c", "value_invalid"),
        ("X-A", "b\0", "value_invalid"),
        ("", "b", "value_invalid"),
        ("X A", "b", "value_invalid"),
        ("X-A", "\u4e2d", "value_invalid"),
    ],
)
def test_headers_that_frame_or_split_the_message_are_refused(bench: Any, name: str, value: str, code: str) -> None:
    """Nothing is sent."""
    ctx = bench.ctx(http=bench.http(200))
    with pytest.raises((Denied, Invalid)) as caught:
        send(ctx, method="GET", url="https://a.org/", headers={name: value})
    assert (caught.value.code, ctx.http.calls) == (code, [])


def test_needs_and_reconcile() -> None:
    """The method is part of the need; only a reading request may run again."""
    assert http_request.needs is not None and http_request.reconcile is not None
    need = Need("net", "POST https://a.org:443/", ("POST", "https", "a.org", "443", "/"))
    assert http_request.needs(method="POST", url="https://a.org") == (need,)
    answers = [http_request.reconcile(None, method=m, url="x") for m in ("GET", "HEAD", "OPTIONS", "POST", "DELETE")]
    assert answers == ["not-done", "not-done", "not-done", "unknown", "unknown"]


def test_get_takes_no_body(bench: Any) -> None:
    """A body with GET is refused."""
    with pytest.raises(Invalid):
        send(bench.ctx(http=bench.http(200)), method="GET", url="https://a.org/", body="x")
