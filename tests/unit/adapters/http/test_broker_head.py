"""The head of a request to the proxy: three targets, one reading, or a refusal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.adapters.http.broker_head import MAX_HEAD_BYTES, ProxyHead, read_head
from remit.errors import Invalid


def head(*lines: str) -> bytes:
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def test_the_three_targets() -> None:
    """CONNECT, an absolute URL, and a path with a Host give one absolute URL; hop-by-hop headers are gone."""
    assert read_head(head("CONNECT Api.example.org:443 HTTP/1.1", "Host: api.example.org:443") + b"\x16") == (
        ProxyHead("CONNECT", "https://api.example.org/", (), 0, False, False),
        b"\x16",
    )
    raw = head(
        "POST http://example.org:8080/a/../b?x=1 HTTP/1.1",
        "Host: example.org:8080",
        "Proxy-Connection: keep-alive",
        "Connection: close, X-Secret",
        "X-Secret: 1",
        "X-Kept: 2",
        "Content-Length: 3",
        "Expect: 100-continue",
        "Accept-Encoding: br",
    )
    found = ProxyHead("POST", "http://example.org:8080/b?x=1", (("x-kept", "2"),), 3, True, False)
    assert read_head(raw + b"abc") == (found, b"abc")
    assert read_head(head("GET /p HTTP/1.0", "Host: example.org")) == (
        ProxyHead("GET", "http://example.org/p", (), 0, False, True),
        b"",
    )
    assert read_head(head("GET https://example.org/ HTTP/1.1", "Transfer-Encoding: chunked")) == (
        ProxyHead("GET", "https://example.org/", (), -1, False, False),
        b"",
    )
    assert read_head(b"GET / HTTP/1.1\r\nHost:") is None


@pytest.mark.parametrize(
    "raw",
    [
        head("GET / HTTP/1.1"),
        head("GET / HTTP/2.0", "Host: a.b"),
        head("get http://a.b/ HTTP/1.1"),
        head("GET  http://a.b/ HTTP/1.1"),
        head("GET http://a.b/ HTTP/1.1 x"),
        head("GET http://a.b/ HTTP/1.1", "Host: c.d"),
        head("GET http://a.b/ HTTP/1.1", "Host: a.b:81"),
        head("GET http://a.b/ HTTP/1.1", "Host: a.b", "Host: a.b"),
        head("GET http://a.b/ HTTP/1.1", "Host : a.b"),
        head("GET http://a.b/ HTTP/1.1", "X: 1", " folded: 2"),
        head("GET http://a.b/ HTTP/1.1", "X: a\nHost: c.d"),
        head("GET http://a.b/ HTTP/1.1", "X: a\rHost: c.d"),
        head("GET http://a.b/ HTTP/1.1", "X: \0"),
        head("GET http://u:p@a.b/ HTTP/1.1"),
        head("GET http://a.b\\@c.d/ HTTP/1.1"),
        head("GET ftp://a.b/ HTTP/1.1"),
        head("GET file:///etc/passwd HTTP/1.1"),
        head("GET //a.b/ HTTP/1.1", "Host: "),
        head("GET /x HTTP/1.1", "Host: a.b/@c.d"),
        head("GET /x HTTP/1.1", "Host: a.b?"),
        head("GET /x HTTP/1.1", "Host: u@a.b"),
        head("CONNECT a.b HTTP/1.1"),
        head("CONNECT http://a.b:443 HTTP/1.1"),
        head("CONNECT u@a.b:443 HTTP/1.1"),
        head("CONNECT a.b:443/x HTTP/1.1"),
        head("CONNECT a.b:0 HTTP/1.1"),
        head("CONNECT a.b:99999 HTTP/1.1"),
        head("CONNECT a.b:443 HTTP/1.1", "Host: c.d:443"),
        head("POST http://a.b/ HTTP/1.1", "Content-Length: 1", "Content-Length: 2"),
        head("POST http://a.b/ HTTP/1.1", "Content-Length: 1, 1"),
        head("POST http://a.b/ HTTP/1.1", "Content-Length: +1"),
        head("POST http://a.b/ HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked"),
        head("POST http://a.b/ HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        head("POST http://a.b/ HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
        head("POST http://a.b/ HTTP/1.1", "Transfer-Encoding: xchunked"),
        head("POST http://a.b/ HTTP/1.0", "Transfer-Encoding: chunked"),
        b"GET http://a.b/ HTTP/1.1\nHost: a.b\n\n" + b"x" * MAX_HEAD_BYTES,
        head("GET http://a.b/ HTTP/1.1", *(f"X{i}: 1" for i in range(200))),
    ],
)
def test_what_two_readers_may_read_differently_is_refused(raw: bytes) -> None:
    """Smuggled, folded, repeated and contradicting headers, userinfo and odd targets are value_invalid."""
    with pytest.raises(Invalid) as caught:
        read_head(raw)
    assert caught.value.code == "value_invalid"


@given(st.binary(max_size=300), st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_hostile_bytes_end_in_a_value_or_a_refusal(noise: bytes, text: str) -> None:
    """Noise gives a head, nothing yet, or value_invalid; no other error."""
    hostile = text.encode("utf-8", "replace")
    found: object = None
    given_heads = (noise, b"GET http://" + hostile + b" HTTP/1.1", b"GET / HTTP/1.1\r\nHost: " + hostile)
    for raw in (line + b"\r\n\r\n" for line in given_heads):
        try:
            found = read_head(raw)
        except Invalid as error:
            assert error.code == "value_invalid"
        assert found is None or isinstance(found, tuple)
