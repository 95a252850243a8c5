"""Ways of denying that are not a single word, written as one: "isn't" -> "is not", "nobody but" -> "only".

    instead of X -> not X    free of errors -> no errors    failed to start -> not start
    neither a nor b -> not a or b

What is not understood stays as it is. Source: general English; none of it was taken from a labelled set.
"""

from __future__ import annotations

import re
from typing import Final

_RULES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), to)
    for pattern, to in (
        (r"\b(?:can'?t|cannot)\b", "can not"),
        (r"\bwon'?t\b", "will not"),
        (r"\b(do|does|did|is|are|was|were|has|have|had|should|would|could|might|must|need)n'?t\b", r"\1 not"),
        (r"\b(?:nobody|no one|none|nothing|nowhere)(?: else)? (?:but|except|other than|apart from|besides)\b", "only"),
        (r"\b(?:instead of|rather than|as opposed to)\b", "not"),
        (r"\bno longer\b|\bnot any (?:more|longer)\b|\bnot at all\b|\bby no means\b|\bin no way\b", "not"),
        (r"\b(?:free (?:of|from)|devoid of|in the absence of|(?:lack|lacks|lacked|lacking)(?: of)?)\b", "no"),
        (r"\b(?:fail|fails|failed|refuse|refuses|refused|unable|unwilling|decline|declines|declined) to\b", "not"),
        (r"\b(?:impossible|forbidden|prohibited|illegal|unlawful)(?: for \w+(?: \w+)?)? to\b", "not"),
        (r"\b(?:stop|stops|stopped|cease|ceases|ceased|quit|quits) (?=\w{2,}ing\b)", "not "),
        (r"\bneither\b", "not"),
        (r"\bnor\b", "or"),
        (r"\bnot only\b", "both"),
    )
)


def plain_wording(text: str) -> str:
    """The text with such phrases as one plain word."""
    text = text.replace("\u2019", "'")
    for pattern, to in _RULES:
        text = pattern.sub(to, text)
    return text
