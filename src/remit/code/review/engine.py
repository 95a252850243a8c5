"""Review of texts: rules over syntax and flow, scores, verdict."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from remit.code.review.flow.engine import analyse
from remit.code.review.parsing import File, Program, modules_of, read
from remit.code.review.registry import knowledge, rules
from remit.code.review.scoring import scored
from remit.code.review.suppressions import remarks_of, sorted_out
from remit.code.review.values import Finding, Hit, NotReviewed, Range, Report, Rule

MAX_FINDINGS: Final = 50
MAX_TEXT: Final = 400


def review(
    texts: Mapping[str, str | bytes], *, only: Iterable[str] = (), max_findings: int = MAX_FINDINGS,
    extra: Iterable[Finding] = (), baseline: Iterable[str] = (), missed: Iterable[NotReviewed] = (),
) -> Report:  # fmt: skip
    """Review files `{path: text}` as one program.

    `only` are the rule ids to run (none = all), `extra` findings of other tools, `baseline` fingerprints that are
    known already. Raises extra_missing without the parsers.
    """
    program = read(texts)
    program.missed.extend(missed)
    found = [*findings_of(program, frozenset(only)), *extra]
    return report(program, found, max_findings=max_findings, baseline=frozenset(baseline))


def review_code(file: str, text: str, *, max_findings: int = MAX_FINDINGS) -> Report:
    """Review one file; the ending of `file` says the language. Raises extra_missing without the parsers."""
    return review({file: text}, max_findings=max_findings)


def report(program: Program, found: list[Finding], *, max_findings: int = MAX_FINDINGS,
           baseline: frozenset[str] = frozenset()) -> Report:  # fmt: skip
    """Findings with suppressions, baseline, scores and verdict applied."""
    kept, suppressed = sorted_out(found, {path: remarks_of(file) for path, file in program.files.items()})
    fresh = [one for one in kept if one.fingerprint not in baseline]
    return scored(fresh, max_findings, files=len(program.files), missed=program.missed, suppressed=suppressed,
                  known=len(kept) - len(fresh))  # fmt: skip


def findings_of(program: Program, only: frozenset[str] = frozenset()) -> list[Finding]:
    """Every finding of our own rules, the gravest first."""
    hits = list(_by_syntax(program, only))
    for language in sorted({file.language for file in program.files.values()}):
        for rule_id, path, hit in analyse(modules_of(program, language), knowledge(language)):
            if not only or rule_id in only:
                hits.append((rule_id, path, hit))
    for file in program.files.values():
        if file.module.cut and not any(one.file == file.path for one in program.missed):
            program.missed.append(NotReviewed(file.path, "in part: a function needs more steps than are allowed"))
    by_id = {rule.RULE.id: rule.RULE for rule in rules()}
    return _numbered([_finding(by_id[rule_id], program.files[path], hit) for rule_id, path, hit in hits])


def _by_syntax(program: Program, only: frozenset[str]) -> Iterable[tuple[str, str, Hit]]:
    """(rule, file, hit) of the rules that look at syntax."""
    for rule in rules():
        if only and rule.RULE.id not in only:
            continue
        if hasattr(rule, "check"):
            for file in program.files.values():
                if file.language in rule.RULE.languages:
                    yield from ((rule.RULE.id, file.path, hit) for hit in rule.check(file))
        if hasattr(rule, "check_program"):
            yield from ((rule.RULE.id, path, hit) for path, hit in rule.check_program(program))


def _finding(rule: Rule, file: File, hit: Hit) -> Finding:
    line, column, end_line, end_column = hit.span
    return Finding(
        rule.id, rule.dimension, hit.severity or rule.severity, hit.confidence or rule.confidence, file.path,
        Range(line, column + 1, end_line, max(end_column, 1)), hit.message[:MAX_TEXT],
        hit.suggestion or rule.suggestion, hit.cwe or rule.cwe, hit.fix, path=hit.steps,
        fingerprint=file.lines[line - 1].strip() if 0 < line <= len(file.lines) else "",
    )  # fmt: skip


def _numbered(found: list[Finding]) -> list[Finding]:
    """Sorted, each place once, with fingerprints that do not move with the line numbers."""
    from msgspec.structs import replace

    found.sort(key=lambda one: (one.file, one.range.line, one.range.column, one.rule_id, -one.confidence))
    seen: Counter[str] = Counter()
    made: list[Finding] = []
    before: tuple[str, str, int, int] | None = None
    for one in found:
        place = (one.rule_id, one.file, one.range.line, one.range.column)
        if place == before:
            continue
        before = place
        said = f"{one.rule_id}\n{one.file}\n{one.fingerprint}"
        seen[said] += 1
        digest = hashlib.blake2b(f"{said}\n{seen[said]}".encode("utf-8", "replace"), digest_size=12).hexdigest()
        made.append(replace(one, fingerprint=digest))
    return made
