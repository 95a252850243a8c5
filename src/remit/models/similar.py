"""Whether two questions mean the same for a cache: how alike they are, and what must agree exactly.

Likeness alone is a trap: "rooms with a balcony" and "rooms without a balcony" are nearly the same string. So there are
two locks. `alike` is the cosine of character n-grams (or of an embedder's vectors); `agree` compares what
changes an answer: numbers with their units, dates, negations, names, quoted texts and identifiers, opposites, the
kind of question. Without an embedder nothing tells a synonym from another thing, so there all remaining words must be
the same, in the same order; what may differ is case, accents, punctuation, contractions and politeness.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

MAX_CHARS: Final = 4_000
NGRAM: Final = 3
_TOKEN: Final = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?|[%$€£¥°<>=≤≥+*/^~-]")
_QUOTED: Final = re.compile(r"[\"“”«»`']([^\"“”«»`'\n]{1,200})[\"“”«»`'](?!\w)")
_IDENTIFIER: Final = re.compile(r"\b\w*(?:[_.@#/\\:]\w+)+|\b\w*[a-z][A-Z]\w*|\b[A-Z0-9]{2,}\b|\b\w*\d\w*\b")
_CONTRACTIONS: Final = (
    (re.compile(r"\bcan't\b"), "can not"), (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"\bshan't\b"), "shall not"), (re.compile(r"\bcannot\b"), "can not"),
    (re.compile(r"n't\b"), " not"), (re.compile(r"'re\b"), " are"), (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'ve\b"), " have"), (re.compile(r"'m\b"), " am"),
    (re.compile(r"\b(what|who|where|when|how|that|there|it|he|she)'s\b"), r"\1 is"),
)  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What asks nicely, before and after; a question means the same without it.
_LEAD: Final = re.compile(
    r"^(?:(?:hi|hello|hey|please|kindly|ok|okay|so|well|thanks|thank you)\b[\s,.!]*)*"
    r"(?:(?:could|can|would|will) you (?:please |kindly )?(?:tell|give|show)? ?(?:me|us)?\s*|"
    r"(?:please |kindly )?(?:tell|show|give) (?:me|us)\s+|i (?:would|'d) like to know\s+|i want to know\s+|"
    r"do you know\s+)?"
)
_TAIL: Final = re.compile(r"[\s,]*\b(?:please|thanks|thank you|pls)\b[\s.!?]*$")
_DROPPED: Final = frozenset(("a", "an", "the", "please", "kindly", "just"))
_NEGATIONS: Final = _words(
    "no not non none never nothing nobody nowhere neither nor without except excluding exclude unless hardly "
    "barely lacks lacking fails un avoid stop dont nicht kein keine ohne nie pas sans jamais sin nunca ningun "
    "senza mai"
)
_ASKS: Final = _words("who whom whose what when where why which how many much often long far old")
_UNITS: Final = _words(
    "mm cm m km in inch inches ft feet foot yd mi mile miles mg g kg t lb lbs oz ml l liter liters litre gallon "
    "gallons ms s sec second seconds min minute minutes h hour hours day days week weeks month months year years "
    "b kb mb gb tb kib mib gib bit bits byte bytes hz khz mhz ghz w kw kwh mw v c f k celsius fahrenheit kelvin "
    "usd eur gbp chf jpy dollar dollars euro euros pound pounds cent cents percent mph kph rpm am pm hundred "
    "thousand million billion dozen half double triple twice once one two three four five six seven eight nine "
    "ten eleven twelve first third monday tuesday wednesday thursday friday saturday sunday january february "
    "march april june july august september october november december today tomorrow yesterday"
)
_OPPOSITES: Final = _words(
    "before after above below over under more less most least minimum maximum min max first last next previous "
    "earliest latest up down in out into from to on off open close opened closed start end begin finish enable "
    "disable enabled disabled allow deny allowed denied add remove include exclude included excluded increase "
    "decrease rise fall buy sell import export encode decode encrypt decrypt compress decompress upload download "
    "send receive read write input output push pull left right top bottom front back inside outside high low "
    "higher lower highest lowest hot cold long short longest shortest large small largest smallest bigger biggest "
    "good bad better worse best worst true false yes all any some every each only both either ascending "
    "descending asc desc and or but if always sometimes public private internal external male female north south "
    "east west profit loss income expense credit debit sync async lend borrow accept reject pass fail passed "
    "failed with by for between within until since during at as than old new older newer oldest newest early late "
    "legal illegal safe unsafe possible impossible even odd positive negative greater fewer cause effect parent "
    "child father mother son daughter employer employee"
)
_CASED: Final = _words(
    "us it who is in or and he am as at be do go me no so we if on an led aids may march august polish turkey china "
    "apple amazon windows rust swift mercury mars pin act ada nice reading mobile bill mark will frank rose jack"
)


class Form(NamedTuple):
    """A question, taken apart."""

    words: tuple[str, ...]
    """what is left of it, in order"""
    exact: frozenset[tuple[str, int]]
    """what must agree: each with how often it stands there"""
    cased: frozenset[str]
    """words that mean another thing with a capital, where they stand with one"""
    grams: dict[str, int]
    norm: float


@lru_cache(maxsize=4096)
def form(text: str) -> Form:
    """The form of a text of at most MAX_CHARS characters."""
    plain = _fold(text[:MAX_CHARS])
    for pattern, to in _CONTRACTIONS:
        plain = pattern.sub(to, plain)
    plain = _TAIL.sub("", _LEAD.sub("", plain, count=1), count=1)
    tokens = _TOKEN.findall(plain)
    words = tuple([w for w in tokens if w not in _DROPPED])
    kept = [w for w in tokens if not w[0].isalpha() or w in _NEGATIONS | _UNITS | _OPPOSITES | _ASKS]
    kept += [f"name {w.lower()}" for w in _names(text[:MAX_CHARS])]
    kept += [f"quote {q.strip().lower()}" for q in _QUOTED.findall(text[:MAX_CHARS])]
    joined = f" {' '.join(words)} "
    grams = Counter([joined[i : i + NGRAM] for i in range(len(joined) - NGRAM + 1)])
    cased = frozenset([w for w in _names(text[:MAX_CHARS]) if w.lower() in _CASED])
    return Form(words, frozenset(Counter(kept).items()), cased, grams, math.sqrt(sum(n * n for n in grams.values())))


def alike(a: Form, b: Form) -> float:
    """Cosine of the two texts' character n-grams, in [0, 1]."""
    small, large = (a.grams, b.grams) if len(a.grams) <= len(b.grams) else (b.grams, a.grams)
    dot = sum(n * large.get(gram, 0) for gram, n in small.items())
    return dot / (a.norm * b.norm) if a.norm and b.norm else 0.0


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """Cosine of two vectors; 0 where they cannot be compared."""
    if len(a) != len(b):
        return 0.0
    length = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / length if length > 0 and math.isfinite(length) else 0.0


def agree(a: Form, b: Form, *, embedded: bool) -> bool:
    """Whether nothing that changes an answer differs; without an embedder all words must be the same."""
    return a.exact == b.exact if embedded else a.words == b.words and a.cased == b.cased


def _fold(text: str) -> str:
    """Lower case, without accents, with plain apostrophes and single spaces."""
    text = unicodedata.normalize("NFKD", text.replace("\u2019", "'").replace("\u2018", "'"))
    return " ".join("".join([c for c in text if not unicodedata.combining(c)]).casefold().split())


def _names(text: str) -> list[str]:
    """Words with a capital that do not begin a sentence, and identifiers: what is meant by them is one thing only."""
    found = list(_IDENTIFIER.findall(text))
    for match in re.finditer(r"\b[^\W\d_][\w'-]*", text):
        word = match[0]
        before = text[: match.start()].rstrip(" \t\"'(“«")
        begins = not before or before[-1] in ".!?:\n"
        if word[0].isupper() and not begins and word.lower() not in ("i", "i'm", "i'd"):
            found.append(word)
    return found
