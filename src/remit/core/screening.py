"""Guardrail values: what a rule is, and what it found. TOML and Python write the same `Rule`.

A rule looks at text in one of four places (`STAGES`) and answers with findings. What a finding leads to is the
rule's `severity`; a finding of level `critical` also ends the run's effects (the tripwire).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

Stage = Literal["input", "call", "result", "output"]
STAGES: Final[tuple[Stage, ...]] = ("input", "call", "result", "output")
Severity = Literal["block", "sanitize", "warn", "log"]
Level = Literal["info", "low", "medium", "high", "critical"]
Mode = Literal["off", "audit", "sanitize", "block"]

RULE_TIMEOUT_S: Final = 5.0  # Source: spec/security.md 8
ALL_TIMEOUT_S: Final = 30.0
MIN_CONFIDENCE: Final = 0.5
MAX_CHARS: Final = 100_000
NEEDS_CODE: Final = "needs the code of your authenticator"  # part of a question, read by whoever asks it


class Rule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One guardrail."""

    kind: Annotated[str, Meta(description="a file of guard/guardrails: pii, toxicity, regex, ...", min_length=2)]
    name: Annotated[str, Meta(description="how findings call it; the kind by default", max_length=64)] = ""
    on: Annotated[tuple[Stage, ...], Meta(description="input | call | result | output; () = the kind's own")] = ()
    severity: Annotated[Severity, Meta(description="block | sanitize | warn | log")] = "block"
    level: Annotated[Level, Meta(description="info .. critical; critical ends the run's effects")] = "high"
    min_confidence: Annotated[float, Meta(description="findings below it do not count", ge=0, le=1)] = MIN_CONFIDENCE
    values: Annotated[
        tuple[str, ...], Meta(description="topics, patterns, languages, policies or data kinds, as the kind says")
    ] = ()
    limit: Annotated[int, Meta(description="characters, for max_length", ge=1)] = MAX_CHARS
    timeout_s: Annotated[float, Meta(description="seconds of one custom rule", gt=0, le=30)] = RULE_TIMEOUT_S

    @property
    def title(self) -> str:
        """The name, else the kind."""
        return self.name or self.kind


class Hit(Struct, frozen=True, gc=False):
    """What one rule saw. `start`, `end` are positions in the text; `fixed` replaces that part when sanitizing."""

    why: str
    """for people and for the model: never the matched text itself"""
    confidence: float = 1.0
    start: int = 0
    end: int = 0
    fixed: str = "[removed]"


class Finding(Struct, frozen=True, gc=False):
    """A hit that counts, with its rule."""

    rule: str
    kind: str
    severity: str
    level: str
    stage: str
    why: str
    confidence: float
