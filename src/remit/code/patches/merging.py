"""Three-way merge with conflict markers; verdict and text are those of `git merge-file`.

The idea: both sides are compared with the base. Where only one side changes, its change is taken;
where both make the same change, it is taken once; where they overlap, the two sides' lines are compared
with each other and only what really differs becomes a conflict. Conflicts that are at most three
lines apart, or apart by lines without a letter or digit, become one.

Source: git-merge-file(1); S. Khanna, K. Kunal, B. Pierce, "A Formal Investigation of Diff3" (2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from remit.code.patches.lines import split
from remit.code.patches.myers import edits
from remit.code.patches.sliding import Edit

MARKER: Final = 7  # characters of a conflict marker
_NEAR: Final = 3  # equal lines between two conflicts that are not worth keeping them apart

_CONFLICT, _OURS, _THEIRS, _SAME = 0, 1, 2, 3


class Merge(Struct, frozen=True):
    """The merged text."""

    text: str
    conflicts: int
    """how many places need a person; their lines stand between conflict markers"""
    places: tuple[int, ...] = ()
    """0-based lines of `text` where the conflicts begin"""


class _Piece:
    """A stretch that differs: lines of the base, of ours and of theirs."""

    __slots__ = ("base", "kind", "ours", "theirs")

    def __init__(self, kind: int, base: tuple[int, int], ours: tuple[int, int], theirs: tuple[int, int]) -> None:
        self.kind = kind
        self.base = base
        self.ours = ours
        self.theirs = theirs


def merge(base: str, ours: str, theirs: str, *, labels: tuple[str, str] = ("ours", "theirs")) -> Merge:
    """Merge the changes from `base` to `ours` and from `base` to `theirs`.

    Args:
        labels: what stands behind the markers of the two sides.
    Raises:
        Exhausted: output_too_large.
    """
    lines = split(base)
    mine, other = split(ours), split(theirs)
    left, right = edits(lines, mine), edits(lines, other)
    if not left:
        return Merge(theirs, 0)
    if not right:
        return Merge(ours, 0)
    shifts = (len(mine) - len(lines), len(other) - len(lines))
    pieces = _pieces(left, right, (mine, other), shifts)
    pieces = _joined(_refined(pieces, mine, other), mine)
    return _written(pieces, (mine, other, lines), labels)


def _pieces(
    left: list[Edit], right: list[Edit], sides: tuple[Sequence[str], Sequence[str]], shifts: tuple[int, int]
) -> list[_Piece]:
    """Walk both lists of edits side by side, in the order of the base."""
    mine, other = sides
    out: list[_Piece] = []
    i = j = 0
    while i < len(left) and j < len(right):
        x, y = left[i], right[j]
        if x.a1 < y.a0:
            _append(out, _only_ours(x, y.b0 - y.a0))
            i += 1
            continue
        if y.a1 < x.a0:
            _append(out, _only_theirs(y, x.b0 - x.a0))
            j += 1
            continue
        same = (x.a0, x.a1) == (y.a0, y.a1) and mine[x.b0 : x.b1] == other[y.b0 : y.b1]
        if not same:
            first, end = min(x.a0, y.a0), max(x.a1, y.a1)
            _append(
                out,
                _Piece(
                    _CONFLICT,
                    (first, end),
                    (x.b0 - (x.a0 - first), x.b1 + (end - x.a1)),
                    (y.b0 - (y.a0 - first), y.b1 + (end - y.a1)),
                ),
            )
        i += x.a1 <= y.a1
        j += y.a1 <= x.a1
    for x in left[i:]:
        _append(out, _only_ours(x, shifts[1]))
    for y in right[j:]:
        _append(out, _only_theirs(y, shifts[0]))
    return out


def _only_ours(x: Edit, shift: int) -> _Piece:
    return _Piece(_OURS, (x.a0, x.a1), (x.b0, x.b1), (x.a0 + shift, x.a1 + shift))


def _only_theirs(y: Edit, shift: int) -> _Piece:
    return _Piece(_THEIRS, (y.a0, y.a1), (y.a0 + shift, y.a1 + shift), (y.b0, y.b1))


def _append(out: list[_Piece], piece: _Piece) -> None:
    """Add a piece; one that touches the last becomes a part of it."""
    last = out[-1] if out else None
    if last is None or (piece.ours[0] > last.ours[1] and piece.theirs[0] > last.theirs[1]):
        out.append(piece)
        return
    if piece.kind != last.kind:
        last.kind = _CONFLICT
    last.base = (last.base[0], piece.base[1])
    last.ours = (last.ours[0], piece.ours[1])
    last.theirs = (last.theirs[0], piece.theirs[1])


def _refined(pieces: list[_Piece], mine: Sequence[str], other: Sequence[str]) -> list[_Piece]:
    """Conflicts reduced to what differs between the two sides."""
    out: list[_Piece] = []
    for piece in pieces:
        (i0, i1), (j0, j1) = piece.ours, piece.theirs
        if piece.kind != _CONFLICT or i0 == i1 or j0 == j1:
            out.append(piece)
            continue
        script = edits(mine[i0:i1], other[j0:j1])
        if not script:
            piece.kind = _SAME
            out.append(piece)
            continue
        for e in script:
            out.append(_Piece(_CONFLICT, piece.base, (i0 + e.a0, i0 + e.a1), (j0 + e.b0, j0 + e.b1)))
    return out


def _joined(pieces: list[_Piece], mine: Sequence[str]) -> list[_Piece]:
    """Conflicts that have next to nothing between them, as one."""
    out: list[_Piece] = []
    for piece in pieces:
        last = out[-1] if out else None
        if last is not None and last.kind == _CONFLICT == piece.kind:
            between = mine[last.ours[1] : piece.ours[0]]
            if len(between) <= _NEAR or not any(_says_something(line) for line in between):
                last.ours = (last.ours[0], piece.ours[1])
                last.theirs = (last.theirs[0], piece.theirs[1])
                continue
        out.append(piece)
    return out


def _says_something(line: str) -> bool:
    return any(c.isascii() and c.isalnum() for c in line)


def _written(
    pieces: list[_Piece], texts: tuple[Sequence[str], Sequence[str], Sequence[str]], labels: tuple[str, str]
) -> Merge:
    mine, other, base = texts
    out: list[str] = []
    places = []
    at = 0
    for piece in pieces:
        if piece.kind == _SAME:
            continue
        out += mine[at : piece.ours[0]]
        at = piece.ours[1]
        if piece.kind == _CONFLICT:
            end = _line_end(mine, other, base, piece)
            places.append(len(out))
            out.append(f"{'<' * MARKER} {labels[0]}{end}")
            out += _ended(mine[piece.ours[0] : piece.ours[1]], end)
            out.append(f"{'=' * MARKER}{end}")
            out += _ended(other[piece.theirs[0] : piece.theirs[1]], end)
            out.append(f"{'>' * MARKER} {labels[1]}{end}")
        elif piece.kind == _OURS:
            out += mine[piece.ours[0] : piece.ours[1]]
        else:
            out += other[piece.theirs[0] : piece.theirs[1]]
    return Merge("".join(out + list(mine[at:])), len(places), tuple(places))


def _line_end(mine: Sequence[str], other: Sequence[str], base: Sequence[str], piece: _Piece) -> str:
    """Markers end in CR LF where the lines before them do, on both sides and in the base."""
    if _is_crlf(mine, piece.ours[0] - 1) is False or _is_crlf(other, piece.theirs[0] - 1) is False:
        return "\n"
    return "\r\n" if _is_crlf(base, 0) else "\n"


def _is_crlf(lines: Sequence[str], i: int) -> bool | None:
    """Whether line `i` (the first, below 0) ends in CR LF, or the one before it; None = no line has an end."""
    for k in (max(i, 0), i - 1):
        if 0 <= k < len(lines) and lines[k].endswith("\n"):
            return lines[k].endswith("\r\n")
    return None


def _ended(lines: Sequence[str], end: str) -> list[str]:
    """Lines between markers all have an end."""
    out = list(lines)
    if out and not out[-1].endswith("\n"):
        out[-1] += end
    return out
