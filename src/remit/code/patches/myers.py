"""The shortest way from one list of lines to another, as git finds it.

The idea (Myers): walk from both ends along the diagonals of the edit graph until the two walks meet;
that point splits the problem in two. Before it, lines that stand in one text only are set aside, and
so are very frequent lines between such lines. Afterwards each group of changed lines is slid to where
it lines up with a change of the other side, else as far down as it goes.

Invariants: the result is exact (applying it to `a` gives `b`) whatever the bounds; beyond MIN_COST
differences per split it need not be the shortest. Merges agree with git only because the choices
between equally short ways are git's: do not "improve" them.
Source: E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986); the behaviour of git-diff
and git-merge-file, measured by tests/unit/code/patches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from remit.code.patches.lines import common_ends, intern
from remit.code.patches.sliding import Edit, groups_of, script_of, slide

MIN_COST: Final = 256  # differences that one split always looks for
_SNAKE: Final = 20  # equal lines in a row that make a path promising
_GAIN: Final = 4  # how far a promising path must be ahead of its cost
_MAX_FREQUENT: Final = 1024
_WINDOW: Final = 100  # lines around a frequent one that decide about it
_INFINITE: Final = 1 << 62


def edits(a: Sequence[str], b: Sequence[str]) -> list[Edit]:
    """What changes from `a` to `b`, in order; between two edits there is at least one equal line."""
    start, end = common_ends(a, b)
    a1, b1 = len(a) - end, len(b) - end
    if start == a1 and start == b1:
        return []
    marks_a, marks_b = bytearray(len(a) + 1), bytearray(len(b) + 1)
    if start in (a1, b1):
        marks_a[start:a1] = b"\1" * (a1 - start)
        marks_b[start:b1] = b"\1" * (b1 - start)
    else:
        x, y, ends = intern(a[start:a1], b[start:b1], (a[:start], a[a1:]))
        kinds = (_kinds(x, Counter(y) + ends, _root(len(a))), _kinds(y, Counter(x) + ends, _root(len(b))))
        _mark(x, y, kinds, (marks_a, marks_b), start)
    groups_a, groups_b = groups_of(marks_a), groups_of(marks_b)
    groups_a = slide(groups_a, a, {rank for rank, _, _ in groups_b})
    groups_b = slide(groups_b, b, {rank for rank, _, _ in groups_a})
    return script_of(groups_a, groups_b)


def _root(n: int) -> int:
    """A power of two near the square root."""
    i = 1
    while n > 0:
        i <<= 1
        n >>= 2
    return min(i, _MAX_FREQUENT)


def _mark(
    x: list[int], y: list[int], kinds: tuple[bytes, bytes], marks: tuple[bytearray, bytearray], start: int
) -> None:
    """Mark the changed lines between the equal ends."""
    keep_x, keep_y = _kept(kinds[0]), _kept(kinds[1])
    for marked, kept, length in ((marks[0], keep_x, len(x)), (marks[1], keep_y, len(y))):
        marked[start : start + length] = b"\1" * length
        for i in kept:
            marked[start + i] = 0
    work = _Split([x[i] for i in keep_x], [y[i] for i in keep_y])
    work.run()
    for i in work.changed_x:
        marks[0][start + keep_x[i]] = 1
    for i in work.changed_y:
        marks[1][start + keep_y[i]] = 1


def _kinds(own: list[int], other: Counter[int], frequent: int) -> bytes:
    """Of each line: 0 = not in the other text, 2 = very often there, 1 = ordinary."""
    return bytes([0 if not (n := other[line]) else 2 if n >= frequent else 1 for line in own])


def _kept(kinds: bytes) -> list[int]:
    """Positions of the lines that take part in the comparison."""
    if 2 not in kinds:
        return [i for i, kind in enumerate(kinds) if kind]
    return [i for i, kind in enumerate(kinds) if kind == 1 or (kind == 2 and not _amid_changes(kinds, i))]


def _amid_changes(kinds: bytes, i: int) -> bool:
    """Whether a frequent line stands between so many lines without a partner that it says nothing."""
    none_before, frequent_before = _run(kinds, range(i - 1, max(-1, i - 1 - _WINDOW), -1))
    if not none_before:
        return False
    none_after, frequent_after = _run(kinds, range(i + 1, min(len(kinds), i + 1 + _WINDOW)))
    if not none_after:
        return False
    frequent = frequent_before + frequent_after
    return frequent * 4 < frequent + none_before + none_after


def _run(kinds: bytes, positions: range) -> tuple[int, int]:
    none, frequent = 0, 1
    for j in positions:
        if kinds[j] == 0:
            none += 1
        elif kinds[j] == 2:
            frequent += 1
        else:
            break
    return none, frequent


class _Box:
    """The part of both texts that one split looks at, and the diagonals that the two walks have reached."""

    __slots__ = (
        "bmax",
        "bmid",
        "bmin",
        "fmax",
        "fmid",
        "fmin",
        "high",
        "low",
        "odd",
        "promising",
        "x0",
        "x1",
        "y0",
        "y1",
    )

    def __init__(self, x0: int, x1: int, y0: int, y1: int, zero: int) -> None:
        self.x0, self.x1, self.y0, self.y1 = x0, x1, y0, y1
        self.low, self.high = x0 - y1 + zero, x1 - y0 + zero
        self.fmin = self.fmax = self.fmid = x0 - y0 + zero
        self.bmin = self.bmax = self.bmid = x1 - y1 + zero
        self.odd = (self.fmid - self.bmid) & 1 == 1
        self.promising = False

    def ahead(self) -> range:
        """Diagonals of the walk from the start."""
        return range(self.fmax, self.fmin - 1, -2)

    def back(self) -> range:
        """Diagonals of the walk from the end."""
        return range(self.bmax, self.bmin - 1, -2)


class _Split:
    """Divide and conquer over two lists of numbers; fills `changed_x` and `changed_y`."""

    def __init__(self, x: list[int], y: list[int]) -> None:
        self.x = x
        self.y = y
        self.changed_x: list[int] = []
        self.changed_y: list[int] = []
        n = len(x) + len(y) + 3
        self.cost = max(MIN_COST, _root_unbounded(n))
        self.forward = [0] * (2 * n + 2)
        self.backward = [0] * (2 * n + 2)
        self.zero = len(y) + 1  # index of diagonal 0

    def run(self) -> None:
        """Process boxes from a list instead of by recursion: depth must not depend on the input."""
        x, y = self.x, self.y
        boxes = [(0, len(x), 0, len(y), False)]
        while boxes:
            x0, x1, y0, y1, minimal = boxes.pop()
            while x0 < x1 and y0 < y1 and x[x0] == y[y0]:
                x0 += 1
                y0 += 1
            while x0 < x1 and y0 < y1 and x[x1 - 1] == y[y1 - 1]:
                x1 -= 1
                y1 -= 1
            if x0 == x1:
                self.changed_y.extend(range(y0, y1))
            elif y0 == y1:
                self.changed_x.extend(range(x0, x1))
            else:
                i, j, low, high = self._middle(x0, x1, y0, y1, minimal)
                boxes.append((i, x1, j, y1, high))
                boxes.append((x0, i, y0, j, low))

    def _middle(self, x0: int, x1: int, y0: int, y1: int, minimal: bool) -> tuple[int, int, bool, bool]:
        """Where a shortest way through the box passes, and whether both halves must be searched to the end."""
        box = _Box(x0, x1, y0, y1, self.zero)
        self.forward[box.fmid], self.backward[box.bmid] = x0, x1
        cost = 0
        while True:
            cost += 1
            met = self._sweep_ahead(box) or self._sweep_back(box)
            if met is not None:
                return met[0], met[1], True, True
            if minimal:
                continue
            if box.promising and cost > MIN_COST:
                found = self._promising(box, cost)
                if found is not None:
                    return found
            if cost >= self.cost:
                return self._furthest(box)

    def _sweep_ahead(self, box: _Box) -> tuple[int, int] | None:
        """One more difference from the start on every diagonal; the point where the walks meet, or None."""
        x, y, forward, backward, zero = self.x, self.y, self.forward, self.backward, self.zero
        x1, y1, low, high = box.x1, box.y1, box.bmin, box.bmax
        if box.fmin > box.low:
            box.fmin -= 1
            forward[box.fmin - 1] = -1
        else:
            box.fmin += 1
        if box.fmax < box.high:
            box.fmax += 1
            forward[box.fmax + 1] = -1
        else:
            box.fmax -= 1
        box.promising = False
        for d in range(box.fmax, box.fmin - 1, -2):
            i = forward[d - 1] + 1 if forward[d - 1] >= forward[d + 1] else forward[d + 1]
            was, j = i, i - d + zero
            while i < x1 and j < y1 and x[i] == y[j]:
                i += 1
                j += 1
            if i - was > _SNAKE:
                box.promising = True
            forward[d] = i
            if box.odd and low <= d <= high and backward[d] <= i:
                return i, j
        return None

    def _sweep_back(self, box: _Box) -> tuple[int, int] | None:
        """The same from the end."""
        x, y, forward, backward, zero = self.x, self.y, self.forward, self.backward, self.zero
        x0, y0, low, high = box.x0, box.y0, box.fmin, box.fmax
        if box.bmin > box.low:
            box.bmin -= 1
            backward[box.bmin - 1] = _INFINITE
        else:
            box.bmin += 1
        if box.bmax < box.high:
            box.bmax += 1
            backward[box.bmax + 1] = _INFINITE
        else:
            box.bmax -= 1
        for d in range(box.bmax, box.bmin - 1, -2):
            i = backward[d - 1] if backward[d - 1] < backward[d + 1] else backward[d + 1] - 1
            was, j = i, i - d + zero
            while i > x0 and j > y0 and x[i - 1] == y[j - 1]:
                i -= 1
                j -= 1
            if was - i > _SNAKE:
                box.promising = True
            backward[d] = i
            if not box.odd and low <= d <= high and i <= forward[d]:
                return i, j
        return None

    def _promising(self, box: _Box, cost: int) -> tuple[int, int, bool, bool] | None:
        """A path far ahead of its cost that ends in a long run of equal lines."""
        x, y, zero = self.x, self.y, self.zero
        x0, x1, y0, y1 = box.x0, box.x1, box.y0, box.y1
        best, found = 0, None
        for d in box.ahead():
            i = self.forward[d]
            j = i - d + zero
            gain = (i - x0) + (j - y0) - abs(d - box.fmid)
            inside = x0 + _SNAKE <= i < x1 and y0 + _SNAKE <= j < y1
            if gain > _GAIN * cost and gain > best and inside and x[i - _SNAKE : i] == y[j - _SNAKE : j]:
                best, found = gain, (i, j, True, False)
        if found is not None:
            return found
        for d in box.back():
            i = self.backward[d]
            j = i - d + zero
            gain = (x1 - i) + (y1 - j) - abs(d - box.bmid)
            inside = x0 < i <= x1 - _SNAKE and y0 < j <= y1 - _SNAKE
            if gain > _GAIN * cost and gain > best and inside and x[i : i + _SNAKE] == y[j : j + _SNAKE]:
                best, found = gain, (i, j, False, True)
        return found

    def _furthest(self, box: _Box) -> tuple[int, int, bool, bool]:
        """Enough was spent: the point that is furthest from its corner."""
        x0, x1, y0, y1 = box.x0, box.x1, box.y0, box.y1
        zero = self.zero
        far, far_i = -1, -1
        for d in box.ahead():
            i = min(self.forward[d], x1)
            j = i - d + zero
            if y1 < j:
                i, j = y1 + d - zero, y1
            if far < i + j:
                far, far_i = i + j, i
        near, near_i = _INFINITE, _INFINITE
        for d in box.back():
            i = max(x0, self.backward[d])
            j = i - d + zero
            if j < y0:
                i, j = y0 + d - zero, y0
            if i + j < near:
                near, near_i = i + j, i
        if (x1 + y1) - near < far - (x0 + y0):
            return far_i, far - far_i, True, False
        return near_i, near - near_i, False, True


def _root_unbounded(n: int) -> int:
    i = 1
    while n > 0:
        i <<= 1
        n >>= 2
    return i
