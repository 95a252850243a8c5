"""topic_blocklist: words and phrases that may not come up. `values` = the list; `*` at the end = any ending.

Whole words, any case, in every reading of the text: accents, look-alikes and spread-out letters do not hide one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from remit.core.screening import Hit, Rule
from remit.guard.canonical import readings
from remit.guard.guardrails import Check, Subject, wrong

ON: Final = ("input", "output")
MAX_TOPICS: Final = 1000


def make(rule: Rule) -> Check:
    """The check; raises config_invalid without topics."""
    words = [w for w in rule.values if w.strip(" *")]
    if not 0 < len(words) <= MAX_TOPICS:
        raise wrong(rule, f"name 1 to {MAX_TOPICS} topics in values")
    plain = re.compile("|".join(sorted({_source(form) for w in words for form in _forms(w)}, key=len, reverse=True)))

    def check(subject: Subject) -> Iterable[Hit]:
        for reading in subject.readings:
            for match in plain.finditer(reading.lower):
                yield Hit("names a topic that is not allowed", 0.9, *reading.span(*match.span()))

    return check


def _forms(topic: str) -> set[str]:
    """The topic as it reads: as written, and without accents and look-alikes."""
    return {reading.lower for reading in readings(topic.strip()) if "decoded" not in reading.how}


def _source(topic: str) -> str:
    stem = topic.endswith("*")
    words = r"\s+".join(map(re.escape, topic.rstrip("*").split()))
    # Scripts that put no spaces between words have no word borders either.
    spaced = all(ord(c) < 0x2E80 for c in topic)
    if not spaced:
        return words
    return rf"\b{words}" if stem else rf"\b{words}\b"
