# ruff: noqa: E501  # a pattern is one line
"""Personal and secret data in text: one detector a kind, most specific first, each with its checksum.

    find(text) -> [Match(kind, start, end, confidence), ...]     no overlaps, in order of place

The idea: a shape alone is not enough (sixteen digits are no card, three dotted numbers are a version), so cards
must pass Luhn and a known prefix, IBANs mod 97 and their country's length, SSNs the rules of their issuer,
addresses their ranges; bare digit runs count only next to a word that says what they are.
Positions are those of the text given; disguised forms (fullwidth digits, percent signs, base64) are found in its
readings (canonical.py) and mapped back, so that the whole disguise is one match.

Invariants: linear (bounded repeats only); a kind that comes earlier in `KINDS` wins an overlap.
Source: ISO/IEC 7812-1 (Luhn), ISO 13616 (IBAN), RFC 7519 (JWT), 20 CFR 422.103 (SSN), NANP numbering rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from remit.guard.canonical import plain_layers

# Loopback, unspecified, broadcast, masks and documentation addresses name nobody. Source: RFC 6890, RFC 5737.
_NOBODY: Final = ("0.", "127.", "255.", "192.0.2.", "198.51.100.", "203.0.113.")
_IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21,
    "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28,
    "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24,
    "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
# Prefix ranges and lengths of payment cards. Source: ISO/IEC 7812-1; the networks' published ranges.
_CARDS: Final = (
    (re.compile(r"4"), (13, 16, 19)), (re.compile(r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"), (16,)),
    (re.compile(r"3[47]"), (15,)), (re.compile(r"3(?:0[0-5]|[689])"), (14, 16, 19)),
    (re.compile(r"6(?:011|4[4-9]|5)"), (16, 19)), (re.compile(r"62"), (16, 17, 18, 19)),
    (re.compile(r"35(?:2[89]|[3-8])"), (16,)), (re.compile(r"5[06-8]|6[37]"), (13, 14, 15, 16, 18, 19)),
)  # fmt: skip


class Match(Struct, frozen=True, gc=False):
    """One piece of such data: text[start:end]."""

    kind: str
    start: int
    end: int
    confidence: float = 1.0


Check = Callable[[re.Match[str], str], float]
"""(match, text) -> confidence; 0 = not one"""


def _sure(_: re.Match[str], __: str) -> float:
    return 1.0


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    total = 0
    for i, c in enumerate(reversed(digits)):
        d = int(c) * (1 + i % 2)
        total += d - 9 if d > 9 else d
    return total % 10 == 0


def iban_valid(text: str) -> bool:
    """Whether `text` (no spaces, upper case) has its country's length and remainder 1 modulo 97."""
    if _IBAN_LENGTHS.get(text[:2]) != len(text):
        return False
    return int("".join([str(int(c, 36)) for c in text[4:] + text[:4]])) % 97 == 1


def _card(match: re.Match[str], text: str) -> float:
    digits = re.sub(r"\D", "", match[0])
    if len(set(digits)) < 2 or not luhn(digits):
        return 0.0
    known = any(prefix.match(digits) and len(digits) in lengths for prefix, lengths in _CARDS)
    return 0.95 if known else 0.0


def _iban(match: re.Match[str], _: str) -> float:
    return 1.0 if iban_valid(re.sub(r"[ -]", "", match[0]).upper()) else 0.0


def _ssn(match: re.Match[str], text: str) -> float:
    area, group, serial = match[1], match[3], match[4]
    if area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000":
        return 0.0
    if match[2]:
        return 0.9
    return 0.85 if _near(match, text, _SSN_WORDS) else 0.0


def _phone(match: re.Match[str], text: str) -> float:
    if match["bare"]:
        return 0.8 if _near(match, text, _PHONE_WORDS) else 0.0
    return 0.85


def _ipv4(match: re.Match[str], text: str) -> float:
    if any(int(part) > 255 or (len(part) > 1 and part[0] == "0") for part in match[0].split(".")):
        return 0.0
    if match[0].startswith(_NOBODY) or _near(match, text, _VERSION_WORDS, 12):
        return 0.0
    return 0.8


def _email(match: re.Match[str], _: str) -> float:
    local, _at, domain = match[0].rpartition("@")
    if ".." in match[0] or local.startswith(".") or local.endswith(".") or "-." in domain or ".-" in domain:
        return 0.0
    return 0.95


def _assigned(match: re.Match[str], _: str) -> float:
    """`api_key = ...`: only what looks made by a machine."""
    value = match["value"]
    kinds = sum([any(c.isdigit() for c in value), any(c.islower() for c in value), any(c.isupper() for c in value)])
    return 0.8 if kinds >= 2 and len(set(value)) >= 8 else 0.0


def _near(match: re.Match[str], text: str, words: re.Pattern[str], before: int = 40) -> bool:
    return words.search(text[max(0, match.start() - before) : match.start()].lower()) is not None


_SSN_WORDS: Final = re.compile(r"ssn|social security|social-security|soc\. sec")
_PHONE_WORDS: Final = re.compile(r"phone|\btel|\bcall|mobile|cell|fax|whatsapp|sms|text me|reach|dial|contact")
_VERSION_WORDS: Final = re.compile(r"(?:version|release|ver\.?|build|\bv|oid|section|chapter|§)\s{0,2}[:=]?\s{0,2}$")

_KEY: Final = "|".join((
    r"sk-ant-[A-Za-z0-9_-]{20,200}", r"sk-(?:proj-|svcacct-|or-v1-)?[A-Za-z0-9_-]{20,200}", r"(?:AKIA|ASIA)[0-9A-Z]{16}",
    r"gh[pousr]_[A-Za-z0-9]{20,255}", r"github_pat_[A-Za-z0-9_]{22,255}", r"glpat-[A-Za-z0-9_-]{20,64}",
    r"xox[abeprs]-[A-Za-z0-9-]{10,250}", r"AIza[0-9A-Za-z_-]{35}", r"hf_[A-Za-z0-9]{30,64}", r"npm_[A-Za-z0-9]{36}",
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,128}", r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{58}", r"dop_v1_[a-f0-9]{64}", r"gsk_[A-Za-z0-9]{20,64}", r"xai-[A-Za-z0-9]{20,128}",
))  # fmt: skip

# kind -> [(pattern, check, a text that must be in the text for it to match)], most specific kind first.
DETECTORS: Final[dict[str, tuple[tuple[re.Pattern[str], Check, str], ...]]] = {
    "private_key": (
        (re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----)){0,20000}+"
                    r"(?:-----END [A-Z0-9 ]{1,40}-----)?"), _sure, "PRIVATE KEY"),
    ),
    "jwt": ((re.compile(r"\beyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{0,2000}"), _sure, "eyJ"),),
    "database_url": (
        (re.compile(r"\b(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|oracle|clickhouse|cockroachdb)"
                    r"(?:\+[a-z0-9]{1,20})?://[^\s:/@'\"<>]{0,128}:[^\s/'\"<>]{1,256}@[^\s'\"<>]{1,256}"), _sure, "://"),
    ),
    "api_key": (
        (re.compile(rf"(?<![A-Za-z0-9])(?:{_KEY})(?![A-Za-z0-9])"), _sure, ""),
        (re.compile(r"(?i:\bbearer)\s{1,3}(?P<value>[A-Za-z0-9._~+/-]{20,500}={0,2})"), _assigned, ""),
        (re.compile(r"(?i:api[_-]?key|apikey|secret[_-]?key|access[_-]?token|auth[_-]?token|client[_-]?secret)"
                    r"['\"]?\s{0,3}[:=]\s{0,3}['\"]?(?P<value>[A-Za-z0-9._~+/-]{16,200}={0,2})"), _assigned, ""),
    ),
    "iban": ((re.compile(r"(?i)(?<![A-Z0-9])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![A-Z0-9])"), _iban, ""),),
    "card": ((re.compile(r"(?<![\d.])[2-6](?:[ -]?\d){12,18}(?![\d])"), _card, ""),),
    "ssn": ((re.compile(r"(?<![\d-])(\d{3})([- ]?)(\d{2})\2(\d{4})(?![\d-])"), _ssn, ""),),
    "email": (
        (re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"
                    r"(?![A-Za-z0-9-])"), _email, "@"),
    ),
    "us_phone": (
        (re.compile(r"(?<![\d.\w-])(?:(?:\+?1[ .-]{0,2})?(?:\([2-9]\d{2}\)[ .-]{0,2}|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}"
                    r"|\+1[2-9]\d{2}[2-9]\d{6}|(?P<bare>1?[2-9]\d{2}[2-9]\d{6}))(?![\d-]|\.\d)"), _phone, ""),
    ),
    "ipv4": ((re.compile(r"(?<![\d.\w-])(?:\d{1,3}\.){3}\d{1,3}(?![\d\w-]|\.\d)"), _ipv4, "."),),
}  # fmt: skip
KINDS: Final = tuple(DETECTORS)


def find(text: str, kinds: tuple[str, ...] = KINDS, min_confidence: float = 0.5) -> list[Match]:
    """All matches in `text` and in what it decodes to, without overlaps, by place."""
    found: list[Match] = []
    taken = bytearray(len(text))
    for layer in plain_layers(text):
        for match in _in_layer(layer.text, kinds, min_confidence):
            start, end = layer.span(match.start, match.end)
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append(Match(match.kind, start, end, match.confidence))
    return sorted(found, key=lambda m: m.start)


def _in_layer(text: str, kinds: tuple[str, ...], min_confidence: float) -> list[Match]:
    found: list[Match] = []
    taken = bytearray(len(text))
    for kind in kinds:
        for pattern, check, needle in DETECTORS[kind]:
            if needle not in text:
                continue
            for match in pattern.finditer(text):
                start, end = match.span("value" if "value" in pattern.groupindex else 0)
                confidence = check(match, text)
                if confidence >= min_confidence and not any(taken[start:end]):
                    taken[start:end] = b"\1" * (end - start)
                    found.append(Match(kind, start, end, confidence))
    return found
