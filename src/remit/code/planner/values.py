"""A plan as values. A model may write the same as JSON: `decode` reads it strictly."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from remit.errors import Invalid

MAX_STEPS: Final = 20  # Source: spec/code.md 4
COVERAGE_TARGET: Final = 0.80  # Source: spec/code.md 4

Kind = Literal["feature", "bug_fix", "refactor", "add_tests", "optimization", "security_fix", "documentation"]
Operation = Literal["create", "modify", "delete", "rename"]
Effort = Literal["small", "medium", "large"]
Risk = Literal["low", "medium", "high"]
Text = Annotated[str, Meta(max_length=20_000)]
Path = Annotated[str, Meta(min_length=1, max_length=500)]


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """One change of one file."""

    order: Annotated[int, Meta(ge=1, le=10_000)]
    """its number; others name it in depends_on"""
    file: Path
    operation: Operation
    description: Text
    instructions: Text = ""
    depends_on: tuple[int, ...] = ()
    effort: Effort = "small"
    """small: below 20 lines, medium: to 100, large: more"""
    role: Text = "implementer"
    breaks_api: bool = False
    target: Annotated[str, Meta(max_length=500)] = ""
    """new path of a renamed file"""

    @property
    def writes(self) -> tuple[str, ...]:
        """The files that the step changes."""
        return (self.file, self.target) if self.target else (self.file,)


class Verification(Struct, frozen=True, forbid_unknown_fields=True):
    """What is tested."""

    kinds: tuple[str, ...]
    """unit always; integration for more than one source file; security for security tasks"""
    coverage_target: float = COVERAGE_TARGET


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    """A task as steps."""

    task: Text
    kind: Kind
    steps: tuple[Step, ...]
    waves: tuple[tuple[int, ...], ...] = ()
    """orders of the steps; the steps of a wave may run at once, wave after wave"""
    risk: Risk = "low"
    reasons: tuple[str, ...] = ()
    """why the risk is not low"""
    mitigations: tuple[str, ...] = ()
    tests: Verification | None = None
    rollback: tuple[str, ...] = ()
    """what takes the steps back, last step first"""


def decode(text: str | bytes) -> Plan:
    """A plan that somebody (a model, a file) wrote as JSON; raises value_invalid naming the field."""
    try:
        return msgspec.json.decode(text, type=Plan)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("value_invalid", f"not a plan: {error}") from None
