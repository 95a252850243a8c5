"""Arithmetic on constants: bounded, without effects, UNKNOWN where anything is out of the ordinary."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from remit.code.review.flow.values import HOLE, MAX_CONST, UNKNOWN

_SIMPLE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "&": operator.and_, "|": operator.or_, "^": operator.xor, "<<": operator.lshift,
    ">>": operator.rshift, "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge, "===": operator.eq, "!==": operator.ne, "is": operator.is_,
    "is not": operator.is_not, "<>": operator.ne,
}  # fmt: skip
_UNARY: Final[dict[str, Callable[[Any], Any]]] = {"-": operator.neg, "+": operator.pos, "~": operator.inv}
_NUMBER: Final = (int, float, bool)
_MAX_NUMBER: Final = 1 << 128


def binary(op: str, left: Any, right: Any) -> Any:
    """`left op right` of two constants."""
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    try:
        if op == "in":
            return left in right
        if op == "not in":
            return left not in right
        if op == "**":
            return left**right if abs(left) < 1000 and 0 <= right < 64 else UNKNOWN
        if op not in _SIMPLE or (op == "%" and isinstance(left, str | bytes)):
            return UNKNOWN
        if (op == "<<" and right > 128) or (op == "*" and not _small(left, right)):
            return UNKNOWN
        if op in ("is", "is not") and None not in (left, right):
            return UNKNOWN
        return bounded(_SIMPLE[op](left, right))
    except (TypeError, ValueError, ArithmeticError):
        return UNKNOWN


def _small(left: Any, right: Any) -> bool:
    """Whether a product stays small."""
    if isinstance(left, _NUMBER) and isinstance(right, _NUMBER):
        return abs(left) < _MAX_NUMBER and abs(right) < _MAX_NUMBER
    sizes = [one if isinstance(one, int) else len(one) for one in (left, right) if isinstance(one, int | str | bytes)]
    return len(sizes) == 2 and abs(sizes[0] * sizes[1]) <= MAX_CONST


def unary(op: str, value: Any) -> Any:
    """`op value`."""
    if value is UNKNOWN:
        return UNKNOWN
    if op in ("not", "!"):
        return not value
    try:
        return _UNARY[op](value)
    except (KeyError, TypeError):
        return UNKNOWN


def bounded(value: Any) -> Any:
    """The value itself when it is small enough to keep."""
    if isinstance(value, str | bytes) and len(value) > MAX_CONST:
        return UNKNOWN
    if isinstance(value, int) and abs(value) > _MAX_NUMBER:
        return UNKNOWN
    return value


def at(value: Any, key: Any) -> Any:
    """`value[key]` of a constant text."""
    if isinstance(value, str) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return UNKNOWN


def cut(value: Any, parts: tuple[Any, ...]) -> Any:
    """`value[a:b:c]` of a constant text."""
    if not isinstance(value, str | bytes) or any(p is UNKNOWN or not isinstance(p, int | None) for p in parts):
        return UNKNOWN
    if len(parts) == 3 and parts[2] == 0:
        return UNKNOWN
    return value[slice(*parts)]


def cut_shape(shape: str, parts: tuple[Any, ...]) -> Any:
    """`value[a:b]` of a text of which only the shape is known, where it lies in what is fixed at one of its ends."""
    if HOLE not in shape or len(parts) > 2 or any(p is UNKNOWN or not isinstance(p, int | None) for p in parts):
        return UNKNOWN
    start, end = (*parts, None, None)[:2]
    before, after = len(shape.partition(HOLE)[0]), len(shape.rpartition(HOLE)[2])
    if end is not None and 0 <= (start or 0) <= end <= before:
        return shape[start:end]
    if start is not None and -after <= start < 0 and (end is None or end < 0):
        return shape[start:end]
    return UNKNOWN


_TEXT: Final = frozenset(
    ["upper", "lower", "strip", "lstrip", "rstrip", "title", "capitalize", "casefold", "swapcase", "startswith",
        "endswith", "replace", "find", "index", "count", "isdigit", "isalpha", "isalnum", "isupper", "islower",
        "removeprefix", "removesuffix", "encode", "decode", "zfill", "split", "rsplit", "splitlines", "join",
        "hex", "partition", "trim", "toUpperCase", "toLowerCase", "includes", "startsWith", "endsWith", "charAt",
        "indexOf"]
)  # fmt: skip
_RENAMED: Final = {"trim": "strip", "toUpperCase": "upper", "toLowerCase": "lower", "startsWith": "startswith",
                   "endsWith": "endswith", "indexOf": "find"}  # fmt: skip


def method(name: str, value: Any, args: list[Any]) -> Any:
    """`value.name(*args)` of a constant text; a list result is a Python list."""
    if name not in _TEXT or not isinstance(value, str | bytes) or any(a is UNKNOWN for a in args):
        return UNKNOWN
    if sum(len(a) for a in args if isinstance(a, str | bytes)) > MAX_CONST:
        return UNKNOWN
    try:
        if name == "includes":
            return args[0] in value
        if name == "charAt":
            return value[args[0] : args[0] + 1]
        if name == "zfill" and args[0] > MAX_CONST:
            return UNKNOWN
        return bounded(getattr(value, _RENAMED.get(name, name))(*args))
    except (TypeError, ValueError, LookupError, AttributeError, UnicodeError):
        return UNKNOWN
