"""jest: its text (on stderr), and the report of --json."""

from __future__ import annotations

import os.path
import re
from typing import Any, Final

from remit.code.oracle.javascript import count_in, counts_in, describe, report_of
from remit.code.oracle.texts import own_path
from remit.code.oracle.values import Counts, Found, Parsed

_FILE: Final = re.compile(r"^(?:PASS|FAIL) (?:\S+ )?(?P<file>\S+\.[cm]?[jt]sx?)(?: \(.*\))?$")
_TITLE: Final = re.compile(r"^  ● (?P<title>.+)$")
_SUITE: Final = "Test suite failed to run"
_REPEATED: Final = "Summary of all failing tests"
_AFTER: Final = ("Test Suites:", _REPEATED, " \u203a ", "Snapshot Summary")  # what follows the last failure of a file
_TESTS: Final = re.compile(r"^Tests: +(?P<said>.+)$")
_RETRY: Final = re.compile(r"^ ?LOGGING RETRY ERRORS +(?P<title>.+)$")


def parse(stdout: list[str], stderr: list[str], exit_code: int, report: str) -> Parsed:
    """What a jest run says."""
    lines = [*stderr, "", *stdout]
    data = report_of(report)
    root = _root(data, lines)
    found, retried = _failures(lines, root)
    counts = _counts(lines, found)
    if data:
        counts = Counts(
            count_in(data, "numPassedTests"),
            count_in(data, "numFailedTests"),
            count_in(data, "numPendingTests"),
            count_in(data, "numRuntimeErrorTestSuites"),
        )
        found = found or _from_report(data, root)
    text = "\n".join(lines[-400:])
    none = "No tests found" in text or (data != {} and not count_in(data, "numTotalTests") and not found)
    if not found and ("heap out of memory" in text or "JavaScript heap" in text):
        found = [Found(_last_file(lines), "JavaScript heap out of memory", kind="oom")]
    return Parsed(counts, found + retried, none and not found)


def _root(data: dict[str, Any], lines: list[str]) -> str:
    """The project's folder: what stands before the relative names of the text in the absolute ones."""
    results = data.get("testResults")
    names = [str(each.get("name", "")) for each in results or () if isinstance(each, dict)]
    names += re.findall(r"(/[^\s:'\"()]+\.[cm]?[jt]sx?)", "\n".join(lines[:5_000]))
    for file in {m["file"].removeprefix("./") for line in lines if (m := _FILE.match(line))}:
        found = next((name for name in names if name.endswith("/" + file)), "")
        if found:
            return found[: -len(file) - 1]
    folders = [re.sub(r"/(?:tests?|__tests__)(?:/.*)?$", "", name.rpartition("/")[0]) for name in names if "/" in name]
    return os.path.commonpath(folders) if folders and results else ""


def _failures(lines: list[str], root: str) -> tuple[list[Found], list[Found]]:
    found: list[Found] = []
    retried: list[Found] = []
    file, at = "", 0
    while at < len(lines):
        line = lines[at]
        if line.startswith(_REPEATED):
            break
        suite = _FILE.match(line)
        if suite is not None:
            file = own_path(suite["file"], root) or suite["file"]
        title, retry = _TITLE.match(line), _RETRY.match(line)
        at += 1
        if retry is not None:
            end = _end(lines, at)
            retried.append(_described(Found(retry["title"].strip(), kind="flaky"), lines[at:end], root))
        elif title is not None and title["title"] not in ("Console", "Validation Error:"):
            end = _end(lines, at)
            if title["title"].startswith(_SUITE):
                found.append(_suite(file, lines[at:end], root))
            else:
                test = " ".join(part.strip() for part in title["title"].split(" \u203a "))
                found.append(_described(Found(test), lines[at:end], root))
            at = end
    unique = {each.test: each for each in reversed(found)}
    kept = [unique.pop(each.test) for each in found if each.test in unique]
    names = {each.test for each in kept}
    return kept, [each for each in {r.test: r for r in retried}.values() if each.test not in names]


def _end(lines: list[str], at: int) -> int:
    """Where the block of a failure ends."""
    while at < len(lines):
        line = lines[at]
        if _TITLE.match(line) or _FILE.match(line) or _RETRY.match(line) or line.startswith(_AFTER):
            break
        at += 1
    return at


def _described(found: Found, body: list[str], root: str) -> Found:
    describe(found, body, root)
    return found


def _suite(file: str, body: list[str], root: str) -> Found:
    found = _described(Found(file), body, root)
    missing = "Cannot find module" in found.message
    if "must contain at least one test" in found.message:
        found.kind = "no_tests"
    if "SyntaxError" in found.message or "unexpected token" in found.message.lower():
        found.kind = "compile_error"
    elif missing:
        found.kind = "missing_import"
    return found


def _counts(lines: list[str], found: list[Found]) -> Counts:
    said = next((m["said"] for line in reversed(lines) if (m := _TESTS.match(line))), None)
    if said is None:
        return Counts()
    by = counts_in(said)
    errors = sum(each.test.endswith((".js", ".ts", ".jsx", ".tsx", ".mjs", ".cjs")) for each in found)
    return Counts(by.get("passed", 0), by.get("failed", 0), by.get("skipped", 0), errors)


def _from_report(data: dict[str, Any], root: str) -> list[Found]:
    """Failures of the report alone."""
    out = []
    for suite in data.get("testResults") or ():
        if not isinstance(suite, dict):
            continue
        asserted = [a for a in suite.get("assertionResults") or () if isinstance(a, dict)]
        for each in asserted:
            if each.get("status") == "failed":
                text = "\n".join(str(message) for message in each.get("failureMessages") or ())
                out.append(_described(Found(str(each.get("fullName", "")).strip()), text.split("\n"), root))
        if suite.get("status") == "failed" and not asserted:
            name = str(suite.get("name", ""))
            out.append(_suite(own_path(name, root) or name, str(suite.get("message", "")).split("\n"), root))
    return out


def _last_file(lines: list[str]) -> str:
    return next(
        (m["file"].removeprefix("./") for line in reversed(lines) if (m := re.match(r"^RUNS +(?P<file>\S+)", line))), ""
    )
