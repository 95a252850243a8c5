"""Findings that somebody decided to live with: a remark with the rule's id and a reason.

    x = md5(data)  # remit: ignore SEC007 - a checksum of a public file
    // remit: ignore SEC004, SEC009 - the list is fixed in build.rs

A remark alone on its line stands for the next line. Without a reason it suppresses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from remit.code.review.parsing import File
from remit.code.review.values import Finding, Suppressed

_REMARK: Final = re.compile(r"remit:\s*ignore\s+([A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)\s*(?:-+|:)\s*(\S.{2,200})")
Remarks = dict[int, list[tuple[frozenset[str], str]]]
"""{line: [(rule ids, reason)]}"""


def remarks_of(file: File) -> Remarks:
    """The remarks of a file, by the lines that they stand for."""
    made: Remarks = {}
    for line, text in file.module.comments:
        match = _REMARK.search(text)
        if match is None:
            continue
        ids = frozenset(one.strip() for one in match[1].split(","))
        own = file.lines[line - 1].split(text[:2])[0].strip() if line <= len(file.lines) else ""
        for at in (line,) if own else (line, line + 1):
            made.setdefault(at, []).append((ids, match[2].strip().rstrip("*/ ")))
    return made


def sorted_out(found: list[Finding], remarks: Mapping[str, Remarks]) -> tuple[list[Finding], list[Suppressed]]:
    """(what counts, what was suppressed)."""
    kept: list[Finding] = []
    suppressed: list[Suppressed] = []
    for one in found:
        reason = next((why for ids, why in remarks.get(one.file, {}).get(one.range.line, ()) if one.rule_id in ids), "")
        if reason:
            suppressed.append(Suppressed(one, reason))
        else:
            kept.append(one)
    return kept, suppressed
