"""encode_decode: there and back, and what is no code."""

from __future__ import annotations

import pytest

from remit.adapters.tools.encode_decode import encode_decode
from remit.errors import Invalid


@pytest.mark.parametrize(
    ("kind", "plain", "coded"),
    [
        ("base64", "hi\u00e9?>", "aGnDqT8+"),
        ("base64url", "hi\u00e9?>", "aGnDqT8-"),
        ("base64url", "a", "YQ"),
        ("hex", "hi", "6869"),
        ("url", "a b/&\u00e9", "a%20b%2F%26%C3%A9"),
        ("html", '<a href="x">\'&', "&lt;a href=&quot;x&quot;&gt;&#x27;&amp;"),
    ],
)
def test_there_and_back(kind: str, plain: str, coded: str) -> None:
    """Encoding and decoding are inverse."""
    assert encode_decode(None, "encode", kind, plain) == coded
    assert encode_decode(None, "decode", kind, coded) == plain


def test_lenient_and_binary() -> None:
    """Line breaks and missing padding are taken; bytes that are no text come as hexadecimal."""
    assert encode_decode(None, "decode", "base64", "aG\nk") == "hi"
    assert encode_decode(None, "decode", "hex", "0x68 69") == "hi"
    assert encode_decode(None, "decode", "hex", "ff00") == "[2 bytes, no UTF-8 text; in hexadecimal]\nff00"
    assert encode_decode(None, "decode", "html", "&#" + "9" * 5000 + ";x") == "\ufffdx"


@pytest.mark.parametrize(("kind", "text"), [("base64", "a$b="), ("base64", "abcde"), ("hex", "abc"), ("hex", "zz")])
def test_what_is_no_code(kind: str, text: str) -> None:
    """value_invalid with the kind."""
    with pytest.raises(Invalid, match=f"no {kind}"):
        encode_decode(None, "decode", kind, text)


def test_bounds() -> None:
    """Half a million characters; no half surrogates."""
    for text in ("x" * 500_001, "\ud800"):
        with pytest.raises(Invalid):
            encode_decode(None, "encode", "hex", text)
