# ruff: noqa: E501  # a pattern is one line, and other scripts' letters are meant
"""content_policy: advice of a profession without saying that it is none. `values` = financial, medical, legal.

A text that gives a person definite advice (a dose, a trade, a step in court) must carry a disclaimer; sanitizing
adds one at the end. Explaining a subject is no advice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from remit.core.screening import Hit, Rule
from remit.guard.guardrails import Check, Subject, wrong

ON: Final = ("output",)

_YOU: Final = r"\b(?:you (?:should|must|need to|ought to|can safely|have to|could just)|i(?:'d| would)? (?:recommend|advise|suggest)(?: that)?(?: you)?(?: to)?|my advice(?: is)?(?: to)?|it is (?:safe|best) (?:for you )?to|(?:go ahead and|just|definitely|immediately|simply))"
_ADVICE: Final = {
    "financial": re.compile(
        rf"{_YOU}\b.{{0,60}}\b(?:buy(?:ing)?|sell(?:ing)?|short(?:ing)?|invest(?:ing)?|put(?:ting)? (?:all |your )|borrow(?:ing)?|leverage|refinanc\w+|trade|trading|allocat\w+|hold(?:ing)?)\b.{{0,60}}\b(?:stocks?|shares?|bonds?|bitcoin|crypto\w*|etfs?|options?|funds?|savings|mortgage|loan|portfolio|401k|retirement|gold|futures|coins?|forex|real estate|index)\b"
        r"|\bguaranteed (?:return|profit|gains?)|\b(?:will|is going to) (?:double|triple|10x) your (?:money|investment|savings)|\bcan(?:'t|not) lose\b.{0,40}\b(?:money|invest|stock|trade)"
    ),
    "medical": re.compile(
        rf"{_YOU}\b.{{0,60}}\b(?:take|taking|inject\w*|stop taking|stopping|increas\w+|doubl\w+|reduc\w+|skip\w*|mix\w*|combin\w+|swallow|start\w*|switch\w*)\b.{{0,60}}\b(?:mg|milligrams?|mcg|ml|dos(?:e|es|age)|pills?|tablets?|medicat\w+|antibiotics?|insulin|ibuprofen|aspirin|acetaminophen|paracetamol|antidepressants?|opioids?|statins?|steroids?|warfarin|metformin|drugs?|medicine|prescription)\b"
        r"|\byou (?:have|are suffering from|clearly have|probably have|definitely have)\b.{0,30}\b(?:cancer|diabetes|depression|covid|pneumonia|a tumou?r|an? infection|appendicitis|adhd|bipolar|hypertension|asthma|arthritis|migraines?|lupus)\b|\bno need to (?:see|consult|visit|call) (?:a |your |the )?(?:doctor|physician|er|hospital)"
    ),
    "legal": re.compile(
        rf"{_YOU}\b.{{0,60}}\b(?:su(?:e|ing)|plead\w*|sign\w*|fil(?:e|ing)|settl(?:e|ing)|refus(?:e|ing)|appeal\w*|break\w*|terminat\w+|ignor\w+|represent\w*|countersue|testify|withhold\w*|stop paying)\b.{{0,60}}\b(?:court|lawsuit|guilty|contracts?|lease|landlord|claim|charges?|settlement|subpoena|custody|divorce|bankruptcy|judge|yourself|employer|complaint|agreement|motion|rent|warrant|summons|will)\b"
        r"|\byou (?:will|would|are going to) (?:definitely |certainly |surely )?win (?:the |your |this |in )(?:case|lawsuit|court|appeal)|\b(?:don'?t|do not|no) need (?:a |to hire a |any )?(?:lawyer|attorney|solicitor)"
    ),
}  # fmt: skip
_DISCLAIMER: Final = re.compile(
    r"not (?:a )?(?:financial|medical|legal|professional|investment|tax)(?:,? (?:or|and|nor) \w+)? (?:advice|advisor|adviser)|"
    r"not an? (?:financial advis\w+|doctor|physician|lawyer|attorney|medical professional|substitute)|"
    r"(?:consult|talk to|speak (?:with|to)|see|ask|seek(?: advice from)?|contact|check with)(?: with)? (?:a |an |your |the )?(?:\w+ ){0,3}(?:doctor|physician|pharmacist|lawyer|attorney|solicitor|advis[eo]r|professional|accountant|gp|clinician|provider|planner|specialist)|"
    r"for (?:general )?(?:informational|educational|information) purposes|general information only"
)
_ADDED: Final = "\n\nThis is general information, not {} advice; ask a qualified professional."


def make(rule: Rule) -> Check:
    """The check; raises config_invalid for a policy that there is none of."""
    unknown = set(rule.values) - set(_ADVICE) - {"disclaimer"}
    if unknown:
        raise wrong(rule, f"unknown policy {min(unknown)!r}; policies: {', '.join(_ADVICE)}, disclaimer")
    named = [name for name in _ADVICE if name in rule.values] or list(_ADVICE)

    def check(subject: Subject) -> Iterable[Hit]:
        text = subject.readings[-1].lower if len(subject.readings) == 1 else subject.readings[1].lower
        if _DISCLAIMER.search(text):
            return
        for name in named:
            if _ADVICE[name].search(text):
                end = len(subject.text)
                yield Hit(f"gives {name} advice without a disclaimer", 0.75, end, end, _ADDED.format(name))

    return check
