"""Forms: what a person may answer to a question of a run, and whether an answer is one.

Kinds: text, text_area, boolean, number, select, multi_select, date_time, file, json. An answer is JSON data: a date
is its ISO 8601 text with an offset, a file is its name and its bytes as base64. `read` makes a value of what somebody
typed, `check` rules it. Both raise answer_invalid, which says what was expected; nothing is ever guessed.

Source: spec/teams.md 11 (inputs).
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from remit.errors import Invalid

Kind = Literal["text", "text_area", "boolean", "number", "select", "multi_select", "date_time", "file", "json"]
MAX_TEXT: Final = 64 * 1024  # characters
MAX_FILE_BYTES: Final = 8 * 1024 * 1024
MAX_JSON_BYTES: Final = 1024 * 1024
MAX_CHOICES: Final = 1000
YES: Final = frozenset(("y", "yes", "true", "approve", "approved"))
NO: Final = frozenset(("n", "no", "false", "deny", "denied"))
_encode: Final = msgspec.json.Encoder().encode


class Form(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One question's form."""

    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    """of select and multi_select"""
    minimum: float | None = None
    """of a number; of how many choices in multi_select"""
    maximum: float | None = None
    max_chars: int = MAX_TEXT
    """of text and text_area"""

    def __post_init__(self) -> None:
        if self.kind in ("select", "multi_select"):
            if not self.choices or len(set(self.choices)) != len(self.choices) or len(self.choices) > MAX_CHOICES:
                raise Invalid("value_invalid", f"{self.kind} needs 1 to {MAX_CHOICES} different choices")
        elif self.choices:
            raise Invalid("value_invalid", f"{self.kind} takes no choices")
        if not 0 < self.max_chars <= MAX_TEXT:
            raise Invalid("value_invalid", f"max_chars={self.max_chars}; 1 to {MAX_TEXT}")

    def data(self) -> dict[str, Any]:
        """For the journal."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def form_of(data: dict[str, Any]) -> Form:
    """A journalled form; raises value_invalid."""
    try:
        return msgspec.convert(data, Form)
    except msgspec.ValidationError as e:
        raise Invalid("value_invalid", f"not a form: {e}") from None


def check(form: Form, value: Any) -> Any:
    """`value` when it answers the form; raises answer_invalid."""
    return _CHECKS[form.kind](form, value)


def read(form: Form, text: str) -> Any:
    """The value that somebody typed, checked; raises answer_invalid. A file's bytes come as base64."""
    match form.kind:
        case "boolean":
            word = text.strip().lower()
            return check(form, word in YES if word in YES | NO else text)
        case "number" | "json":
            return check(form, _json(text))
        case "multi_select":
            return check(form, [part.strip() for part in text.split(",") if part.strip()])
        case "text_area":
            return check(form, text)
        case _:
            return check(form, text.strip())


def describe(form: Form) -> str:
    """What an answer looks like, in a few words."""
    match form.kind:
        case "boolean":
            return "yes or no"
        case "select":
            return "one of: " + ", ".join(form.choices)
        case "multi_select":
            return "any of (comma between): " + ", ".join(form.choices)
        case "number":
            low = "" if form.minimum is None else f" from {form.minimum:g}"
            high = "" if form.maximum is None else f" to {form.maximum:g}"
            return f"a number{low}{high}"
        case "date_time":
            return "a date and time with its offset, for example 2026-01-31T09:00:00+00:00"
        case "file":
            return "a file: @PATH"
        case "json":
            return "JSON"
        case _:
            return f"text, at most {form.max_chars} characters"


def _no(form: Form, value: Any) -> Invalid:
    return Invalid("answer_invalid", f"{value!r:.80} is no answer; expected {describe(form)}")


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as e:
        raise Invalid("answer_invalid", f"not JSON: {str(e)[:200]}") from None


def _text(form: Form, value: Any) -> Any:
    if not isinstance(value, str) or len(value) > form.max_chars or not _encodable(value):
        raise _no(form, value)
    return value


def _boolean(form: Form, value: Any) -> Any:
    if not isinstance(value, bool):
        raise _no(form, value)
    return value


def _number(form: Form, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _within(form, value):
        raise _no(form, value)
    return value


def _select(form: Form, value: Any) -> Any:
    if value not in form.choices:
        raise _no(form, value)
    return value


def _several(form: Form, value: Any) -> Any:
    if not isinstance(value, list | tuple) or any(each not in form.choices for each in value):
        raise _no(form, value)
    if len(set(value)) != len(value) or not _within(form, len(value)):
        raise _no(form, value)
    return list(value)


def _date_time(form: Form, value: Any) -> Any:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _no(form, value) from None
    if found.tzinfo is None:
        raise _no(form, value)
    return value


def _file(form: Form, value: Any) -> Any:
    if not isinstance(value, dict) or sorted(value) != ["data", "name"] or not isinstance(value["name"], str):
        raise _no(form, value)
    name = value["name"]
    if not 0 < len(name) <= 255 or "/" in name or "\0" in name or name in (".", "..") or not _encodable(name):
        raise _no(form, value)
    try:
        size = len(b64decode(value["data"], validate=True))
    except (TypeError, ValueError, binascii.Error):
        raise _no(form, value) from None
    if size > MAX_FILE_BYTES:
        raise Invalid("answer_invalid", f"the file has {size} bytes; at most {MAX_FILE_BYTES}")
    return value


def _any_json(form: Form, value: Any) -> Any:
    try:
        size = len(_encode(value))
    except (TypeError, ValueError, RecursionError):
        raise _no(form, value) from None
    if size > MAX_JSON_BYTES:
        raise Invalid("answer_invalid", f"the answer has {size} bytes of JSON; at most {MAX_JSON_BYTES}")
    return value


def _within(form: Form, value: float) -> bool:
    # Not a number and infinity differ from themselves by something that is not 0.
    low, high = form.minimum, form.maximum
    return value - value == 0 and (low is None or value >= low) and (high is None or value <= high)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_CHECKS: Final = {
    "text": _text,
    "text_area": _text,
    "boolean": _boolean,
    "number": _number,
    "select": _select,
    "multi_select": _several,
    "date_time": _date_time,
    "file": _file,
    "json": _any_json,
}
