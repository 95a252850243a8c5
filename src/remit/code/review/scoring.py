"""Scores, verdict and the cut, as spec/code.md 5 has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from remit.code.review.values import (
    PENALTIES,
    SEVERITIES,
    WEIGHTS,
    Finding,
    NotReviewed,
    Report,
    Suppressed,
)


def scored(
    found: Sequence[Finding], max_findings: int, *, files: int, missed: Iterable[NotReviewed] = (),
    suppressed: Iterable[Suppressed] = (), known: int = 0,
) -> Report:  # fmt: skip
    """The report; a model's opinions are shown and do not count."""
    counted = [one for one in found if not one.opinion]
    scores = {}
    for dimension in WEIGHTS:
        penalty = sum(PENALTIES[one.severity] for one in counted if one.dimension == dimension)
        scores[dimension] = round(max(0.0, min(1.0, 1 - penalty)), 4)
    total = round(sum(WEIGHTS[dimension] * score for dimension, score in scores.items()), 4)
    counts = Counter(one.severity for one in found)
    ranked = sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), -WEIGHTS.get(one.dimension, 0.0),
                                            -one.confidence, one.file, one.range.line))  # fmt: skip
    return Report(
        verdict(counted, total), total, scores, tuple(ranked[:max_findings]), len(found),
        {severity: counts.get(severity, 0) for severity in SEVERITIES}, files, tuple(missed), tuple(suppressed), known,
    )  # fmt: skip


def verdict(found: Iterable[Finding], total: float) -> str:
    """block, request_changes or approve."""
    if any(one.severity == "critical" for one in found) or total < 0.4:
        return "block"
    return "request_changes" if total < 0.7 else "approve"
