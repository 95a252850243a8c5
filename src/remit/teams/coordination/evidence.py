"""What speaks for or against two short texts saying the same, beyond how many words they share.

Words alone cannot tell "rates rose from 3 to 40" from "rates fell from 40 to 3", nor a claim from the same sentence
about somebody else. So a pair is looked at as a whole, and each sign is a number from 0 to 1:

    base        the likeness of words, n-grams and numbers (similarity.py), or of meanings where there are any
    contradicts, agrees, new_figures, one_sided
                figures that contradict, agree, are new, or are missing on one side
    order       words in both stand in another order: somebody said it in words of their own
    names       a name that the earlier text does not have
    frame_...   the sentence around stays, and in it words are replaced, or it is denied, or its figures contradict, or
                words in both are denied in one (polarity.py), or more became less
    facing      both have words of which the other has no form and no near spelling
    extends     the new text has all of the earlier one, and more
    exchanged   two things changed places and all else stayed
    theme       both begin with the same words and go on with others: of the same subject something else is said
    own_...     what only the new or only the earlier text says is far from the other (meanings.py), with an embedder

The signs are weighed in log-odds. The weights were fitted on labelled pairs (bench/novelty_fit.py); what they reach on
pairs that nobody had looked at is printed by bench/novelty.py. Source: logistic regression; Zhang et al., "PAWS:
Paraphrase Adversaries from Word Scrambling" (2019), for why shared words are not enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Final

from remit.teams.coordination.polarity import against, direction, exchanged, polarities
from remit.teams.coordination.quantities import contradict, crossed, shared
from remit.teams.coordination.stems import COMMON, FLIPS, NEGATIONS, fold

if TYPE_CHECKING:
    from remit.teams.coordination.meanings import Meaning
    from remit.teams.coordination.similarity import Text

_FREQUENT: Final = """
make take give get use need come go people person time year day way thing work new old first last long little good part
place case week month number point company world life hand high small large next early young important few public bad
able find tell ask seem feel try leave call keep let begin show hear play run move like live believe hold bring happen
write provide sit stand lose pay meet include continue set learn change lead understand watch follow stop create speak
read allow add spend grow open walk win offer remember love consider appear buy wait serve die send expect build stay
fall cut reach kill remain suggest raise pass sell require report decide pull still put become want mean say see know
think look help turn start
"""
FREQUENT: Final = frozenset(fold(word) for word in _FREQUENT.split())
FREQUENT_WEIGHT: Final = 0.45  # of a word that most texts have, beside 1
NEAR: Final = 0.65  # bigrams shared by two spellings that count as near
MAX_ALIGNED: Final = 60  # words in both whose order is compared
OPENING: Final = 4  # words
SIGNS: Final = (
    "base", "contradicts", "agrees", "new_figures", "one_sided", "order", "names", "frame_replaced", "frame_denied",
    "frame_contradicts", "frame_against", "frame_direction", "facing", "extends", "exchanged", "theme",
)  # fmt: skip
OWN: Final = ("own_new", "own_old")
"""signs that an embedder adds"""
ENOUGH: Final = 0.3  # likeness of words from which on more of it tells nothing: the same words can say anything
Weights = tuple[float, tuple[float, ...]]
"""bias, and a weight for each sign"""
BY_WORDS: Final[Weights] = (
    -0.53, (10.06, -1.87, 1.57, -3.30, -1.83, 2.62, -1.30, -6.40, -5.66, -4.17, -3.56, -3.93, -0.19, -5.09, -4.54,
            -6.36),
)  # fmt: skip
"""where the base is the likeness of words. Source: bench/novelty_fit.py"""
BY_COSINE: Final[Weights] = (
    -3.32, (6.97, -0.75, 1.00, -1.88, -1.27, 2.40, -1.29, -7.04, -7.56, -6.19, -3.36, -4.95, 0.0, -7.34, -6.59,
            -7.29),
)  # fmt: skip
"""where it is the cosine of embeddings. Source: bench/novelty_fit.py --embed"""
BY_MEANING: Final[Weights] = (
    0.93, (3.07, -0.55, 0.62, -1.42, -0.69, 1.78, -0.92, -3.41, -3.68, -3.25, -2.04, -3.87, 0.0, -4.75, -5.67, -4.11,
           -1.82, -1.44),
)  # fmt: skip
"""the same with what each text says of its own. Source: bench/novelty_fit.py --embed"""


def signs(earlier: Text, new: Text, base: float, tolerance: float) -> tuple[float, ...]:
    """The signs of a pair in the order of SIGNS."""
    old_words, new_words = _content(earlier), _content(new)
    covered, back = _covered(new_words, old_words), _covered(old_words, new_words)
    turned = _turned(earlier.tokens, new.tokens)
    denies = float(_denies(earlier, new) != turned)
    conflict = float(contradict(earlier.numbers, new.numbers) or crossed(earlier.ends, new.ends, new.numbers))
    both = bool(earlier.numbers) and bool(new.numbers)
    fresh = sum(not any(n.agrees(o, tolerance) for o in earlier.numbers) for n in new.numbers)
    frame, replaced, extra = _frame(earlier.tokens, new.tokens)
    if not set(old_words) & set(new_words):
        frame = 0.0  # of small words alone there is no sentence around
    swapped = exchanged(earlier.tokens, new.tokens)
    facing = min(1 - covered, 1 - back)
    return (
        base, conflict, shared(earlier.numbers, new.numbers, tolerance) if both else 0.0, min(fresh, 3) / 3,
        float(bool(earlier.numbers) != bool(new.numbers)), 0.0 if turned or swapped else _order(old_words, new_words),
        float(any(name not in old_words for name in new.names)), frame * replaced, frame * denies * (1 - replaced),
        frame * conflict,
        frame * against(polarities(earlier.tokens, new.tokens), polarities(new.tokens, earlier.tokens)),
        frame * direction(earlier.tokens, new.tokens), facing, max(0.0, 5 * back - 4) * extra,
        float(swapped), _opening(earlier.tokens, new.tokens) * min(1.0, 3 * facing),
    )  # fmt: skip


def with_own(values: Sequence[float], meaning: Meaning | None) -> tuple[float, ...]:
    """The signs as they are weighed: more than ENOUGH shared words tell nothing; what each says of its own is added."""
    if meaning is None:
        return (min(values[0], ENOUGH), *values[1:])
    if meaning.new is None or meaning.old is None:
        return tuple(values)
    return (*values, 1 - meaning.new, 1 - meaning.old)


def weighed(values: Sequence[float], meaning: Meaning | None) -> float:
    """How likely it is that both say the same, 0 to 1; `meaning` = what an embedder says, the base is of it."""
    row = with_own(values, meaning)
    bias, weights = BY_WORDS if meaning is None else BY_COSINE if len(row) == len(SIGNS) else BY_MEANING
    odds = bias + sum(weight * value for weight, value in zip(weights, row, strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))


def _content(text: Text) -> list[str]:
    """Its words that say something, in order, opposites folded to one."""
    return [FLIPS.get(t, t) for t in text.tokens if t not in COMMON and t not in NEGATIONS]


def _weight(word: str) -> float:
    return FREQUENT_WEIGHT if word in FREQUENT else 1.0


def _covered(words: Sequence[str], others: Sequence[str]) -> float:
    mine, known = set(words), set(others)
    total = sum(map(_weight, mine))
    if not total:
        return 1.0
    return sum(_weight(word) * max((_near(word, other) for other in known), default=0.0) for word in mine) / total


@lru_cache(maxsize=50_000)
def _near(a: str, b: str) -> float:
    """1 = the same stem; in part for forms of one word."""
    if a == b:
        return 1.0
    if min(len(a), len(b)) < 4:
        return 0.0
    if a[:5] == b[:5] or (a[:4] == b[:4] and abs(len(a) - len(b)) <= 3):
        return 0.8
    first, second = {a[i : i + 2] for i in range(len(a) - 1)}, {b[i : i + 2] for i in range(len(b) - 1)}
    dice = 2 * len(first & second) / (len(first) + len(second))
    return 0.8 * dice if dice >= NEAR else 0.0


def _turned(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether both compare, and what stands before `than` in one stands after it in the other."""
    if "than" not in a or "than" not in b:
        return False
    at, to = a.index("than"), b.index("than")
    sides = [{t for t in part if t not in COMMON} for part in (a[:at], a[at:], b[:to], b[to:])]
    kept = len(sides[0] & sides[2]) + len(sides[1] & sides[3]) - len(sides[0] & sides[1]) - len(sides[2] & sides[3])
    crossed = len((sides[0] & sides[3]) - sides[2]) + len((sides[1] & sides[2]) - sides[3])
    return crossed > 1 or (crossed > 0 and crossed >= kept)


def _denies(a: Text, b: Text) -> bool:
    """Whether one denies the other: negations of both, and words whose opposite stands in the other text."""
    flips = sum(
        1 for word in set(a.words) | set(b.words)
        if word in FLIPS and (word in a.words) != (word in b.words)
        and FLIPS[word] in (b.words if word in a.words else a.words)
        and FLIPS[word] not in (a.words if word in a.words else b.words)
    )  # fmt: skip
    return bool((a.negations + b.negations + flips) % 2)


def _order(a: Sequence[str], b: Sequence[str]) -> float:
    """How many pairs of words in both stand the other way round, 0 to 1."""
    places = [(i, a.index(word)) for i, word in enumerate(b) if word in a][:MAX_ALIGNED]
    pairs = list(combinations(places, 2))
    return sum(p[1] > q[1] for p, q in pairs) / len(pairs) if pairs else 0.0


def _opening(a: Sequence[str], b: Sequence[str]) -> float:
    """How much of the first OPENING words is the same, 0 to 1."""
    same = 0
    for mine, other in zip(a[:OPENING], b[:OPENING], strict=False):
        if mine != other:
            break
        same += 1
    return same / OPENING


def _frame(a: Sequence[str], b: Sequence[str]) -> tuple[float, float, float]:
    """(share of words that stay in place, of words replaced in between, of words that only `b` has), 0 to 1 each."""
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    frame = 2 * sum(block.size for block in matcher.get_matching_blocks()) / max(1, len(a) + len(b))
    replaced = extra = 0
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        gone = sum(t not in COMMON and t not in b for t in a[i1:i2])
        come = sum(t not in COMMON and t not in a for t in b[j1:j2])
        replaced += min(gone, come) if kind == "replace" else 0
        extra += max(0, come - gone)
    least = max(1, min(sum(t not in COMMON for t in a), sum(t not in COMMON for t in b)))
    return frame, min(1.0, 2 * replaced / least), min(1.0, extra / 4)
