"""hallucination_check: claims of an answer that nothing the run has seen supports.

The idea: numbers, dates, names, addresses and quotations are what an answer can get wrong and what a source spells
the same way. A sentence whose hard facts are missing from the sources (task and tool results of this run) is
unsupported; the confidence is the share of such facts. Without sources there is nothing to check, and no hit.
It finds invented facts, not wrong conclusions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from remit.core.screening import Hit, Rule
from remit.guard.guardrails import Check, Subject

ON: Final = ("output",)

_SENTENCE: Final = re.compile(r"[^.!?\n]{1,1000}(?:\.(?=\d)[^.!?\n]{1,1000}){0,20}[.!?\n]?")
_NUMBER: Final = re.compile(r"(?<![\w.])[+-]?(?:\d{1,3}(?:[, ]\d{3})+|\d{1,15})(?:\.\d{1,10})?%?")
_NAME: Final = re.compile(r"(?<![.!?\n] )(?<!^)\b[A-Z][\w'-]{2,30}(?: (?:of |the |de |von )?[A-Z][\w'-]{1,30}){0,4}")
_QUOTED: Final = re.compile(r"[\"“]([^\"”\n]{12,200})[\"”]")
_ADDRESS: Final = re.compile(r"https?://[^\s)\]>\"']{4,200}|[\w.+-]{1,64}@[\w-]{1,63}\.[\w.]{2,64}")
_WORD: Final = re.compile(r"\w+")


def make(rule: Rule) -> Check:
    """The check; it takes no values."""

    def check(subject: Subject) -> Iterable[Hit]:
        if not subject.sources:
            return
        known = "\n".join(subject.sources).lower()
        numbers = {_plain(n) for n in _NUMBER.findall(known)}
        words = set(_WORD.findall(known))
        for sentence in _SENTENCE.finditer(subject.text):
            claims = _claims(sentence[0])
            missing = [c for c in claims if not _supported(c, known, numbers, words)]
            if missing:
                share = len(missing) / len(claims)
                yield Hit(f"{len(missing)} of {len(claims)} facts of a sentence stand in no source",
                          round(0.4 + 0.6 * share, 3), *sentence.span(), "[unsupported]")  # fmt: skip

    return check


def _claims(sentence: str) -> list[str]:
    found = _ADDRESS.findall(sentence) + _QUOTED.findall(sentence)
    rest = _ADDRESS.sub(" ", sentence)
    # Small whole numbers count steps and items; they are no claim.
    found += [n for n in _NUMBER.findall(rest) if not (n.isdigit() and int(n) <= 10)]
    return found + _NAME.findall(rest)


def _supported(claim: str, known: str, numbers: set[str], words: set[str]) -> bool:
    if _NUMBER.fullmatch(claim):
        return _plain(claim) in numbers
    low = claim.lower()
    return low in known or all(w in words for w in _WORD.findall(low) if len(w) > 2)


def _plain(number: str) -> str:
    """`1,200.50%` -> `1200.5`."""
    text = number.replace(",", "").replace(" ", "").strip("+%")
    return text.rstrip("0").rstrip(".") if "." in text else text
