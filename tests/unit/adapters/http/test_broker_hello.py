"""The first message of a TLS client: the name it asks for, or a refusal."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.adapters.http.broker_hello import MAX_HELLO_BYTES, Hello, read_hello
from remit.errors import Invalid


def hello_for(name: str | None) -> bytes:
    """What OpenSSL sends first when it asks for `name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def vector(data: bytes, size: int) -> bytes:
    return len(data).to_bytes(size, "big") + data


def sni(*names: bytes, kind: int = 0) -> bytes:
    return b"\0\0" + vector(vector(b"".join(bytes([kind]) + vector(n, 2) for n in names), 2), 2)


def hello(*extensions: bytes, tail: bytes = b"") -> bytes:
    """A hello with these extensions, in one record."""
    body = b"\3\3" + b"r" * 32 + vector(b"", 1) + vector(b"\x13\1", 2) + vector(b"\0", 1)
    body += vector(b"".join(extensions), 2)
    return b"\x16\3\1" + vector(b"\1" + vector(body, 3) + tail, 2)


def refused(data: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        read_hello(data)
    return caught.value.code


def test_the_name_is_read() -> None:
    """The hello of a real client names its host; one for an address names none."""
    assert read_hello(hello_for("Api.Example.org")) == Hello("api.example.org")
    assert read_hello(hello_for(None)) == Hello("")
    assert read_hello(hello(sni(b"a.b"))) == Hello("a.b")
    assert read_hello(hello()) == Hello("")


def test_an_incomplete_hello_is_waited_for() -> None:
    """Every beginning of a hello is incomplete, and no more than that; split over records it is still one."""
    data = hello_for("api.example.org")
    assert [read_hello(data[:size]) for size in range(len(data))] == [None] * len(data)
    message = data[5:]
    records = b"".join(b"\x16\3\1" + vector(message[i : i + 50], 2) for i in range(0, len(message), 50))
    assert read_hello(records) == Hello("api.example.org")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"\x80\x2e\1\3\1",  # SSLv2
        b"\x16\2\0\0\1\1",
        b"\x16\3\1\0\0",
        b"\x16\3\1\xff\xff",
        b"\x16\3\1\0\1\2",  # a ServerHello
        hello(sni(b"a.b", b"c.d")),
        hello(sni(b"a.b"), sni(b"a.b")),
        hello(sni(b"a.b", kind=1)),
        hello(sni(b"")),
        hello(sni(b"a\0b")),
        hello(sni(b"a.b"), b"\xfe\x0d" + vector(b"x", 2)),  # encrypted ClientHello
        hello(b"\0\0\0"),
        hello(sni(b"a.b"), tail=b"\1\0\0\0"),
        hello(sni(b"a.b")) + b"\x17\3\3\0\1x",
        b"\x16\3\1" * (MAX_HELLO_BYTES // 3 + 1),
    ],
    ids=lambda data: data[:6].hex(),
)
def test_what_cannot_be_judged_is_refused(data: bytes) -> None:
    """Other protocols, two names, encrypted names, and bytes behind the hello are value_invalid."""
    assert refused(data) == "value_invalid"


@given(st.binary(max_size=400), st.integers(0, 600), st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_hostile_bytes_end_in_a_value_or_a_refusal(noise: bytes, at: int, byte: int) -> None:
    """Noise and damaged hellos give a name, nothing yet, or value_invalid; no other error."""
    good = hello(sni(b"api.example.org"), b"\0\x10" + vector(b"h2", 2))
    found: Any = None
    for data in (noise, b"\x16\3\1" + noise, good[: at % len(good)] + bytes([byte]) + good[at % len(good) + 1 :]):
        try:
            found = read_hello(data)
        except Invalid as error:
            assert error.code == "value_invalid"
        assert found is None or isinstance(found, Hello)
