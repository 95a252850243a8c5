"""Amounts that people write without a number of their own, written as one: fractions, shares, "an hour and a half".

    half an hour -> 0.5 hour      two thirds of an hour -> 0.667 hour      a quarter -> 25 percent
    nine out of ten -> 90 percent      every tenth -> 10 percent      EUR 30m -> 30m eur      a litre -> 1 litre

What is not understood stays as it is. quantities.py reads the result.
"""

from __future__ import annotations

import re
from typing import Final

MAX_CHARS: Final = 200_000
_NUMBERS: Final = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty
"""
_SMALL: Final = {word: number for number, word in enumerate(_NUMBERS.split())}
_NAMES: Final = "|".join(_SMALL)
_PARTS: Final = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "twelfth": 12, "sixteenth": 16, "twentieth": 20, "hundredth": 100, "thousandth": 1000,
}  # fmt: skip
_UNIT: Final = (
    r"(?P<unit>seconds?|minutes?|hours?|days?|weeks?|months?|years?|decades?|centur(?:y|ies)|met(?:er|re)s?|miles?|"
    r"kilomet(?:er|re)s?|kilos?|kilograms?|grams?|tons?|tonnes?|lit(?:er|re)s?|pounds?|dollars?|euros?|millions?|"
    r"billions?|thousand|hundred|km|kg|dozen|degrees?)"
)
_COUNT: Final = r"(?P<count>\d+(?:\.\d+)?|" + "|".join(_SMALL) + r"|an?)"
_OF: Final = r"(?:\s+(?:of\s+)?(?:an?|one)?\s*" + _UNIT + r"\b)?"
_ORDINAL: Final = "|".join(sorted(_PARTS, key=len, reverse=True))
_MIXED: Final = re.compile(rf"\b{_COUNT}\s+{_UNIT}\s+and\s+a\s+(?P<part>half|quarter)\b", re.IGNORECASE)
_AND_PART: Final = re.compile(rf"\b{_COUNT}\s+and\s+a\s+(?P<part>half|quarter)\b", re.IGNORECASE)
_FRACTION: Final = re.compile(
    rf"\b(?P<count>\d+|an?|{_NAMES})[\s-]+(?P<part>{_ORDINAL})(?P<many>s?)\b{_OF}", re.IGNORECASE
)
_HALF: Final = re.compile(rf"\bhalf(?:\s+(?:of\s+)?(?:(?:an?|one|the)\s+)?{_UNIT}\b|\b)", re.IGNORECASE)
_OUT_OF: Final = re.compile(
    rf"\b(?P<some>\d+|{_NAMES})\s+(?:out\s+of|in|of)\s+(?:every\s+)?(?P<all>\d+|{_NAMES}"
    + r"|hundred|a hundred)\b(?![.:]\d)", re.IGNORECASE,
)  # fmt: skip
_EVERY: Final = re.compile(
    rf"\bevery\s+(?P<part>second|{_ORDINAL})\b(?!\s+(?:day|week|month|year|hour))", re.IGNORECASE
)
_CODE: Final = re.compile(
    r"\b(?P<code>EUR|USD|GBP|JPY|INR)\s?(?P<amount>\d[\d.,]*\s?(?:[kmbt]n?\b|thousand|million|billion)?)"
)
_RATE: Final = re.compile(
    r"(?:[\d%]|percent|times|once|twice|thrice|points|bps|dollars|euros|pounds|cents)\s+$", re.IGNORECASE
)
_ONE: Final = re.compile(
    rf"\b(?P<a>an?)\s+(?!millions?\b|billions?\b|thousand\b|hundred\b|dozen\b){_UNIT}\b(?!\s+of\b)", re.IGNORECASE
)
_COMPOUNDS: Final = (
    (re.compile(r"\b(kilo|mega|giga|tera)watt[ -]?hours?\b", re.IGNORECASE), lambda m: f"{m[1][0]}wh"),
    (re.compile(r"\b(?:kilomet(?:er|re)s|km) (?:per|an) hour\b", re.IGNORECASE), lambda m: "km/h"),
    (re.compile(r"\bmiles (?:per|an) hour\b", re.IGNORECASE), lambda m: "mph"),
    (re.compile(r"\b(?:met(?:er|re)s|m) (?:per|a) second\b|(?<![a-z])m/s\b", re.IGNORECASE), lambda m: "mps"),
    (re.compile(r"\b(?:kilomet(?:er|re)s|km) (?:per|a) second\b|\bkm/s\b", re.IGNORECASE), lambda m: "thousand mps"),
    (re.compile(r"\bsquare met(?:er|re)s?\b|\bm\u00b2", re.IGNORECASE), lambda m: "sqm"),
)
_TIMES: Final = (
    (re.compile(r"\btwice\b", re.IGNORECASE), "2 times"),
    (re.compile(r"\b(?:thrice|threefold)\b", re.IGNORECASE), "3 times"),
    (re.compile(r"\bonce (?=(?:an?|per|every|each|in)\b)", re.IGNORECASE), "1 times "),
    (re.compile(r"\bdoubl(?:ed|ing)\b(?! (?:check|click))", re.IGNORECASE), "grew 2 times"),
    (re.compile(r"\btripl(?:ed|ing)\b", re.IGNORECASE), "grew 3 times"),
    (re.compile(r"\bquadrupl(?:ed|ing)\b", re.IGNORECASE), "grew 4 times"),
)
_POINTS: Final = re.compile(r"\bbasis\s+points?\b", re.IGNORECASE)


def plain_numbers(text: str) -> str:
    """The text with such amounts as figures."""
    text = text[:MAX_CHARS]
    text = _CODE.sub(lambda m: f"{m['amount']} {m['code'].lower()}", text)
    text = _MIXED.sub(lambda m: f"{_number(m['count']) + 1 / _PARTS[m['part'].lower()]:g} {m['unit']}", text)
    text = _AND_PART.sub(lambda m: f"{_number(m['count']) + 1 / _PARTS[m['part'].lower()]:g}", text)
    text = _FRACTION.sub(_fraction, text)
    text = _HALF.sub(lambda m: f"0.5 {m['unit']}" if m["unit"] else "50 percent", text)
    text = _OUT_OF.sub(_share, text)
    text = _EVERY.sub(lambda m: f"{100 / _PARTS.get(m['part'].lower(), 2):g} percent of", text)
    text = _POINTS.sub("bps", text)
    for unit, written in _COMPOUNDS:
        text = unit.sub(written, text)
    for pattern, to in _TIMES:
        text = pattern.sub(to, text)
    return _ONE.sub(_one, text)


def _number(word: str) -> float:
    word = word.lower()
    return 1.0 if word in ("a", "an") else float(_SMALL[word]) if word in _SMALL else float(word)


def _fraction(match: re.Match[str]) -> str:
    """`two thirds (of an hour)`; an ordinal is none: `the third hour`, `21 third parties`."""
    count, part = _number(match["count"]), _PARTS[match["part"].lower()]
    if not 0 < count < part or (count > 1 and not match["many"] and part != 2):
        return match[0]
    value = count / part
    return f"{value:.4g} {match['unit']}" if match["unit"] else f"{100 * value:.4g} percent"


def _one(match: re.Match[str]) -> str:
    """`takes an hour` is one hour; `0.2% a year` and `twice a day` are rates."""
    if _RATE.search(match.string, max(0, match.start() - 12), match.start()):
        return match[0]
    return f"{match['a']} 1 {match['unit']}"


def _share(match: re.Match[str]) -> str:
    some, whole = _number(match["some"]), 100.0 if "hundred" in match["all"].lower() else _number(match["all"])
    return f"{100 * some / whole:.4g} percent" if 0 < some <= whole and whole >= 3 else match[0]
