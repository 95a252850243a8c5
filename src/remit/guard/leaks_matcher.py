"""Finds every form of known secret values in a text, in time linear in the text, whatever their number.

The idea (after Wu and Manber, and the q-gram filters): the reduced text is cut into words of four bytes;
a pattern of at least eight bytes holds at least one such word whole, at one of its first four offsets. So one
dictionary of these words finds all candidates in one pass; each is then compared through a dictionary of
the patterns' beginnings. Searched are the text as it stands and, where it holds escapes, the text without
them (twice: escapes may be escaped).

Invariants: spans are merged, so that overlapping forms are replaced once; `StreamMask` hands on what `mask` of
the whole would, but for at most HELD_FROM - 1 leading characters of a form that lies across pieces.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from remit.guard.leaks_forms import (
    LETTERS,
    MIN_PATTERN,
    VISIBLE,
    decoded,
    has_escapes,
    patterns_of,
    pieces_of,
    reduced,
    reduced_positions,
    symbol_patterns_of,
    without_cut_escape,
)

WORD: Final = 4
KEY: Final = 16  # leading bytes that tell patterns apart
DECODE_ROUNDS: Final = 2
HELD_FROM: Final = 4  # reduced characters of a pattern's beginning that hold a stream back
MAX_GAP: Final = 64  # bytes between two characters of a form; beyond, they are no longer one value
NEAR: Final = 8  # bytes between two pieces of one value that are replaced with them
HELD_FACTOR: Final = 6  # a stream is held back for forms of at most so many bytes a reduced character
_ORDER: Final = "little" if array("I", b"\1\0\0\0")[0] == 1 else "big"


class Span(NamedTuple):
    """A secret's form at [start, end)."""

    start: int
    end: int
    name: str


class _Index:
    """Patterns over one alphabet, compiled."""

    def __init__(self, kept: frozenset[int]) -> None:
        self._kept = kept
        self._offsets: dict[int, set[int]] = {}
        self._keys: dict[bytes, list[tuple[bytes, str]]] = {}
        self._starts: dict[bytes, list[bytes]] = {}
        self._sizes: tuple[int, ...] = ()
        self.longest = 0

    def add(self, pattern: bytes, name: str) -> None:
        """One more pattern of the secret `name`."""
        for offset in range(WORD):
            word = int.from_bytes(pattern[offset : offset + WORD], _ORDER)
            self._offsets.setdefault(word, set()).add(offset)
        self._keys.setdefault(pattern[:KEY], []).append((pattern, name))
        self._starts.setdefault(pattern[:HELD_FROM], []).append(pattern)
        self._sizes = tuple(sorted({*self._sizes, len(pattern[:KEY])}))
        self.longest = max(self.longest, len(pattern))

    def spans(self, data: bytes) -> list[Span]:
        """Every pattern in `data`."""
        if not self.longest:
            return []
        text = reduced(data, self._kept)
        offsets = self._offsets
        words = array("I", text[: len(text) - len(text) % WORD])
        starts = {i * WORD - offset for i, word in enumerate(words) if word in offsets for offset in offsets[word]}
        hits = [hit for at in starts if at >= 0 for hit in self.hits(text, at)]
        if not hits:
            return []
        places = reduced_positions(data, self._kept)
        return [
            Span(places[start], places[end - 1] + 1, name)
            for start, end, name in hits
            if all(b - a <= MAX_GAP for a, b in pairwise(places[start:end]))
        ]

    def hits(self, text: bytes, at: int) -> list[tuple[int, int, str]]:
        """The patterns that stand at `at` of a reduced text."""
        return [
            (at, at + len(pattern), name)
            for size in self._sizes
            for pattern, name in self._keys.get(text[at : at + size], ())
            if text.startswith(pattern, at)
        ]

    def begins(self, data: bytes) -> int | None:
        """Where in `data` a pattern has begun that its end cuts."""
        short = reduced(data, self._kept) if self.longest else b""
        for at in range(len(short) - HELD_FROM + 1):
            rest = short[at:]
            if any(pattern.startswith(rest) for pattern in self._starts.get(rest[:HELD_FROM], ())):
                return reduced_positions(data, self._kept)[at]
        return None


class Matcher:
    """All forms of `values`, compiled.

    Args:
        values: (name, value) pairs.
    """

    def __init__(self, values: Iterable[tuple[str, bytes]]) -> None:
        self._letters = _Index(LETTERS)
        self._symbols = _Index(VISIBLE)
        self._exact: list[tuple[bytes, str]] = []
        self._count = 0
        for name, value in values:
            self._count += 1
            for piece in pieces_of(value):
                for pattern in patterns_of(piece):
                    self._letters.add(pattern, name)
                if len(reduced(piece)) < MIN_PATTERN:
                    self._exact.append((piece, name))
                    for pattern in symbol_patterns_of(piece):
                        self._symbols.add(pattern, name)

    def __bool__(self) -> bool:
        return self._count > 0

    def __repr__(self) -> str:
        return f"Matcher({self._count} values)"  # never a pattern: they are the secrets

    @property
    def held_bytes(self) -> int:
        """How many bytes at the end of a stream may belong to a form that has begun."""
        exact = max((len(value) for value, _ in self._exact), default=0)
        return max(self._letters.longest, self._symbols.longest, exact) * HELD_FACTOR

    def find(self, data: bytes) -> list[Span]:
        """Every form in `data`, merged where they touch, in order."""
        if not self._count or not data:
            return []
        spans = self._spans(data)
        text, back = data, [(0, 0)]
        for _ in range(DECODE_ROUNDS):
            if not has_escapes(text):
                break
            text, runs = decoded(text)
            back = [(there, _origin(back, here)) for there, here in runs]
            spans += [Span(_origin(back, s.start), min(_origin(back, s.end), len(data)), s.name)
                      for s in self._spans(text)]  # fmt: skip
        return _merged(spans)

    def mask(self, data: bytes) -> bytes:
        """`data` with each form replaced by `[secret:NAME]`."""
        spans = self.find(data)
        return replaced(data, _labelled(spans)) if spans else data

    def begins(self, data: bytes) -> int:
        """Where in `data` a form may have begun that goes on behind its end; len(data) = nowhere."""
        held = self.held_bytes
        tail = data[-held:] if held else b""
        earliest = len(tail)
        for value, _ in self._exact:
            sizes = range(min(len(value) - 1, len(tail)), HELD_FROM - 1, -1)
            earliest = min(earliest, len(tail) - next((size for size in sizes if tail.endswith(value[:size])), 0))
        views = [(tail, [(0, 0)])]
        if has_escapes(tail):
            views.append(decoded(without_cut_escape(tail)))
        for text, back in views:
            for index in (self._letters, self._symbols):
                at = index.begins(text)
                if at is not None:
                    earliest = min(earliest, _origin(back, at))
        return len(data) - len(tail) + earliest

    def _spans(self, data: bytes) -> list[Span]:
        spans = [Span(at, at + len(value), name) for value, name in self._exact for at in _all(data, value)]
        return spans + self._letters.spans(data) + self._symbols.spans(data)


class StreamMask:
    """`Matcher.mask` for bytes that arrive piece by piece."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._before = b""
        self._pending = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may be handed on now: all up to where a form may have begun."""
        data = self._before + self._pending + chunk
        return self._emit(data, max(len(self._before), self._matcher.begins(data)))

    def finish(self) -> bytes:
        """What was held back."""
        data = self._before + self._pending
        return self._emit(data, len(data))

    def _emit(self, data: bytes, stop: int) -> bytes:
        start = len(self._before)
        spans = [span for span in self._matcher.find(data) if span.end > start]
        for span in spans:
            if span.start < stop < span.end:
                stop = max(start, span.start)  # whole with the next piece, or at the end
        shown = [Span(max(s.start, start) - start, s.end - start, s.name) for s in spans if s.start < stop]
        self._before, self._pending = data[max(0, stop - self._matcher.held_bytes) : stop], data[stop:]
        return replaced(data[start:stop], _labelled(shown))


def replaced(data: bytes, spans: Iterable[tuple[int, int, str]]) -> bytes:
    """`data` with `[LABEL]` in place of each (start, end, label); they are in order and do not overlap."""
    out, last = [], 0
    for start, end, label in spans:
        out += [data[last:start], b"[%s]" % label.encode()]
        last = end
    out.append(data[last:])
    return b"".join(out)


def _labelled(spans: Iterable[Span]) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, f"secret:{span.name}") for span in spans]


def _all(data: bytes, value: bytes) -> list[int]:
    found, at = [], data.find(value)
    while at >= 0:
        found.append(at)
        at = data.find(value, at + len(value))
    return found


def _origin(runs: list[tuple[int, int]], place: int) -> int:
    """Where the byte at `place` of a decoded text came from; an escape counts whole."""
    there, here = runs[max(0, bisect_right(runs, (place, 1 << 62)) - 1)]
    return here + place - there


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        near = NEAR if merged and span.name == merged[-1].name else -1
        if merged and span.start <= merged[-1].end + near:
            if span.end > merged[-1].end:
                merged[-1] = merged[-1]._replace(end=span.end)
        else:
            merged.append(span)
    return merged
