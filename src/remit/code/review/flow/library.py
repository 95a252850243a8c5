"""Calls whose effect is known: containers, text, conversions, tests. Everything else is a call of something unknown."""

from __future__ import annotations

from typing import Any, Final

from remit.code.review.flow.calls import special
from remit.code.review.flow.checks import tested
from remit.code.review.flow.containers import CONTAINERS
from remit.code.review.flow.events import Event
from remit.code.review.flow.functions import FUNCTIONS
from remit.code.review.flow.run import Run
from remit.code.review.flow.values import (
    CLEAN,
    NOTHING,
    UNKNOWN,
    Box,
    Value,
    join_taints,
)
from remit.code.review.flow.wording import text_method

_NUMBERS: Final = frozenset(("int", "float", "bool", "len", "ord", "hash", "id", "isinstance", "issubclass", "hasattr",
                             "callable", "type", "abs", "round", "sum", "parseInt", "parseFloat", "Number", "Boolean",
                             "cap", "uuid.UUID", "decimal.Decimal", "complex", "strconv.Atoi", "strconv.ParseInt",
                             "strconv.ParseFloat", "strconv.ParseBool", "strconv.ParseUint", "isNaN", "any", "all",
                             "datetime.datetime.strptime", "datetime.date.fromisoformat", "uuid.Parse", "range",
                             "zlib.crc32", "binascii.crc32",
                             "Number.parseInt", "Number.parseFloat", "ipaddress.ip_address", "time.Parse"))  # fmt: skip
"""Functions whose result cannot hold a text that harms."""
_HARMLESS_METHODS: Final = frozenset(("isdigit", "isalpha", "isalnum", "isnumeric", "isdecimal", "isidentifier",
    "count",
                                      "find", "index", "rfind", "rindex", "startswith", "endswith", "exists", "is_file",
                                      "is_dir", "hexdigest", "digest", "bit_length", "hasOwnProperty", "indexOf",
                                      "includes", "lastIndexOf", "startsWith", "endsWith", "test", "has", "toFixed",
                                      "getTime", "starts_with", "ends_with", "is_empty", "contains", "is_some",
                                      "is_none", "is_ok", "is_err", "len", "length", "timestamp", "fileno",
                                      "is_relative_to", "isspace", "isupper", "islower", "__contains__", "charCodeAt",
                                      "codePointAt", "isprintable", "isascii", "Len", "size"))  # fmt: skip
_SAME: Final = frozenset(("str", "list", "tuple", "sorted", "reversed", "set", "iter", "copy.copy", "copy.deepcopy",
                          "String", "Array.from", "bytes", "frozenset", "Object", "string", "typing.cast",
                          "structuredClone", "String.from", "Some", "Ok", "Box.new", "Arc.new", "Rc.new",
                          "dict"))  # fmt: skip
_SAME_METHODS: Final = frozenset(("to_string", "to_owned", "clone", "as_str", "unwrap", "expect", "unwrap_or_default",
                                  "into", "as_ref", "copy", "toString", "valueOf", "__str__", "as_bytes", "borrow",
                                  "to_str", "as_mut", "iter", "into_iter", "collect", "String", "Bytes", "strip",
                                  "trim",
                                  "lower", "upper", "getvalue", "toLowerCase", "toUpperCase"))  # fmt: skip
_CONFIG: Final = frozenset(("configparser.ConfigParser", "configparser.RawConfigParser",
    "configparser.SafeConfigParser",
                            "ConfigParser.ConfigParser"))  # fmt: skip


def known_call(run: Run, event: Event) -> Value | None:
    """The result of a call that is known, with its effect on the state; None for others."""
    box = run.box(event.receiver)
    if box is not None:
        action = CONTAINERS.get(event.method)
        if action is not None and (box.kind != "object" or box.cls is None):
            made = action(run, event, box)
            if made is not None:
                return made
    text = text_method(run, event)
    if text is not None:
        return text
    made = tested(run, event)
    if made is not None:
        return made
    return _plain(run, event)


def _plain(run: Run, event: Event) -> Value | None:
    name = event.name
    first = event.args[0] if event.args else None
    if name in _CONFIG:
        return run.new_box(Box("config"), f"{name}()")
    if name in _NUMBERS or name.rpartition("/")[2] in _NUMBERS:
        return _numeric(run, event)
    if event.method in _HARMLESS_METHODS and (event.receiver is not NOTHING):
        return Value(qual=f"{name}()")
    if name == "str" and event.args and event.args[0].ref:
        shown = special(run, event.args[0], "__str__", [])
        if shown is not None:
            return shown
    if name in _SAME and len(event.args) == 1 and not event.keywords and first is not None:
        return _copied(run, first)
    known = event.receiver.taints or event.receiver.shape is not None
    if event.method in _SAME_METHODS and event.receiver is not NOTHING and known:
        made = event.receiver.tainted(event.receiver.taints)
        made.shape = event.receiver.shape if event.method not in ("lower", "upper") else None
        made.const = event.receiver.const if not event.receiver.taints and made.shape is not None else UNKNOWN
        return made
    action = FUNCTIONS.get(name)
    return action(run, event) if action is not None else None


def _numeric(run: Run, event: Event) -> Value:
    from remit.code.review.flow.texts import numeric

    taints = CLEAN
    for one in event.args:
        taints = join_taints(taints, numeric(Value(taints=run.deep(one))))
    const: Any = UNKNOWN
    if event.args and event.name == "len":
        box = run.box(event.args[0])
        if box is not None and box.rest is None:
            const = len(box.items if box.items is not None else box.keys)
        elif isinstance(event.args[0].const, str | bytes):
            const = len(event.args[0].const)
    elif len(event.args) == 1 and event.name in ("int", "float", "bool", "parseInt", "Number", "strconv.Atoi"):
        const = _converted(event.name, event.args[0].const)
    return Value(const, taints)


def _converted(name: str, const: Any) -> Any:
    if (
        const is UNKNOWN
        or not isinstance(const, str | int | float | bool)
        or (isinstance(const, str) and len(const) > 40)
    ):
        return UNKNOWN
    try:
        return {"float": float, "bool": bool}.get(name, int)(const)
    except (ValueError, OverflowError):
        return UNKNOWN


def _copied(run: Run, value: Value) -> Value:
    box = run.box(value)
    if box is None:
        return value
    if value.target is not None or box.cls is not None:
        return value
    return run.new_box(Box(box.kind, list(box.items) if box.items is not None else None, dict(box.keys), box.rest))


# Text.


# Tests.


# Functions.
