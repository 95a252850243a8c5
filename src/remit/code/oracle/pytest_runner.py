"""pytest: text of any --tb style, with or without -v, xdist, reruns; JUnit XML beside it."""

from __future__ import annotations

import re
from typing import Final

from remit.code.oracle.junit import Case, cases_of
from remit.code.oracle.texts import number, own_path
from remit.code.oracle.values import Counts, Found, Parsed

_SUMMARY: Final = re.compile(r"^=*\s*(\d+ \w+(?:, \d+ \w+)*|no tests ran|no tests collected).* in [\d.]+s.*$")
_COUNT: Final = re.compile(r"(\d+) (passed|failed|skipped|errors?|xfailed|xpassed|reruns?|deselected)")
_SECTION: Final = re.compile(r"^={3,} (.+?) ={3,}$")
_HEADER: Final = re.compile(r"^_{3,} (.+?) _{3,}$")
_SHORT: Final = re.compile(r"^(FAILED|ERROR) ([^\s\[]\S*?(?:\[.*?\])?)(?: - (.*))?$")
_VERBOSE: Final = re.compile(
    r"^(?:\[gw\d+\] (?:\[ *\d+%\] )?(?:FAILED|ERROR|RERUN) )?(\S+\.py::.+?) (FAILED|ERROR|RERUN)(?: .*)?$"
)
_PLACE: Final = re.compile(r"^(?P<file>[^\s:][^:]*\.\w+):(?P<line>\d+): ?(?P<rest>.*)$")
_FRAME: Final = re.compile(r'^(?:[E|+]?\s+)+File "(?P<file>[^"]+)", line (?P<line>\d+)(?:,? in (?P<name>\S+))?')
_NAMED_PLACE: Final = re.compile(r"^file (?P<file>/.+), line (?P<line>\d+)$")
_ERROR: Final = re.compile(r"^E\s+(?P<text>\S.*)$")
_TYPE: Final = re.compile(
    r"^(?P<type>(?:\w+\.)*\w*(?:Error|Exception|Warning|Exit|Interrupt|Failed|Timeout|Failure)|\w*ExceptionGroup)"
    r"(?:: ?(?P<rest>.*))?$",
    re.DOTALL,
)
_CRASHED: Final = re.compile(r"worker '\w+' crashed while running '(.+)'")


def parse(stdout: list[str], stderr: list[str], exit_code: int, report: str) -> Parsed:
    """What a pytest run says."""
    root = next(
        (line.partition("rootdir: ")[2].split(",")[0].strip() for line in stdout if line.startswith("rootdir: ")), ""
    )
    root = root or _root_of(stdout)
    cases = cases_of(report)
    counts, reruns = _counts(stdout, cases)
    found = _failures(stdout, root)
    if not found and counts.failed is None:
        found = _dead(stdout, stderr, root)
    for each in found:
        if each.file is None and each.kind == "crash":
            each.file, each.line = _frame_in(stderr, root, each.test.rpartition("::")[2])
    if reruns:
        found += _reruns(stdout, cases, {each.test for each in found})
    return Parsed(counts, found, exit_code == 5 or any("no tests ran" in line for line in stdout[-5:]))


def _root_of(stdout: list[str]) -> str:
    """The project's folder when no header names it: what stands before a known test file in an absolute path."""
    files = {test.partition("::")[0] for _, test, _ in _named(stdout)}
    for line in stdout:
        frame = _FRAME.match(line) or _NAMED_PLACE.match(line)
        path = frame["file"] if frame is not None else ""
        for file in files:
            if path.startswith("/") and path.endswith("/" + file):
                return path[: -len(file) - 1]
    return ""


def _counts(stdout: list[str], cases: list[Case]) -> tuple[Counts, int]:
    summary = next((m for line in reversed(stdout) if (m := _SUMMARY.match(line.strip()))), None)
    if summary is None:
        if not cases:
            return Counts(), 0
        by = [case.outcome for case in cases]
        return Counts(by.count("passed"), by.count("failed"), by.count("skipped"), by.count("error")), 0
    said = {word.rstrip("s"): int(n) for n, word in _COUNT.findall(summary[0])}
    counts = Counts(said.get("passed", 0), said.get("failed", 0), said.get("skipped", 0), said.get("error", 0))
    return counts, said.get("rerun", 0)


def _failures(stdout: list[str], root: str) -> list[Found]:
    """Failures by the short summary, else by the verbose lines, else by the headers; places from the blocks."""
    blocks = _blocks(stdout)
    named = _named(stdout)
    out: list[Found] = []
    seen: set[str] = set()
    loose = _one_liners(stdout, root)
    for outcome, test, said in named:
        if test in seen:
            continue
        seen.add(test)
        title = test.partition("::")[2].replace("::", ".") or test
        body = _take(blocks, title, test)
        found = _from_block(test, body, root) if body is not None else Found(test, said)
        if found.file is None and loose:
            found.file, found.line, text = loose.pop(0)
            _name_exception(found, text)
        if not found.message and said:
            _name_exception(found, said)
        _special_kind(found, outcome, body or [], said)
        out.append(found)
    if not named:
        out = [_unnamed(title, body, root) for title, body in blocks]
    return out


def _named(stdout: list[str]) -> list[tuple[str, str, str]]:
    """(outcome, test, message) of each failure that the output names."""
    start = next((i for i in range(len(stdout) - 1, -1, -1) if "short test summary info" in stdout[i]), None)
    out = []
    if start is not None:
        for line in stdout[start + 1 :]:
            match = _SHORT.match(line)
            if match is not None and not line.startswith(("ERROR: ", "FAILED (")):
                out.append((match[1], match[2].strip(), match[3] or ""))
    if not out:
        for line in stdout:
            match = _VERBOSE.match(line)
            if match is not None and match[2] != "RERUN":
                out.append((match[2], match[1], ""))
    return out


def _blocks(stdout: list[str]) -> list[tuple[str, list[str]]]:
    """(title, lines) of the FAILURES and ERRORS sections."""
    out: list[tuple[str, list[str]]] = []
    inside = False
    for line in stdout:
        section = _SECTION.match(line)
        if section is not None:
            inside = section[1] in ("FAILURES", "ERRORS")
            continue
        header = _HEADER.match(line) if inside else None
        if header is not None and not line.startswith("_ _"):
            out.append((header[1], []))
        elif inside and out:
            out[-1][1].append(line)
    return out


def _take(blocks: list[tuple[str, list[str]]], title: str, test: str) -> list[str] | None:
    """The block of a test, removed from the list so that an equal title belongs to the next."""
    wanted = {
        title,
        f"ERROR collecting {test}",
        f"ERROR at setup of {title}",
        f"ERROR at teardown of {title}",
        title.rpartition(".")[2],
    }
    endings = tuple(f" of {name}" for name in (title, title.rpartition(".")[2]))
    file = test.partition("::")[0]
    for i, (name, body) in enumerate(blocks):
        crashed = next((m[1] for line in body if (m := _CRASHED.search(line))), "")
        fits = name in wanted or name.endswith(endings) or crashed == test
        if fits and (name != file or crashed in ("", test)):
            return blocks.pop(i)[1]
    return None


def _from_block(test: str, body: list[str], root: str) -> Found:
    """Place and message of one failure: the deepest own frame, the error lines."""
    found = Found(test)
    errors: list[str] = []
    for line in body:
        if line.startswith("-----") and "Captured" in line:
            break
        place = _PLACE.match(line) or _FRAME.match(line) or _NAMED_PLACE.match(line)
        if place is not None:
            file = own_path(place["file"], root)
            if file is not None:
                found.file, found.line = file, number(place["line"])
        error = _ERROR.match(line)
        if error is not None:
            errors.append(error["text"])
        elif _CRASHED.search(line):
            errors.append(line)
    text = "\n".join(errors[-40:]) if len(errors) > 40 else "\n".join(errors)
    _name_exception(found, text)
    last = next((m for line in reversed(body) if (m := _PLACE.match(line)) and _TYPE.match(m["rest"])), None)
    if last is not None and not found.exception:
        found.exception = (_TYPE.match(last["rest"]) or {"type": ""})["type"]
    return found


def _name_exception(found: Found, text: str) -> None:
    """Message and exception type from `Type: text`; the last typed line of several decides."""
    found.message = text
    for line in reversed(text.split("\n")[:40]):
        match = _TYPE.match(line.strip())
        if match is not None and (match["rest"] is not None or line == text):
            found.exception = match["type"]
            found.message = (match["rest"] or "") if text == line else text.removeprefix(f"{match['type']}: ")
            return


def _special_kind(found: Found, outcome: str, body: list[str], said: str) -> None:
    text = f"{said}\n" + "\n".join(body)
    if _CRASHED.search(text):
        found.kind = "crash"
    elif outcome == "ERROR" and "::" in found.test:
        found.kind = "fixture"


def _one_liners(stdout: list[str], root: str) -> list[tuple[str, int | None, str]]:
    """Places of --tb=line: one line a failure, in order."""
    out = []
    inside = False
    for line in stdout:
        section = _SECTION.match(line)
        if section is not None:
            inside = section[1] in ("FAILURES", "ERRORS")
        elif inside and _HEADER.match(line):
            return []
        elif inside and (place := _PLACE.match(line)) is not None and (file := own_path(place["file"], root)):
            out.append((file, number(place["line"]), place["rest"]))
    return out


def _unnamed(title: str, body: list[str], root: str) -> Found:
    """A failure whose test is only known by its title and place."""
    title = re.sub(r"^ERROR (?:collecting|at \w+ of) ", "", title)
    found = _from_block(title, body, root)
    first = next((m["file"] for line in body if (m := _PLACE.match(line)) and own_path(m["file"], root)), None)
    if first is not None and not title.endswith(".py"):
        found.test = f"{own_path(first, root)}::{title.replace('.', '::')}"
    return found


def _dead(stdout: list[str], stderr: list[str], root: str) -> list[Found]:
    """The process died: the innermost own frames of the dump name the test."""
    every = [*stdout, *stderr]
    timed_out = any("+ Timeout +" in line or "Timeout (" in line for line in every)
    fatal = next((line for line in every if line.startswith("Fatal Python error")), "")
    running = next((m[1] for line in reversed(stdout) if (m := re.match(r"^(\S+\.py::\S+) *$", line))), "")
    frames = [
        (file, number(m["line"]), m["name"] or "")
        for line in every
        if (m := _FRAME.match(line)) and (file := own_path(m["file"], root))
    ]
    if not frames and not running:
        return []
    tests = [frame for frame in frames if frame[2].startswith("test")]
    newest_first = bool(fatal) and not timed_out  # faulthandler prints the innermost frame first
    inner = (frames[0] if newest_first else frames[-1]) if frames else (None, None, "")
    test = running or (f"{tests[-1][0]}::{tests[-1][2]}" if tests else "")
    kind = "timeout" if timed_out else "oom" if "MemoryError" in fatal else "crash"
    return [Found(test, fatal or "timed out", inner[0], inner[1], kind)]


def _frame_in(stderr: list[str], root: str, name: str) -> tuple[str | None, int | None]:
    for line in stderr:
        match = _FRAME.match(line)
        if match is not None and match["name"] == name and (file := own_path(match["file"], root)):
            return file, number(match["line"])
    return None, None


def _reruns(stdout: list[str], cases: list[Case], failed: set[str]) -> list[Found]:
    """Tests that passed only when repeated: by verbose lines, else by the letter R and the order of the report."""
    names = list(dict.fromkeys(m[1] for line in stdout if (m := _VERBOSE.match(line)) and m[2] == "RERUN"))
    if not names:
        position = 0
        for line in stdout:
            progress = re.match(r"^(\S+\.py) ([.FEsxXR]+)(?: +\[ *\d+%\])?$", line)
            for letter in progress[2] if progress else "":
                if letter == "R" and position < len(cases):
                    names.append(f"{(progress or [''])[1]}::{cases[position].inner}")
                position += letter != "R"
    return [
        Found(name, "passed when repeated", name.partition("::")[0], None, "flaky")
        for name in dict.fromkeys(names)
        if name not in failed
    ]
