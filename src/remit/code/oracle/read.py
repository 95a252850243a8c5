"""Reading a test run: the runner's parser, then the classes.

    remit code oracle --runner pytest --stdout F --stderr F --exit-code N [--report JUNIT_OR_JSON]

A runner is a file of this folder with `parse(stdout, stderr, exit_code, report) -> Parsed`. The structured
report decides where there is one; the text says what the report does not.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from remit.code.oracle.classes import failure_of, suite_kind
from remit.code.oracle.texts import lines_of
from remit.code.oracle.values import Found, Parsed, Report
from remit.errors import Invalid

RUNNERS: Final = {
    "pytest": "pytest_runner",
    "jest": "jest_runner",
    "vitest": "vitest_runner",
    "node": "node_runner",
    "go": "go_runner",
    "cargo": "cargo_runner",
}
_KILLED: Final = (124, 137, 143)  # exit codes of timeout(1) and of signals KILL and TERM behind a shell


def read(runner: str, stdout: str, stderr: str, exit_code: int, report: str = "") -> Report:
    """What the run says.

    Args:
        runner: pytest | jest | vitest | node (node:test) | go (go test) | cargo (cargo test).
        report: the text of a JUnit XML (pytest) or JSON report (jest, vitest); "" = none.
    Raises:
        Invalid: value_invalid, the runner is not known.
    """
    runner = runner.removesuffix(" test").removesuffix(":test").removesuffix(" --test")
    if runner not in RUNNERS:
        raise Invalid("value_invalid", f"no such runner: {runner[:40]!r}; one of {', '.join(RUNNERS)}")
    parse = import_module(f"remit.code.oracle.{RUNNERS[runner]}").parse
    parsed: Parsed = parse(lines_of(stdout), lines_of(stderr), exit_code, report)
    if not parsed.found and exit_code in _KILLED:
        parsed.found.append(
            Found("", "the run was ended from outside", kind="timeout" if exit_code == 124 else "crash")
        )
    failures = tuple([failure_of(found, runner) for found in parsed.found])
    if not failures and exit_code and not parsed.no_tests:
        failures = (failure_of(Found("", f"the runner ended with exit code {exit_code}"), runner),)
    return Report(runner, parsed.counts, failures, suite_kind(failures, parsed.no_tests))
