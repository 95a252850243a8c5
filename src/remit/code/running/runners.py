"""Which runner a folder's tests need, and what is started for it. Pure: names and texts in, an argv out.

The structured form of each runner's output is asked for: JSON of jest, vitest and go, a record of ours around pytest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final, NamedTuple

import msgspec

from remit.errors import Invalid

RUNNERS: Final = ("pytest", "jest", "vitest", "node", "go", "cargo")
_MARKS: Final = (
    ("cargo", {"Cargo.toml"}),
    ("go", {"go.mod"}),
    ("pytest", {"pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini"}),
)
MAX_SELECTED: Final = 2_000
"""Tests named one by one; more are run whole."""


class Command(NamedTuple):
    """What is started."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    report: bool = False
    """whether standard output is the JSON report"""


def runner_of(files: Sequence[str], package: Mapping[str, Any]) -> str:
    """The runner of a folder: by its manifests, then by its files; raises value_invalid where there is none.

    Args:
        files: paths beneath the folder, its top and what `tests` holds.
        package: package.json as an object, {} without one.
    """
    top = {file for file in files if "/" not in file}
    used = {**_dict(package.get("devDependencies")), **_dict(package.get("dependencies"))}
    script = str(_dict(package.get("scripts")).get("test", ""))
    for name in ("vitest", "jest"):
        if name in used or name in script or any(file.startswith(f"{name}.config.") for file in top):
            return name
    if "node --test" in script:
        return "node"
    for runner, marks in _MARKS:
        if marks & top:
            return runner
    if any(re.search(r"(^|/)(test_[^/]*|[^/]*_test)\.py$", file) for file in files):
        return "pytest"
    if package or any(re.search(r"\.test\.[cm]?js$", file) for file in files):
        return "node"
    raise Invalid("value_invalid", "no test runner is known for this folder", hint="name it: --runner pytest")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def package_of(raw: bytes) -> dict[str, Any]:
    """A package.json as an object; {} when it is none."""
    try:
        return _dict(msgspec.json.decode(raw))
    except (msgspec.DecodeError, RecursionError):
        return {}


def command(runner: str, tests: Sequence[str] = (), *, python: str = "python3") -> Command:
    """What to start for all tests, or for these; raises value_invalid for another runner."""
    chosen = list(tests) if len(tests) <= MAX_SELECTED else []
    if any(test.startswith("-") for test in chosen):
        raise Invalid("value_invalid", "a test's name begins with a dash")
    if runner == "pytest":
        source = resources.files("remit.code.running").joinpath("pytest_recorder.py").read_bytes()
        return Command((python, "-", "-q", *chosen), source)
    if runner == "jest":
        return Command(("node", "node_modules/jest/bin/jest.js", "--json", *chosen), report=True)
    if runner == "vitest":
        return Command(("node", "node_modules/vitest/vitest.mjs", "run", "--reporter=json", *chosen), report=True)
    if runner == "node":
        return Command(("node", "--test", *chosen))
    if runner == "go":
        only = ("-run", f"^({'|'.join(re.escape(t.rpartition('/')[2]) for t in chosen)})$") if chosen else ()
        return Command(("go", "test", "-json", *only, "./..."))
    if runner == "cargo":
        return Command(
            ("cargo", "test", "--no-fail-fast", "--offline", "--", *(("--exact", *chosen) if chosen else ()))
        )
    raise Invalid("value_invalid", f"no such runner: {runner[:40]!r}; one of {', '.join(RUNNERS)}")
