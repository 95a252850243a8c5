"""regex: own patterns. `values` = patterns, matched in every reading of the text, in time linear in the text.

A pattern that could take more than linear time is simulated (core/linear_regex.py) or refused; each look has a
budget of steps, and a look that uses it up counts as a hit: what could not be checked is not let through.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from remit.core.linear_regex import Bounded, compile_bounded
from remit.core.screening import Hit, Rule
from remit.errors import RemitError
from remit.guard.guardrails import Check, Subject, wrong

ON: Final = ("input", "call", "result", "output")
MAX_PATTERNS: Final = 100
MAX_HITS: Final = 100


def make(rule: Rule) -> Check:
    """The check; raises config_invalid for a broken pattern, or for none."""
    if not 0 < len(rule.values) <= MAX_PATTERNS:
        raise wrong(rule, f"name 1 to {MAX_PATTERNS} patterns in values")
    patterns: list[Bounded] = []
    for source in rule.values:
        try:
            patterns.append(compile_bounded(source))
        except RemitError as e:
            raise wrong(rule, f"{source!r:.60}: {e.message}") from None

    def check(subject: Subject) -> Iterable[Hit]:
        count = 0
        for reading in subject.readings:
            for pattern in patterns:
                try:
                    for spans in pattern.matches(reading.text):
                        yield Hit("matches a pattern that is not allowed", 1.0, *reading.span(*spans[0]))
                        count += 1
                        if count >= MAX_HITS:
                            return
                except RemitError as e:
                    yield Hit(f"a pattern could not be checked: {e.message}", 1.0, 0, len(subject.text))

    return check
