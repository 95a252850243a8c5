"""vitest: its text on both streams, and the report of --reporter=json."""

from __future__ import annotations

import re
from typing import Any, Final

from remit.code.oracle.javascript import count_in, counts_in, describe, report_of
from remit.code.oracle.texts import own_path
from remit.code.oracle.values import Counts, Found, Parsed

_RUN: Final = re.compile(r"^ RUN +v\S+ (?P<root>\S+)")
_FAIL: Final = re.compile(r"^ FAIL  (?:\|[^|]+\| )?(?P<what>.+)$")
_RULE: Final = re.compile(r"^⎯{3,}")
_UNHANDLED: Final = re.compile(r"^⎯+ (?:Unhandled|Uncaught) ")
_ORIGIN: Final = re.compile(r'This error originated in "(?P<file>[^"]+)" test file')
_LATEST: Final = re.compile(r"The latest test that might've caused the error is \"(?P<test>[^\"]+)\"")
_RETRIED: Final = re.compile(r"^\s+✓ (?P<test>.+?)(?: \d+ms)? \(retry x\d+\)")
_LISTED: Final = re.compile(r"^ [✓\u276f\u00d7] (?P<file>\S+\.[cm]?[jt]sx?) \(")


def parse(stdout: list[str], stderr: list[str], exit_code: int, report: str) -> Parsed:
    """What a vitest run says."""
    lines = [*stdout, "", *stderr]
    root = next((m["root"] for line in lines if (m := _RUN.match(line))), "")
    data = report_of(report)
    suites, found = _failures(lines, root)
    unhandled = _unhandled(lines, root)
    counts = _counts(lines, len(suites))
    if data:
        counts = Counts(
            count_in(data, "numPassedTests"),
            count_in(data, "numFailedTests"),
            count_in(data, "numPendingTests"),
            counts.errors if counts.errors is not None else _unloaded(data),
        )
        if not (suites or found or unhandled):
            found = _from_report(data, root)
    text = "\n".join(lines[-400:])
    none = "No test files found" in text or ("no tests" in text and not suites and not found)
    return Parsed(counts, suites + found + unhandled + _retried(lines, root), none)


def _failures(lines: list[str], root: str) -> tuple[list[Found], list[Found]]:
    """(files that did not load, tests that failed); tests listed one after the other share one error."""
    suites: list[Found] = []
    tests: list[Found] = []
    waiting: list[Found] = []
    at = 0
    while at < len(lines):
        match = _FAIL.match(lines[at])
        at += 1
        if match is None:
            continue
        parts = [part.strip() for part in match["what"].split(" > ")]
        if len(parts) == 1:
            file = parts[0].split(" [ ")[0].strip()
            each = Found(own_path(file, root) or file)
            suites.append(each)
        else:
            each = Found(" > ".join(parts[1:]))
            tests.append(each)
        waiting.append(each)
        if at < len(lines) and _FAIL.match(lines[at]):
            continue
        end = at
        while end < len(lines) and not _FAIL.match(lines[end]) and not _RULE.match(lines[end]):
            end += 1
        for one in waiting:
            describe(one, lines[at:end], root)
        waiting = []
        at = end
    return suites, tests


def _unhandled(lines: list[str], root: str) -> list[Found]:
    """Errors outside any test."""
    begun = next((i for i, line in enumerate(lines) if _UNHANDLED.match(line)), None)
    if begun is None:
        return []
    out: list[Found] = []
    body: list[str] = []
    for line in lines[begun + 1 :]:
        if _RULE.match(line):
            if _ORIGIN.search("\n".join(body)):
                out.append(_lost(body, root))
                body = []
            else:
                body = []
            continue
        origin = _ORIGIN.search(line)
        if origin is not None:
            out.append(_lost([*body, line], root))
            body = []
        else:
            body.append(line)
    return out


def _lost(body: list[str], root: str) -> Found:
    origin = _ORIGIN.search("\n".join(body))
    found = Found(origin["file"] if origin is not None else "")
    describe(found, [line for line in body if not _ORIGIN.search(line)], root)
    if found.kind == "fixture":
        found.kind = ""
    return found


def _counts(lines: list[str], suites: int) -> Counts:
    said = next((line for line in reversed(lines) if re.match(r"^ +Tests  ", line)), None)
    if said is None:
        return Counts()
    by = counts_in(said)
    errors = next(
        (
            counts_in(line).get("error", counts_in(line).get("errors", 0))
            for line in reversed(lines)
            if re.match(r"^ +Errors  ", line)
        ),
        0,
    )
    return Counts(by.get("passed", 0), by.get("failed", 0), by.get("skipped", 0), suites + errors)


def _unloaded(data: dict[str, Any]) -> int:
    """Files of a report that failed without a test."""
    results = [suite for suite in data.get("testResults") or () if isinstance(suite, dict)]
    return sum(suite.get("status") == "failed" and not suite.get("assertionResults") for suite in results)


def _from_report(data: dict[str, Any], root: str) -> list[Found]:
    out = []
    for suite in data.get("testResults") or ():
        if not isinstance(suite, dict):
            continue
        cases = [case for case in suite.get("assertionResults") or () if isinstance(case, dict)]
        for case in cases:
            if case.get("status") == "failed":
                names = [str(name) for name in case.get("ancestorTitles") or () if name] + [str(case.get("title", ""))]
                found = Found(" > ".join(names))
                describe(found, "\n".join(str(m) for m in case.get("failureMessages") or ()).split("\n"), root)
                out.append(found)
        if suite.get("status") == "failed" and not cases:
            name = str(suite.get("name", ""))
            found = Found(own_path(name, root) or name)
            describe(found, str(suite.get("message", "")).split("\n"), root)
            out.append(found)
    return out


def _retried(lines: list[str], root: str) -> list[Found]:
    out = []
    file = None
    for line in lines:
        listed = _LISTED.match(line)
        file = own_path(listed["file"], root) if listed is not None else file
        retried = _RETRIED.match(line)
        if retried is not None:
            out.append(Found(retried["test"], "passed when repeated", file, None, "flaky"))
    return out
