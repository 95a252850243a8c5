"""Regular expressions that cannot hang: Python's syntax, with a bound on the work of every match.

The idea: `re` backtracks, and a pattern such as `(a+)+$` makes it try exponentially many paths while
it holds the interpreter, so no deadline can stop it. Here the pattern is parsed first and the number
of paths that a backtracker could try is bounded from above (`_paths`). Where the bound for this
text is small, `re` itself answers. Where it is not, a simulation of all paths at once (Thompson's
construction, Pike's machine with captures) answers in time linear in the text, step-counted.

Invariant: `re` only runs where paths(n) * n <= MAX_BACKTRACK; everything else stops at MAX_STEPS.
A repeat whose body can match nothing, `(a*)*`, may report another empty match than `re` does.
Not in the simulation: look-around, back-references, atomic groups, conditions; such a pattern is
refused where `re` would be too costly for the text.
Rejected: a list of "dangerous" shapes (incomplete: `a?a?a?...`, `(a|a)(a|a)...`, `.*.*.*x`); a thread with
a deadline (`re` never yields); a worker process (a process a call, and tools start none).
Source: Russ Cox, "Regular Expression Matching: the Virtual Machine Approach" (2009).
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from remit.core.regex_literals import required
from remit.core.regex_machine import MAX_STEPS, Machine, NotSimulated, Steps
from remit.errors import Exhausted, Invalid

MAX_PATTERN_CHARS: Final = 1000
MAX_BACKTRACK: Final = 10_000_000  # at most 0.3 s of `re`, measured with `(a|a)(a|a)...b` on 2020s hardware
_INFINITE: Final = 10**18
# Operators whose answer depends on what surrounds a line, or on other matches; ends and edges of a line do not.
_CONTEXT: Final = re.compile(r"AT_\w+_STRING|ASSERT|GROUPREF")
# `re` keeps its parser here (3.11 to 3.14); the former name sre_parse warns.
_parser: Any = importlib.import_module("re._parser")

Span = tuple[int, int]


class Bounded:
    """A compiled pattern. `spans` is one (start, end) per group, group 0 first; (-1, -1) = took no part."""

    __slots__ = ("_cheap_chars", "_in_text", "_machine", "_plain", "_required", "_tree", "groups", "names")

    def __init__(self, pattern: str, flags: int) -> None:
        if len(pattern) > MAX_PATTERN_CHARS:
            raise Invalid("value_invalid", f"the pattern is longer than {MAX_PATTERN_CHARS} characters")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # FutureWarning for [[ and the like is for authors of code
                self._tree = _parser.parse(pattern, flags)
                self._plain = re.compile(pattern, flags)
            # The parsed tree shows operators by name and text by number, so this finds operators only.
            free = _CONTEXT.search(repr(self._tree)) is None
            self._in_text = re.compile(pattern, flags | re.MULTILINE) if free else None
            """finds something in a text wherever the pattern matches one of its lines"""
            self._required = required(self._tree, self._plain.flags)
            self._cheap_chars = -1
            self._cheap(0)
        except (re.error, OverflowError) as e:
            raise Invalid("value_invalid", f"the pattern is no regular expression: {e}") from e
        except RecursionError as e:
            raise Invalid("value_invalid", "the pattern is nested too deeply") from e
        self.groups = self._plain.groups
        self.names = self._plain.groupindex
        self._machine: Machine | None = None

    def absent_from(self, text: str) -> bool:
        """Whether certainly no line of `text` matches, found in one cheap pass; False = each line must be tried."""
        if self.lacks(text):
            return True
        if self._in_text is None or "\r" in text or not self._cheap(len(text)):
            return False
        return self._in_text.search(text) is None

    def lacks(self, text: str) -> bool:
        """Whether `text` holds none of the texts of which every match needs one, so that nothing in it matches."""
        return bool(self._required) and not any(needed in text for needed in self._required)

    def search(self, text: str, start: int = 0, steps: Steps | None = None) -> list[Span] | None:
        """The leftmost match at or after `start`; raises output_too_large when the step budget is used up."""
        if self._cheap(len(text) - start):
            found = self._plain.search(text, start)
            return None if found is None else [found.span(g) for g in range(self.groups + 1)]
        return self._simulate(text, start, steps or Steps())

    def matches(self, text: str) -> Iterator[list[Span]]:
        """All matches from left to right, as `re.finditer` finds them."""
        if self._cheap(len(text)):
            for found in self._plain.finditer(text):
                yield [found.span(g) for g in range(self.groups + 1)]
            return
        steps, at, barred = Steps(), 0, -1
        while at <= len(text):
            spans = self._simulate(text, at, steps, barred)
            if spans is None:
                return
            yield spans
            # As `re` does: after an empty match none that is empty at the same place.
            at = spans[0][1]
            barred = at if spans[0][0] == at else -1

    def _cheap(self, length: int) -> bool:
        """Whether `re` is bounded on that many characters; the bound grows with length, so it is found once."""
        if self._cheap_chars < 0:
            low, high = 0, MAX_BACKTRACK + 1
            while high - low > 1:
                middle = (low + high) // 2
                if _paths(self._tree, middle) * middle <= MAX_BACKTRACK:
                    low = middle
                else:
                    high = middle
            self._cheap_chars = low
        return length <= self._cheap_chars

    def _simulate(self, text: str, start: int, steps: Steps, barred: int = -1) -> list[Span] | None:
        try:
            if self._machine is None:
                self._machine = Machine(self._tree, self.groups)
            return self._machine.search(text, start, steps, barred)
        except RecursionError:
            raise Invalid("value_invalid", "the pattern is nested too deeply") from None
        except NotSimulated as e:
            raise Invalid(
                "value_invalid",
                f"this pattern could take exponential time here, and {e} rules the linear method out",
                hint="Simplify it: no repeat inside a repeat, no look-around, no back-reference; or give less text.",
            ) from None
        except Exhausted:
            raise Exhausted(
                "output_too_large",
                f"the pattern needed more than {MAX_STEPS:,} steps on this text",
                hint="Give less text, or a simpler pattern.",
            ) from None


@lru_cache(maxsize=64)
def compile_bounded(pattern: str, flags: int = 0) -> Bounded:
    """The compiled form of `pattern`; raises value_invalid for a broken one.

    Args:
        pattern: Python's `re` syntax, at most 1,000 characters.
        flags: of `re`.
    """
    return Bounded(pattern, flags)


def _paths(tree: Any, length: int) -> int:
    """Upper bound of the paths that a backtracker can try from one starting place in `length` characters."""
    total = 1
    for op, argument in tree:
        total = min(_INFINITE, total * _node_paths(str(op), argument, length))
    return total


def _node_paths(op: str, argument: Any, length: int) -> int:
    match op:
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            low, high, body = argument
            return _repeat_paths(int(low), min(int(high), length), _paths(body, length))
        case "SUBPATTERN":
            return _paths(argument[3], length)
        case "BRANCH":
            return min(_INFINITE, sum(_paths(branch, length) for branch in argument[1]))
        case "ATOMIC_GROUP":
            return _paths(argument, length)
        case "ASSERT" | "ASSERT_NOT":
            return _paths(argument[1], length) + 1
        case "GROUPREF_EXISTS":
            return _paths(argument[1], length) + (_paths(argument[2], length) if argument[2] else 1)
        case "GROUPREF":
            return length  # comparing the text again costs its length
        case _:
            return 1


def _repeat_paths(low: int, high: int, body: int) -> int:
    high = max(high, low)
    if body <= 1:
        return high - low + 1
    if body ** min(high, 64) > _INFINITE:
        return _INFINITE
    return max(sum(int(body**count) for count in range(low, high + 1)), 1)
