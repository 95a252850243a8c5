"""Errors of providers, mapped to one family of codes.

Two sources: an answer whose status is not 2xx (`http_error`), and an error object inside a 200
answer or stream (`body_error`), which is mapped by its own status number, code or type the same
way. The message is the provider's, bounded and with everything that looks like a key masked.
Waiting hints count only on error statuses; a success that carries retry-after is no reason to wait.
The forms: retry-after in seconds or as a date, retry-after-ms, and in the body Google's RetryInfo, a
field of that name, or the words of the message (`wire/retry_hints.py`). A header stands above the body.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from remit.core.patterns import lazy
from remit.errors import ModelError
from remit.wire.reading import read_json
from remit.wire.retry_hints import hint_s

MAX_MESSAGE: Final = 600  # characters of a provider's message that are kept
MAX_SCANNED: Final = 64 * 1024  # bytes of an error body that are looked at
MAX_RETRY_AFTER_S: Final = 300.0

# status -> code; other 4xx are model_bad_request, other 5xx model_server_error.
# Source: OpenAI "Error codes" guide, Anthropic API "Errors" (529 = overloaded_error).
_BY_STATUS: Final[dict[int, str]] = {
    401: "model_auth",
    403: "model_auth",
    404: "model_not_found",
    408: "model_timeout",
    429: "model_rate_limited",
    503: "model_overloaded",
    529: "model_overloaded",
}
# words of an error's code or type inside a 200 answer -> HTTP status that means the same; first hit wins
_BY_WORD: Final[tuple[tuple[str, int], ...]] = (
    ("overloaded", 529),
    ("unavailable", 503),
    ("throttl", 429),
    ("rate_limit", 429),
    ("ratelimit", 429),
    ("too_many_requests", 429),
    ("insufficient_quota", 429),
    ("resource_exhausted", 429),
    ("api_key", 401),
    ("authentication", 401),
    ("unauthorized", 401),
    ("unrecognizedclient", 401),
    ("expiredtoken", 401),
    ("accessdenied", 403),
    ("permission", 403),
    ("forbidden", 403),
    ("not_found", 404),
    ("resourcenotfound", 404),
    ("notready", 503),
    ("timeout", 408),
    ("deadline_exceeded", 408),
    ("modelstreamerror", 500),
    ("modelerror", 500),
    ("server_error", 500),
    ("internal", 500),
    ("api_error", 500),
    ("invalid", 400),
    ("validation", 400),
    ("failed_precondition", 400),
    ("bad_request", 400),
    ("unsupported", 400),
    ("tool_use_failed", 400),
    ("context_length", 400),
    ("content_policy", 400),
    ("content_filter", 400),
)
# Key prefixes that providers use, bearer values, JSON web tokens, and any long token of mixed
# letters and digits that is not an item id (ids have a known prefix and help when reported).
_SECRET: Final = lazy(
    r"(?i:bearer|basic|api[-_ ]?key(?: provided)?|token|authorization|password|secret)[\"']?"
    r"(?:\s*[:=]\s*|\s+)[\"']?(?=\S*[\d*])[^\s\"']{6,}"
    r"|(?i:api[-_]?key|token|password|secret|signature)=[^\s&\"']+"
    r"|\b(?:sk|pk|rk|gsk|xai|hf|csk|tgp|ghp|gho|glpat|nvapi|fw|pplx|r8|dsk|dop|aws)[-_][\w*.-]{6,}"
    r"|\bAIza[\w-]{20,}|\bA[KS]IA[A-Z0-9]{12,}|\beyJ[\w-]{8,}(?:\.[\w-]+){1,2}"
    r"|(?<![\w-])(?!(?:req|resp|rs|msg|fc|call|toolu|srvtoolu|chatcmpl|gen|run|file|tsc|ws|ctc)[-_])"
    r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{32,}"
)


def masked(message: str) -> str:
    """`message` with everything that looks like a key replaced by [secret]."""
    return _SECRET.sub("[secret]", message)


def http_error(status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
    """The error of an answer whose status is not 2xx."""
    value = _value(body)
    reported = _bounded(_message(value))
    why = f"HTTP {status}: {reported}" if reported else f"HTTP {status} without a message"
    lower = {name.lower(): text for name, text in headers.items()}
    kind = lower.get("x-amzn-errortype", "").partition(":")[0]
    if kind and status == 400:  # AWS services report throttling with status 400 as well
        meant = _status_of({"type": kind})
        status = meant if meant in (429, 503) else status
        why = f"{why} ({kind})"
    wait = _retry_after_s(lower)
    if wait is None and (status in (408, 429) or status >= 500):
        wait = _body_wait_s(value)
    return _error(status, why, wait)


def _body_wait_s(value: Any) -> float | None:
    hint = hint_s(value)
    return None if hint is None else _capped(hint)


def body_error(error: Any) -> ModelError:
    """The error that a 200 answer or stream carries in `error` (an object, a text or anything)."""
    fields = error if type(error) is dict else {}
    why = _bounded(_message(error) or "the provider reported an error without a message")
    status = _status_of(fields)
    return _error(status, why, _body_wait_s(error) if status in (408, 429) or status >= 500 else None)


def error_in(reply: dict[str, Any]) -> ModelError | None:
    """The error that a JSON reply is or carries, in any of the known forms, else None."""
    error = reply.get("error")
    if error:
        return body_error(error)
    if reply.get("object") == "error" or reply.get("type") == "error":
        return body_error(reply)
    return None


def _error(status: int, why: str, retry_after_s: float | None) -> ModelError:
    code = _BY_STATUS.get(status)
    if code is None:
        if 400 <= status < 500:
            code = "model_bad_request"
        else:
            code = "model_server_error" if status >= 500 else "model_bad_reply"
    retryable = status in (408, 429) or status >= 500
    return ModelError(code, why, retryable=retryable, status=status, retry_after_s=retry_after_s)


def _status_of(fields: dict[str, Any]) -> int:
    named = []
    for key in ("status_code", "status", "http_code", "code", "type"):
        value = fields.get(key)
        if type(value) is int and 400 <= value < 600:
            return value
        if type(value) is str:
            if re.fullmatch(r"[45][0-9]{2}", value):
                return int(value)
            named.append(value.lower().replace("-", "_").replace(" ", "_"))
    for name in named:
        for word, status in _BY_WORD:
            if word in name:
                return status
    return 500  # an error that says nothing of itself is the server's, and may pass


def _value(body: bytes) -> Any:
    shown = body[:MAX_SCANNED]
    try:
        return read_json(shown)
    except ModelError:
        value = shown.decode("utf-8", "replace")
        if "<" in value:  # an error page of a proxy
            value = re.sub(r"<(script|style)[^>]{0,200}>.{0,8000}?</\1>|<[^<>]{0,500}>", " ", value[:8000], flags=re.S)
        return value


def _message(value: Any, depth: int = 0) -> str:
    if type(value) is str:
        return value
    if type(value) is list and depth < 4:
        return "; ".join(filter(None, (_message(item, depth + 1) for item in value[:5])))
    if type(value) is not dict or depth >= 4:
        return ""
    found = ""
    for key in ("error", "message", "msg", "detail", "details", "errors", "error_description", "title", "Message"):
        if value.get(key):
            found = _message(value[key], depth + 1)
            if found:
                break
    metadata = value.get("metadata")
    if type(metadata) is dict and type(metadata.get("raw")) is str:  # OpenRouter: what its upstream said
        found = f"{found}: {metadata['raw']}"
    if not found and depth == 0 and value:
        return msgspec.json.encode(value).decode()[:MAX_MESSAGE]
    return found


def _bounded(message: str) -> str:
    # Masked before the cut, so that a cut cannot leave the readable half of a key behind.
    clean = masked(" ".join(message[: MAX_MESSAGE * 8].split()))
    return clean if len(clean) <= MAX_MESSAGE else clean[: MAX_MESSAGE - 1] + "…"


def _retry_after_s(lower: Mapping[str, str]) -> float | None:
    hint = _number(lower.get("retry-after-ms"))
    if hint is not None:
        return _capped(hint / 1000)
    value = lower.get("retry-after")
    hint = _number(value)
    if hint is not None:
        return _capped(hint)
    until = _http_date(value)
    if until is None:
        return None
    # The server's own clock is the better reference: its date and its hint drift together.
    now = _http_date(lower.get("date"))
    return _capped(until - (time.time() if now is None else now))  # noqa: TID251 -- HTTP dates are wall clock


def _capped(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None and len(value) < 40 else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _http_date(value: str | None) -> float | None:
    if value is None or len(value) > 60:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
