"""Typed values: what counts as one whole value in a text, and when two values are the same.

The idea: provenance is kept per value, never per substring. A text is cut into typed tokens (e-mail
address, URL, IBAN, date, file name, number, quoted span, name, word); a value is known when it equals a
whole token or a whole field. Equality is exact, but for spellings that mean the same thing by
definition (10.00 and 10, spaces in an IBAN, the case of a host name). Nothing folds look-alikes or
case, so a similar name is another value.

Invariants: a token inside a longer token is no value of its own (`bob@x.org` in `bob@x.org.evil.net`,
`Alice` in `Alice Smith`); every scan is linear in the text.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final
from unicodedata import category, normalize

from msgspec import Struct

MAX_TEXT: Final = 200_000  # characters of one text that are cut into tokens
MAX_SEGMENTS: Final = 12  # comma-separated segments of which every run is a value

_STREETS: Final = "Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Way|Square|Boulevard|Blvd|Place|Court|Ct"
_MONTH_NAMES: Final = "january february march april may june july august september october november december"
_MONTHS: Final = _MONTH_NAMES.split()
_FILE_ENDINGS: Final = (
    "txt md pdf doc docx xls xlsx csv ppt pptx json toml yaml yml xml html py js ts go rs png jpg jpeg gif zip log"
)
_FILE_TYPES: Final = frozenset(_FILE_ENDINGS.split())
_DOMAIN: Final = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}"
_PATTERNS: Final[tuple[tuple[str, str], ...]] = (
    ("email", r"[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}"),
    ("url", r"[a-z][a-z0-9+.-]{1,15}://[^\s<>\"'()\[\]{}|\\^`]+"),
    ("url", rf"{_DOMAIN}(?![\w@-])(?::\d{{1,5}})?(?:/[^\s<>\"'()\[\]{{}}|\\^`]*)?"),
    ("iban", r"[A-Z]{2}\d{2}(?:[A-Z0-9]{8,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)(?!\w)"),
    ("date", r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?(?!\w)"),
    ("date", rf"(?i:{'|'.join(_MONTHS)}) \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?(?!\w)"),
    ("time", r"\d{1,2}:\d{2}(?::\d{2})?(?!\w)"),
    ("file", r"[\w-]+(?:\.[\w-]+)*\.[A-Za-z][A-Za-z0-9]{0,4}(?![\w-])"),
    ("street", rf"\d{{1,6}}[a-zA-Z]? (?:[A-Z][\w'-]+ ){{0,4}}(?:{_STREETS})\b\.?"),
    ("postal", r"[A-Z]{2} \d{5}(?:-\d{4})?(?!\w)"),
    ("number", r"[-+]?[$€£]?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,9})?(?![\w])"),
)
_TOKEN: Final = re.compile(
    r"(?<![\w@.+/-])(?:" + "|".join(f"(?P<{kind}{i}>{text})" for i, (kind, text) in enumerate(_PATTERNS)) + ")"
)
_WORD: Final = re.compile(r"[^\W_](?:[\w'\u2019-]*\w)?")
_QUOTED: Final = re.compile(
    r"(?<!\w)'((?:[^'\n]|(?<=\w)'(?=\w))+)'(?!\w)|\"([^\"\n]+)\"|`([^`\n]+)`|“([^”\n]+)”|«([^»\n]+)»"
)
_COLON: Final = re.compile(r":[ \n]+([^\n]+)")
_SENTENCE: Final = re.compile(r"[.!?](?=\s|$)")
_LOOSE_LINK: Final = re.compile(
    r"[^\W_]{2,16}://\S+|(?i:www\.)\S+|(?<![A-Za-z0-9])(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.)+[A-Za-z]{2,24}(?:/\S*)?"
)
_NUMBER: Final = re.compile(r"[-+]?(?:0|[1-9]\d{0,14})(?:\.\d{1,9})?")
_DATE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::00|(:\d{2}))?)?")
_IBAN: Final = re.compile(r"[A-Za-z]{2}\d{2}[A-Za-z0-9]{8,30}")
_URL: Final = re.compile(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<host>[^/?#\s]+)(?P<rest>[/?#]\S*)?")
_HOST: Final = re.compile(_DOMAIN + r"(?::\d{1,5})?")
_KINDS: Final[dict[str, re.Pattern[str]]] = {
    "email": re.compile(_PATTERNS[0][1]),
    "url": re.compile(rf"(?:https?://)?(?:{_DOMAIN}|[\d.]+|\[[0-9a-fA-F:]+\])(?::\d{{1,5}})?(?:[/?#]\S*)?"),
    "iban": re.compile(r"[A-Za-z]{2}\d{2}[A-Za-z0-9 ]{8,38}"),
    "date": re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?"),
    "time": re.compile(r"\d{1,2}:\d{2}(?::\d{2})?"),
    "id": re.compile(r"[\w.:@#/+-]{1,64}"),
    "file": re.compile(r"[\w][\w .()+-]{0,120}"),
    "name": re.compile(r"[\w][\w .,&'\u2019()+-]{0,60}"),
    "phone": re.compile(r"\+?[\d ()./-]{4,24}"),
    "word": re.compile(r"[\w-]{1,32}"),
}
KIND_NAMES: Final = frozenset({*_KINDS, "text", "number", "bool"})


class Token(Struct, frozen=True, gc=False):
    """One typed token of a text."""

    kind: str
    key: str
    """what equal values share (`canonical`)"""
    start: int
    end: int


def canonical(value: Any) -> str:
    """The key that a value shares with its equals: exact, but for spellings that mean the same by definition."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return _number(str(value))
    text = " ".join(str(value).split())
    when = _DATE.fullmatch(text)
    if when is not None:
        return when[1] if when[2] is None else f"{when[1]} {when[2]}{when[3] or ''}"
    if _NUMBER.fullmatch(text):
        return _number(text)
    tight = text.replace(" ", "")
    if _IBAN.fullmatch(tight):
        return tight.upper()
    if "@" in text and _KINDS["email"].fullmatch(text):
        return text.lower()
    if ("." in text or "://" in text) and " " not in text and "@" not in text:
        return _canonical_url(text)
    return text


def fits(kind: str, value: Any) -> bool:
    """Whether a value is of a kind; free text fits `text` only, because anything may be written in it."""
    if kind == "text":
        return True
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "number":
        return not isinstance(value, bool) and (
            isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value.strip()) is not None)
        )
    if isinstance(value, date):  # a datetime is one
        return kind == "date"
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    return _KINDS[kind].fullmatch(str(value)) is not None


def tokens(text: str) -> list[Token]:
    """The typed tokens of a text in order, words included; a word inside another token is not one."""
    found: list[Token] = []
    at = 0
    text = text[:MAX_TEXT]
    for hit in _TOKEN.finditer(text):
        kind = (hit.lastgroup or "").rstrip("0123456789")
        start, end = hit.span()
        while kind in ("url", "file") and end > start and text[end - 1] in ".,;:!?":
            end -= 1
        _words(text, at, start, found)
        found.append(Token(kind, canonical(_plain(kind, text[start:end])), start, end))
        at = end
    _words(text, at, len(text), found)
    return found


def links(text: str) -> list[str]:
    """Keys of what a reader's program would turn into a link: URLs, host names, addresses, however they are written."""
    found = [
        t.key
        for t in tokens(text)
        if t.kind == "email" or (t.kind == "url" and ("/" in t.key or t.key.rsplit(".", 1)[-1] not in _FILE_TYPES))
    ]
    plain = "".join(c for c in normalize("NFKC", text[:MAX_TEXT]) if category(c) != "Cf")
    seen = " ".join(found).casefold()
    for hit in _LOOSE_LINK.finditer(plain):
        link = hit[0].rstrip(".,;:!?)").casefold()
        sentence = re.search(r"\.[A-Z][a-z]+$", hit[0]) is not None and "/" not in hit[0]  # `the end.The next`
        if link.removeprefix("https://") not in seen and not sentence and link.rsplit(".", 1)[-1] not in _FILE_TYPES:
            found.append(link)
    return found


def number(value: Any) -> Decimal | None:
    """The value as a number, or None."""
    if isinstance(value, bool):
        return None
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def stem(word: str) -> str:
    """A word without the endings of number and tense: `posting`, `posted` and `posts` are `post`."""
    word = word.casefold()
    for ending in ("ings", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def words(text: str) -> list[str]:
    """All words of a text."""
    return _WORD.findall(text[:MAX_TEXT].replace("_", " "))


def quoted_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of what stands between quotes (without them)."""
    return [hit.span(hit.lastindex or 0) for hit in _QUOTED.finditer(text)]


def announced_spans(text: str) -> list[str]:
    """What follows a colon: to the end of the line, and to the end of its first sentence."""
    spans = []
    for hit in _COLON.finditer(text):
        rest = hit[1].strip()
        spans.append(rest)
        end = _SENTENCE.search(rest)
        if end is not None:
            spans += [rest[: end.start()], rest[: end.end()]]
    return spans


def name_runs(text: str, found: list[Token]) -> list[tuple[int, int]]:
    """Spans of capitalised words that stand together; street and postal tokens are runs of their own."""
    runs: list[tuple[int, int]] = []
    open_run = False
    for token in found:
        if token.kind in ("street", "postal"):
            runs.append((token.start, token.end))
            open_run = False
        elif token.kind == "word" and text[token.start].isupper():
            if open_run and text[runs[-1][1] : token.start] == " ":
                runs[-1] = (runs[-1][0], token.end)
            else:
                runs.append((token.start, token.end))
                open_run = True
        else:
            open_run = False
    return runs


def opens_sentence(text: str, at: int) -> bool:
    """Whether a sentence begins at `at`: its capital letter then says nothing."""
    before = text[:at].rstrip()
    return not before or before[-1] in ".!?:;\n" or "\n" in text[len(before) : at]


def _words(text: str, start: int, end: int, found: list[Token]) -> None:
    for hit in _WORD.finditer(text, start, end):
        found.append(Token("word", canonical(hit[0]), hit.start(), hit.end()))


def _plain(kind: str, text: str) -> str:
    """A number without currency and thousands; a written-out date as ISO when it names its year."""
    if kind == "number":
        return text.replace(",", "").lstrip("$€£+")
    if kind == "date" and text[:1].isalpha():
        parts = re.findall(r"[A-Za-z]+|\d+", text)
        numbers = [p for p in parts if p.isdigit()]
        if len(numbers) == 2:
            return f"{numbers[1]}-{_MONTHS.index(parts[0].lower()) + 1:02}-{int(numbers[0]):02}"
    return text


def _number(text: str) -> str:
    found = number(text)
    if found is None:
        return text
    return format(found.normalize(), "f") if found else "0"


def _canonical_url(text: str) -> str:
    hit = _URL.fullmatch(text)
    if hit is None or not _HOST.fullmatch(hit["host"].lower()):
        return text
    scheme = (hit["scheme"] or "").lower()
    rest = hit["rest"] or ""
    # A host without a scheme is what a person writes for https.
    return ("" if scheme in ("", "https") else f"{scheme}://") + hit["host"].lower() + ("" if rest == "/" else rest)
