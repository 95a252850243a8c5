"""AWS Signature Version 4 against the signatures that AWS publishes with its test suite."""

from __future__ import annotations

import pytest

from remit.wire.sigv4 import AwsKey, Scope, signed_headers

KEY = AwsKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SCOPE = Scope("us-east-1", "service", "20150830T123600Z")
HOST = "https://example.amazonaws.com"
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
LETTERS = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# name of the vector, method, path, headers, body, signature. Source: aws-sig-v4-test-suite
VECTORS = [
    ("get-vanilla", "GET", "/", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("get-utf8", "GET", "/\u1234", (), b"", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    ("get-space", "GET", "/example space/", (), b"",
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    ("get-unreserved", "GET", f"/{LETTERS}", (), b"",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    ("get-relative", "GET", "/example/..", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", (), b"",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ("get-vanilla-utf8-query", "GET", "/?\u1234=bar", (), b"",
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    ("get-vanilla-empty-query-key", "GET", "/?Param1=value1", (), b"",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    ("get-vanilla-query-order-encoded", "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", (), b"",
     "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
    ("get-header-value-trim", "GET", "/", (("My-Header1", " value1"), ("My-Header2", ' "a   b   c"')), b"",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ("post-vanilla", "POST", "/", (), b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("post-x-www-form-urlencoded", "POST", "/", FORM, b"Param1=value1",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "method", "path", "headers", "body", "expected"), VECTORS, ids=lambda v: None)
def test_the_published_vectors(
    name: str, method: str, path: str, headers: tuple[tuple[str, str], ...], body: bytes, expected: str
) -> None:
    """The authorization header of each vector is the published one."""
    added = dict(signed_headers(KEY, SCOPE, (method, HOST + path), headers, body))
    names = ";".join(sorted({"host", "x-amz-date", *(key.lower() for key, _ in headers)}))
    proof = (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={names}, "
        f"Signature={expected}"
    )
    assert added == {"x-amz-date": SCOPE.at, "authorization": proof}, name


def test_what_changes_the_signature() -> None:
    """Body, path, token, region and time are all signed; the default port is not; an encoded path is encoded again."""
    seen = set()
    for key, scope, url, body in [
        (KEY, SCOPE, HOST + "/model/a%3Ab/converse", b"{}"),
        (KEY, SCOPE, HOST + "/model/a%3Ab/converse", b"{ }"),
        (KEY, SCOPE, HOST + "/model/a:b/converse", b"{}"),
        (AwsKey(KEY.id, KEY.secret, "token"), SCOPE, HOST + "/model/a%3Ab/converse", b"{}"),
        (KEY, Scope("eu-west-1", "service", SCOPE.at), HOST + "/model/a%3Ab/converse", b"{}"),
        (KEY, Scope("us-east-1", "service", "20150830T123601Z"), HOST + "/model/a%3Ab/converse", b"{}"),
        (KEY, SCOPE, HOST + ":8443/model/a%3Ab/converse", b"{}"),
    ]:
        seen.add(dict(signed_headers(key, scope, ("POST", url), (), body))["authorization"][-64:])
    assert len(seen) == 7
    plain = signed_headers(KEY, SCOPE, ("POST", HOST + "/x"), (), b"")
    assert signed_headers(KEY, SCOPE, ("POST", HOST + ":443/x"), (), b"") == plain
    assert KEY.secret not in str(plain) and KEY.secret not in repr(KEY)
