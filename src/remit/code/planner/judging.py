"""What is said about a plan without a model: its kind, its risk, its tests, how to take it back.

Source of the figures: spec/code.md 4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from remit.code.planner.values import Kind, Plan, Risk, Step, Verification

_SENSITIVE: Final = re.compile(r"(?i)auth|secur|crypt|passw|secret|token|permission|login|session|acl\b")
_MANY: Final = 5  # files or dependencies above which the risk is medium
_WORDS: Final[tuple[tuple[Kind, str], ...]] = (
    # security first: "fix the injection bug" is a security task
    (
        "security_fix",
        r"secur|vulnerab|\bcve\b|injection|\bxss\b|\bcsrf\b|exploit|sanitiz|sanitis|traversal|leak\w* secret",
    ),
    ("bug_fix", r"\bfix|\bbugs?\b|crash|broken|regression|incorrect|wrong|fails?\b|failing|exception|error when"),
    ("add_tests", r"\b(?:add|write|more|missing|extend)\b.{0,30}\btests?\b|test coverage|\bunit tests?\b"),
    ("documentation", r"\bdocument|docs?\b|docstring|readme|changelog|comment"),
    ("optimization", r"optimi[sz]|performance|speed|faster|slow\b|latency|memory use|throughput|cache"),
    ("refactor", r"refactor|rename|extract|clean ?up|simplif|restructure|move .{1,40} (?:to|into)|split|deduplicat"),
)
_TEST_FILE: Final = re.compile(
    r"(?:^|/)(?:tests?|__tests__|spec)/|(?:^|/)test_[^/]*\.py$|_test\.(?:py|go)$|\.(?:test|spec)\.[cm]?[jt]sx?$"
)


def kind_of(task: str) -> Kind:
    """The kind of a task, from its words; feature when none says more."""
    text = task.lower()
    return next((kind for kind, words in _WORDS if re.search(words, text)), "feature")


def is_test(path: str) -> bool:
    """Whether a path is one of a test."""
    return _TEST_FILE.search(path) is not None


def risk_of(steps: Sequence[Step]) -> tuple[Risk, tuple[str, ...], tuple[str, ...]]:
    """(overall risk, reasons, mitigations); the overall risk is the highest of all reasons."""
    high: list[str] = []
    medium: list[str] = []
    mitigations: list[str] = []
    removed = [step.file for step in steps if step.operation == "delete"]
    broken = [step.file for step in steps if step.breaks_api]
    sensitive = sorted({file for step in steps for file in step.writes if _SENSITIVE.search(file)})
    if removed:
        high.append(f"deletes {', '.join(removed)}")
        mitigations.append("Search for remaining references before the deletion, and keep it a change of its own.")
    if broken:
        high.append(f"breaks the interface of {', '.join(broken)}")
        mitigations.append("Keep the old name as a deprecated alias for one release, and list the callers first.")
    if sensitive:
        high.append(f"touches security code: {', '.join(sensitive)}")
        mitigations.append("Have a second person read it, and add a test of the attack that it must stop.")
    files = {file for step in steps for file in step.writes}
    dependencies = sum(len(step.depends_on) for step in steps)
    if len(files) > _MANY:
        medium.append(f"changes {len(files)} files")
        mitigations.append("Run the affected tests after each wave, not only at the end.")
    if dependencies > _MANY:
        medium.append(f"has {dependencies} dependencies between steps")
        mitigations.append("Commit after each wave, so that one can be taken back alone.")
    risk: Risk = "high" if high else "medium" if medium else "low"
    return risk, tuple(high + medium), tuple(mitigations)


def tests_for(kind: str, steps: Sequence[Step]) -> Verification:
    """Unit tests always; integration for more than one source file; security for security tasks."""
    sources = {file for step in steps for file in step.writes if not is_test(file)}
    kinds = ["security"] if kind == "security_fix" else []
    return Verification((*kinds, "unit", *(["integration"] if len(sources) > 1 else [])))


def rollback_of(steps: Sequence[Step]) -> tuple[str, ...]:
    """How each step is taken back, last step first."""
    undo = {
        "create": "delete {file}",
        "modify": "restore {file} from the last commit",
        "delete": "restore {file} from the last commit",
        "rename": "rename {target} back to {file}",
    }
    return tuple(
        f"step {step.order}: {undo[step.operation].format(file=step.file, target=step.target)}"
        for step in sorted(steps, key=lambda step: -step.order)
    )


def markdown(plan: Plan) -> str:
    """The plan for people."""
    lines = [f"# {plan.task}", "", f"Kind: {plan.kind}. Risk: {plan.risk}."]
    lines += [f"- {reason}" for reason in plan.reasons]
    for number, wave in enumerate(plan.waves, 1):
        lines += ["", f"## Wave {number}" + (" (side by side)" if len(wave) > 1 else ""), ""]
        for step in sorted((s for s in plan.steps if s.order in wave), key=lambda s: s.order):
            after = f", after {', '.join(map(str, step.depends_on))}" if step.depends_on else ""
            target = f" -> `{step.target}`" if step.target else ""
            what = f"**{step.operation}** `{step.file}`{target}: {step.description}"
            lines.append(f"{step.order}. {what} ({step.role}, {step.effort}{after})")
            lines += [f"   {line}" for line in step.instructions.splitlines()]
    for title, rows in (("Mitigations", plan.mitigations), ("Rollback", plan.rollback)):
        if rows:
            lines += ["", f"## {title}", "", *(f"- {row}" for row in rows)]
    if plan.tests is not None:
        lines += ["", f"Tests: {', '.join(plan.tests.kinds)}; coverage of at least {plan.tests.coverage_target:.0%}."]
    return "\n".join(lines) + "\n"


def prompt(plan: Plan, order: int) -> str:
    """What a coding agent is told for one step."""
    step = next(s for s in plan.steps if s.order == order)
    before = [s for s in plan.steps if s.order in step.depends_on]
    lines = [
        f"Task: {plan.task}",
        f"Your step ({step.order} of {len(plan.steps)}): {step.operation} {step.file}"
        + (f" to {step.target}" if step.target else ""),
        step.description,
        *([step.instructions] if step.instructions else []),
        *([f"Done before: {'; '.join(f'{s.operation} {s.file}' for s in before)}"] if before else []),
        f"Change only: {', '.join(step.writes)}.",
        *(["The public interface changes: name every caller that must follow."] if step.breaks_api else []),
    ]
    return "\n".join(lines)
