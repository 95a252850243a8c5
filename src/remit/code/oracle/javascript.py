"""What jest and vitest share: places in stack traces and code frames, hooks, JSON reports."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from remit.code.oracle.texts import own_path
from remit.code.oracle.values import Found
from remit.errors import Invalid

MAX_REPORT_CHARS: Final = 64 * 1024 * 1024
AT: Final = re.compile(
    r"^\s*(?:at|\u276f) (?:async )?(?:(?P<name>[^(]*?) )?\(?(?P<file>(?:file://)?[^\s()]+?):(?P<line>\d+):\d+\)?$"
)
_NAMED: Final = re.compile(
    r"^(?:Uncaught )?(?P<type>(?:\w+\.)*[A-Z]\w*(?:Error|Exception)|Error)(?: \[[A-Z_]+\])?(?:: (?P<rest>.*))?$",
    re.DOTALL,
)
_HOOK: Final = re.compile(r"\b(?:beforeAll|beforeEach|afterAll|afterEach|before|after)\s*\(")
_TEST: Final = re.compile(r"\b(?:test|it)\b[\w.]*\s*(?:\(|`)")
_EMPTY: Final = ("", "\u25cf Test suite failed to run")
_FRAME_LINE: Final = re.compile(r"^\s*(?P<mark>>)?\s*(?P<line>\d+) ?\|(?P<code>.*)$")
_POINTER: Final = re.compile(r"^\s*\|\s*\^")
_SYNTAX: Final = re.compile(r"(?P<file>[^\s:'\"()\[]+\.[cm]?[jt]sx?):? ?.*?\((?P<line>\d+):\d+\)")
_BRACKET: Final = re.compile(r"\[ ?(?P<file>[^\s\[\]:]+):(?P<line>\d+):\d+ ?\]")


def describe(found: Found, body: list[str], root: str) -> None:
    """Fill in place, message and type from the lines of one failure."""
    words: list[str] = []
    for line in body:
        at = AT.match(line)
        if at is not None:
            file = own_path(at["file"], root)
            if file is not None and found.file is None:
                found.file, found.line = file, int(at["line"])
        elif not _FRAME_LINE.match(line) and not _POINTER.match(line) and line.strip() not in _EMPTY:
            words.append(line.strip())
    text = "\n".join(words[:40])
    if found.file is None:
        place = _BRACKET.search(text) or (_SYNTAX.search(text) if "Error" in text else None)
        file = own_path(place["file"], root) if place is not None else None
        if place is not None and file is not None:
            found.file, found.line = file, int(place["line"])
    first = _NAMED.match(words[0]) if words else None
    found.message = text
    if first is not None and first["type"] == "Error":
        found.message = text.removeprefix("Error: ")
    elif first is not None:
        found.exception, found.message = first["type"], text[len(first["type"]) :].lstrip(": ")
    if not found.kind and _thrown_in_hook(body) and not _asserts(text):
        found.kind = "fixture"


def _asserts(text: str) -> bool:
    return text.startswith("expect(") or "AssertionError" in text


def _thrown_in_hook(body: list[str]) -> bool:
    """Whether the marked line of the code frame stands in a hook rather than in a test."""
    before: list[str] = []
    marked = next((i for i, line in enumerate(body) if _POINTER.match(line)), None)
    if marked is None:
        return False
    column = body[marked].index("^") - body[marked].index("|")
    for line in body[:marked]:
        frame = _FRAME_LINE.match(line)
        if frame is not None:
            before.append(frame["code"])
    if before:
        before[-1] = before[-1][: max(column - 1, 0)]  # what stands behind the mark decides nothing
    for code in reversed(before):
        if _TEST.search(code):
            return False
        if _HOOK.search(code):
            return True
    return False


def counts_in(text: str) -> dict[str, int]:
    """`1 failed, 2 passed | 3 skipped` as numbers by word."""
    return {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", text)}


def report_of(report: str) -> dict[str, Any]:
    """A JSON report; {} for none; raises value_invalid for what is not an object."""
    if not report.strip():
        return {}
    if len(report) > MAX_REPORT_CHARS:
        raise Invalid("value_invalid", f"a report of {len(report)} characters; at most {MAX_REPORT_CHARS} are read")
    try:
        value = msgspec.json.decode(report.encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("value_invalid", f"the report is not JSON: {error}") from None
    return value if isinstance(value, dict) else {}


def count_in(report: dict[str, Any], key: str) -> int:
    """A count of a report; 0 when it is missing or something else."""
    value = report.get(key)
    return value if isinstance(value, int) and value >= 0 else 0
