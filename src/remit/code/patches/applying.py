"""Applying a change to the lines of a file: each hunk to the one place where it can only be meant.

The idea: find every place a hunk fits (matching.py, strictest pass first). One place: taken. Several:
the line number of the hunk decides if it is right, then the shift that the sure hunks of the file share,
then the order of the hunks; what is still open is refused. A hunk that fits nowhere is tried with less
context around it, because what lies around may have changed.

Invariants: nothing is ever guessed between two places; kept lines are the file's own, byte for byte;
only added lines come from the patch, with the file's line ends and, where the hunk was shifted, its
indentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from remit.code.patches.adapting import adapted
from remit.code.patches.matching import EXACT, NEAR, PUNCTUATION, Target
from remit.code.patches.values import ADD, KEEP, REMOVE, Hunk
from remit.errors import Conflict

_MAX_SHOWN: Final = 5
_FUZZ: Final = 2  # outer context lines that may be left out at each end


class _Fit:
    """A hunk (perhaps with less context), the pass that found it and its places."""

    __slots__ = ("cut", "hunk", "level", "places", "size")

    def __init__(self, hunk: Hunk, level: int, places: list[int], cut: int = 0) -> None:
        self.hunk = hunk
        self.level = level
        self.places = places
        self.cut = cut
        """context lines left out at the start"""
        self.size = len(hunk.old)


def apply_hunks(lines: Sequence[str], hunks: Sequence[Hunk], path: str) -> list[str]:
    """The lines after all hunks; raises patch_conflict naming hunk, place and reason."""
    target = Target(lines)
    fits = [_fit(target, hunk, path) for hunk in hunks]
    _settle(fits, path)
    out: list[str] = []
    at = 0
    for fit in sorted(fits, key=lambda f: f.places[0]):
        place = fit.places[0]
        if place < at:
            raise _conflict(fit.hunk, path, f"it overlaps the hunk before it at line {place + 1}")
        out += lines[at:place]
        try:
            out += adapted(fit.hunk, lines, place, fit.level)
        except Conflict as error:
            raise _conflict(fit.hunk, path, error.message) from None
        at = place + fit.size
    out += lines[at:]
    return _ended(out, lines)


def _ended(out: list[str], lines: Sequence[str]) -> list[str]:
    """Every line but the last has an end: a text may be added behind one that had none."""
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    for i, line in enumerate(out[:-1]):
        if not line.endswith("\n"):
            out[i] = line + end
    return out


def _fit(target: Target, hunk: Hunk, path: str) -> _Fit:
    old = hunk.old
    if not old:
        return _Fit(hunk, EXACT, [_bare_place(target, hunk, path)])
    low, high = _after_anchors(target, hunk), len(target.lines) - len(old)
    if hunk.at_end:
        low = max(low, high)
    for level in range(PUNCTUATION + 1):
        places = target.find(old, level, low, high)
        if places:
            return _Fit(hunk, level, places)
    near = target.near(old, low, high)
    if near:
        return _near_fit(hunk, near)
    for front, back in ((1, 1), (1, 0), (0, 1), (2, 2), (2, 1), (1, 2), (2, 0), (0, 2)):
        smaller = _less_context(hunk, front, back)
        if smaller is None:
            continue
        for level in range(PUNCTUATION + 1):
            places = target.find(smaller.old, level, low, len(target.lines) - len(smaller.old))
            if places:
                return _Fit(smaller, level, places, front)
    raise _conflict(hunk, path, "its lines stand nowhere in the file; the first is " + repr(old[0].strip()[:80]))


def _near_fit(hunk: Hunk, near: list[tuple[int, int]]) -> _Fit:
    """The places with the fewest differences; another one that is nearly as good stays a candidate."""
    best = near[0][1]
    return _Fit(hunk, NEAR, [place for place, differing in near if differing <= best + 1])


def _bare_place(target: Target, hunk: Hunk, path: str) -> int:
    """Where lines go that stand in no context."""
    if hunk.at_end or (not target.lines):
        return len(target.lines)
    if hunk.anchors:
        return _after_anchors(target, hunk)
    if hunk.start is None:
        raise _conflict(hunk, path, "it says neither what it replaces nor where it belongs")
    if hunk.start > len(target.lines):
        raise _conflict(hunk, path, f"the file has {len(target.lines)} lines, and it adds after line {hunk.start}")
    return hunk.start


def _after_anchors(target: Target, hunk: Hunk) -> int:
    """The line behind the last anchor that is found; 0 when one is not (a heading need not be a line)."""
    at = 0
    for anchor in hunk.anchors:
        found = next((p for level in (1, 3) for p in target.find([anchor], level, at, len(target.lines))), None)
        if found is None:
            return at
        at = found  # the anchor itself may be the first line of the context
    return at


def _less_context(hunk: Hunk, front: int, back: int) -> Hunk | None:
    """The hunk without outer context lines; None when it has not so many, or nothing sure would be left."""
    lines = hunk.lines
    inner = lines[front : len(lines) - back]
    if any(tag != KEEP for tag, _ in (*lines[:front], *lines[len(lines) - back :])):
        return None
    sure = [text for tag, text in inner if tag != ADD and text.strip()]
    if len(sure) < 2 and not any(tag == REMOVE and len(text.strip()) > 3 for tag, text in inner):
        return None
    start = None if hunk.start is None else hunk.start + front
    return Hunk(tuple(inner), start, anchors=hunk.anchors, at_end=hunk.at_end, number=hunk.number)


def _settle(fits: list[_Fit], path: str) -> None:
    """Leave one place to each hunk, or refuse."""
    for fit in fits:
        named = fit.hunk.start
        if len(fit.places) > 1 and fit.level <= PUNCTUATION and named in fit.places:
            fit.places = [named]
    _by_shift(fits)
    _by_order(fits)
    for fit in fits:
        if len(fit.places) > 1:
            shown = ", ".join(str(place + 1) for place in fit.places[:_MAX_SHOWN])
            raise _conflict(fit.hunk, path, f"it fits {len(fit.places)} places (lines {shown}); give more context")


def _by_shift(fits: list[_Fit]) -> None:
    """The shift between named and real line of the nearest sure hunk holds for its neighbours."""
    sure = [(f.hunk.start, f.places[0]) for f in fits if f.hunk.start is not None and len(f.places) == 1]
    for fit in fits:
        named = fit.hunk.start
        if len(fit.places) < 2 or named is None or not sure:
            continue
        start, place = min(sure, key=lambda pair: abs(pair[0] - named))
        if named + place - start in fit.places:
            fit.places = [named + place - start]


def _by_order(fits: list[_Fit]) -> None:
    """Hunks of a file stand in its order: places outside the neighbours' are none."""
    if not _ordered(fits):
        return
    low = 0
    for fit in fits:
        fit.places = [place for place in fit.places if place >= low] or fit.places
        low = fit.places[0] + fit.size
    high = None
    for fit in reversed(fits):
        if high is not None:
            fit.places = [place for place in fit.places if place + fit.size <= high] or fit.places
        high = fit.places[-1]


def _ordered(fits: list[_Fit]) -> bool:
    """Whether the sure ones stand in order already (models sometimes write hunks in another)."""
    sure = [fit.places[0] for fit in fits if len(fit.places) == 1]
    return sure == sorted(sure)


def _conflict(hunk: Hunk, path: str, why: str) -> Conflict:
    return Conflict("patch_conflict", f"{path}: the hunk at line {hunk.number} of the patch does not fit: {why}")
