"""Red, green, refactor: a cycle as values. `step` is pure: a cycle and what a run said in, the next cycle out.

Red: the target test must fail for the expected reason. Green: everything must pass. Refactor: everything must still
pass. Editing or deleting the target test while it should become green is refused. Source: spec/code.md 3.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct, structs

from remit.code.oracle.values import Report
from remit.errors import Invalid

RED, GREEN, REFACTOR, COMPLETE = "red", "green", "refactor", "complete"
MAX_ITERATIONS: Final = 10
_WORDS: Final = {
    "python": ("a pytest function", "def test_...():"), "javascript": ("a test", "test('...', () => {"),
    "typescript": ("a test", "test('...', () => {"), "go": ("a test function", "func Test...(t *testing.T) {"),
    "rust": ("a test function", "#[test] fn ...() {"),
}  # fmt: skip


class Cycle(Struct, frozen=True):
    """Where a test-driven change stands."""

    target: str
    """the test, as its runner names it"""
    expected: tuple[str, ...] = ("assertion", "exception", "missing_import", "type_error")
    """kinds of failure that count as the expected reason"""
    language: str = "python"
    phase: str = RED
    iteration: int = 0
    max_iterations: int = MAX_ITERATIONS
    digest: str = ""
    """of the target test's text when it became red; "" = not known"""
    aborted: bool = False
    prompt: str = ""
    """what to ask for next: a test, a fix; "" = nothing"""


def step(cycle: Cycle, report: Report, ran: tuple[str, ...] = (), digest: str = "") -> Cycle:
    """The cycle after a run.

    Args:
        report: what the run says.
        ran: the tests that ran, as far as the runner names passing ones.
        digest: of the target test's text now.
    Raises:
        Invalid: value_invalid, the target test was edited or deleted while it should become green.
    """
    if cycle.phase == COMPLETE:
        return cycle
    if cycle.phase == GREEN and cycle.digest and digest != cycle.digest:
        raise Invalid("value_invalid", f"{cycle.target} was edited or deleted while it should become green",
                      hint="Restore the test; change the code under test instead.")  # fmt: skip
    count = cycle.iteration + 1
    if count > cycle.max_iterations:
        return structs.replace(cycle, phase=COMPLETE, iteration=count, aborted=True, prompt="")
    moved = structs.replace(cycle, iteration=count, prompt="")
    if cycle.phase == RED:
        return _red(moved, report, ran, digest)
    if cycle.phase == GREEN:
        return structs.replace(moved, phase=REFACTOR) if report.ok else _asks(moved, fix_prompt(moved, report))
    if report.ok:
        return structs.replace(moved, phase=COMPLETE)
    return structs.replace(moved, phase=GREEN, prompt=fix_prompt(moved, report))


def _red(cycle: Cycle, report: Report, ran: tuple[str, ...], digest: str) -> Cycle:
    failure = next((f for f in report.failures if _same(f.test, cycle.target)), None)
    if failure is not None:
        if failure.kind in cycle.expected:
            return structs.replace(cycle, phase=GREEN, digest=digest, prompt=fix_prompt(cycle, report))
        why = f"{cycle.target} fails for another reason: {failure.kind}, expected {' or '.join(cycle.expected)}."
        return _asks(cycle, f"{why} Correct the test.")
    if any(_same(test, cycle.target) for test in ran):
        return structs.replace(cycle, phase=REFACTOR)
    return _asks(cycle, test_prompt(cycle))


def _same(test: str, target: str) -> bool:
    bare = test.partition("[")[0]
    return target in (test, bare) or bare.endswith((f"::{target}", f"/{target}", f" {target}"))


def _asks(cycle: Cycle, prompt: str) -> Cycle:
    return structs.replace(cycle, prompt=prompt)


def test_prompt(cycle: Cycle) -> str:
    """Ask for the target test."""
    what, form = _WORDS.get(cycle.language, ("a test", ""))
    return f"Write {what} named {cycle.target} that fails until the change is made. {form}".rstrip()


def fix_prompt(cycle: Cycle, report: Report) -> str:
    """Ask for a fix of what fails, with each failure's place, message and strategy."""
    lines = [f"Make these tests pass without editing {cycle.target}:"]
    for one in report.failures[:20]:
        place = f" at {one.file}:{one.line}" if one.file and one.line else ""
        lines.append(f"- {one.test}{place}: {one.message[:300]} ({one.strategy})")
    return "\n".join(lines)
