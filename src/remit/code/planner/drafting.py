"""A plan without a model: the files that the task names or speaks of, by four builders.

The idea: words of the task are looked for in paths and in the names that files define; the best files
become steps, tests follow what they test, documentation comes last. A plan that a model drafted goes
through the same `completed`: order, waves, risk, tests, rollback.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import structs

from remit.code.planner.judging import is_test, kind_of, risk_of, rollback_of, tests_for
from remit.code.planner.ordering import waves
from remit.code.planner.values import MAX_STEPS, Effort, Operation, Plan, Step
from remit.errors import Invalid

MAX_SOURCES: Final = 4  # files that a drafted plan changes
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{2,}")
_PART: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_PATH: Final = re.compile(r"[\w./-]+\.\w{1,5}\b")
_DEFINED: Final = re.compile(
    r"(?m)^\s*(?:export\s+|pub(?:\([^)]*\))?\s+|async\s+|default\s+)*"
    r"(?:def|class|function|func(?:\s*\([^)]*\))?|fn|struct|enum|trait|interface|type|const)\s+(\w+)"
)
_EMPTY: Final = frozenset(
    (*("the", "and", "for", "with", "that", "this", "from", "into", "when", "not", "are", "was", "its", "all", "has"),
     *("add", "fix", "bug", "new", "use", "have", "should", "must", "can", "make", "write", "test", "tests"))
)  # fmt: skip


def draft(task: str, files: Mapping[str, str], *, include_rollback: bool = True, include_tests: bool = True) -> Plan:
    """A plan for `task` over `files` (path -> text); raises value_invalid when no file matches."""
    kind = kind_of(task)
    sources = _sources(task, files)
    if not sources:
        raise Invalid("value_invalid", "no file matches the task", hint="Name a file or a function in the task.")
    builder = _BUILDERS[kind]
    return completed(
        Plan(task, kind, tuple(builder(task, sources, files))),
        include_rollback=include_rollback,
        include_tests=include_tests,
    )


def completed(
    plan: Plan,
    *,
    include_rollback: bool = True,
    include_tests: bool = True,
    max_steps: int = MAX_STEPS,
    touches: Callable[[str], frozenset[str]] | None = None,
) -> Plan:
    """The plan, checked, with its waves, risk, test strategy and rollback; raises value_invalid."""
    risk, reasons, mitigations = risk_of(plan.steps)
    return structs.replace(
        plan,
        waves=waves(plan.steps, max_steps=max_steps, touches=touches),
        risk=risk,
        reasons=reasons,
        mitigations=mitigations,
        tests=tests_for(plan.kind, plan.steps) if include_tests else None,
        rollback=rollback_of(plan.steps) if include_rollback else (),
    )


def _sources(task: str, files: Mapping[str, str]) -> list[str]:
    """The files that the task is about: named ones first, then by shared words, weighed by their rarity."""
    named = [path for path in files for said in _PATH.findall(task) if path == said or path.endswith("/" + said)]
    wanted = {part.lower() for word in _WORD.findall(task) for part in _PART.findall(word)} - _EMPTY
    words = {path: _words_of(path, text) for path, text in files.items() if not is_test(path)}
    frequency: dict[str, int] = {}
    for own in words.values():
        for word in own & wanted:
            frequency[word] = frequency.get(word, 0) + 1
    scores = {path: sum(1 / frequency[word] for word in own & wanted) for path, own in words.items()}
    ranked = sorted((path for path, score in scores.items() if score > 0), key=lambda path: (-scores[path], path))
    best = scores[ranked[0]] if ranked else 0.0
    spoken = [path for path in ranked if scores[path] * 2 >= best]
    return list(dict.fromkeys([*named, *([] if named else spoken)]))[:MAX_SOURCES]


def _words_of(path: str, text: str) -> set[str]:
    names = [*_WORD.findall(path), *_DEFINED.findall(text[:200_000])]
    return {part.lower() for name in names for part in _PART.findall(name)}


def _change(task: str, sources: list[str], files: Mapping[str, str]) -> list[Step]:
    """feature, optimization: sources, then their tests."""
    steps = [
        Step(i, path, "modify", f"Make the change in {path}.", effort=_effort(files[path]))
        for i, path in enumerate(sources, 1)
    ]
    return _with_tests(steps, files, "Test the new behaviour and its edges.")


def _tested_first(task: str, sources: list[str], files: Mapping[str, str]) -> list[Step]:
    """bug_fix, security_fix, refactor: a test that fails (or pins the behaviour) before the change."""
    tests = _tests_of(sources, files) or [_new_test(sources)]
    steps = [
        Step(
            i,
            path,
            "modify" if path in files else "create",
            "Write the test that fails for the reported reason, or pins today's behaviour.",
            role="tester",
        )
        for i, path in enumerate(tests, 1)
    ]
    needed = tuple(step.order for step in steps)
    for path in sources:
        order = len(steps) + 1
        steps.append(
            Step(
                order,
                path,
                "modify",
                f"Change {path} until the test passes.",
                depends_on=needed,
                effort=_effort(files.get(path, "")),
            )
        )
    return steps


def _tests_only(task: str, sources: list[str], files: Mapping[str, str]) -> list[Step]:
    """add_tests: one step a test file."""
    tests = _tests_of(sources, files) or [_new_test(sources)]
    return [
        Step(
            i,
            path,
            "modify" if path in files else "create",
            f"Cover what is untested; {path}.",
            effort="medium",
            role="tester",
        )
        for i, path in enumerate(tests, 1)
    ]


def _words_only(task: str, sources: list[str], files: Mapping[str, str]) -> list[Step]:
    """documentation: texts, and docstrings of the files that the task names."""
    texts = [
        path
        for path in files
        if path.lower().endswith((".md", ".rst"))
        and any(p.lower() in task.lower() for p in (path, path.rpartition("/")[2]))
    ]
    chosen = list(dict.fromkeys([*texts, *sources]))
    return [
        Step(i, path, "modify" if path in files else "create", f"Document in {path}.", role="documenter")
        for i, path in enumerate(chosen, 1)
    ]


def _with_tests(steps: list[Step], files: Mapping[str, str], description: str) -> list[Step]:
    sources = [step.file for step in steps]
    needed = tuple(step.order for step in steps)
    for path in _tests_of(sources, files) or [_new_test(sources)]:
        operation: Operation = "modify" if path in files else "create"
        steps = [*steps, Step(len(steps) + 1, path, operation, description, depends_on=needed, role="tester")]
    return steps


def _tests_of(sources: list[str], files: Mapping[str, str]) -> list[str]:
    """Test files whose name is that of a source."""
    stems = {path.rpartition("/")[2].partition(".")[0] for path in sources}
    wanted = {f"test_{stem}" for stem in stems} | {f"{stem}_test" for stem in stems} | stems
    return [path for path in files if is_test(path) and path.rpartition("/")[2].partition(".")[0] in wanted][
        :MAX_SOURCES
    ]


def _new_test(sources: list[str]) -> str:
    folder, _, name = sources[0].rpartition("/")
    stem, _, end = name.partition(".")
    if end == "go":
        return f"{folder}/{stem}_test.go".lstrip("/")
    if end in ("ts", "tsx", "js", "jsx"):
        return f"{folder}/{stem}.test.{end}".lstrip("/")
    return f"tests/test_{stem}.{'rs' if end == 'rs' else 'py'}"


def _effort(text: str) -> Effort:
    """By the size of the file: more to read is more to do."""
    lines = text.count("\n")
    return "small" if lines < 100 else "medium" if lines < 500 else "large"


_BUILDERS: Final[dict[str, Callable[[str, list[str], Mapping[str, str]], list[Step]]]] = {
    "feature": _change,
    "optimization": _change,
    "bug_fix": _tested_first,
    "security_fix": _tested_first,
    "refactor": _tested_first,
    "add_tests": _tests_only,
    "documentation": _words_only,
}
