"""Reading of decoded JSON that came from outside: every access is checked, every failure one error.

A provider may send anything. These functions turn bytes into JSON within bounds and read fields
with the type they must have; whatever does not fit raises `model_bad_reply`, naming the field.
A missing field and `null` are the same thing: the empty value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from remit.core.messages import Echo
from remit.errors import ModelError

Count = Annotated[int, Meta(ge=0, le=10**15)]
"""a token count, for typed decoders; what they refuse, `count` judges"""
Nought = Annotated[int, Meta(ge=0, le=0)]

MAX_DEPTH: Final = 100  # nesting of JSON; real replies stay below 20
MAX_COUNT: Final = 10**15  # tokens; more is a lie and would not fit an int64 sum
EMPTY: Final[dict[str, Any]] = {}
NO_ITEMS: Final[list[Any]] = []

_Shape = TypeVar("_Shape")

_DECODE = msgspec.json.Decoder().decode
_ENCODE = msgspec.json.Encoder().encode


def bad_reply(why: str) -> ModelError:
    """The error of a reply that is not what its protocol says."""
    return ModelError("model_bad_reply", why)


def read_json(data: bytes | str) -> Any:
    """JSON of `data`, at most MAX_DEPTH deep; raises model_bad_reply.

    Lone surrogate escapes, which some servers send when they cut text between the halves of a
    pair, become U+FFFD; NaN, numbers out of range and bytes that are not UTF-8 are refused.
    """
    try:
        value = _DECODE(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        value = _repaired(data, error)
    # Counting brackets is two scans in C; the walk runs only when the bound can be broken at all.
    if brackets(data) > MAX_DEPTH and _too_deep(value):
        raise bad_reply(f"JSON is nested deeper than {MAX_DEPTH} levels")
    return value


def read_object(data: bytes) -> dict[str, Any]:
    """A JSON object; raises model_bad_reply for any other value."""
    value = read_json(data)
    if type(value) is not dict:
        raise bad_reply(f"the reply is JSON of type {_name(value)}, not an object")
    return value


def _repaired(data: bytes | str, error: Exception) -> Any:
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    repaired = raw.removeprefix(b"\xef\xbb\xbf")
    if b"\\u" in repaired and not isinstance(error, RecursionError):
        repaired = _without_lone_surrogates(repaired)
    if repaired == raw:
        raise bad_reply(f"not JSON: {_short(error)}") from None
    try:
        return _DECODE(repaired)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as again:
        raise bad_reply(f"not JSON: {_short(again)}") from None


def _without_lone_surrogates(raw: bytes) -> bytes:
    import re

    # Escapes are consumed one by one, so that an escaped backslash before a "u" is left alone.
    escape = rb"\\(?:u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|([dD][89a-fA-F][0-9a-fA-F]{2}))|.)"
    return re.sub(escape, lambda match: b"\\ufffd" if match[1] else match[0], raw)


def brackets(data: bytes | str) -> int:
    """How many objects and lists begin in it: no JSON is nested deeper."""
    if isinstance(data, str):
        return data.count("{") + data.count("[")
    return data.count(b"{") + data.count(b"[")


def is_plain_json(body: bytes) -> bool:
    """Whether a typed decoder may skip parts of it: what is skipped is not checked for UTF-8 and depth."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            return False
    return brackets(body) <= MAX_DEPTH


def plain_reader(shape: type[_Shape]) -> Callable[[bytes], _Shape | None]:
    """A typed decoder for bodies of one shape; what does not fit, or is no plain JSON, is None."""
    decode = msgspec.json.Decoder(shape).decode

    def read(body: bytes) -> _Shape | None:
        if not is_plain_json(body):
            return None
        try:
            return decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None

    return read


def _too_deep(value: Any) -> bool:
    level = [value] if type(value) in (dict, list) else []
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _short(error: Exception) -> str:
    return str(error)[:120]


def _name(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def text(source: dict[str, Any], key: str) -> str:
    """A string field; missing or null = ""."""
    value = source.get(key)
    if value is None:
        return ""
    if type(value) is str:
        return value
    raise bad_reply(f"field {key} is {_name(value)}, not a string")


def label(source: dict[str, Any], key: str) -> str:
    """A string that only names something (an id, a model); any other value = ""."""
    value = source.get(key)
    return value if type(value) is str else ""


def obj(source: dict[str, Any], key: str) -> dict[str, Any]:
    """An object field; missing or null = {}."""
    value = source.get(key)
    if value is None:
        return EMPTY
    if type(value) is dict:
        return value
    raise bad_reply(f"field {key} is {_name(value)}, not an object")


def objects(source: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A field that is a list of objects; missing or null = []."""
    value = source.get(key)
    if value is None:
        return NO_ITEMS
    if type(value) is not list:
        raise bad_reply(f"field {key} is {_name(value)}, not a list")
    for item in value:
        if type(item) is not dict:
            raise bad_reply(f"field {key} holds {_name(item)}, not an object")
    return value


def count(source: dict[str, Any], key: str) -> int:
    """A token count; missing, null or negative ("unknown" of some servers) = 0."""
    value = source.get(key)
    if value is None:
        return 0
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or value > MAX_COUNT:
        raise bad_reply(f"field {key} is not a token count")
    return value if value > 0 else 0


def index(source: dict[str, Any], key: str) -> int | None:
    """The number by which a server names a block or a call; None when it is missing or no number.

    It tells blocks apart and orders them, nothing more: a negative or huge one does that as well.
    """
    value = source.get(key)
    return value if type(value) is int else None


def arguments(raw: Any) -> tuple[dict[str, Any], str]:
    """(arguments, invalid) of a tool call: an object, or {} and the raw text that is none."""
    if raw is None or raw == "":
        return {}, ""
    if type(raw) is dict:
        return raw, ""
    if type(raw) is not str:
        return {}, as_json(raw)
    try:
        value = read_json(raw)
    except ModelError:
        return ({}, "") if not raw.strip() else ({}, raw)
    if value is None:  # how some servers write that a call has no arguments
        return {}, ""
    return (value, "") if type(value) is dict else ({}, raw)


def as_json(value: Any) -> str:
    """Compact JSON text."""
    return _ENCODE(value).decode()


def echo_of(part: Any, wire: str) -> Any:
    """The provider's own item when `part` carries one of this wire family, else None."""
    echo: Echo | None = part.echo
    return echo.item if echo is not None and echo.wire == wire else None
