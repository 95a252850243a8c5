"""A pytest run that says what each test executed: started in the project's own Python, needs nothing but pytest.

    python pytest_recorder.py [pytest arguments]        (or as `python -c`, from standard library imports only)

The last line of standard output is `@remit-record ` and base64 of zlib of JSON: `outcomes` {test: passed, failed,
skipped, error}, `junit` the XML report, `functions` [[file, qualified name]], `tests` {test: [numbers of functions]}
and `shared` [numbers]: what ran outside of any one test (imports, collection, fixtures that several tests share).
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import threading
import zlib
from typing import Any

MAX_FUNCTIONS = 200_000


class Recorder:
    """Notes outcomes, and the functions of the project that ran."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root) + os.sep
        self.known: dict[Any, int] = {}
        self.functions: list[tuple[str, str]] = []
        self.places: dict[tuple[str, str], int] = {}
        self.ran: set[Any] = set()
        self.shared: set[int] = set()
        self.tests: dict[str, list[int]] = {}
        self.outcomes: dict[str, str] = {}
        self.wide = 0

    def called(self, frame: Any, event: str, _: Any) -> None:
        """The profile hook; only the code object is kept."""
        if event == "call":
            self.ran.add(frame.f_code)

    def start(self) -> None:
        """Begin to note."""
        threading.setprofile(self.called)
        sys.setprofile(self.called)

    def taken(self) -> set[int]:
        """The numbers of the functions that ran since the last time."""
        ran, self.ran = self.ran, set()
        return {number for number in map(self.number, ran) if number >= 0}

    def number(self, code: Any) -> int:
        """The number of a function, -1 outside the project."""
        found = self.known.get(code)
        if found is None:
            found = self.known[code] = self.place(os.path.realpath(code.co_filename), code)
        return found

    def place(self, path: str, code: Any) -> int:
        """Its number by file and qualified name; what stands inside without a name counts as its holder."""
        if not path.startswith(self.root) or "site-packages" in path or len(self.functions) >= MAX_FUNCTIONS:
            return -1
        parts = getattr(code, "co_qualname", code.co_name).split(".")
        parts = [p for p in parts if p != "<locals>"]
        while parts and parts[-1].startswith("<"):
            parts.pop()
        key = (path[len(self.root) :].replace(os.sep, "/"), ".".join(parts))
        if key not in self.places:
            self.places[key] = len(self.functions)
            self.functions.append(key)
        return self.places[key]

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        """What ran before a test belongs to none."""
        self.shared |= self.taken()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """The outcome, and what ran in this phase."""
        self.tests.setdefault(report.nodeid, []).extend(sorted(self.taken()))
        old = self.outcomes.get(report.nodeid)
        if report.when == "call" or (report.outcome != "passed" and old != "failed"):
            bad = report.when != "call" and report.outcome == "failed"
            self.outcomes[report.nodeid] = "error" if bad else report.outcome
            if getattr(report, "wasxfail", None) is not None:
                self.outcomes[report.nodeid] = "passed" if report.outcome in ("skipped", "passed") else "failed"

    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> None:
        """What a fixture of more than one test runs is shared: everything until it is there."""
        if fixturedef.scope != "function":
            self.wide += 1

    def pytest_fixture_post_finalizer(self, fixturedef: Any, request: Any) -> None:
        """Taken down again."""
        if fixturedef.scope != "function":
            self.shared |= self.taken()

    def pytest_runtest_call(self, item: Any) -> None:
        """Before the body: what wide fixtures ran is shared."""
        if self.wide:
            ran = self.taken()
            self.shared |= ran
            self.tests.setdefault(item.nodeid, []).extend(sorted(ran))
            self.wide = 0

    def said(self, junit: str) -> str:
        """The record as one line."""
        sys.setprofile(None)
        self.shared |= self.taken()
        value = {"outcomes": self.outcomes, "functions": self.functions, "shared": sorted(self.shared), "junit": junit,
                 "tests": {test: sorted(set(numbers)) for test, numbers in self.tests.items()}}  # fmt: skip
        return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


def main(arguments: list[str]) -> int:
    """Run pytest here; returns its exit code."""
    sys.path.insert(0, os.getcwd())
    sys.dont_write_bytecode = True
    import pytest

    recorder = Recorder(os.getcwd())
    if os.environ.get("REMIT_RECORD", "1") == "1":
        recorder.start()
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "report.xml")
        given = ["-p", "no:cacheprovider", f"--junitxml={report}", *arguments]
        code = int(pytest.main(given, plugins=[recorder]))
        sys.setprofile(None)
        junit = ""
        if os.path.exists(report):
            with open(report, encoding="utf-8", errors="replace") as file:
                junit = file.read()
    sys.stdout.write(f"\n@remit-record {recorder.said(junit)}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
