"""Whether an answer says something new: 0 (a duplicate) to 1 (all new).

    novelty = 1 - the greatest similarity to what was said before

A `NoveltyTracker` also says which topics are new, which were covered twice already, how diverse the answers are, and
what to look at next. Topics are the key phrases of any text (runs of rare words), synonyms folded.

Source: spec/teams.md 10 (thresholds, presets).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from remit.errors import Invalid
from remit.teams.coordination.claims import sentences
from remit.teams.coordination.meanings import AS_IT_IS, Embed, Meaning, checked, near, scale_of
from remit.teams.coordination.quantities import TOLERANCE
from remit.teams.coordination.similarity import WORD, Text, alike, rarities, similarity
from remit.teams.coordination.stems import COMMON, fold

MAX_ANSWERS: Final = 1_000
MAX_TOPICS: Final = 30
NEAREST: Final = 3  # answers before that are compared with a new one word by word, where an embedder chose them
COVERED: Final = 2  # a topic that so many answers have is redundant in a further one


class Thresholds(Struct, frozen=True):
    """When an answer counts as new."""

    novelty: float = 0.3
    similarity: float = 0.7
    min_topics: int = 2
    tolerance: float = TOLERANCE
    """how far numbers may be apart, as a share of the larger"""


PRESETS: Final = {
    "default": Thresholds(),
    "strict": Thresholds(0.5, 0.5, 3),
    "lenient": Thresholds(0.2, 0.8, 1),
}


class Similar(Struct, frozen=True):
    """The answer before that is most like the new one."""

    agent: str
    similarity: float


class Novelty(Struct, frozen=True):
    """What is new in an answer."""

    score: float
    is_novel: bool
    new_topics: tuple[str, ...]
    redundant_topics: tuple[str, ...]
    most_similar: Similar | None
    diversity: float
    """mean distance of all pairs of answers, this one included"""
    coverage: float
    """share of this answer's topics that somebody had before"""
    suggestions: tuple[str, ...]


class _Answer(NamedTuple):
    agent: str
    text: str
    read: Text
    vector: tuple[float, ...]
    """() without an embedder"""


def novelty(a: str, b: str, *, embed: Embed | None = None, tolerance: float = TOLERANCE) -> float:
    """How new `b` is beside the earlier `a`, 0 (says the same) to 1.

    Args:
        embed: texts -> vectors; asked once, for `meanings.parts(a, b)`. A table made beforehand (`remit.embedder(...)
            .table`) may know these, or `a` and `b` alone.
        tolerance: how far numbers may be apart, as a share of the larger.

    Raises: value_invalid when `a` or `b` is no text, or what the embedder makes is no row of vectors.
    """
    _check(a, "a")
    _check(b, "b")
    return 1.0 - similarity(a, b, embed=embed, tolerance=tolerance)


class NoveltyTracker:
    """The answers so far.

    Args:
        thresholds: when an answer is new; a preset's name or Thresholds.
        embed: makes vectors; without it words and numbers decide.
    """

    def __init__(self, thresholds: Thresholds | str = "default", *, embed: Embed | None = None) -> None:
        if isinstance(thresholds, str):
            if thresholds not in PRESETS:
                raise Invalid("value_invalid", f"no preset {thresholds!r:.40}; one of {', '.join(PRESETS)}")
            thresholds = PRESETS[thresholds]
        self.thresholds = thresholds
        self._embed = embed
        self._scale = AS_IT_IS if embed is None else scale_of(embed)
        self._answers: list[_Answer] = []
        self._topics: Counter[str] = Counter()
        self._names: dict[str, str] = {}

    def add(self, agent: str, text: str) -> Novelty:
        """Judge an answer against those before it, and keep it; raises value_invalid after 1,000, or for no text."""
        if len(self._answers) >= MAX_ANSWERS:
            raise Invalid("value_invalid", f"more than {MAX_ANSWERS} answers")
        found = self.judge(text)
        mine = topics(text)
        self._answers.append(_Answer(agent, text, Text(text), self._vector(text)))
        self._topics.update(mine.keys())
        self._names = {**mine, **self._names}
        return found

    def judge(self, text: str) -> Novelty:
        """The same without keeping it."""
        _check(text, "text")
        here, mine = _Answer("", text, Text(text), self._vector(text)), topics(text)
        rarity = rarities([*(each.read for each in self._answers), here.read])
        most = max(self._ratings(here, rarity), key=lambda pair: pair[1], default=None)
        score = 1.0 if most is None else 1.0 - most[1]
        new = tuple(name for key, name in mine.items() if not self._topics[key])
        redundant = tuple(name for key, name in mine.items() if self._topics[key] >= COVERED)
        limits = self.thresholds
        enough = len(new) >= min(limits.min_topics, max(len(mine), 1))
        is_novel = (
            most is None or (score >= limits.novelty and most[1] <= limits.similarity) or (enough and score >= 0.5)
        )
        known = sum(1 for key in mine if self._topics[key])
        return Novelty(
            score, is_novel, new, redundant, None if most is None else Similar(*most),
            self._diversity([*self._answers, here], rarity),
            known / len(mine) if mine else 0.0, self._suggestions(mine, is_novel, most),
        )  # fmt: skip

    def _ratings(self, new: _Answer, rarity: Mapping[str, float]) -> list[tuple[str, float]]:
        """(agent, how alike) of the answers before."""
        found = [(each, self._alike(each, new, rarity)) for each in self._answers]
        if self._embed is None:
            return [(each.agent, rating) for each, rating in found]
        nearest = sorted(found, key=lambda pair: -pair[1])[:NEAREST]
        return [
            (each.agent, similarity(each.text, new.text, rarity=rarity, embed=self._embed,
                                    tolerance=self.thresholds.tolerance))
            for each, _ in nearest
        ]  # fmt: skip

    def _alike(self, a: _Answer, b: _Answer, rarity: Mapping[str, float]) -> float:
        whole = Meaning(near(a.vector, b.vector, self._scale)) if a.vector and b.vector else None
        return alike(a.read, b.read, rarity, whole, self.thresholds.tolerance)

    def _vector(self, text: str) -> tuple[float, ...]:
        return () if self._embed is None else tuple(checked(self._embed((text,)), 1)[0])

    def _diversity(self, answers: list[_Answer], rarity: Mapping[str, float]) -> float:
        recent = answers[-50:]
        pairs = [(a, b) for i, a in enumerate(recent) for b in recent[i + 1 :]]
        if not pairs:
            return 1.0
        return sum(1 - self._alike(a, b, rarity) for a, b in pairs) / len(pairs)

    def _suggestions(self, mine: Mapping[str, str], is_novel: bool, most: tuple[str, float] | None) -> tuple[str, ...]:
        if is_novel or most is None:
            return ()
        missing = [self._names[key] for key, times in self._topics.most_common() if times == 1 and key not in mine]
        found = [f"It says mostly what {most[0]} said; say what is different, or leave it out."]
        if missing:
            found.append(f"Only one answer speaks of: {', '.join(missing[:5])}.")
        return tuple(found)


def _check(text: object, name: str) -> None:
    if not isinstance(text, str):
        raise Invalid(
            "value_invalid", f"{name} is {type(text).__name__}, no text",
            hint="Give both answers as str, of a number str(number).",
        )  # fmt: skip


def topics(text: str) -> dict[str, str]:
    """Key phrases of a text: folded form -> as written, at most MAX_TOPICS, those that come most often first."""
    counts: Counter[str] = Counter()
    names: dict[str, str] = {}
    for sentence in sentences(text):
        run: list[str] = []
        for match in [*WORD.finditer(sentence), None]:
            word = "" if match is None else match[0].lower()
            if word and word not in COMMON and len(word) > 2:
                run.append(word)
                continue
            for size in (1, 2):
                for at in range(len(run) - size + 1):
                    phrase = run[at : at + size]
                    key = " ".join(fold(w) for w in phrase)
                    counts[key] += size  # a phrase says more than its words
                    names.setdefault(key, " ".join(phrase))
            run = []
    return {key: names[key] for key, _ in counts.most_common(MAX_TOPICS)}
