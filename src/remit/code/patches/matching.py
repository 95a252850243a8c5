"""Where lines of a hunk stand in a file: passes from exact to tolerant.

Each pass compares a normal form of the lines: as they are, without line ends, without trailing
blanks, without blanks around, with plain punctuation and single blanks. The last pass lets a few
lines differ. A pass that finds something ends the search; whether one of several places may be taken
is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

_PUNCTUATION: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2009\u200a\u202f\u205f\u3000", " "),
        **dict.fromkeys("\u200b\ufeff", ""),
        "\u2026": "...",
    }
)
_BLANKS: Final = re.compile(r"\s+")
EXACT, LINE_ENDS, RIGHT_TRIM, TRIM, PUNCTUATION = range(5)
NEAR: Final = 5

FORMS: Final[tuple[Callable[[str], str], ...]] = (
    lambda line: line,
    lambda line: line.rstrip("\r\n"),
    lambda line: line.rstrip(),
    lambda line: line.strip(),
    lambda line: _BLANKS.sub(" ", line.translate(_PUNCTUATION).strip()),
)


class Target:
    """The lines of a file, with an index per pass that is made on first use."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self._forms: dict[int, list[str]] = {}
        self._index: dict[int, dict[str, list[int]]] = {}

    def form(self, level: int) -> list[str]:
        """All lines in the normal form of a pass."""
        if level not in self._forms:
            make = FORMS[level]
            self._forms[level] = list(self.lines) if level == EXACT else [make(line) for line in self.lines]
        return self._forms[level]

    def positions(self, level: int) -> dict[str, list[int]]:
        """Normal form -> the lines that have it."""
        if level not in self._index:
            index: dict[str, list[int]] = {}
            for i, line in enumerate(self.form(level)):
                index.setdefault(line, []).append(i)
            self._index[level] = index
        return self._index[level]

    def find(self, old: Sequence[str], level: int, low: int, high: int) -> list[int]:
        """Places in [low, high] where all lines of `old` stand one after the other."""
        make = FORMS[level]
        wanted = [make(line) for line in old]
        index, form = self.positions(level), self.form(level)
        rarest, places = 0, None
        for k, line in enumerate(wanted):
            found = index.get(line)
            if found is None:
                return []
            if places is None or len(found) < len(places):
                rarest, places = k, found
        size = len(wanted)
        return [
            p - rarest
            for p in places or ()
            if low <= p - rarest <= high and form[p - rarest : p - rarest + size] == wanted
        ]

    def near(self, old: Sequence[str], low: int, high: int) -> list[tuple[int, int]]:
        """(place, lines that differ) where most lines of `old` stand, fewest differences first.

        At most a quarter of the lines (at least one) may differ; what stands there instead must be alike.
        """
        level = PUNCTUATION
        make = FORMS[level]
        wanted = [make(line) for line in old]
        index, form = self.positions(level), self.form(level)
        allowed = max(1, len(wanted) // 4)
        votes: dict[int, int] = {}
        for k, line in enumerate(wanted):
            for p in index.get(line, ())[:1_000] if line else ():
                votes[p - k] = votes.get(p - k, 0) + 1
        out = []
        for place, agreed in votes.items():
            if not low <= place <= high or agreed < 2:
                continue
            window = form[place : place + len(wanted)]
            differing = [k for k, line in enumerate(wanted) if window[k] != line]
            if len(differing) <= allowed and all(alike(window[k], wanted[k]) for k in differing):
                out.append((place, len(differing)))
        return sorted(out, key=lambda found: (found[1], found[0]))


def alike(a: str, b: str) -> bool:
    """Whether one line is the other with a slip: most of it in common, in the same order."""
    if not a or not b:
        return False
    longest = max(len(a), len(b))
    if longest > 2_000 or min(len(a), len(b)) * 2 < longest:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    # Everything but one stretch of at most a third (or four characters) is the same.
    return longest - start - end <= max(4, longest // 3)
