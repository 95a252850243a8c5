"""The forms in which a secret value may show itself, as patterns of one reduced alphabet.

The idea: text is reduced to its ASCII letters and digits in lower case, and so is every encoding of the
value. One reduction then undoes what hides a value from a plain search: separators, quotes and line breaks
between its pieces, changed case, `de:ad:be:ef` against `deadbeef`, base64 with other symbols or broken
lines. Forms: plain, base64 (its three alignments; once more encoded), base32, hex, decimal codes, rot13,
and each of them reversed. Percent, JSON, HTML and `\\x` escapes are undone in the text instead (`decoded`).

Invariants: a pattern has at least MIN_PATTERN characters, so that ordinary words are none; a value whose own
letters are fewer is searched with its symbols, and byte for byte as it stands.
"""

from __future__ import annotations

import re
from base64 import b32encode, b64encode
from codecs import encode
from typing import Final

MIN_PATTERN: Final = 8
PIECE_BYTES: Final = 64
"""a longer value is guarded piece by piece, so that a part of it is found too"""
_LOWER: Final = bytes(range(256)).lower()
LETTERS: Final = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""what is kept of a text for most values"""
VISIBLE: Final = frozenset(range(0x21, 0x7F))
"""what is kept for values that are mostly symbols"""
_DROPPED: Final = {kept: bytes(set(range(256)) - kept) for kept in (LETTERS, VISIBLE)}
_ESCAPE: Final = re.compile(
    rb"%(?:25)*([0-9A-Fa-f]{2})"
    rb"|\\+u00([0-9A-Fa-f]{2})|\\+u\{0{0,4}([0-9A-Fa-f]{2})\}|\\+x([0-9A-Fa-f]{2})"
    rb"|&#[xX]0{0,4}([0-9A-Fa-f]{2});|&#0{0,4}(\d{2,3});|\\+([\"'/\\bfnrt])"
)


# An escape whose end has not come yet.
_CUT: Final = re.compile(
    rb"(?:%(?:25)*[0-9A-Fa-f]?|\\+(?:u[0-9A-Fa-f]{0,3}|u\{[0-9A-Fa-f]{0,6}|x[0-9A-Fa-f]?)?|&(?:#[xX0-9A-Fa-f]{0,6})?)$"
)


def without_cut_escape(data: bytes) -> bytes:
    """`data` up to where an escape begins that its end cuts."""
    found = _CUT.search(data, max(0, len(data) - 16))
    return data[: found.start()] if found else data


def reduced(data: bytes, kept: frozenset[int] = LETTERS) -> bytes:
    """What is kept of `data`, in lower case; one pass at the speed of a copy."""
    return data.translate(_LOWER, _DROPPED[kept])


def reduced_positions(data: bytes, kept: frozenset[int] = LETTERS) -> list[int]:
    """For each byte of `reduced(data, kept)`, where it stands in `data`."""
    return [index for index, byte in enumerate(data) if byte in kept]


def has_escapes(data: bytes) -> bool:
    """Whether `decoded(data)` may differ from `data`."""
    return b"%" in data or b"\\" in data or b"&#" in data


def decoded(data: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """`data` without percent, JSON, HTML and hex escapes, and where it came from.

    Returns: the bytes, and (position there, position in `data`) of each run that was copied.
    """
    out = bytearray()
    runs: list[tuple[int, int]] = []
    last = 0
    for found in _ESCAPE.finditer(data):
        runs += [(len(out), last), (len(out) + found.start() - last, found.start())]
        out += data[last : found.start()]
        digits = next((group for group in found.groups()[:5] if group), None)
        if digits is not None:
            out.append(int(digits, 16))
        elif found[6] is not None:
            out.append(int(found[6]) & 0xFF)
        else:
            out += found[7] if found[7] in b"\"'/\\" else b" "
        last = found.end()
    runs.append((len(out), last))
    out += data[last:]
    return bytes(out), runs


def pieces_of(value: bytes) -> list[bytes]:
    """`value` in pieces of PIECE_BYTES; the last one may be longer by less than a quarter."""
    if len(value) <= PIECE_BYTES * 5 // 4:
        return [value]
    return [value[:PIECE_BYTES], *pieces_of(value[PIECE_BYTES:])]


def patterns_of(value: bytes) -> set[bytes]:
    """All reduced patterns of a value; empty only for a value of a few symbols."""
    encodings = [value, value.hex().encode(), "".join(map(str, value)).encode(), _rot13(value)]
    for core in _base64_cores(value):
        encodings += [core, *_base64_cores(core)]
    encodings += _base32_cores(value)
    found = {reduced(encoding) for encoding in encodings}
    found |= {pattern[::-1] for pattern in found}
    return {pattern for pattern in found if len(pattern) >= MIN_PATTERN}


def symbol_patterns_of(value: bytes) -> set[bytes]:
    """Patterns over VISIBLE of a value whose letters alone are too few."""
    found = {reduced(form, VISIBLE) for form in (value, value[::-1], _rot13(value), _rot13(value)[::-1])}
    return {pattern for pattern in found if len(pattern) >= MIN_PATTERN}


def _rot13(value: bytes) -> bytes:
    return encode(value.decode("latin-1"), "rot13").encode("latin-1")


def _base64_cores(value: bytes) -> list[bytes]:
    """What of the base64 text is the same whatever stands before and behind the value."""
    cores = []
    for shift in range(3):
        text = b64encode(b"\0" * shift + value)
        start = -(-shift * 8 // 6)  # characters that hold bits of what stands before
        cores.append(text[start : (shift + len(value)) * 8 // 6])
    return cores


def _base32_cores(value: bytes) -> list[bytes]:
    return [b32encode(b"\0" * shift + value)[-(-shift * 8 // 5) : (shift + len(value)) * 8 // 5] for shift in range(5)]
