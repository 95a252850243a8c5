"""What a review says, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

WEIGHTS: Final[dict[str, float]] = {
    "security": 0.25, "correctness": 0.20, "error_handling": 0.15, "performance": 0.15, "style": 0.10,
    "test_coverage": 0.08, "documentation": 0.07,
}  # fmt: skip
"""Source: spec/code.md 5"""
PENALTIES: Final[dict[str, float]] = {"info": 0.02, "warning": 0.05, "error": 0.15, "critical": 0.30}
SEVERITIES: Final = ("info", "warning", "error", "critical")
LANGUAGES: Final = ("python", "javascript", "typescript", "go", "rust")


class Range(Struct, frozen=True):
    """Lines from 1, columns from 1 (characters of the line as UTF-8 bytes); the end is included."""

    line: int
    column: int
    end_line: int
    end_column: int


class Step(Struct, frozen=True):
    """One place on the way from source to sink."""

    file: str
    line: int
    note: str


class Fix(Struct, frozen=True):
    """Lines `line` to `end_line` become `text` (with its line ends)."""

    line: int
    end_line: int
    text: str


class Finding(Struct, frozen=True):
    """One thing found."""

    rule_id: str
    dimension: str
    severity: str
    confidence: float
    file: str
    range: Range
    message: str
    suggestion: str = ""
    cwe: int = 0
    """0 = none"""
    fix: Fix | None = None
    fingerprint: str = ""
    tool: str = "remit"
    path: tuple[Step, ...] = ()
    opinion: bool = False
    """said by a model, not shown by analysis"""


class Suppressed(Struct, frozen=True):
    """A finding that somebody decided to live with, and why."""

    finding: Finding
    reason: str


class NotReviewed(Struct, frozen=True):
    """A file, or part of one, that was not reviewed, and why."""

    file: str
    reason: str


class Report(Struct, frozen=True):
    """The whole answer. `findings` are at most `max_findings`, the gravest first; the scores count all."""

    verdict: str
    """approve, request_changes, block"""
    score: float
    scores: dict[str, float]
    findings: tuple[Finding, ...]
    total: int
    """findings before the cut"""
    counts: dict[str, int]
    """by severity"""
    files: int
    not_reviewed: tuple[NotReviewed, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    known: int = 0
    """findings that the baseline holds already"""


class Rule(Struct, frozen=True):
    """What a rule file declares."""

    id: str
    title: str
    dimension: str
    severity: str
    suggestion: str
    cwe: int = 0
    confidence: float = 0.8
    languages: tuple[str, ...] = LANGUAGES


class Hit(Struct):
    """What a rule says of one place; the engine makes a Finding of it."""

    span: tuple[int, int, int, int]
    message: str
    severity: str = ""
    confidence: float = 0.0
    suggestion: str = ""
    cwe: int = 0
    fix: Fix | None = None
    steps: tuple[Step, ...] = ()


class Sink(Struct, frozen=True):
    """Where data must not go: calls named `names` (whole dotted names, or `*.method`), in some of their arguments.

    `args` are positions, `keywords` names; () and () = every argument; -1 = the receiver. `test` may refuse a call.
    `families` are the kinds of data that count here.
    """

    names: tuple[str, ...]
    args: tuple[int, ...] = (0,)
    keywords: tuple[str, ...] = ()
    test: Callable[[Any, Any], bool] | None = None
    """(event, the value) -> it counts"""
    families: tuple[str, ...] = ("outside",)
    confidence: float = 0.9
    what: str = ""


class Flow(Struct, frozen=True):
    """A flow rule: its kind, its sinks and what makes data harmless for it, per language."""

    kind: str
    message: str
    sinks: Mapping[str, tuple[Sink, ...]]
    cleaners: Mapping[str, tuple[str, ...]] = {}
    """calls whose result is harmless for this kind (whole dotted names, or `*.method`)"""
