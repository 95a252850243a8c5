"""From a failure's message to its kind, its class and what to do about it.

Precedence: compile -> permission -> timeout -> panic -> type -> assertion -> import -> not found -> runtime ->
logic -> unknown. Source: spec/code.md 3.
"""

from __future__ import annotations

import re
from typing import Final

from remit.code.oracle.values import KINDS, Failure, Found

_MAX_MESSAGE: Final = 2_000
# (kind, pattern on "ExceptionType: message"), in order; the first that matches is taken
_RULES: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("oom", r"^MemoryError\b|out of memory|heap limit|memory allocation of \d+ bytes failed|ENOMEM|OutOfMemory"),
        ("compile_error", r"^(?:Syntax|Indentation|Tab)Error\b|PARSE_ERROR|Transform failed|unexpected token"
                          r"|Parse failure|^error TS\d+|error\[E\d+\]|\[build failed\]"),
        ("missing_import", r"^(?:ModuleNotFound|Import)Error\b|Cannot find (?:module|package)|ERR_MODULE_NOT_FOUND"
                           r"|Failed to (?:load|resolve) (?:url|import)|no required module provides|unresolved import"
                           r"|is not in (?:std|GOROOT)|Does the file exist\?|use of undeclared crate|can't find crate"),
        ("race", r"DATA RACE|race detected"),
        ("crash", r"(?i)fatal python error|segmentation fault|SIG(?:SEGV|ABRT|KILL|BUS|ILL)\b|crashed while running"
                  r"|overflowed its stack|worker (?:process )?.*(?:exited|terminated|crashed)"),
        ("timeout", r"(?i)^Failed: Timeout|test timed out|timed out (?:after|in)|exceeded timeout|Timeout >?\s?\d"
                    r"|^(?:asyncio\.)?TimeoutError\b|testTimeoutFailure|all goroutines are asleep"),
        ("snapshot", r"(?i)\bsnapshot\b.*(?:mismatch|not match|does not|failed|obsolete|- snapshot|assertion)"
                     r"|toMatch(?:Inline)?Snapshot|\[- snapshot\]"),
        ("fixture", r"^fixture '[^']*' not found|ScopeMismatch"),
        ("type_error", r"^(?:Uncaught )?TypeError\b|interface conversion"),
        ("assertion", r"^(?:\w+\.)*(?:AssertionError|AssertError|ComparisonFailure|ERR_ASSERTION|Failed)\b|^assert\b"
                      r"|^expect(?:\.\w+)?\(|assertion (?:`|failed|failure)|^JestAssertionError"
                      r"|expected .* to (?:be|equal|have|match|contain)"),
        ("panic", r"^panic\b|panicked at|called `(?:Option|Result)::unwrap|index out of bounds|attempt to "),
    )
)  # fmt: skip

_CLASSES: Final = {
    "compile_error": "CompilationError",
    "missing_import": "MissingImport",
    "type_error": "TypeMismatch",
    "assertion": "AssertionFailure",
    "snapshot": "AssertionFailure",
    "panic": "PanicUnwrap",
    "timeout": "Timeout",
    "exception": "RuntimeError",
    "fixture": "RuntimeError",
    "crash": "RuntimeError",
    "oom": "RuntimeError",
    "race": "RuntimeError",
}
_PERMISSION: Final = re.compile(r"PermissionError|EACCES|EPERM|[Pp]ermission denied|Operation not permitted")
_NOT_FOUND: Final = re.compile(
    r"FileNotFoundError|ENOENT|NameError|[Nn]o such file|ReferenceError|404 Not Found|undefined: "
    r"|cannot find (?:value|function|type)"
)
_MISSING: Final = re.compile(
    r"No module named '([^']+)'|Cannot find (?:module|package) '([^']+)'|unresolved import `([^`]+)`"
    r"|import name '([^']+)'|Failed to resolve import \"([^\"]+)\"|package ([\w./-]+) is not in"
    r"|provides package ([\w./-]+)|undefined: (\w+)|name '(\w+)' is not defined|cannot find \w+ `(\w+)`"
    r"|(\w+) is not defined|directory: '([^']+)'"
)
_EXPECTED: Final = re.compile(
    r"(?is)expected:?\s{0,5}(?P<expected>[^\n]{1,120}?)\s{0,5}(?:\n|,|;| but | got | to (?:be|equal) )"
    r"\s{0,5}(?:received|actual|got)?:?\s{0,5}(?P<actual>[^\n]{1,120})"
)
_LOGIC: Final = re.compile(
    r"(?i)\b(?:got|was|received)\b.{0,200}\b(?:want|wanted|expected)\b|\b(?:want|wanted|expected)\b.{0,200}\b(?:got|was|received)\b"
)


def kind_of(found: Found) -> str:
    """The kind of a failure; `exception` when nothing says more."""
    if found.kind:
        return found.kind
    text = f"{found.exception}: {found.message}" if found.exception else found.message
    for kind, pattern in _RULES:
        if pattern.search(text):
            return kind
    return "exception"


def failure_of(found: Found, runner: str) -> Failure:
    """The failure with kind, class and strategy."""
    kind = kind_of(found)
    text = f"{found.exception}: {found.message}" if found.exception else found.message
    klass = _class(kind, text, runner)
    message = text.strip(": \n")[:_MAX_MESSAGE]
    return Failure(found.test, klass, kind, found.file, found.line, message, _strategy(klass, text, found))


def _class(kind: str, text: str, runner: str) -> str:
    if kind != "compile_error" and _PERMISSION.search(text):
        return "PermissionDenied"
    if kind == "assertion" and runner == "go" and _LOGIC.search(text):
        return "LogicError"  # got X, want Y, said by the program and not by an assertion
    if kind in ("exception", "fixture") and _NOT_FOUND.search(text):
        return "NotFound"
    return _CLASSES.get(kind, "Unknown")


def _strategy(klass: str, text: str, found: Found) -> str:
    missing = next((g for m in [_MISSING.search(text)] if m for g in m.groups() if g), "")
    where = f"{found.file}:{found.line}" if found.file and found.line else found.test
    if klass == "CompilationError":
        return f"AddMissing{{{missing}}}" if missing else f"Investigate{{{where}}}"
    if klass == "MissingImport":
        return f"AddImport{{{missing or where}}}"
    if klass == "NotFound":
        return f"AddMissing{{{missing or where}}}"
    if klass == "TypeMismatch":
        values = _EXPECTED.search(text)
        return "FixType{" + (f"{values['expected']}, {values['actual']}" if values else where) + "}"
    if klass in ("AssertionFailure", "LogicError"):
        # UpdateAssertion is never chosen here: it needs evidence that the specification changed.
        return f"FixLogic{{{where}}}"
    if klass == "PanicUnwrap":
        return f"AddErrorHandling{{{where}}}"
    if klass == "Timeout":
        return f"FixPerformance{{{where}}}"
    return f"Investigate{{{where}}}"


def suite_kind(failures: tuple[Failure, ...], no_tests: bool) -> str:
    """The strongest kind of a run."""
    kinds = {failure.kind for failure in failures}
    return next((kind for kind in KINDS if kind in kinds), "no_tests" if no_tests else "none")
