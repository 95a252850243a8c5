"""How alike two texts are, 0 to 1, without a model: words, character n-grams and numbers; or by embeddings.

    similarity = .4 words + .3 n-grams + .3 numbers          (.6 words + .4 n-grams where neither has a number)

Words are stems with synonyms folded, weighted by how rare they are among the texts at hand; common words hardly count.
N-grams of two and three characters catch forms and typing mistakes. Numbers agree within a tolerance, units counted
(quantities.py). With an embedder its cosine takes the place of words and n-grams.

Source: spec/teams.md 10.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from remit.teams.coordination.quantities import TOLERANCE, Quantity, quantities, shared
from remit.teams.coordination.synonyms import table

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""texts -> vectors of one length"""

MAX_CHARS: Final = 100_000  # of one text that are looked at
COMMON: Final = frozenset(
    ["a", "an", "the", "and", "or", "but", "if", "then", "than", "so", "as", "of", "to", "in", "on", "at", "by", "for", "from", "with", "into", "over", "under", "up", "down", "out", "off", "is", "are", "was", "were", "be", "been", "being", "am", "do", "does", "did", "done", "have", "has", "had", "having", "it", "its", "this", "that", "these", "those", "there", "here", "i", "you", "he", "she", "we", "they", "them", "their", "our", "your", "his", "her", "my", "me", "us", "who", "whom", "which", "what", "when", "where", "why", "how", "will", "would", "can", "could", "should", "may", "might", "must", "shall", "just", "also", "very", "too", "more", "most", "much", "such", "only", "own", "same", "any", "some", "each", "per", "via"]
)
NEGATIONS: Final = frozenset(
    ["not", "no", "never", "none", "nobody", "nothing", "neither", "nor", "without", "cannot", "cant", "dont", "doesnt", "didnt", "isnt", "arent", "wasnt", "werent", "wont", "shouldnt", "couldnt", "wouldnt", "hasnt", "havent", "hardly"]
)
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SUFFIXES: Final = ("ations", "ation", "ingly", "ments", "ment", "ness", "ities", "ity", "ings", "ing", "edly", "ies",
                    "ied", "ers", "er", "ed", "ly", "es", "s")  # fmt: skip


class Text:
    """A text as it is compared: its words, n-grams and numbers."""

    __slots__ = ("grams", "negations", "numbers", "words")

    def __init__(self, text: str) -> None:
        text = text[:MAX_CHARS]
        raw = [match[0].lower().replace("’", "'").replace("'", "") for match in _WORD.finditer(text)]
        stems = [fold(word) for word in raw if word not in COMMON and word not in NEGATIONS]
        self.words = Counter(stems)
        self.negations = sum(word in NEGATIONS for word in raw)
        self.grams = Counter(gram for word in stems for gram in _grams(f" {word} "))
        self.numbers: list[Quantity] = quantities(text)


@lru_cache(maxsize=20_000)
def fold(word: str) -> str:
    """The stem of a word, or of the word that stands for its synonyms."""
    known = _synonyms()
    for form in _forms(word):
        if form in known:
            return stem(known[form])
    return stem(word)


def stem(word: str) -> str:
    """The word without its endings; rough, and the same for all forms of most words."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)] + ("y" if suffix in ("ies", "ied") else "")
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


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
    cosine = None if embed is None else max(0.0, _cosine(*embed((a, b))))
    return alike(Text(a), Text(b), rarity, cosine, tolerance)


def alike(
    a: Text, b: Text, rarity: Mapping[str, float] | None = None, meaning: float | None = None,
    tolerance: float = TOLERANCE,
) -> float:  # fmt: skip
    """`similarity` of prepared texts; `meaning` = the cosine of their embeddings, where there are any."""
    words = _overlap(a.words, b.words, rarity) if meaning is None else meaning
    grams = _overlap(a.grams, b.grams, None) if meaning is None else meaning
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


def _overlap(a: Counter[str], b: Counter[str], weight: Mapping[str, float] | None) -> float:
    """Dice over multisets."""
    if not a or not b:
        return float(not a and not b)
    of = (weight or {}).get
    both = sum(min(n, b[w]) * of(w, 1.0) for w, n in a.items() if w in b)
    total = sum(n * of(w, 1.0) for w, n in a.items()) + sum(n * of(w, 1.0) for w, n in b.items())
    return 2 * both / total if total else 0.0


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    size = math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return dot / size if size else 0.0


def _grams(word: str) -> list[str]:
    return [word[i : i + n] for n in (2, 3) for i in range(len(word) - n + 1)]


def _forms(word: str) -> tuple[str, ...]:
    """The word as a list of synonyms may hold it."""
    forms = [word]
    for suffix, instead in (("s", ""), ("es", ""), ("ies", "y"), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"),
                            ("ly", ""), ("er", ""), ("d", ""), ("es", "e"), ("ied", "y")):  # fmt: skip
        if word.endswith(suffix) and len(word) - len(suffix) >= 2:
            base = word[: -len(suffix)] + instead
            forms.append(base)
            if len(base) > 3 and base[-1] == base[-2]:
                forms.append(base[:-1])
    return tuple(forms)


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, str]:
    irregular = {"grew": "grow", "grown": "grow", "rose": "rise", "risen": "rise", "fell": "fall", "fallen": "fall",
                 "bought": "buy", "sold": "sell", "built": "build", "made": "make", "sent": "send", "got": "get",
                 "kept": "keep", "began": "begin", "begun": "begin", "chose": "choose", "chosen": "choose",
                 "shown": "show", "went": "go", "gone": "go", "took": "take", "taken": "take", "ran": "run",
                 "thought": "think", "held": "hold", "lost": "lose", "won": "win", "paid": "pay", "said": "say",
                 "people": "person", "children": "child", "men": "man", "women": "woman", "shrank": "shrink",
                 "shrunk": "shrink", "wrote": "write", "written": "write", "broke": "break", "broken": "break"}  # fmt: skip
    known = table()
    return {**known, **{form: known.get(base, base) for form, base in irregular.items()}}
