"""Plans are ordered, parallel only where nothing is written twice, and judged by the written rules."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from remit.cli import main
from remit.code.planner.drafting import completed, draft
from remit.code.planner.judging import kind_of, prompt
from remit.code.planner.ordering import waves
from remit.code.planner.values import Plan, Step, Verification, decode
from remit.errors import Invalid


def step(order: int, file: str, *needs: int, **more: object) -> Step:
    """A step that modifies a file."""
    return Step(order, file, "modify", "do it", depends_on=needs, **more)  # type: ignore[arg-type]  # test values


def test_waves_follow_dependencies_and_write_nothing_twice() -> None:
    """1 and 2 side by side, 3 waits for the file of 1, 4 for both; dependents count where the graph is given."""
    steps = [step(1, "a.py"), step(2, "b.py"), step(3, "a.py"), step(4, "c.py", 1, 2)]
    assert waves(steps) == ((1, 2), (3, 4))
    reached = {"b.py": frozenset({"a.py"})}
    assert waves(steps, touches=lambda file: reached.get(file, frozenset())) == ((1,), (2,), (3, 4))


def test_random_plans_keep_every_dependency() -> None:
    """In 200 random plans each step comes after what it needs, exactly once, and no wave writes a file twice."""
    chance = random.Random(7)
    for _ in range(200):
        count = chance.randint(1, 20)
        steps = [
            step(i, f"{chance.choice('abcdef')}.py", *chance.sample(range(1, i), chance.randint(0, min(3, i - 1))))
            for i in range(1, count + 1)
        ]
        found = waves(steps)
        place = {order: n for n, wave in enumerate(found) for order in wave}
        assert sorted(place) == list(range(1, count + 1))
        assert all(place[needed] < place[s.order] for s in steps for needed in s.depends_on)
        for wave in found:
            files = [s.file for s in steps if s.order in wave]
            assert len(files) == len(set(files))


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([step(1, "a", 9)], "step 9, which does not exist"),
        ([step(1, "a", 1)], "depends on itself"),
        ([step(1, "a", 2), step(2, "b", 1), step(3, "c")], "1, 2 wait for each other"),
        ([step(1, "a"), step(1, "b")], "the same number"),
        ([step(i, f"f{i}") for i in range(1, 22)], "at most 20"),
    ],
)
def test_wrong_plans_are_refused(steps: list[Step], why: str) -> None:
    """Unknown, own and circular dependencies, doubled numbers, too many steps."""
    with pytest.raises(Invalid, match=why):
        completed(Plan("t", "feature", tuple(steps)))


def test_risk_tests_and_rollback() -> None:
    """Deletions, broken interfaces and security paths are high; many files are medium; all with a mitigation."""
    plan = completed(
        Plan("t", "security_fix", (Step(1, "auth/login.py", "delete", "x"), step(2, "b.py", 1, breaks_api=True)))
    )
    assert (plan.risk, len(plan.reasons), len(plan.mitigations)) == ("high", 3, 3)
    assert plan.tests == Verification(("security", "unit", "integration"))
    assert plan.rollback == (
        "step 2: restore b.py from the last commit",
        "step 1: restore auth/login.py from the last commit",
    )
    assert completed(Plan("t", "feature", tuple(step(i, f"f{i}") for i in range(1, 7)))).risk == "medium"
    assert completed(Plan("t", "feature", (step(1, "a"),))).risk == "low"


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("Fix the SQL injection bug in search", "security_fix"),
        ("Fix the crash on empty input", "bug_fix"),
        ("Add unit tests for the parser", "add_tests"),
        ("Make the import faster", "optimization"),
        ("Extract the retry logic", "refactor"),
        ("Document the CLI in the README", "documentation"),
        ("Let users export to CSV", "feature"),
    ],
)
def test_kinds(task: str, kind: str) -> None:
    """Security first, then what the words say."""
    assert kind_of(task) == kind


FILES = {
    "src/retry.py": "def retry_after(reply):\n    return 1\n",
    "src/parser.py": "class Parser:\n    pass\n",
    "tests/test_retry.py": "def test_it(): ...\n",
}


def test_a_bug_is_tested_before_it_is_fixed() -> None:
    """The drafted plan names the file that the task speaks of, and its test comes first."""
    plan = draft("Fix: retryAfter waits too long", FILES)
    assert [(s.order, s.file, s.operation, s.role, s.depends_on) for s in plan.steps] == [
        (1, "tests/test_retry.py", "modify", "tester", ()),
        (2, "src/retry.py", "modify", "implementer", (1,)),
    ]
    assert plan.waves == ((1,), (2,))
    assert "Change only: src/retry.py." in prompt(plan, 2)
    with pytest.raises(Invalid, match="no file matches"):
        draft("Fix the quux", FILES)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Markdown for people, JSON for programs, and a model's plan goes through the same checks."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert main(["code", "plan", "Add a strict mode to the parser", str(tmp_path)]) == 0
    assert "1. **modify** `src/parser.py`" in capsys.readouterr().out
    assert main(["code", "plan", "Add a strict mode to the parser", str(tmp_path), "--json"]) == 0
    text = capsys.readouterr().out
    assert decode(text).waves == ((1,), (2,))
    (tmp_path / "p.json").write_text(json.dumps({**json.loads(text), "steps": [{"order": 1}]}), encoding="utf-8")
    assert main(["code", "plan", "x", "--check", str(tmp_path / "p.json")]) == 2
    assert "not a plan" in capsys.readouterr().err
