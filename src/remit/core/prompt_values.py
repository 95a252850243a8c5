"""What the user's own words name: the values, amounts and purposes of a prompt.

The prompt is the one text that nobody else writes, so a value that stands in it whole is the user's own,
and a purpose that it names is what the user wants done. Names are taken as they stand: in `write to Alice
Smith`, `Alice Smith` is a value and `Alice` is not.
"""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal
from typing import Final

from remit.core.typed_values import (
    MAX_SEGMENTS,
    MAX_TEXT,
    Token,
    announced_spans,
    canonical,
    name_runs,
    number,
    opens_sentence,
    quoted_spans,
    stem,
    tokens,
    words,
)

# Words that name nothing: a record is never picked out by one of them.
# Source: the function words of English, and what people call records of any kind.
_COMMON_WORDS: Final = """
a about above account accordingly add after all also am an and any are as ask at be because been before but
by call can channel check could day days did do does done each email every file find first for from get give
go had has have her here him his how i id if in info information into is it its just last like list look
make many me message month more most much my name need new next no not note now of on one or other our out
over payment person please read recent same see send she should so some such sure take task tell than that
the their them then there these they this those to today tomorrow too transaction two under update up us use
user using very want was we well were what when where which who whom whose why will with would year you your
"""
_COMMON: Final = frozenset(_COMMON_WORDS.split())
_NEGATIONS: Final = frozenset(("not", "never", "don't", "dont", "without", "no"))


class PromptValues:
    """Read a prompt once; ask often."""

    __slots__ = ("_folded", "_stems", "amounts", "anchors", "text", "values")

    def __init__(self, text: str) -> None:
        text = self.text = text[:MAX_TEXT]
        found = tokens(text)
        quoted = quoted_spans(text)
        runs = name_runs(text, found)
        self.values: set[str] = set()
        """keys of all whole values"""
        self.amounts: tuple[Decimal, ...] = _amounts(text, found)
        """the numbers that it writes out"""
        self._folded = [w.casefold() for w in words(text)]
        self._stems = [stem(w) for w in self._folded]
        self._take_tokens(found, quoted, runs)
        self._take_spans(text, quoted, runs)
        self.anchors: frozenset[str] = frozenset(
            [
                *(w for w in self._folded if len(w) >= 3 and w not in _COMMON and not w.isdigit()),
                *(t.key.casefold() for t in found if t.kind not in ("word", "number", "time")),
            ]
        )
        """casefolded words and typed tokens that can pick out a record; an amount cannot, anybody may send one"""

    def names(self, value: object) -> bool:
        """Whether the prompt holds exactly this value, whole."""
        return canonical(value) in self.values

    def asks_for(self, purposes: tuple[str, ...]) -> bool:
        """Whether one of the phrases stands in the prompt (in any number and tense) and is not negated."""
        for purpose in purposes:
            wanted = [stem(w) for w in words(purpose)]
            for i in range(len(self._stems) - len(wanted) + 1):
                if wanted and self._stems[i : i + len(wanted)] == wanted and not self._negated(i):
                    return True
        return False

    def _negated(self, at: int) -> bool:
        before = self._folded[max(0, at - 3) : at]
        return bool(_NEGATIONS & set(before)) and "forget" not in before

    def _take_tokens(self, found: list[Token], quoted: list[tuple[int, int]], runs: list[tuple[int, int]]) -> None:
        """Typed tokens wherever they stand; a word only outside quotes and names of several words."""
        starts = [t.start for t in found]
        held: set[int] = set()
        spans = set(quoted)
        for start, end in [*quoted, *runs]:
            inside = starts[bisect_left(starts, start) : bisect_left(starts, end)]
            if len(inside) > 1 or (start, end) in spans:
                held.update(inside)
        for token in found:
            # A function word names nothing: no password is "the" because a prompt says so.
            if token.kind != "word" or (token.start not in held and token.key not in _COMMON):
                self.values.add(token.key)

    def _take_spans(self, text: str, quoted: list[tuple[int, int]], runs: list[tuple[int, int]]) -> None:
        self.values |= {canonical(text[start:end]) for start, end in quoted}
        self.values |= {canonical(span) for span in announced_spans(text)}
        segments: list[tuple[int, int]] = []
        for start, end in runs:
            self.values.add(canonical(text[start:end]))
            if text[start].isalpha() and opens_sentence(text, start) and " " in text[start:end]:
                # The first word has its capital from its place: `Invite Dora` names Dora.
                self.values.add(canonical(text[start:end].split(" ", 1)[1]))
            if segments and text[segments[-1][1] : start] != ", ":
                segments = []
            segments = [*segments, (start, end)][-MAX_SEGMENTS:]
            self.values |= {canonical(text[first:end]) for first, _ in segments}


def _amounts(text: str, found: list[Token]) -> tuple[Decimal, ...]:
    held = [number(t.key) for t in found if t.kind == "number" and text[t.end : t.end + 1] != "%"]
    return tuple(n for n in held if n is not None and n > 0)
