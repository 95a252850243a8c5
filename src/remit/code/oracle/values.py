"""What a test run says, as values.

`kind` is the fine answer (assertion, type_error, timeout ...), `class` the coarse one with its repair
strategy. A count that the output does not say is None, never 0.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

KINDS: Final = (
    "compile_error",
    "missing_import",
    "crash",
    "oom",
    "timeout",
    "race",
    "panic",
    "fixture",
    "snapshot",
    "type_error",
    "assertion",
    "exception",
    "flaky",
    "no_tests",
    "none",
)
"""strongest first: the kind of a whole run is the first one that one of its failures has"""


class Counts(Struct, frozen=True):
    """Tests by outcome; None = the output does not say."""

    passed: int | None = None
    failed: int | None = None
    skipped: int | None = None
    errors: int | None = None
    """files or packages that did not load, fixtures that failed"""


class Failure(Struct, frozen=True, rename={"klass": "class"}):
    """One test (or file, or package) that did not pass."""

    test: str
    """as the runner names it"""
    klass: str
    kind: str
    file: str | None
    """deepest place in the project's own code that was printed, relative"""
    line: int | None
    """from 1"""
    message: str
    strategy: str
    """what to do about it: one of eight kinds, with its detail in braces"""


class Report(Struct, frozen=True):
    """A whole run."""

    runner: str
    counts: Counts
    failures: tuple[Failure, ...]
    suite_kind: str

    @property
    def ok(self) -> bool:
        """Whether something ran and everything passed."""
        return self.suite_kind in ("none", "flaky")


class Found(Struct):
    """A failure as a parser finds it, before it is classified."""

    test: str
    message: str = ""
    file: str | None = None
    line: int | None = None
    kind: str = ""
    """"" = from the message"""
    exception: str = ""


class Parsed(Struct):
    """What a parser found."""

    counts: Counts
    found: list[Found]
    no_tests: bool = False
