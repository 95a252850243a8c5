"""Texts as lines, and lines as numbers.

A line ends at a line feed and nowhere else (a lone carriage return, U+2028 and the like are part of
the line), and keeps its end, so that joining gives the text back byte for byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from io import StringIO

from remit.errors import Exhausted

MAX_TEXT_CHARS = 64 * 1024 * 1024
"""of one text; more is refused with output_too_large"""
MAX_LINES = 2_000_000


def split(text: str) -> list[str]:
    """The lines of `text`, each with its end; raises output_too_large beyond MAX_TEXT_CHARS or MAX_LINES."""
    if len(text) > MAX_TEXT_CHARS:
        raise Exhausted("output_too_large", f"a text of {len(text)} characters; at most {MAX_TEXT_CHARS} are compared")
    lines = StringIO(text, newline="\n").readlines()
    if len(lines) > MAX_LINES:
        raise Exhausted("output_too_large", f"a text of {len(lines)} lines; at most {MAX_LINES} are compared")
    return lines


def common_ends(a: Sequence[str], b: Sequence[str]) -> tuple[int, int]:
    """How many lines are equal at the start, and at the end of what is left."""
    limit = min(len(a), len(b))
    start = _common_start(a, b, limit)
    limit -= start
    end = 0
    while end < limit and a[-1 - end] == b[-1 - end]:
        end += 1
    return start, end


def _common_start(a: Sequence[str], b: Sequence[str], limit: int) -> int:
    # Slices are compared in C: halve the step where they differ.
    start, step = 0, 256
    while step:
        while start + step <= limit and a[start : start + step] == b[start : start + step]:
            start += step
        step //= 4
    return start


def intern(
    a: Sequence[str], b: Sequence[str], around: tuple[Sequence[str], ...] = ()
) -> tuple[list[int], list[int], Counter[int]]:
    """Both sequences as numbers (equal lines have equal numbers), and how often each stands in `around`."""
    numbers: dict[str, int] = {}
    number = numbers.setdefault
    x = [number(line, len(numbers)) for line in a]
    y = [number(line, len(numbers)) for line in b]
    return x, y, Counter([numbers[line] for lines in around for line in lines if line in numbers])
