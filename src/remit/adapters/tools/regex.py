"""regex: match, find, replace and split text by a regular expression that cannot hang (core/linear_regex.py)."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Final, Literal

import msgspec

from remit.adapters.tools._text import clip
from remit.core.linear_regex import Bounded, Span, compile_bounded
from remit.core.tools import tool
from remit.errors import Exhausted, Invalid
from remit.ports.tool import Context

_MAX_TEXT_CHARS: Final = 200_000
_MAX_MATCHES: Final = 1000
_MAX_CHARS: Final = 48 * 1024
_MAX_REPLACED_CHARS: Final = 1_000_000
_FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "a": re.ASCII}
_REFERENCE: Final = re.compile(r"\\(?:(\d{1,2})|g<(\w{1,60})>|([nrt\\]))", re.ASCII)
_CONTROL: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}


@tool(effect="read", returns="tool", builtin=True)
def regex(
    ctx: Context[Any],
    operation: Literal["match", "find_all", "replace", "split"],
    pattern: str,
    text: str,
    replacement: str = "",
    flags: str = "",
) -> str:
    """Apply a Python regular expression to a text; work is bounded, so that no pattern can hang.

    Args:
        operation: match (whole text, with groups), find_all (JSON list), replace, split (JSON list)
        pattern: at most 1,000 characters
        text: at most 200,000 characters
        replacement: may hold groups as \\1 or \\g<name>
        flags: letters of i (ignore case), m (multi-line), s (dot matches line breaks), x (verbose), a (ASCII)
    """
    if len(text) > _MAX_TEXT_CHARS:
        raise Invalid("value_invalid", f"the text is longer than {_MAX_TEXT_CHARS} characters")
    if set(flags) - _FLAGS.keys():
        raise Invalid("value_invalid", f"flags are letters of {''.join(_FLAGS)}, not {flags[:20]!r}")
    value = 0
    for flag in flags:
        value |= _FLAGS[flag]
    match operation:
        case "match":
            return _match(pattern, value, text)
        case "find_all":
            return _find_all(compile_bounded(pattern, value), text)
        case "replace":
            return clip(_replace(compile_bounded(pattern, value), text, replacement), _MAX_CHARS)
        case "split":
            return _split(compile_bounded(pattern, value), text)


def _match(pattern: str, flags: int, text: str) -> str:
    # A line break before the parenthesis: a verbose pattern may end in a comment.
    whole = compile_bounded(rf"\A(?:{pattern}{chr(10) if flags & re.VERBOSE else ''})\Z", flags)
    spans = whole.search(text)
    return "no match" if spans is None else f"match\n{_json(_shown(whole, text, spans))}"


def _find_all(wanted: Bounded, text: str) -> str:
    found = [_shown(wanted, text, spans) for spans in islice(wanted.matches(text), _MAX_MATCHES + 1)]
    note = f"\n[cut: the first {_MAX_MATCHES} matches shown]" if len(found) > _MAX_MATCHES else ""
    return clip(_json(found[:_MAX_MATCHES]), _MAX_CHARS) + note


def _shown(wanted: Bounded, text: str, spans: list[Span]) -> dict[str, Any]:
    names = {number: name for name, number in wanted.names.items()}
    shown: dict[str, Any] = {"text": text[slice(*spans[0])], "start": spans[0][0], "end": spans[0][1]}
    if len(spans) > 1:
        shown["groups"] = {
            names.get(number, str(number)): None if span[0] < 0 else text[slice(*span)]
            for number, span in enumerate(spans[1:], 1)
        }
    return shown


def _replace(wanted: Bounded, text: str, replacement: str) -> str:
    pieces = _template(wanted, replacement)
    out: list[str] = []
    at = size = 0
    for spans in wanted.matches(text):
        out.append(text[at : spans[0][0]])
        for piece in pieces:
            made = piece if isinstance(piece, str) else "" if spans[piece][0] < 0 else text[slice(*spans[piece])]
            size += len(made)
            out.append(made)
        if size > _MAX_REPLACED_CHARS:
            raise Exhausted("output_too_large", f"the replaced text has more than {_MAX_REPLACED_CHARS} characters")
        at = spans[0][1]
    return "".join(out) + text[at:]


def _template(wanted: Bounded, replacement: str) -> list[str | int]:
    """Literal pieces and group numbers of a replacement."""
    pieces: list[str | int] = []
    at = 0
    for found in _REFERENCE.finditer(replacement):
        pieces.append(replacement[at : found.start()])
        at = found.end()
        if found[3]:
            pieces.append(_CONTROL[found[3]])
            continue
        key = found[1] or found[2]
        number = int(key) if key.isdecimal() else wanted.names.get(key, -1)
        if not 0 <= number <= wanted.groups:
            raise Invalid("value_invalid", f"the replacement names group {key!r}; the pattern has {wanted.groups}")
        pieces.append(number)
    return [*pieces, replacement[at:]]


def _split(wanted: Bounded, text: str) -> str:
    parts: list[str] = []
    at = 0
    for spans in islice(wanted.matches(text), _MAX_MATCHES):
        parts.append(text[at : spans[0][0]])
        at = spans[0][1]
    return clip(_json([*parts, text[at:]]), _MAX_CHARS)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
