r"""A reminder of work that is not done.

Bad (python):
    # TO.DO: later
    x = 1
    ---
    x = 1  # FIX.ME
    ---
    # HA.CK around the parser
    x = 1

Good (python):
    # done
    x = 1
    ---
    TO.DO = 1
    ---
    x = "TO.DO"

Bad (javascript):
    // TO.DO later
    ---
    /* FIX.ME */ f();
    ---
    f(); // HA.CK

Good (javascript):
    // done
    ---
    const TO.DO = 1;
    ---
    const s = "FIX.ME";

Bad (go):
    package p
    // TO.DO(me): later
    ---
    package p
    /* FIX.ME */
    ---
    package p
    var x = 1 // HA.CK

Good (go):
    package p
    // done
    ---
    package p
    const TO.DO = 1
    ---
    package p
    var s = "FIX.ME"

Bad (rust):
    // TO.DO later
    ---
    /* FIX.ME */
    ---
    fn f() {} // HA.CK

Good (rust):
    // done
    ---
    const TO.DO: u8 = 1;
    ---
    const S: &str = "FIX.ME";
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from remit.code.review.parsing import File
from remit.code.review.values import Hit, Rule

RULE = Rule("STY006", "Reminder of open work", "style", "info",
            "Do it, or write an issue and name its number.", confidence=0.9)  # fmt: skip
_MARK = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|HA" + r"CK|XX" + r"X)\b")


def check(file: File) -> Iterable[Hit]:
    """Remarks that hold one of the words."""
    for line, text in file.module.comments:
        for at, part in enumerate(text.split("\n")):
            found = _MARK.search(part)
            if found:
                yield Hit(
                    (line + at, 0, line + at, 1), f"{found[1]}: {part[found.end() :].strip(' :*/#')[:80]}".rstrip(": ")
                )
