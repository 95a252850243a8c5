"""Safe fixes put into a text: whole lines, from the end to the start, never two for one line."""

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review.values import Finding, Fix


def fixed(text: str, found: Iterable[Finding]) -> tuple[str, int]:
    """(the text with the fixes of these findings, how many were made)."""
    lines = text.split("\n")
    fixes: list[Fix] = sorted({one.fix for one in found if one.fix is not None}, key=lambda fix: -fix.line)
    made = 0
    before = len(lines) + 1
    for fix in fixes:
        if not 1 <= fix.line <= fix.end_line < before:
            continue
        lines[fix.line - 1 : fix.end_line] = fix.text.removesuffix("\n").split("\n") if fix.text else []
        before = fix.line
        made += 1
    return "\n".join(lines), made
