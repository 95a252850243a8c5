"""unicode: characters that people do not see: zero-width, direction changes, tags. Sanitizing removes them.

Joiners inside emoji, and in scripts that need them (Persian, Hindi), are ordinary and stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from remit.core.screening import Hit, Rule
from remit.guard.canonical import hidden
from remit.guard.guardrails import Check, Subject

ON: Final = ("input", "call", "result", "output")


def make(rule: Rule) -> Check:
    """The check; it takes no values."""

    def check(subject: Subject) -> Iterable[Hit]:
        return [Hit("holds invisible characters", 1.0, start, end, "") for start, end in hidden(subject.text)]

    return check
