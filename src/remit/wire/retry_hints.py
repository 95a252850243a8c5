"""How long an error's body asks to wait.

Known forms: Google's RetryInfo among the details (`"retryDelay": "34.07s"`), a number or duration in
a field named like retry_after, a Retry-After header that a router repeats in the body, and words
("Please try again in 1m2.5s").

Source: google.rpc.RetryInfo; protobuf JSON mapping of Duration; OpenAI and Groq 429 messages;
OpenRouter docs "Errors" (metadata.headers).
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from remit.core.patterns import lazy

_FIELDS: Final = {
    "retrydelay": 1.0,
    "retryafter": 1.0,
    "retryafters": 1.0,
    "retryafterseconds": 1.0,
    "retryafterms": 0.001,
    "retrydelayms": 0.001,
}
_PLACES: Final = ("error", "details", "errors", "metadata", "headers", "detail")
_WORDS: Final = lazy(
    r"(?:try again|retry|retry after|retry in|wait)(?: after| in| for)?:? "
    r"((?:\d{1,6}(?:\.\d{1,9})? ?(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b ?)+"
    r"|(?:\d{1,6}(?:\.\d{1,9})?(?:ms|[smh]))+)",
    re.I,
)
_PART: Final = lazy(r"(\d+(?:\.\d+)?) ?(ms|milli|s|m|h)", re.I)
_UNITS: Final = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
MAX_DEPTH: Final = 5
MAX_TEXT: Final = 4000  # characters of a message that are looked at


def hint_s(value: Any, depth: int = 0) -> float | None:
    """Seconds that an error's JSON (or text) asks to wait; None when it names none."""
    if type(value) is str:
        found = _WORDS.search(value[:MAX_TEXT])
        return duration_s(found[1]) if found else None
    if depth >= MAX_DEPTH:
        return None
    if type(value) is list:
        return next((hint for item in value[:20] if (hint := hint_s(item, depth + 1)) is not None), None)
    return _of_object(value, depth) if type(value) is dict else None


def _of_object(value: dict[str, Any], depth: int) -> float | None:
    for key, field in value.items():
        scale = _FIELDS.get(re.sub(r"[^a-z]", "", key.lower()))
        if scale is not None:
            hint = duration_s(field) if type(field) is str else _number(field)
            if hint is not None:
                return hint * scale
    for key in _PLACES:
        hint = hint_s(value.get(key), depth + 1)
        if hint is not None:
            return hint
    return hint_s(value.get("message"), depth + 1)  # a field says it more exactly than words


def duration_s(text: str) -> float | None:
    """Seconds of "34.07s", "1m2.5s", "250ms" or a plain number; None for anything else."""
    text = text.strip()[:60]
    try:
        return _number(float(text))
    except ValueError:
        pass
    parts = _PART.findall(text)
    return _number(sum(float(number) * _UNITS[unit.lower()] for number, unit in parts)) if parts else None


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and math.isfinite(value) and value >= 0 else None
