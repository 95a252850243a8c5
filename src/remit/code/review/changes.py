"""Review of a change: the whole new text is analysed, what lies on changed lines is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from remit.code.patches.lines import split
from remit.code.patches.myers import edits
from remit.code.patches.reading import parse
from remit.code.patches.unified import hunks_of
from remit.code.patches.values import ADD, REMOVE, Hunk
from remit.code.review.engine import MAX_FINDINGS, findings_of, report
from remit.code.review.parsing import language_of, read
from remit.code.review.values import Finding, NotReviewed, Report


def changed_lines(old: str, new: str) -> frozenset[int]:
    """The lines of the new text (from 1) that a diff adds, and for a pure removal the line it stands before."""
    a, b = split(old), split(new)
    return _lines(hunks_of(a, b, edits(a, b), 0))


def _lines(hunks: Iterable[Hunk]) -> frozenset[int]:
    made: set[int] = set()
    for hunk in hunks:
        line = (hunk.new_start if hunk.new_start is not None else hunk.start or 0) + 1
        removed = False
        for tag, _ in hunk.lines:
            if tag == REMOVE:
                removed = True
                continue
            if tag == ADD or removed:
                made.add(line)
            removed = False
            line += 1
        if removed:
            made.add(line)
    return frozenset(made)


def lines_of_patch(patch: str) -> dict[str, frozenset[int]]:
    """{path after the change: changed lines of it} of a unified diff.

    Raises patch_invalid, or value_invalid for a form that names no lines.
    """
    made: dict[str, frozenset[int]] = {}
    for change in parse(patch):
        if change.new_path is not None:
            made[change.new_path] = made.get(change.new_path, frozenset()) | _lines(change.hunks)
    return made


def on_changed(found: Sequence[Finding], changed: Mapping[str, frozenset[int]]) -> list[Finding]:
    """The findings that a change touches: their place, or a step on the way from source to sink."""
    kept = []
    for one in found:
        lines = changed.get(one.file, frozenset())
        own = any(line in lines for line in range(one.range.line, min(one.range.end_line, one.range.line + 200) + 1))
        if own or any(step.line in changed.get(step.file, ()) for step in one.path):
            kept.append(one)
    return kept


def review_changes(
    old: Mapping[str, str], new: Mapping[str, str], *, max_findings: int = MAX_FINDINGS,
    extra: Iterable[Finding] = (), baseline: Iterable[str] = (),
) -> Report:  # fmt: skip
    """Review what changed between two states of files `{path: text}`; files that both have alike give context.

    Raises extra_missing without the parsers.
    """
    changed = {path: changed_lines(old.get(path, ""), text) for path, text in new.items() if old.get(path) != text}
    return review_lines(new, changed, max_findings=max_findings, extra=extra, baseline=baseline)


def review_lines(
    texts: Mapping[str, str | bytes], changed: Mapping[str, frozenset[int]], *, max_findings: int = MAX_FINDINGS,
    extra: Iterable[Finding] = (), baseline: Iterable[str] = (), missed: Iterable[NotReviewed] = (),
) -> Report:  # fmt: skip
    """Review files and keep what lies on the changed lines."""
    program = read(texts)
    found = on_changed([*findings_of(program), *extra], changed)
    program.missed = [one for one in program.missed if one.file in changed and language_of(one.file)]
    program.missed.extend(missed)
    made = report(program, found, max_findings=max_findings, baseline=frozenset(baseline))
    return replace(made, files=sum(path in program.files for path in changed))
