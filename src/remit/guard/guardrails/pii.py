"""pii: personal and secret data. `values` = the kinds that count (all by default); sanitizing masks them.

`on` is `result` and `output`: what a remote model is sent has its tokens already (pii_tokens.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from remit.core.screening import Hit, Rule
from remit.guard.guardrails import Check, Subject, wrong
from remit.guard.pii import KINDS, find

ON: Final = ("result", "output")


def make(rule: Rule) -> Check:
    """The check; raises config_invalid for a kind of data that there is none of."""
    unknown = set(rule.values) - set(KINDS)
    if unknown:
        raise wrong(rule, f"unknown data kind {min(unknown)!r}; kinds: {', '.join(KINDS)}")
    kinds = tuple(k for k in KINDS if not rule.values or k in rule.values)

    def check(subject: Subject) -> Iterable[Hit]:
        return [Hit(f"holds {m.kind}", m.confidence, m.start, m.end, f"[{m.kind} removed]")
                for m in find(subject.text, kinds)]  # fmt: skip

    return check
