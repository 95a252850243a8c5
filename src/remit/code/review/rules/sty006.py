r"""A reminder of work that is not done.

Bad (python):
    # TODO: later
    x = 1
    ---
    x = 1  # FIXME
    ---
    # HACK around the parser
    x = 1

Good (python):
    # done
    x = 1
    ---
    TODO = 1
    ---
    x = "TODO"

Bad (javascript):
    // TODO later
    ---
    /* FIXME */ f();
    ---
    f(); // HACK

Good (javascript):
    // done
    ---
    const TODO = 1;
    ---
    const s = "FIXME";

Bad (go):
    package p
    // TODO(me): later
    ---
    package p
    /* FIXME */
    ---
    package p
    var x = 1 // HACK

Good (go):
    package p
    // done
    ---
    package p
    const TODO = 1
    ---
    package p
    var s = "FIXME"

Bad (rust):
    // TODO later
    ---
    /* FIXME */
    ---
    fn f() {} // HACK

Good (rust):
    // done
    ---
    const TODO: u8 = 1;
    ---
    const S: &str = "FIXME";
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
