"""How alike two texts are, 0 to 1, without a model: words, character n-grams and numbers; or by embeddings.

    similarity = .4 words + .3 n-grams + .3 numbers          (.6 words + .4 n-grams where neither has a number)

Words are stems with synonyms folded, weighted by how rare they are among the texts at hand; common words hardly count.
N-grams of two and three characters catch forms and typing mistakes. Numbers agree within a tolerance, units counted
(quantities.py). With an embedder its cosine takes the place of words and n-grams. Of short texts this is one sign among
others (evidence.py): the same words can say the opposite, and other words the same.

Source: spec/teams.md 10.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from remit.teams.coordination.evidence import signs, weighed
from remit.teams.coordination.meanings import Embed, Meaning, meaning
from remit.teams.coordination.number_words import plain_numbers
from remit.teams.coordination.quantities import (
    NUMBER_WORDS,
    TOLERANCE,
    Quantity,
    ends,
    quantities,
    shared,
    without_quantities,
)
from remit.teams.coordination.stems import COMMON, NEGATIONS, fold
from remit.teams.coordination.wording import plain_wording

ALL: Final = 0.999  # the likeness of texts with the same words and amounts
SHORT: Final = 60  # words up to which two texts are compared sign by sign
MAX_CHARS: Final = 100_000  # of one text that are looked at
MAX_TOKENS: Final = 120  # words of a text whose order is looked at
_MAY: Final = re.compile(r"(?<=[a-z0-9,] )May\b(?! (?:I|we|you)\b)")  # the month, within a sentence
WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")


class Text:
    """A text as it is compared: its words, n-grams and numbers."""

    __slots__ = ("ends", "grams", "names", "negations", "numbers", "tokens", "words")

    def __init__(self, text: str) -> None:
        text = plain_numbers(plain_wording(text[:MAX_CHARS]))
        rest = without_quantities(text)
        raw = [match[0].lower().replace("\u2019", "'").replace("'", "") for match in WORD.finditer(rest)]
        stems = [fold(word) for word in raw if word not in COMMON and word not in NEGATIONS]
        self.words = Counter(stems)
        self.negations = sum(word in NEGATIONS for word in raw)
        self.grams = Counter(gram for word in stems for gram in _grams(f" {word} "))
        self.numbers: list[Quantity] = quantities(text)
        self.ends = ends(text)
        rest = _MAY.sub("Maymonth", rest)
        found = [m[0] for m in WORD.finditer(rest) if m[0].lower() not in NUMBER_WORDS][:MAX_TOKENS]
        self.tokens = tuple(_token(word.lower()) for word in found)
        self.names = frozenset(t for word, t in zip(found[1:], self.tokens[1:], strict=True) if word[0].isupper())


def similarity(
    a: str, b: str, *, rarity: Mapping[str, float] | None = None, embed: Embed | None = None,
    tolerance: float = TOLERANCE,
) -> float:  # fmt: skip
    """How alike two texts are, 0 to 1.

    Args:
        rarity: weight of each stem (see `rarities`); None = all alike.
        embed: makes vectors; its cosine then stands for words and n-grams.
        tolerance: how far numbers may be apart, as a share of the larger.
    """
    if a == b:
        return 1.0
    first, second = Text(a), Text(b)
    found = None if embed is None else meaning(a, b, embed, whole=long(first, second))
    return alike(first, second, rarity, found, tolerance)


def alike(
    a: Text, b: Text, rarity: Mapping[str, float] | None = None, meaning: Meaning | None = None,
    tolerance: float = TOLERANCE,
) -> float:  # fmt: skip
    """`similarity` of prepared texts, the earlier one first; `meaning` = what an embedder says of them."""
    base = base_of(a, b, rarity, None if meaning is None else meaning.whole, tolerance)
    if a.tokens == b.tokens and base > ALL:
        return 1.0
    if long(a, b):
        return base  # of long texts nobody knows which sentence faces which; see claims.py
    return weighed(signs(a, b, base, tolerance), meaning)


def long(a: Text, b: Text) -> bool:
    """Whether two texts are too long to be compared sign by sign."""
    return max(a.words.total(), b.words.total()) > SHORT


def base_of(a: Text, b: Text, rarity: Mapping[str, float] | None, whole: float | None, tolerance: float) -> float:
    """The formula above, before anything else is looked at; `whole` = how alike the embedder says they are."""
    words = overlap(a.words, b.words, rarity) if whole is None else whole
    grams = overlap(a.grams, b.grams, None) if whole is None else whole
    if not a.numbers and not b.numbers:
        return 0.6 * words + 0.4 * grams
    if not a.numbers or not b.numbers:
        return 0.9 * (0.6 * words + 0.4 * grams)  # one says how much, the other does not: no contradiction
    return 0.4 * words + 0.3 * grams + 0.3 * shared(a.numbers, b.numbers, tolerance)


def rarities(texts: Iterable[Text]) -> dict[str, float]:
    """Weight of each stem: 1 for one that is in one text only, towards 0 for one that is in all."""
    found: Counter[str] = Counter()
    count = 0
    for text in texts:
        found.update(text.words.keys())
        count += 1
    if count < 3:
        return {}
    most = math.log(count + 1)
    return {word: max(math.log((count + 1) / times) / most, 0.05) for word, times in found.items()}


def overlap(a: Counter[str], b: Counter[str], weight: Mapping[str, float] | None) -> float:
    """Dice over multisets."""
    if not a or not b:
        return float(not a and not b)
    of = (weight or {}).get
    both = sum(min(n, b[w]) * of(w, 1.0) for w, n in a.items() if w in b)
    total = sum(n * of(w, 1.0) for w, n in a.items()) + sum(n * of(w, 1.0) for w, n in b.items())
    return 2 * both / total if total else 0.0


def _token(word: str) -> str:
    """A word as its order is compared: common words and figures as they are, others by their stem."""
    word = word.replace("\u2019", "'").replace("'", "")
    return word if word in COMMON or word in NEGATIONS else fold(word)


def _grams(word: str) -> list[str]:
    return [word[i : i + n] for n in (2, 3) for i in range(len(word) - n + 1)]
