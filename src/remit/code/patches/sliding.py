"""Groups of changed lines, slid to where they say most, then written as edits.

A group that begins with the line that follows it can as well begin one line later: the change is the
same. It is moved to the last place where the other text changes too, else as far down as it goes.
Source: the behaviour of git-diff without its indentation heuristic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

_INFINITE: Final = 1 << 62


class Edit(NamedTuple):
    """Lines a0:a1 of the old text become lines b0:b1 of the new one."""

    a0: int
    a1: int
    b0: int
    b1: int


Group = tuple[int, int, int]  # (equal lines before it, first line, line after the last)


def groups_of(marks: bytearray) -> list[Group]:
    """The runs of changed lines."""
    groups = []
    changed = 0
    at = marks.find(1)
    while at >= 0:
        end = marks.find(0, at)
        groups.append((at - changed, at, end))
        changed += end - at
        at = marks.find(1, end)
    return groups


def slide(groups: list[Group], lines: Sequence[str], other: set[int]) -> list[Group]:
    """Move each group to the last place where the other side changes too, else as far down as it goes.

    `other` = ranks (equal lines before it) of the other side's groups.
    """
    done: list[Group] = []
    left = groups[::-1]
    while left:
        group, size = left.pop(), -1
        earliest = matching = -1
        while size != group[2] - group[1]:  # a group that met another may go further
            size = group[2] - group[1]
            group = _up(group, lines, done)
            earliest = group[2]
            group, matching = _down(group, lines, left, other)
        rank, start, end = group
        if end != earliest and matching != -1:
            while rank not in other:  # back the way it came, where no other group stands
                rank, start, end = rank - 1, start - 1, end - 1
        done.append((rank, start, end))
    return done


def _up(group: Group, lines: Sequence[str], done: list[Group]) -> Group:
    rank, start, end = group
    while start > 0 and lines[start - 1] == lines[end - 1]:
        rank, start, end = rank - 1, start - 1, end - 1
        if done and done[-1][2] == start:
            start = done.pop()[1]
    return rank, start, end


def _down(group: Group, lines: Sequence[str], left: list[Group], other: set[int]) -> tuple[Group, int]:
    """The group as far down as it goes, and its last end beside a change of the other side (-1 = none)."""
    rank, start, end = group
    matching = end if rank in other else -1
    while end < len(lines) and lines[start] == lines[end]:
        rank, start, end = rank + 1, start + 1, end + 1
        if left and left[-1][1] == end:
            end = left.pop()[2]
        if rank in other:
            matching = end
    return (rank, start, end), matching


def script_of(groups_a: list[Group], groups_b: list[Group]) -> list[Edit]:
    """Both sides' groups as edits, in order; groups of equal rank are one edit."""
    out: list[Edit] = []
    i = j = 0
    changed_a = changed_b = 0
    while i < len(groups_a) or j < len(groups_b):
        rank_a = groups_a[i][0] if i < len(groups_a) else _INFINITE
        rank_b = groups_b[j][0] if j < len(groups_b) else _INFINITE
        rank = min(rank_a, rank_b)
        a0 = a1 = rank + changed_a
        b0 = b1 = rank + changed_b
        if rank_a == rank:
            _, a0, a1 = groups_a[i]
            changed_a += a1 - a0
            i += 1
        if rank_b == rank:
            _, b0, b1 = groups_b[j]
            changed_b += b1 - b0
            j += 1
        out.append(Edit(a0, a1, b0, b1))
    return out
