"""Numbers as people write them, with their units: "$500K", "500000", "0.5 million", "half a million dollars" are one.

A `Quantity` is a value in the base unit of its dimension (seconds, metres, grams, bytes, dollars, shares for percent).
Two quantities agree when their dimensions can be the same and their values differ by at most a tolerance. A bare whole
number from 1900 to 2100 is a year: years agree only when they are equal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

TOLERANCE: Final = 0.05  # Source: spec/teams.md 10
SLACK: Final = 0.1  # how far figures may be apart without contradicting: "a month and a half" and "six weeks"
MAX_CHARS: Final = 200_000
MAX_NUMBERS: Final = 2_000  # of one text
YEAR: Final = "year"

_SCALES: Final = {
    "hundred": 1e2, "k": 1e3, "thousand": 1e3, "grand": 1e3, "lakh": 1e5, "m": 1e6, "mn": 1e6, "mm": 1e6, "mio": 1e6,
    "million": 1e6, "millions": 1e6, "crore": 1e7, "b": 1e9, "bn": 1e9, "billion": 1e9, "billions": 1e9, "t": 1e12,
    "tn": 1e12, "trillion": 1e12, "dozen": 12.0,
}  # fmt: skip
_SYMBOLS: Final = {"$": "usd", "€": "eur", "£": "gbp", "¥": "jpy", "₹": "inr"}
# Dimension, factor to its base unit, the words for it.
_UNIT_LINES: Final = """
usd 1.0 $ usd dollar dollars bucks
eur 1.0 eur euro euros
gbp 1.0 gbp pound pounds
jpy 1.0 yen jpy
inr 1.0 rupee rupees inr
usd 0.01 cent cents
ratio 0.01 % percent pct percentage
ratio 0.0001 bps
s 1e-09 ns nanosecond nanoseconds
s 1e-06 us µs
s 0.001 ms millisecond milliseconds millis
s 1.0 s sec secs second seconds
s 60.0 min mins minute minutes
s 3600.0 h hr hrs hour hours
s 86400.0 day days
s 604800.0 week weeks wk
s 2629800.0 month months
s 31557600.0 year years yr yrs
s 315576000.0 decade decades
s 3155760000.0 century centuries
s 1209600.0 fortnight fortnights
degree 1.0 degree degrees °c
times 1.0 times
m 0.001 mm millimeter millimeters
m 0.01 cm centimeter centimeters
m 1.0 meter meters metre metres
m 1000.0 km kilometer kilometers kilometre kilometres
m 1609.344 mile miles mi
m 0.3048 foot feet ft
m 0.0254 inch inches
g 0.001 mg milligram milligrams
g 1.0 g gram grams
g 1000.0 kg kilo kilos kilogram kilograms
g 1000000.0 ton tons tonne tonnes
g 453.592 lb lbs
byte 1.0 byte bytes
byte 1000.0 kb kib
byte 1000000.0 mb mib megabyte megabytes
byte 1000000000.0 gb gib gigabyte gigabytes
byte 1000000000000.0 tb tib terabyte terabytes
wh 1.0 wh
wh 1000.0 kwh
wh 1000000.0 mwh
wh 1000000000.0 gwh
wh 1000000000000.0 twh
w 1.0 watt watts
w 1000.0 kw kilowatt kilowatts
w 1000000.0 mw megawatt megawatts
w 1000000000.0 gw gigawatt gigawatts
hz 1.0 hz hertz
hz 1000.0 khz
hz 1000000.0 mhz
hz 1000000000.0 ghz
m/s 1.0 m/s mps
m/s 0.277778 km/h kmh kph
m/s 0.44704 mph
m2 1.0 sqm
m2 10000.0 hectare hectares ha
m2 4046.86 acre acres
j 1.0 joule joules
j 4.184 cal
j 4184.0 kcal calorie calories
l 3.78541 gallon gallons
l 0.001 ml milliliter milliliters
l 1.0 liter liters litre litres
"""
_UNITS: Final = {
    word: (unit, float(factor))
    for unit, factor, *words in map(str.split, _UNIT_LINES.strip().splitlines())
    for word in words
}
_SMALL: Final = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen
"""
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS: Final = {
    **{word: float(n) for n, word in enumerate(_SMALL.split())},
    **{word: 10.0 * n for n, word in enumerate(_TENS.split(), 2)},
    **{"half": 0.5, "quarter": 0.25, "once": 1.0, "twice": 2.0},
}
NUMBER_WORDS: Final = frozenset(_WORDS) | {word for word in _SCALES if len(word) > 2}
_PRONOUNS: Final = ("one", "once", "a", "an", "and", "half", "quarter")
_NUMBER: Final = re.compile(
    r"(?<![\w.])(?P<symbol>[$€£¥₹])?\s?(?P<digits>\d{1,3}(?:[, ]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?P<tail>[a-zµ%]{1,12}\b|%)?"
    r"(?:[\s-](?P<scale>hundred|thousand|millions?|billions?|trillion|lakh|crore|mn|bn|tn|k|m|b)\b)?"
    r"(?:[\s-]?(?P<unit>(?:km/h|m/s)\b|[a-zµ$%]{1,14}))?",
    re.IGNORECASE,
)
_BEFORE: Final = re.compile(
    r"\b(from|to)\s+(?:(?:about|around|nearly|almost|over|under|only|just)\s+)?$", re.IGNORECASE
)
_WORD: Final = re.compile(r"[a-z]+|[%$]", re.IGNORECASE)


class Quantity(Struct, frozen=True):
    """A number in the base unit of its dimension."""

    value: float
    unit: str = ""
    """usd, ratio, s, m, g, byte, l, year ...; "" = none was written"""

    def agrees(self, other: Quantity, tolerance: float = TOLERANCE) -> bool:
        """Whether both can mean the same amount."""
        if YEAR in (self.unit, other.unit):
            return self.value == other.value
        if self.unit and other.unit and self.unit != other.unit:
            return False
        most = max(abs(self.value), abs(other.value))
        return self.value == other.value or abs(self.value - other.value) <= tolerance * most


def quantities(text: str) -> list[Quantity]:
    """All numbers of a text, in their order; written in digits or in words."""
    return [each for _, each in _placed(text[:MAX_CHARS])]


def ends(text: str) -> dict[str, Quantity]:
    """The figures that a text says something goes `from` and `to`; without those that it says more than once."""
    found: dict[str, list[Quantity]] = {}
    text = text[:MAX_CHARS]
    for at, each in _placed(text):
        before = _BEFORE.search(text, max(0, at - 12), at)
        if before is not None:
            found.setdefault(before[1].lower(), []).append(each)
    return {word: each[0] for word, each in found.items() if len(each) == 1}


def crossed(a: Mapping[str, Quantity], b: Mapping[str, Quantity], in_b: Sequence[Quantity]) -> bool:
    """Whether an end of `a` is a figure of `b`, but not at that end: "from 3 to 40" and "from 40 to 3"."""
    return any(
        word in b and not each.agrees(b[word]) and any(each.agrees(other) for other in in_b) for word, each in a.items()
    )


def _placed(text: str) -> list[tuple[int, Quantity]]:
    found = [(match.start(), _from_digits(match)) for match in _NUMBER.finditer(text)]
    taken = [
        (match.start(), match.end("scale") if match["scale"] else match.end("digits"))
        for match in _NUMBER.finditer(text)
    ]
    found += [(at, each) for at, each in _from_words(text) if not any(a <= at < b for a, b in taken)]
    return sorted(found, key=lambda pair: pair[0])[:MAX_NUMBERS]


def without_quantities(text: str) -> str:
    """The text without its figures and their units: what is left are its words."""
    found = text[:MAX_CHARS]
    for match in reversed(list(_NUMBER.finditer(found))):
        unit = (match["unit"] or "").lower()
        end = match.end() if not unit or unit in _UNITS or unit in _SCALES else match.start("unit")
        found = f"{found[: match.start()]} {found[end:]}"
    return found


def shared(a: Sequence[Quantity], b: Sequence[Quantity], tolerance: float = TOLERANCE) -> float:
    """How much of the numbers of two texts agrees, 0 to 1 (Dice); 1 when neither has any."""
    if not a and not b:
        return 1.0
    left = list(b)
    hits = 0
    for each in a:
        match = next((other for other in left if each.agrees(other, tolerance)), None)
        if match is not None:
            left.remove(match)
            hits += 1
    return 2 * hits / (len(a) + len(b))


def contradict(a: list[Quantity], b: list[Quantity]) -> bool:
    """Whether figures of one dimension stand in both, and some of them have no partner."""
    for unit in {q.unit for q in a} & {q.unit for q in b}:
        mine = [q for q in a if q.unit == unit]
        theirs = [q for q in b if q.unit == unit]
        few, many = (mine, theirs) if len(mine) <= len(theirs) else (theirs, mine)
        if not all(any(q.agrees(other, SLACK) for other in many) for q in few):
            return unit != YEAR or len(few) == len(many)
    return False


def _from_digits(match: re.Match[str]) -> Quantity:
    digits = match["digits"]
    value = float(digits.replace(",", "").replace(" ", ""))
    unit = _SYMBOLS.get(match["symbol"] or "", "")
    tail = (match["tail"] or "").lower()
    scaled = bool(match["scale"])
    if tail in _SCALES and not (tail in _UNITS and not unit and tail not in ("m", "b", "t", "k", "mm")):
        value, scaled = value * _SCALES[tail], True
        tail = ""
    written = (match["unit"] or "").lower()
    if match["scale"] == "m" and not unit and _UNITS.get(written, ("",))[0] not in _SYMBOLS.values():
        unit, scaled = "m", False  # "6.5 m" of no currency are metres
    elif match["scale"]:
        value *= _SCALES[match["scale"].lower()]
    for name in (tail, written):
        if name in _UNITS and not unit:
            unit, factor = _UNITS[name]
            value *= factor
    plain = digits.isdigit() and not unit and not scaled and not tail
    if plain and 1900 <= value <= 2100:
        return Quantity(value, YEAR)
    return Quantity(value, unit)


def _from_words(text: str) -> list[tuple[int, Quantity]]:
    """Runs of number words: "two hundred thousand dollars", "half a million", "a dozen"."""
    found: list[tuple[int, Quantity]] = []
    words = [(match.start(), match[0].lower()) for match in _WORD.finditer(text)]
    at = 0
    while at < len(words):
        end, value = _run(words, at)
        if end == at:
            at += 1
            continue
        unit, factor = _UNITS.get(words[end][1], ("", 1.0)) if end < len(words) else ("", 1.0)
        found.append((words[at][0], Quantity(value * factor, unit)))
        at = end
    return found


def _run(words: Sequence[tuple[int, str]], at: int) -> tuple[int, float]:
    """(end, value) of the number words from `at` on; end = `at` where none begins."""
    total = part = last = 0.0
    end = at
    seen = False
    for index in range(at, min(at + 12, len(words))):
        word = words[index][1]
        if word in _WORDS:
            if last and not (last >= 20 and 1 <= _WORDS[word] < 10):
                break  # "one and four", "five past two" are two numbers, "twenty four" is one
            part, last = part + _WORDS[word], _WORDS[word]
            seen, end = True, index + 1
        elif len(word) > 2 and word in _SCALES and (seen or (index > at and words[index - 1][1] in ("a", "an"))):
            part, last = (part or 1.0) * _SCALES[word], 0.0
            seen, end = True, index + 1
            if _SCALES[word] >= 1e3:
                total, part = total + part, 0.0
        elif word not in ("a", "an", "and") or (not seen and index > at):
            break
    alone = words[end][1] if end < len(words) else ""
    return (end, total + part) if seen and _counts(words[at:end], alone) else (at, 0.0)


def _counts(words: Sequence[tuple[int, str]], after: str) -> bool:
    """ "one" alone is mostly a pronoun: a single small word is a number before a unit only ("one percent")."""
    return len(words) > 1 or words[0][1] not in _PRONOUNS or (words[0][1] == "one" and after in _UNITS)
