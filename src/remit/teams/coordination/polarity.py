"""Whether two texts deny each other: negations, opposites, sides that changed places.

A word stands in a text as itself or denied: a negation denies the words that follow it, and the negative one of two
opposites (forbid) is the positive one (allow), denied. So "dogs are not allowed" and "dogs are forbidden" agree, and
"dogs are allowed" is against both. Words that texts do not share tell nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from remit.teams.coordination.stems import COMMON, FLIPS, NEGATIONS, fold

SCOPE: Final = 3  # words that say something which a negation denies
_ENDS: Final = frozenset(("but", "because", "if", "when", "while", "although", "though", "however", "so"))
_MIDDLES: Final = frozenset(("than", "then", "before", "after"))  # common words that tell sides apart
MAX_EXCHANGED: Final = 40  # words of a text whose places are compared
_PREFIXES: Final = ("un", "in", "im", "ir", "il", "dis", "non")
_DIRECTIONS: Final = {
    low if low in COMMON else fold(low): high if high in COMMON else fold(high)
    for low, high in map(str.split, ("less more", "fewer more", "least most", "down up", "under over", "after before"))
}
"""words that say the opposite of each other and are too common to be compared as words"""


def polarities(tokens: Sequence[str], other: Sequence[str]) -> dict[str, bool]:
    """Word, opposites folded -> whether it is denied; `other` = the tokens that prefixes are looked up in."""
    found: dict[str, bool] = {}
    known = set(other)
    denied = 0
    for token in tokens:
        if token in NEGATIONS:
            denied = SCOPE
        elif token in _ENDS:
            denied = 0
        elif token not in COMMON:
            base, flipped = _base(token, known)
            found.setdefault(base, flipped != (denied > 0))
            denied -= denied > 0
    return found


def _base(token: str, known: set[str]) -> tuple[str, bool]:
    if token in FLIPS:
        return FLIPS[token], True
    if token in known:
        return token, False
    for prefix in _PREFIXES:
        if token.startswith(prefix) and token[len(prefix) :] in known:
            return token[len(prefix) :], True
    return (token[:-4], True) if token.endswith("less") and token[:-4] in known else (token, False)


def against(a: Mapping[str, bool], b: Mapping[str, bool]) -> float:
    """Share of the words in both that one denies and the other does not, 0 to 1."""
    both = a.keys() & b.keys()
    return sum(a[word] != b[word] for word in both) / len(both) if both else 0.0


def direction(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether one has a common word and the other its opposite, and neither has both: more/less, up/down."""
    mine, theirs = set(a), set(b)
    for low, high in _DIRECTIONS.items():
        one, two = (low in mine, high in mine), (low in theirs, high in theirs)
        if one != two and sum(one) == sum(two) == 1:
            return True
    return False


def exchanged(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether two words or runs of words changed places around what stayed: "iron beats copper".

    Where one text says `by` and the other does not, one is the passive of the other, and nothing changed.
    """
    first, second = _sides(a), _sides(b)
    if first == second or sorted(first) != sorted(second) or ("by" in a) != ("by" in b):
        return False
    while first[0] == second[0]:
        first, second = first[1:], second[1:]
    while first[-1] == second[-1]:
        first, second = first[:-1], second[:-1]
    size = len(first)
    return any(
        first[:i] == second[size - i :]
        and first[j:] == second[: size - j]
        and first[i:j] == second[size - j : size - i]
        for i in range(1, size - 1)
        for j in range(i + 1, size)
    )


def _sides(tokens: Sequence[str]) -> list[str]:
    return [t for t in tokens if t not in COMMON or t in _MIDDLES][:MAX_EXCHANGED]
