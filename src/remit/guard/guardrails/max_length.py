"""max_length: more than `limit` characters (100,000 by default); sanitizing cuts and says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from remit.core.screening import Hit, Rule
from remit.guard.guardrails import Check, Subject

ON: Final = ("input", "call", "result", "output")


def make(rule: Rule) -> Check:
    """The check."""

    def check(subject: Subject) -> Iterable[Hit]:
        size = len(subject.text)
        if size > rule.limit:
            fixed = f"\n[cut: {size - rule.limit} of {size} characters]"
            yield Hit(f"has {size} characters; at most {rule.limit}", 1.0, rule.limit, size, fixed)

    return check
