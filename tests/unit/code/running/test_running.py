"""Running tests: runners, records, selection and the red-green-refactor cycle, all as values."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remit.code.graph.index import index_texts
from remit.code.oracle.cycle import COMPLETE, GREEN, RED, REFACTOR, Cycle, step
from remit.code.oracle.values import Counts, Failure, Report
from remit.code.running import pytest_recorder
from remit.code.running.record import Executed, kept, record_in
from remit.code.running.runners import command, runner_of
from remit.code.running.selection import selected
from remit.errors import Invalid

FILES = {
    "calc.py": "def add(a):\n    return plus(a)\n\n\ndef plus(a):\n    return a\n\n\ndef sub(a):\n    return a\n",
    "tests/test_calc.py": "import pytest\nfrom calc import add, sub\n\n\n@pytest.mark.parametrize('n', [1, 2])\n"
    "def test_add(n):\n    assert add(n) == n\n\n\ndef test_sub():\n    assert sub(1) == 2\n",
}


@pytest.mark.parametrize(
    ("files", "package", "runner"),
    [
        (["pyproject.toml"], {}, "pytest"),
        (["a/test_x.py"], {}, "pytest"),
        (["package.json"], {"devDependencies": {"vitest": "1"}}, "vitest"),
        (["package.json"], {"scripts": {"test": "jest"}}, "jest"),
        (["package.json"], {"scripts": {"test": "node --test"}}, "node"),
        (["lib/a.test.mjs"], {}, "node"),
        (["go.mod"], {}, "go"),
        (["Cargo.toml", "setup.py"], {}, "cargo"),
    ],
)
def test_the_runner_of_a_folder(files: list[str], package: dict[str, Any], runner: str) -> None:
    """Manifests name the runner, files of tests where there is none."""
    assert runner_of(files, package) == runner


def test_a_folder_without_tests_and_a_dash() -> None:
    """Neither a folder without tests nor a name that is an option is started."""
    with pytest.raises(Invalid, match="no test runner"):
        runner_of(["README.md"], {})
    with pytest.raises(Invalid, match="dash"):
        command("pytest", ["--pdb"])


def test_commands_ask_for_the_structured_form() -> None:
    """Every runner is started with its structured output and only the named tests."""
    assert command("go", ["pkg/TestA"]).argv == ("go", "test", "-json", "-run", "^(TestA)$", "./...")
    assert command("jest", ["a.test.js"]).argv[2:] == ("--json", "a.test.js")
    assert command("cargo", ["m::t"]).argv[-3:] == ("--", "--exact", "m::t")
    assert command("node").argv == ("node", "--test")
    assert command("vitest").report
    assert command("pytest", ["t.py::a"]).argv == ("python3", "-", "-q", "t.py::a")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Executed:
    """A real recorded run."""
    root = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(root)}
    argv = [sys.executable, str(Path(pytest_recorder.__file__)), "-q"]
    done = subprocess.run(argv, cwd=root, env=env, capture_output=True, text=True, timeout=60, check=False)
    text, found = record_in(done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert "1 failed, 2 passed" in text
    return found


def test_a_record_says_what_each_test_executed(record: Executed) -> None:
    """Outcomes, the report, and the functions of each test by file and name."""
    names = [record.functions[n] for n in record.tests["tests/test_calc.py::test_add[1]"]]
    assert ("calc.py", "plus") in names
    assert ("calc.py", "sub") not in names
    assert record.outcomes == {
        "tests/test_calc.py::test_add[1]": "passed",
        "tests/test_calc.py::test_add[2]": "passed",
        "tests/test_calc.py::test_sub": "failed",
    }
    assert "<testcase" in record.junit
    assert b"testcase" not in kept(record)


def test_selection_follows_the_record_and_else_the_graph(record: Executed) -> None:
    """A function selects the tests that ran it; a class, a module or an unknown function what the graph reaches."""
    graph = index_texts({name: text.encode() for name, text in FILES.items()})
    both = ["tests/test_calc.py::test_add", "tests/test_calc.py::test_sub"]
    assert selected(graph, ["calc.plus"], record) == both[:1]
    assert selected(graph, ["calc"], record) == both
    assert selected(graph, ["calc.plus"], None) == both[:1]
    assert selected(graph, ["tests.test_calc.test_sub"], record) == both[1:]


@pytest.mark.parametrize("line", ["", "@remit-record", "@remit-record !!", "@remit-record aGVsbG8="])
def test_a_damaged_record_is_none(line: str) -> None:
    """What cannot be read is no record, and no error."""
    assert record_in("out\n" + line + "\n")[1] is None


def report(*kinds: str) -> Report:
    """A run with these failures of the target."""
    failures = tuple(Failure("t.py::test_x", "C", kind, "t.py", 3, "m", "FixLogic{h}") for kind in kinds)
    return Report("pytest", Counts(1, len(kinds)), failures, kinds[0] if kinds else "none")


def test_red_green_refactor_complete() -> None:
    """The way through: fails for the expected reason, passes, stays passing."""
    red = Cycle("t.py::test_x", expected=("assertion",))
    green = step(red, report("assertion"), digest="d")
    assert (green.phase, green.digest) == (GREEN, "d")
    assert "without editing t.py::test_x" in green.prompt
    still = step(green, report("assertion"), digest="d")
    assert (still.phase, bool(still.prompt)) == (GREEN, True)
    refactor = step(still, report(), digest="d")
    broken = step(refactor, report("exception"))
    assert (refactor.phase, broken.phase) == (REFACTOR, GREEN)
    done = step(refactor, report())
    assert (done.phase, done.aborted, step(done, report("panic"))) == (COMPLETE, False, done)


def test_red_needs_the_expected_reason() -> None:
    """Another reason or no such test keeps it red and asks; a test that passes already needs no change."""
    red = Cycle("t.py::test_x", expected=("assertion",))
    other, absent = step(red, report("exception")), step(red, report())
    assert (other.phase, "another reason" in other.prompt) == (RED, True)
    assert (absent.phase, absent.prompt.startswith("Write a pytest function")) == (RED, True)
    assert step(red, report(), ran=("t.py::test_x",)).phase == REFACTOR


def test_an_edited_target_is_refused_and_iterations_end() -> None:
    """The target test stays as it was while green is sought; too many iterations end it, and say so."""
    green = Cycle("t.py::test_x", phase=GREEN, digest="d")
    with pytest.raises(Invalid, match="edited or deleted"):
        step(green, report(), digest="e")
    ended = step(Cycle("t", max_iterations=0), report())
    assert (ended.phase, ended.aborted) == (COMPLETE, True)
