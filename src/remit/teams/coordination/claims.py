"""What several answers claim, who makes each claim, and who says the opposite.

    answers -> sentences -> clusters of the same claim -> supporters and opponents -> agreement 0 to 1

The idea: two sentences make the same claim when they speak of the same things; they take the same stance when neither
denies what the other says: the same number of negations, no word against its opposite (rise, fall), no two figures
that contradict each other. So "revenue grew 5 %" supports "sales rose by 5 percent", and opposes "revenue fell" and
"grew 25 %".

Agreement = mean over the claims of the share of pairs of answers that take the same stance on it; a claim that one
answer alone makes is a claim that no pair agrees on. Shared words do not count: answers about one thing can agree on
nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from remit.errors import Invalid
from remit.teams.coordination.meanings import Embed, checked, cosine
from remit.teams.coordination.quantities import Quantity, contradict
from remit.teams.coordination.similarity import Text, overlap
from remit.teams.coordination.stems import FLIPS

SAME: Final = 0.5  # from here on two sentences make the same claim
SAME_MEANING: Final = 0.72  # the same for cosines of embeddings
MAX_ANSWERS: Final = 200
MAX_CLAIMS: Final = 60  # sentences of one answer
_END: Final = re.compile(
    r"(?<=[.!?])\s+|[\n;\u2022]+|\s[-\u2013\u2014]\s|,?\s+\b(?:but|however|whereas|although|though)\b\s+", re.IGNORECASE
)


class Claim(Struct, frozen=True):
    """One claim, in the words of the first who made it."""

    text: str
    supporters: tuple[str, ...]
    opponents: tuple[str, ...] = ()


class Agreement(Struct, frozen=True):
    """How far answers agree, and on what."""

    score: float
    """0 (on nothing) to 1 (on everything)"""
    claims: tuple[Claim, ...]
    """most supported first"""


class _Sentence:
    """A sentence as it is compared: words with opposites folded, whether it denies, its figures."""

    __slots__ = ("denies", "grams", "numbers", "text", "vector", "words")

    def __init__(self, text: str, vector: tuple[float, ...] = ()) -> None:
        read = Text(text)
        self.text = text
        self.vector = vector
        self.numbers: list[Quantity] = read.numbers
        self.grams = read.grams
        self.words: Counter[str] = Counter()
        self.denies = read.negations % 2
        for word, times in read.words.items():
            other = FLIPS.get(word)
            self.words[other or word] += times
            if other is not None:
                self.denies ^= times % 2

    def alike(self, other: _Sentence) -> bool:
        """Whether both speak of the same."""
        if self.vector and other.vector:
            return cosine(self.vector, other.vector) >= SAME_MEANING
        return 0.65 * overlap(self.words, other.words, None) + 0.35 * overlap(self.grams, other.grams, None) >= SAME

    def against(self, other: _Sentence) -> bool:
        """Whether they cannot both be true."""
        return self.denies != other.denies or contradict(self.numbers, other.numbers)


def agreement(answers: Mapping[str, str], *, embed: Embed | None = None) -> Agreement:
    """How far answers agree, on claims.

    Args:
        answers: name -> text; at least one.
        embed: makes vectors of sentences; without it words, synonyms and opposites decide.

    Raises: no_answers, value_invalid (more than 200 answers).
    """
    if not answers:
        raise Invalid("no_answers", "there is nothing to agree on")
    if len(answers) > MAX_ANSWERS:
        raise Invalid("value_invalid", f"{len(answers)} answers; at most {MAX_ANSWERS}")
    clusters: list[tuple[_Sentence, dict[str, bool]]] = []
    for name, text in answers.items():
        for sentence in _sentences(text, embed):
            _place(sentence, name, clusters)
    claims = [
        Claim(
            first.text, tuple(n for n, yes in stances.items() if yes), tuple(n for n, yes in stances.items() if not yes)
        )
        for first, stances in clusters
    ]
    claims.sort(key=lambda claim: -len(claim.supporters))
    return Agreement(_score(claims, len(answers)), tuple(claims))


def sentences(text: str) -> list[str]:
    """The sentences of a text that can be claims, at most MAX_CLAIMS."""
    found = (part.strip(" \t-*#>•\"'") for part in _END.split(text[:100_000]) if part)
    return [part for part in found if len(part) > 3 and any(c.isalnum() for c in part)][:MAX_CLAIMS]


def _sentences(text: str, embed: Embed | None) -> list[_Sentence]:
    parts = sentences(text)
    vectors = checked(embed(parts), len(parts)) if embed is not None and parts else [()] * len(parts)
    return [_Sentence(part, tuple(vector)) for part, vector in zip(parts, vectors, strict=True)]


def _place(sentence: _Sentence, name: str, clusters: list[tuple[_Sentence, dict[str, bool]]]) -> None:
    for first, stances in clusters:
        if first.alike(sentence):
            stances.setdefault(name, not first.against(sentence))
            return
    clusters.append((sentence, {name: True}))


def _score(claims: list[Claim], count: int) -> float:
    if count == 1:
        return 1.0
    if not claims:
        return 0.0
    pairs = count * (count - 1) / 2
    same = [
        len(c.supporters) * (len(c.supporters) - 1) / 2 + len(c.opponents) * (len(c.opponents) - 1) / 2 for c in claims
    ]
    return sum(same) / pairs / len(claims)
