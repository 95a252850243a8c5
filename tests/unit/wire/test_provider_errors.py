"""Errors of providers."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

import pytest

from remit.wire.anthropic_messages import CODEC as ANTHROPIC
from remit.wire.openai_chat import CODEC as CHAT
from remit.wire.openai_responses import CODEC as RESPONSES
from remit.wire.provider_errors import body_error, http_error, masked


@pytest.mark.parametrize("codec", [CHAT, RESPONSES, ANTHROPIC], ids=lambda c: c.wire)
@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (400, "model_bad_request", False),
        (401, "model_auth", False),
        (402, "model_bad_request", False),
        (403, "model_auth", False),
        (404, "model_not_found", False),
        (408, "model_timeout", True),
        (413, "model_bad_request", False),
        (422, "model_bad_request", False),
        (429, "model_rate_limited", True),
        (500, "model_server_error", True),
        (502, "model_server_error", True),
        (503, "model_overloaded", True),
        (504, "model_server_error", True),
        (529, "model_overloaded", True),
        (301, "model_bad_reply", False),
    ],
)
def test_statuses(codec: object, status: int, code: str, retryable: bool) -> None:
    """Every status has one code and one answer to whether again may help."""
    error = codec.error(status, {}, b"x")  # type: ignore[attr-defined]
    assert (error.code, error.retryable, error.status) == (code, retryable, status)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "m", "type": "t"}}, "m"),
        ({"error": "text"}, "text"),
        ({"detail": "no"}, "no"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
        ({"message": "m"}, "m"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "Overloaded"),
        ({"object": "error", "message": "vllm", "code": 400}, "vllm"),
        ({"error": {"code": 429, "message": "P", "metadata": {"raw": "upstream"}}}, "P: upstream"),
        ([{"error": {"message": "in a list"}}], "in a list"),
        ({"strange": 1}, '{"strange":1}'),
    ],
)
def test_messages_of_all_body_forms(body: object, message: str) -> None:
    """The provider's own words are found in every known form."""
    assert http_error(400, {}, json.dumps(body).encode()).message == f"HTTP 400: {message}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "HTTP 502 without a message"),
        (b"upstream  connect\nerror", "HTTP 502: upstream connect error"),
        (
            b"<html><head><style>p{}</style></head><body><h1>502 Bad Gateway</h1></body></html>",
            "HTTP 502: 502 Bad Gateway",
        ),
        (b"\xff\xfe", "HTTP 502: ��"),
    ],
)
def test_bodies_that_are_no_json(body: bytes, message: str) -> None:
    """Plain text, error pages and noise are shown as far as they say something."""
    assert http_error(502, {}, body).message == message


def test_messages_are_bounded() -> None:
    """A megabyte of message is not carried on."""
    assert len(http_error(400, {}, json.dumps({"error": {"message": "x " * 500_000}}).encode()).message) < 700
    assert len(http_error(400, {}, b"<" * 1_000_000).message) < 700


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcDEF1234567890",
        "sk-ant-api03-abcdefghijkl",
        "gsk_abcdefghijklmnop1234",
        "Bearer abcdef123456",
        "AIzaSyA1234567890abcdefghijklmn",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefg",
        "0123456789abcdef0123456789abcdef",
        "api_key=abcdef",
    ],
)
def test_keys_are_masked(secret: str) -> None:
    """Whatever looks like a key does not reach a message."""
    for code in (CHAT, ANTHROPIC):
        body = json.dumps({"error": {"message": f"Incorrect API key provided: {secret}. Find yours."}}).encode()
        message = code.error(401, {}, body).message
        assert secret.split()[-1] not in message
        assert "[secret]" in message
    # A key that stands where the message is cut leaves no readable half.
    assert secret[:10] not in http_error(401, {}, ("y " * 295 + secret).encode()).message or " " in secret


def test_item_ids_are_kept() -> None:
    """Ids that help when a failure is reported are no keys."""
    text = (
        "Item 'rs_68c42de022c881948db7ed1cc2529f2e0202c9ad459e0d23' of type 'reasoning', req_011CdufXo8Y2LVfY2veyuQWG"
    )
    assert masked(text) == text


NOW = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "100000"}, 300.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"date": NOW, "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"date": NOW, "retry-after": "Wed, 21 Oct 2026 07:00:00 GMT"}, 0.0),
        ({"date": NOW, "retry-after": "Wed, 21 Oct 2099 07:28:30 GMT"}, 300.0),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates, capped; what makes no sense is no hint."""
    assert http_error(429, headers, b"").retry_after_s == seconds


def test_retry_after_as_a_date_without_the_servers_date() -> None:
    """The wall clock is the reference then."""
    hint = http_error(503, {"retry-after": formatdate(time.time() + 60, usegmt=True)}, b"").retry_after_s
    assert hint is not None and 30 < hint <= 61


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        ({"type": "overloaded_error"}, "model_overloaded", True),
        ({"type": "rate_limit_error"}, "model_rate_limited", True),
        ({"type": "api_error"}, "model_server_error", True),
        ({"type": "authentication_error"}, "model_auth", False),
        ({"type": "permission_error"}, "model_auth", False),
        ({"type": "not_found_error"}, "model_not_found", False),
        ({"type": "invalid_request_error"}, "model_bad_request", False),
        ({"type": "timeout_error"}, "model_timeout", True),
        ({"code": "server_error", "message": "m"}, "model_server_error", True),
        ({"code": "rate_limit_exceeded"}, "model_rate_limited", True),
        ({"code": 429}, "model_rate_limited", True),
        ({"code": "503"}, "model_overloaded", True),
        ({"code": "tool_use_failed", "type": "invalid_request_error", "status_code": 400}, "model_bad_request", False),
        ({"code": None, "type": None}, "model_server_error", True),
        ("just text", "model_server_error", True),
        (17, "model_server_error", True),
    ],
)
def test_errors_inside_a_success(error: object, code: str, retryable: bool) -> None:
    """An error in a 200 maps by its number, its code or its type; a wait hint is never taken from it."""
    found = body_error(error)
    assert (found.code, found.retryable, found.retry_after_s) == (code, retryable, None)
