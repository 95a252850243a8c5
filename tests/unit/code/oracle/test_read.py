"""What test runs say: the labelled corpus, samples of each runner, and hostile output."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.cli import main
from remit.code.oracle.read import RUNNERS, read
from remit.code.oracle.values import Counts, Failure
from remit.errors import Invalid

SHARED = Path(os.environ.get("REMIT_SHARED", Path(__file__).parents[5] / "shared" / "data"))
CASES = [
    (label, report)
    for label in sorted((SHARED / "oracle").glob("*/label.json"))
    for report in ("", "report.xml", "report.json")
    if not report or (label.parent / report).exists()
]


@pytest.mark.parametrize(
    ("file", "report"), CASES, ids=[f"{file.parent.name}-{report or 'text'}" for file, report in CASES]
)
def test_the_corpus(file: Path, report: str) -> None:
    """Counts, failing tests, kinds and places are the label's."""
    case, label = file.parent, json.loads(file.read_text(encoding="utf-8"))
    stdout, stderr, exit_code = (
        (case / name).read_text(encoding="utf-8") for name in ("stdout.txt", "stderr.txt", "exit_code")
    )
    structured = (case / report).read_text(encoding="utf-8") if report else ""
    said = read(label["runner"], stdout, stderr, int(exit_code), structured)
    assert said.counts == Counts(**{k: label["counts"].get(k) for k in ("passed", "failed", "skipped", "errors")})
    if label["suite_class"] == "flaky" and label["runner"] == "pytest" and not structured:
        assert said.failures == ()  # pytest's text does not name the test that was repeated
        return
    assert said.suite_kind == label["suite_class"]
    found = {f.test: (f.kind, f.file, f.line) for f in said.failures}
    assert found == {f["test"]: (f["class"], f["file"], f["line"]) for f in label["failures"]}


PYTEST = """rootdir: /srv/app
collected 3 items

=================================== FAILURES ===================================
______________________________ TestC.test_p[x - y] ______________________________

    def test_p(self, a):
>       assert a == 'q'
E       AssertionError: FAILED test_other.py::test_decoy - not real

test_a.py:11: AssertionError
__________________________________ test_type ___________________________________

    def test_type(): helper()

test_a.py:14:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

>   raise TypeError('unsupported')
E   TypeError: unsupported

src/lib.py:3: TypeError
=========================== short test summary info ============================
FAILED test_a.py::TestC::test_p[x - y] - AssertionError: FAILED test_other.py...
FAILED test_a.py::test_type - TypeError: unsupported
========================= 2 failed, 1 passed in 0.61s ==========================
"""


def test_pytest_text() -> None:
    """A parameter with a dash, a decoy in a message, the deepest own frame."""
    said = read("pytest", PYTEST, "", 1)
    assert said.counts == Counts(1, 2, 0, 0)
    assert said.failures == (
        Failure(
            "test_a.py::TestC::test_p[x - y]",
            "AssertionFailure",
            "assertion",
            "test_a.py",
            11,
            "AssertionError: FAILED test_other.py::test_decoy - not real",
            "FixLogic{test_a.py:11}",
        ),
        Failure(
            "test_a.py::test_type",
            "TypeMismatch",
            "type_error",
            "src/lib.py",
            3,
            "TypeError: unsupported",
            "FixType{src/lib.py:3}",
        ),
    )
    assert (said.suite_kind, said.ok) == ("type_error", False)


@pytest.mark.parametrize(
    ("runner", "stdout", "stderr", "exit_code", "kind", "klass", "strategy"),
    [
        ("cargo", "test a ... FAILED\n\n---- a stdout ----\nthread 'a' panicked at src/lib.rs:9:5:\n"
         "assertion failed: x\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured", "", 101,
         "assertion", "AssertionFailure", "FixLogic{src/lib.rs:9}"),
        ("go", "--- FAIL: TestA (0.00s)\n    a_test.go:7: got 1, want 2\nFAIL\nFAIL\texample.com/app\t0.01s\n", "", 1,
         "assertion", "LogicError", "FixLogic{a_test.go:7}"),
        ("go", "", "# example.com/app\n./a.go:4:2: undefined: nope\nFAIL\texample.com/app [build failed]\n", 2,
         "compile_error", "CompilationError", "AddMissing{nope}"),
        ("pytest", "collected 0 items / 1 error\n=== ERRORS ===\n___ ERROR collecting t.py ___\nt.py:1: in <module>\n"
         "    import nope\nE   ModuleNotFoundError: No module named 'nope'\n"
         "=== short test summary info ===\nERROR t.py\n=== 1 error in 0.1s ===\n", "", 2,
         "missing_import", "MissingImport", "AddImport{nope}"),
        ("pytest", "", "Killed\n", 137, "crash", "RuntimeError", "Investigate{}"),
    ],
)  # fmt: skip
def test_kinds_classes_and_strategies(
    runner: str, stdout: str, stderr: str, exit_code: int, kind: str, klass: str, strategy: str
) -> None:
    """What failed, of which class, and what to do; an assertion is never told to be changed."""
    said = read(runner, stdout, stderr, exit_code)
    assert [(f.kind, f.klass, f.strategy) for f in said.failures] == [(kind, klass, strategy)]


def test_nothing_collected_is_not_a_pass() -> None:
    """No tests, a missing summary, a run that says nothing: never `none`, never 0 for what is not known."""
    assert read("pytest", "=== no tests ran in 0.01s ===\n", "", 5).suite_kind == "no_tests"
    said = read("cargo", "", "", 1)
    assert (said.counts, said.suite_kind) == (Counts(), "exception")
    with pytest.raises(Invalid, match="no such runner"):
        read("maven", "", "", 0)


@given(st.sampled_from(sorted(RUNNERS)), st.text(max_size=400), st.text(max_size=200), st.integers(-20, 300))
@settings(max_examples=300, deadline=None)
def test_any_output_is_read(runner: str, stdout: str, stderr: str, exit_code: int) -> None:
    """Whatever a run prints, an answer comes, and a failed run is never called clean."""
    said = read(runner, stdout, stderr, exit_code)
    assert said.suite_kind != "none" or exit_code == 0


@pytest.mark.parametrize("runner", sorted(RUNNERS))
@pytest.mark.parametrize(
    "line",
    ["1 " * 50_000, "(" * 100_000, "a.py:1: " * 20_000, " at (" * 30_000, "--- FAIL: " + "x/" * 50_000, "1 1" * 40_000],
)
def test_giant_lines_are_bounded(runner: str, line: str) -> None:
    """A line that makes patterns slow is cut before they see it."""
    assert read(runner, line + "\n" + line, line, 1).failures


def test_a_hostile_report_is_refused() -> None:
    """Entities, a document type, depth, and what is no report at all."""
    bomb = '<!DOCTYPE x [<!ENTITY a "b">]><testsuites>&a;</testsuites>'
    for report in (bomb, "<a>" * 100, "<testsuites>"):
        with pytest.raises(Invalid):
            read("pytest", "", "", 0, report)
    with pytest.raises(Invalid):
        read("jest", "", "", 0, "[" * 100_000)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`remit code oracle` prints the agreed object, or a line a failure for people."""
    (tmp_path / "out").write_text(PYTEST, encoding="utf-8")
    command = ["code", "oracle", "--runner", "pytest", "--stdout", str(tmp_path / "out"), "--exit-code", "1"]
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.keys() == {"runner", "counts", "failures", "suite_kind"}
    assert said["counts"] == {"passed": 1, "failed": 2, "skipped": 0, "errors": 0}
    assert said["failures"][1].keys() == {"test", "class", "kind", "file", "line", "message", "strategy"}
    assert main(command) == 0
    assert "type_error     test_a.py::test_type  src/lib.py:3" in capsys.readouterr().out
