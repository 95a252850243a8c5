"""Every form of a wait: headers above the body, counted on error statuses only, capped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remit.wire.provider_errors import MAX_RETRY_AFTER_S, body_error, http_error
from remit.wire.retry_hints import duration_s, hint_s

RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.074824224s"}
DATE = {"date": "Sat, 28 Nov 2026 10:00:00 GMT", "retry-after": "Sat, 28 Nov 2026 10:00:07 GMT"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "q"}, RETRY_INFO]}},
            34.074824224,
        ),
        ([{"error": {"details": [RETRY_INFO]}}], 34.074824224),
        ({"error": {"message": "Rate limit reached. Please try again in 1m2.5s. Visit"}}, 62.5),
        ({"error": {"message": "Please try again in 898ms."}}, 0.898),
        ({"error": {"message": "Please retry after 26 seconds."}}, 26.0),
        ({"message": "retry in 2 minutes"}, 120.0),
        ({"retry_after": 3}, 3.0),
        ({"error": {"retry_after_ms": 250}}, 0.25),
        ({"retryAfter": "7"}, 7.0),
        ({"error": {"metadata": {"headers": {"Retry-After": "11"}}}}, 11.0),
        ({"error": {"message": "no hint here, 26 seconds of video"}}, None),
        ({"retry_after": -1, "error": {"retry_after": "soon"}}, None),
        ({"retry_after": True}, None),
        ("Try again in 5s", 5.0),
        (None, None),
    ],
)
def test_hints_in_bodies(body: Any, expected: float | None) -> None:
    """Google's RetryInfo, fields, a router's headers, and words."""
    assert hint_s(body) == expected


@pytest.mark.parametrize("status", [429, 503, 529])
@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"retry-after": "3"}, {}, 3.0),
        ({"Retry-After": "1.5"}, {}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "3"}, {}, 0.25),
        (DATE, {}, 7.0),
        ({}, {"error": {"details": [RETRY_INFO]}}, 34.074824224),
        ({"retry-after": "2"}, {"error": {"details": [RETRY_INFO]}}, 2.0),
        ({"retry-after": "nan"}, {"retry_after": 4}, 4.0),
        ({"retry-after": "99999999"}, {}, MAX_RETRY_AFTER_S),
        ({"retry-after": "-5"}, {}, 0.0),
        ({}, {}, None),
    ],
)
def test_waits_of_errors(status: int, headers: dict[str, str], body: Any, expected: float | None) -> None:
    """Each form on each overload status."""
    error = http_error(status, headers, json.dumps(body).encode())
    assert error.retryable and error.retry_after_s == expected


def test_no_wait_where_no_retry_helps() -> None:
    """A refused request with a duration in its words is no reason to wait; a stream's overload is."""
    assert http_error(400, {}, b'{"error":{"message":"try again in 5s with less"}}').retry_after_s is None
    assert body_error({"type": "overloaded_error", "message": "retry in 5s"}).retry_after_s == 5.0


def test_aws_throttling_with_status_400() -> None:
    """The type in x-amzn-errortype stands above status 400, and only where it means less load."""
    named = {"x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/"}
    error = http_error(400, named, b'{"message":"Too many requests"}')
    assert (error.code, error.retryable) == ("model_rate_limited", True)
    refused = http_error(400, {"x-amzn-errortype": "ValidationException"}, b'{"message":"no"}')
    assert (refused.code, refused.retryable) == ("model_bad_request", False)


def test_durations() -> None:
    """Seconds, parts, nothing."""
    assert [duration_s(t) for t in ("1h1m1s", "250ms", " 3 ", "soon", "inf")] == [3661.0, 0.25, 3.0, None, None]
