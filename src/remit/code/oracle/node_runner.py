"""node:test: the reporters spec and tap."""

from __future__ import annotations

import os.path
import re
from typing import Final

from remit.code.oracle.javascript import describe
from remit.code.oracle.texts import own_path
from remit.code.oracle.values import Counts, Found, Parsed

_SUM: Final = re.compile(r"^[#\u2139] (?P<word>tests|pass|fail|cancelled|skipped|todo) (?P<n>\d+)$")
_TAP: Final = re.compile(r"^(?P<indent> *)not ok \d+ - (?P<name>.+?)(?P<directive> # (?:[A-Z]{4}\b).*)?$")
_SUBTEST: Final = re.compile(r"^(?P<indent> *)# Subtest: (?P<name>.+)$")
_FIELD: Final = re.compile(r"^ *(?P<key>location|failureType|error|code|name|expected|actual|stack): (?P<value>.*)$")
_TEST_AT: Final = re.compile(r"^test at (?P<file>.+?):(?P<line>\d+):\d+$")
_FAILED: Final = re.compile(r"^(?P<indent> *)✖ (?P<name>.+?) \([\d.]+ms\)(?P<directive> # .*)?$")
_STARTED: Final = re.compile(r"^(?P<indent> *)▶ (?P<name>.+?)(?: \([\d.]+ms\))?$")
_FILE: Final = re.compile(r"\.[cm]?[jt]s$")


def parse(stdout: list[str], stderr: list[str], exit_code: int, report: str) -> Parsed:
    """What a run of `node --test` says."""
    lines = [*stdout, "", *stderr]
    tap = any(line.startswith("TAP version") for line in lines)
    found = _tap(lines) if tap else _spec(lines)
    for each in found:
        if _FILE.search(each.test):
            _load_error(each, lines)
    said = {m["word"]: int(m["n"]) for line in lines if (m := _SUM.match(line))}
    if not said:
        return Parsed(Counts(), found)
    files = sum(bool(_FILE.search(each.test)) for each in found)
    failed = said.get("fail", 0) + said.get("cancelled", 0)
    counts = Counts(said.get("pass", 0), max(0, failed - files), said.get("skipped", 0), files)
    return Parsed(counts, found, said.get("tests", 0) == 0)


def _load_error(found: Found, lines: list[str]) -> None:
    """Why a file did not load, from what its process printed."""
    said = [line.removeprefix("# ") for line in lines]
    ending = re.escape(found.test)
    for i, line in enumerate(said):
        place = re.match(rf"^(?:file://)?\S*{ending}:(\d+)$", line)
        after = "\n".join(said[i : i + 12])
        if place is not None and "SyntaxError" in after:
            found.kind, found.line, found.message = "compile_error", int(place[1]), after[after.index("SyntaxError") :]
            return
        missing = re.search(r"Cannot find (?:module|package) '[^']+'", line)
        if missing is not None and re.search(rf"{ending}\b", "\n".join(said[i : i + 20])):
            at = re.search(rf"{ending}:(\d+):\d+", "\n".join(said[i : i + 20]))
            found.kind, found.message = "missing_import", missing[0]
            found.line = int(at[1]) if at is not None else found.line
            return


def _tap(lines: list[str]) -> list[Found]:
    out: list[Found] = []
    path: list[tuple[int, str]] = []
    for i, line in enumerate(lines):
        begun = _SUBTEST.match(line)
        if begun is not None:
            path = [*[p for p in path if p[0] < len(begun["indent"])], (len(begun["indent"]), begun["name"])]
        failed = _TAP.match(line)
        if failed is None or failed["directive"]:
            continue
        indent = len(failed["indent"])
        block = _yaml(lines, i + 1)
        fields = {m["key"]: m["value"].strip("'\"") for text in block if (m := _FIELD.match(text))}
        if fields.get("failureType") == "subtestsFailed":
            continue
        names = [name for depth, name in path if depth < indent and not _FILE.search(name)] + [failed["name"]]
        out.append(_found(names, fields, block))
    return out


def _yaml(lines: list[str], at: int) -> list[str]:
    """The block between --- and ... behind a result."""
    if at >= len(lines) or lines[at].strip() != "---":
        return []
    end = at + 1
    while end < len(lines) and lines[end].strip() != "...":
        end += 1
    return lines[at + 1 : end]


def _found(names: list[str], fields: dict[str, str], block: list[str]) -> Found:
    name = names[-1]
    if _FILE.search(name):
        name = own_path(name) or name
        return _described(Found(os.path.basename(name) if name.startswith("/") else name), block, fields)
    return _described(Found(" > ".join(names)), block, fields)


def _described(found: Found, block: list[str], fields: dict[str, str]) -> Found:
    root = _root_of(fields.get("location", ""), block)
    if not fields.get("location", "").startswith("/"):
        root = _root_before(fields.get("location", ""), block) or root
    describe(found, block, root)
    found.kind = "" if found.kind == "fixture" and fields.get("failureType") != "hookFailed" else found.kind
    text = "\n".join(block)
    if fields.get("failureType") == "hookFailed":
        found.kind = "fixture"
    elif "testTimeout" in fields.get("failureType", "") or "timed out after" in text:
        found.kind = "timeout"
    elif fields.get("code") == "ERR_ASSERTION" or "AssertionError" in text:
        found.kind = "assertion"
    found.exception = fields.get("name", "") or found.exception
    found.message = fields.get("error", "") if fields.get("error", "|-")[:1] not in "|>" else found.message
    location = re.match(r"^(?P<file>.+?):(?P<line>\d+):\d+$", fields.get("location", ""))
    if found.file is None and location is not None:
        file = own_path(location["file"], root) or os.path.basename(location["file"])
        found.file, found.line = file, int(location["line"])
    return found


def _root_of(location: str, block: list[str]) -> str:
    """The folder of the test file: the project's, as far as one file tells."""
    path = re.match(r"^(/.+)/[^/]+:\d+:\d+$", location)
    folder = path[1] if path is not None else ""
    return re.sub(r"/(?:tests?|__tests__|spec)$", "", folder)


def _root_before(location: str, block: list[str]) -> str:
    """What stands before a relative place in the absolute ones of its stack."""
    file = re.sub(r":\d+:\d+$", "", location)
    match = re.search(rf"(/[^\s(]*?)/{re.escape(file)}:\d+", "\n".join(block)) if file else None
    return match[1] if match is not None else ""


def _spec(lines: list[str]) -> list[Found]:
    """The list behind "failing tests:"."""
    begun = next((i for i, line in enumerate(lines) if line.endswith("failing tests:")), None)
    if begun is None:
        return []
    parents = _parents(lines[:begun])
    out: list[Found] = []
    at = begun + 1
    while at < len(lines):
        place = _TEST_AT.match(lines[at])
        at += 1
        if place is None or at >= len(lines):
            continue
        named = _FAILED.match(lines[at])
        if named is None:
            continue
        end = at + 1
        while end < len(lines) and not _TEST_AT.match(lines[end]):
            end += 1
        body = lines[at + 1 : end]
        name = named["name"]
        names = [*parents.get(name, []), name]
        out.append(_found(names, _spec_fields(body, place), body))
        at = end
    return out


def _spec_fields(body: list[str], place: re.Match[str]) -> dict[str, str]:
    text = "\n".join(body)
    fields = {"location": f"{place['file']}:{place['line']}:1"}
    if "timed out after" in text:
        fields["failureType"] = "testTimeoutFailure"
    elif "ERR_ASSERTION" in text or "AssertionError" in text:
        fields["code"] = "ERR_ASSERTION"
    return fields


def _parents(lines: list[str]) -> dict[str, list[str]]:
    """Name of a failed test -> the suites around it."""
    out: dict[str, list[str]] = {}
    path: list[tuple[int, str]] = []
    for line in lines:
        begun = _STARTED.match(line)
        if begun is not None:
            path = [*[p for p in path if p[0] < len(begun["indent"])], (len(begun["indent"]), begun["name"])]
        failed = _FAILED.match(line)
        if failed is not None:
            out.setdefault(failed["name"], [name for depth, name in path if depth < len(failed["indent"])])
    return out
