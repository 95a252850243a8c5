"""The readings of a text: what it says once disguises are taken off, each with a map back to the text itself.

    readings(text) -> [as written, folded, letters, markup removed, joined, decoded once, ...]

The idea: a rule that looks for words must see what a model sees. A model reads fullwidth letters, Cyrillic
look-alikes, letters with dots between them, text with zero-width characters, HTML entities, percent and
backslash escapes, base64 and hexadecimal. So every rule looks at a few *readings* of the text:

    folded    NFKC by cluster; invisible and direction characters removed; tag characters and runs of variation
              selectors, which carry hidden text, decoded
    letters   no accents, look-alikes as the ASCII letter they imitate (confusables.json)
    markup    `<b>`, `<!-- -->`, `*` and `_` inside words removed
    joined    `i g n o r e`, `i.g.n.o.r.e` put together
    leet      digits inside words as the letters they stand for
    decoded   entities, escapes, base64 (from 20 characters) and hexadecimal (from 16) decoded in place; and the
              result is read again, at most MAX_DEPTH times

Invariants: pure; linear in the text (decoding never grows a text; every pattern here is free of nested repeats);
at most MAX_DEPTH * 6 readings; `span` of any part of any reading is a range of the original text that covers
what it was made from. Nothing is cut off: a text of any length is read whole.
Source: UAX 15 (normal forms), UTS 39 (confusables), UTS 55 (direction characters in source text).
"""

from __future__ import annotations

import html
import re
import unicodedata
from array import array
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final
from urllib.parse import unquote_to_bytes

MAX_DEPTH: Final = 4  # layers of encoding that are taken off
MIN_BASE64: Final = 20  # characters; Source: spec/security.md 8
MIN_HEX: Final = 16  # digits

Piece = tuple[int, int, str]
"""(start, end, replacement): what a transformation puts in place of text[start:end]"""

_ODD: Final = re.compile(r"[^\t\n\r\x20-\x7e]")
_HIDDEN_TEXT: Final = re.compile("[\U000e0020-\U000e007e]+|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_CLUSTER: Final = re.compile(
    "[\U000e0020-\U000e007e]+|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}|\x1b\\[[0-9;]*[A-Za-z]|[^\t\n\r\x20-\x7e]"
)
_MARKUP: Final = re.compile(r"<!--.{0,400}?-->|</?[A-Za-z][^<>]{0,200}>|[*_~`]{1,3}(?=\w)|(?<=\w)[*_~`]{1,3}", re.S)
_SPREAD: Final = re.compile(r"(?<![^\W_])[^\W_](?:[ .\-_*|/,:;!?'+~]{1,5}[^\W_]){4,}(?![^\W_])")
_GAP: Final = re.compile(r"[\W_]+")
_LEET_WORD: Final = re.compile(r"(?<![\w@$!|])[A-Za-z0-9@$!|]{3,40}+(?![\w@$|])")
_LEET_SIGN: Final = re.compile(r"[013457@$!|]")
_LEET: Final = str.maketrans("013457@$!|", "oieastasil")
_ENTITY: Final = re.compile(r"&(?:#x?[0-9A-Fa-f]{1,7}|[A-Za-z]{2,31});?")
_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPE: Final = re.compile(r"(?:\\u\{?[0-9A-Fa-f]{4,6}\}?|\\x[0-9A-Fa-f]{2}|\\U[0-9A-Fa-f]{8})+")
_ONE_ESCAPE: Final = re.compile(r"\\[uUx]\{?([0-9A-Fa-f]+)\}?")
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:0x)?((?:[0-9A-Fa-f]{2}[ :,]?){8,})(?![0-9A-Za-z])")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{20,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*={0,2}")
_BREAK: Final = re.compile(r"\s+")
_BLANKS: Final = frozenset("\u2800\u3164\uffa0\u115f\u1160")
# Letters in boxes and circles, and the letters of flags, which no normal form folds: first code point of A to Z.
_BOXED: Final = (0x1F150, 0x1F170, 0x1F1E6)


class Reading:
    """One way to read a text. `how` says what was done: "written", "folded", "decoded/letters" ..."""

    __slots__ = ("_lower", "_offsets", "_parent", "how", "text")

    def __init__(self, text: str, how: str, parent: Reading | None = None, offsets: array[int] | None = None) -> None:
        self.text = text
        self.how = how
        self._parent = parent
        self._offsets = offsets
        """where in the parent each character began, and one entry for the end"""
        self._lower: str | None = None

    @property
    def lower(self) -> str:
        """The text in lower case, character by character, so that positions stay what they are."""
        if self._lower is None:
            low = self.text.lower()
            self._lower = low if len(low) == len(self.text) else "".join([c.lower()[:1] for c in self.text])
        return self._lower

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The range of the original text that text[start:end] was made from."""
        at: Reading | None = self
        while at is not None:
            if at._offsets is not None:
                last = at._offsets[end - 1] if end > start else at._offsets[start]
                start = at._offsets[start]
                # The end of the last character's source: the next place that differs.
                while end < len(at._offsets) - 1 and at._offsets[end] == last:
                    end += 1
                end = at._offsets[end]
            at = at._parent
        return start, end


def readings(text: str) -> list[Reading]:
    """All readings of `text` that differ, the text itself first."""
    found: dict[str, Reading] = {}
    layer: Reading | None = Reading(text, "written")
    for _ in range(MAX_DEPTH + 1):
        if layer is None:
            break
        plain = folded(layer)
        for each in (layer, plain, *_forms(plain)):
            found.setdefault(each.text, each)
        layer = _decoded(plain)
    return list(found.values())


def folded(reading: Reading) -> Reading:
    """NFKC without invisible characters; the reading itself when it is plain ASCII."""
    if not _ODD.search(reading.text):
        return reading
    return _rewritten(reading, "folded", _fold_pieces(reading.text))


def plain_layers(text: str) -> Iterator[Reading]:
    """The text folded, then each decoded layer, folded: what detectors of exact shapes (cards, keys) look at."""
    layer: Reading | None = Reading(text, "written")
    for _ in range(MAX_DEPTH + 1):
        if layer is None:
            return
        plain = folded(layer)
        yield plain
        layer = _decoded(plain)


def hidden(text: str) -> list[tuple[int, int]]:
    """Ranges that people do not see: invisible, direction and tag characters. Joiners in emoji and scripts are not."""
    if text.isascii():
        return []
    spans = []
    for match in _ODD.finditer(text):
        c, at = match[0], match.start()
        around = text[max(0, at - 1) : at] + text[at + 1 : at + 2]
        if _invisible(c) and not (c in "\u200c\u200d\ufe0f\ufe0e" and around and not around.isascii()):
            spans.append((at, at + 1))
    return spans


def _forms(plain: Reading) -> Iterable[Reading]:
    """The further readings of one layer."""
    text = plain.text
    base = plain
    if not text.isascii():
        base = _rewritten(plain, "letters", _letter_pieces(text))
        yield base
        text = base.text
    if _MARKUP.search(text):
        stripped = _rewritten(base, "markup", [(m.start(), m.end(), "") for m in _MARKUP.finditer(text)])
        yield stripped
        base, text = stripped, stripped.text
    spread = [(m.start(), m.end(), "".join(_joined(m[0]))) for m in _SPREAD.finditer(text)]
    if spread:
        yield _rewritten(base, "joined", spread)
    words = _LEET_WORD.finditer(text) if _LEET_SIGN.search(text) else ()
    leet = [(*m.span(), new) for m in words if (new := m[0].translate(_LEET)) != m[0] and not m[0].isdigit()]
    if leet:
        yield _rewritten(base, "leet", leet, by_character=True)


def _joined(spread: str) -> Iterator[str]:
    """The characters of spread-out text; a gap other than the usual one is a gap between words."""
    usual = Counter(_GAP.findall(spread)).most_common(1)[0][0]
    gap = ""
    for c in spread:
        if c.isalnum():
            if gap not in ("", usual):
                yield " "
            gap = ""
            yield c
        else:
            gap += c


def _rewritten(reading: Reading, what: str, pieces: Iterable[Piece], by_character: bool = False) -> Reading:
    """The reading with pieces replaced; characters of a replacement map to the whole piece, or one to one."""
    text, parts, offsets, at = reading.text, [], array("L"), 0
    for start, end, new in pieces:
        parts.append(text[at:start])
        offsets.extend(range(at, start))
        parts.append(new)
        offsets.extend(range(start, end) if by_character else [start] * len(new))
        at = end
    parts.append(text[at:])
    offsets.extend(range(at, len(text) + 1))
    how = what if reading.how == "written" else f"{reading.how}/{what}"
    return Reading("".join(parts), how, reading, offsets)


# --- folding -------------------------------------------------------------------------------------


def _fold_pieces(text: str) -> Iterator[Piece]:
    at = 0
    for match in _CLUSTER.finditer(text):
        start, end = match.span()
        if start < at:
            continue  # part of a cluster that is done
        first = match[0]
        if len(first) > 1:
            yield start, end, _secret(first)
        elif _invisible(first):
            yield start, end, ""
        else:
            while end < len(text) and unicodedata.combining(text[end]):
                end += 1
            new = _fold_one(text[start:end]) if end - start <= 8 else unicodedata.normalize("NFKC", text[start:end])
            if new != text[start:end]:
                yield start, end, new
        at = end


def _fold_one(cluster: str) -> str:
    if cluster in _BLANKS:
        return " "
    if "\ud800" <= cluster <= "\udfff":
        return "\ufffd"
    return unicodedata.normalize("NFKC", cluster)


def _secret(run: str) -> str:
    """The text that tag characters or variation selectors carry; "" for a terminal's colour codes."""
    if run[0] == "\x1b":
        return ""
    if run[0] >= "\U000e0020" and run[0] <= "\U000e007e":
        return "".join([chr(ord(c) - 0xE0000) for c in run])
    raw = bytes([ord(c) - 0xFE00 if c < "\U000e0000" else ord(c) - 0xE0100 + 16 for c in run])
    said = raw.decode("utf-8", "replace")
    return said if _readable(said) else ""


@cache
def _invisible(c: str) -> bool:
    if c in "\t\n\r":
        return False
    category = unicodedata.category(c)
    return category in ("Cf", "Cc") or c == "\u034f" or "\ufe00" <= c <= "\ufe0f" or "\U000e0000" <= c <= "\U000e0fff"


def _letter_pieces(text: str) -> Iterator[Piece]:
    for match in _ODD.finditer(text):
        new = _letter(match[0])
        if new != match[0]:
            yield match.start(), match.end(), new


@cache
def _letter(c: str) -> str:
    """The ASCII letter that a character imitates, or the character without its accents."""
    alike = _confusables().get(c)
    if alike:
        return alike
    code = ord(c)
    for first in _BOXED:
        if first <= code < first + 26:
            return chr(ord("a") + code - first)
    return "".join([x for x in unicodedata.normalize("NFKD", c) if not unicodedata.combining(x)])


@cache
def _confusables() -> dict[str, str]:
    import msgspec

    from remit.guard import canonical  # the table lies beside this file

    with open(canonical.__file__.rpartition("/")[0] + "/confusables.json", "rb") as file:
        table = msgspec.json.decode(file.read(), type=dict[str, str])
    return {c: letter for letter, alike in table.items() for c in alike}


# --- decoding ------------------------------------------------------------------------------------


def _decoded(plain: Reading) -> Reading | None:
    """The reading with everything decoded that can be; None when there is nothing."""
    text = plain.text
    pieces: list[Piece] = []
    for mark, pattern, decode in _DECODERS:
        if mark in text:
            pieces.extend([(m.start(), m.end(), new) for m in pattern.finditer(text) if (new := decode(m)) is not None])
    if not pieces:
        return None
    pieces.sort(key=lambda p: (p[0], -p[1]))
    chosen, at = [], 0
    for piece in pieces:
        if piece[0] >= at:
            chosen.append(piece)
            at = piece[1]
    return _rewritten(plain, "decoded", chosen)


def _entity(match: re.Match[str]) -> str | None:
    said = html.unescape(match[0])
    return said if said != match[0] else None


def _percent(match: re.Match[str]) -> str | None:
    return unquote_to_bytes(match[0]).decode("utf-8", "replace")


def _escape(match: re.Match[str]) -> str | None:
    codes = [int(digits, 16) for digits in _ONE_ESCAPE.findall(match[0])]
    said = "".join([chr(code) if code < 0x110000 else "\ufffd" for code in codes])
    # Pairs of surrogates are one character.
    return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _hexadecimal(match: re.Match[str]) -> str | None:
    digits = re.sub(r"[ :,]", "", match[1])
    return _text_of(bytes.fromhex(digits)) if len(digits) >= MIN_HEX else None


def _base64(match: re.Match[str]) -> str | None:
    """The text of a base64 run; junk before it may shift it by one to three characters."""
    run = _BREAK.sub("", match[0]).rstrip("=").translate(_URL_SAFE)
    for shift in range(4):
        body = run[shift:]
        body = body[: len(body) - (len(body) % 4 == 1)]
        said = _text_of(b64decode(body + "=" * (-len(body) % 4)))
        if said is not None and len(body) >= MIN_BASE64 - 3:
            return said
    return None


_URL_SAFE: Final = str.maketrans("-_", "+/")
_DECODERS: Final[tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str | None]], ...]] = (
    ("&", _ENTITY, _entity),
    ("%", _PERCENT, _percent),
    ("\\", _ESCAPE, _escape),
    ("", _HEX, _hexadecimal),
    ("", _BASE64, _base64),
)


def _text_of(raw: bytes) -> str | None:
    """Bytes as text when they are text: UTF-8 (or UTF-16) and readable; else None."""
    if len(raw) > 3 and raw[1::2].count(0) * 2 >= len(raw) - 1:
        raw = raw.decode("utf-16-le", "replace").encode("utf-8", "replace")
    try:
        said = raw.decode()
    except UnicodeDecodeError as e:
        if e.start < 12 or e.start < len(raw) - 3:
            return None
        said = raw[: e.start].decode()  # a run that was cut within a character
    return said if _readable(said) else None


def _readable(text: str) -> bool:
    if not text:
        return False
    good = sum([c.isprintable() or c in "\t\n\r" for c in text])
    return good == len(text) or (len(text) > 20 and good >= len(text) * 0.95)
