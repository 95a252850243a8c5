"""go test: its text with or without -v, the events of -json, and what a test binary prints itself."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, Final

import msgspec

from remit.code.oracle.texts import own_path
from remit.code.oracle.values import Counts, Found, Parsed

_RESULT: Final = re.compile(r"^ *--- (?P<word>PASS|FAIL|SKIP): (?P<name>\S+) \(")
_RUN: Final = re.compile(r"^=== (?:RUN|CONT|NAME) +(?P<name>\S+)")
_PACKAGE: Final = re.compile(r"^(?P<word>FAIL|ok  |\?   )\t(?P<name>\S+)(?:\s+(?P<rest>.*))?$")
_BUILD: Final = re.compile(r"^# (?P<name>[^\s\[]+)")
_ERROR: Final = re.compile(r"^(?:vet: )?(?P<file>\S+\.go):(?P<line>\d+)(?::\d+)?: (?P<text>.+)$")
_SAID: Final = re.compile(r"^\s+(?P<file>[\w./-]+\.go):(?P<line>\d+): ?(?P<text>.*)$")
_FRAME: Final = re.compile(r"^\t(?P<file>/\S+\.go):(?P<line>\d+)")
_CALL: Final = re.compile(r"^(?P<package>[\w./-]+?)\.(?:\(\*?\w+\)\.)?(?P<name>\w+)(?:\.func[\d.]+)*\(")
_RUNNING: Final = re.compile(r"^\t(?P<name>(?:Test|Fuzz|Example)\S*) \([\d.]+m?s\)$")
_STANDARD: Final = re.compile(r"^(?:testing|runtime|time|sync|reflect|os|net|io|main|internal)(?:[./]|$)")


class _Event(msgspec.Struct):
    action: str = msgspec.field(default="", name="Action")
    output: str = msgspec.field(default="", name="Output")


def parse(stdout: list[str], stderr: list[str], exit_code: int, report: str) -> Parsed:
    """What a run of `go test` says."""
    lines = [*_without_json(stdout), "", *stderr]
    results = [(m["word"], m["name"]) for line in lines if (m := _RESULT.match(line))]
    packages = [(m["word"].strip(), m["name"], m["rest"] or "") for line in lines if (m := _PACKAGE.match(line))]
    verbose = any(_RUN.match(line) or line.strip().startswith("--- PASS") for line in lines)
    fatal = _fatal(lines)
    found = _builds(lines, packages) + _tests(lines, results)
    died = _died(lines, fatal) if fatal else []
    if died and died[0].kind in ("panic", "timeout", "crash", "oom"):
        named = {each.test: each for each in found}
        for each in died:
            if each.test in named:
                _merge(named[each.test], each)
            else:
                found.append(each)
    broken = {
        name for word, name, rest in packages if word == "FAIL" and ("build failed" in rest or "setup failed" in rest)
    }
    silent = _silent(lines, packages, broken, found)
    found += silent
    counts = _counts(results, packages, verbose and not fatal, len(broken) + len(silent), died)
    none = not results and not found and any("no test" in rest for _, _, rest in packages)
    return Parsed(counts, found, none or (exit_code == 0 and any("no tests to run" in line for line in lines)))


def _without_json(lines: list[str]) -> list[str]:
    """The text that the events of -json carry, where the output is such events."""
    if not any(line.startswith('{"Time":') or line.startswith('{"Action":') for line in lines[:50]):
        return lines
    decode = msgspec.json.Decoder(_Event).decode
    out: list[str] = []
    text = ""
    for line in lines:
        try:
            event: Any = decode(line.encode())
        except msgspec.DecodeError:
            out.append(line)
            continue
        text += event.output
    return out + text.split("\n")


def _fatal(lines: list[str]) -> str:
    """The line that says why the process died; "" when it did not."""
    for line in lines:
        if line.startswith(("panic: ", "fatal error: ", "runtime: out of memory", "unexpected fault address")):
            return line
        if line.startswith("SIGQUIT") or re.match(r"^signal: (?:killed|aborted|segmentation)", line):
            return line
    return ""


def _counts(
    results: list[tuple[str, str]], packages: list[tuple[str, str, str]], sure: bool, errors: int, died: list[Found]
) -> Counts:
    if not packages and died:
        return Counts()  # the process was gone before it could sum up
    by = [word for word, _ in results]
    failed = by.count("FAIL")
    names = {name for word, name in results if word == "FAIL"}
    failed += sum(bool(each.test) and each.test not in names for each in died)
    if not packages and not results:
        return Counts()
    sure = sure and bool(results)
    return Counts(by.count("PASS") if sure else None, failed, by.count("SKIP") if sure else None, errors)


def _tests(lines: list[str], results: list[tuple[str, str]]) -> list[Found]:
    """Failed tests without those that only failed because a subtest did."""
    names = [name for word, name in results if word == "FAIL"]
    leaves = [name for name in names if not any(other.startswith(name + "/") for other in names)]
    said = _said(lines)
    out = []
    for name in dict.fromkeys(leaves):
        found = Found(name)
        rows = said.get(name, [])
        own = [row for row in rows if row[0] is not None]
        if own:
            found.file, found.line = own[0][0], own[0][1]
        found.message = "\n".join(row[2] for row in rows)[:2_000]
        found.kind = "race" if any("race detected" in row[2] for row in rows) else _kind(found.message)
        out.append(found)
    if any("WARNING: DATA RACE" in line for line in lines):
        for found in out:
            if found.kind == "race":
                found.file, found.line = _race_place(lines)
    return out


def _kind(message: str) -> str:
    """t.Error and t.Fatal are the assertions of go, whatever they say; t.Fatal of an error is one too."""
    if "snapshot" in message.lower():
        return "snapshot"
    return "assertion"


def _said(lines: list[str]) -> dict[str, list[tuple[str | None, int | None, str]]]:
    """Test -> the places and texts that it printed: below === RUN with -v, below --- FAIL without."""
    out: dict[str, list[tuple[str | None, int | None, str]]] = {}
    current = ""
    for line in lines:
        header = _RUN.match(line) or _RESULT.match(line)
        if header is not None:
            current = header["name"]
            continue
        said = _SAID.match(line)
        if said is not None and current:
            file = None if said["file"] == "testing.go" else said["file"]
            out.setdefault(current, []).append((file, int(said["line"]), said["text"]))
        elif current and out.get(current) and line.startswith("        "):
            file, number, text = out[current][-1]
            out[current][-1] = (file, number, f"{text}\n{line.strip()}")
    return out


def _builds(lines: list[str], packages: list[tuple[str, str, str]]) -> list[Found]:
    """Packages that did not build: the first error of each."""
    out: dict[str, Found] = {}
    current = ""
    for line in lines:
        header = _BUILD.match(line)
        if header is not None:
            current = header["name"]
            continue
        error = _ERROR.match(line)
        if error is None:
            if line.startswith(("FAIL", "ok  ", "---", "===")):
                current = ""
            continue
        name = current or next((n for word, n, rest in packages if "setup failed" in rest), "")
        if name and name not in out and "too many errors" not in error["text"]:
            text = error["text"]
            kind = (
                "missing_import"
                if re.search(r"no required module|is not in (?:std|GOROOT)|cannot find (?:package|module)", text)
                else "compile_error"
            )
            out[name] = Found(name.removesuffix(".test"), text, own_path(error["file"]), int(error["line"]), kind)
    for word, name, rest in packages:
        if word == "FAIL" and ("build failed" in rest or "setup failed" in rest) and name not in out:
            out[name] = Found(name, f"[{rest}]", kind="compile_error")
    return list(out.values())


def _silent(
    lines: list[str], packages: list[tuple[str, str, str]], broken: set[str], found: list[Found]
) -> list[Found]:
    """Packages that failed without a failed test: their TestMain or an init ended the process."""
    if any(each.test not in broken for each in found):
        return []
    text = "\n".join(line for line in lines if line.strip() and not _PACKAGE.match(line) and line != "FAIL")[-500:]
    return [Found(name, text, kind="fixture") for word, name, rest in packages if word == "FAIL" and name not in broken]


def _died(lines: list[str], fatal: str) -> list[Found]:
    """The test that ran when the process died, and the innermost own frame of its goroutine."""
    kind = "panic"
    if "test timed out" in fatal or "all goroutines are asleep" in fatal:
        kind = "timeout"
    elif "out of memory" in fatal:
        kind = "oom"
    elif fatal.startswith(("fatal error", "unexpected fault", "signal", "SIG")):
        kind = "crash"
    running = [m["name"] for line in lines if (m := _RUNNING.match(line))]
    last = next((m["name"] for line in reversed(lines) if (m := _RUN.match(line))), "")
    test, file, line_number = "", None, None
    for goroutine in _goroutines(lines):
        own = _own_frames(goroutine)
        tests = [name for _, _, name in own if name.startswith(("Test", "Fuzz", "Example"))]
        if tests or (own and not file):
            file, line_number, _ = own[0]
            test = tests[-1] if tests else test
        if tests or kind == "panic":
            break
    if kind == "panic" and not file:
        return [Found(running[0] if running else last, fatal, kind=kind)]
    return [
        Found(
            running[0] if running else last if last.startswith(test) and test else test or last,
            fatal,
            file,
            line_number,
            kind,
        )
    ]


def _goroutines(lines: list[str]) -> list[list[str]]:
    out: list[list[str]] = []
    for line in lines:
        if line.startswith("goroutine "):
            out.append([])
        elif out:
            out[-1].append(line)
    return out


def _own_frames(goroutine: list[str]) -> list[tuple[str, int, str]]:
    """(file, line, function) of the project's own frames, innermost first."""
    out = []
    for call, place in pairwise(goroutine):
        frame, named = _FRAME.match(place), _CALL.match(call)
        if frame is None or named is None or _STANDARD.match(named["package"]) or not own_path(frame["file"]):
            continue
        out.append((_relative(frame["file"], named["package"]), int(frame["line"]), named["name"]))
    return out


def _relative(file: str, package: str) -> str:
    """The path below the module: what the package's path and the file's folder have in common at their ends."""
    folder, _, name = file.rpartition("/")
    dirs, parts = folder.split("/"), package.split("/")
    common = 0
    while common < min(len(dirs), len(parts)) and dirs[-1 - common] == parts[-1 - common]:
        common += 1
    inner = dirs[len(dirs) - max(common - 1, 0) :] if common == len(parts) or common > 1 else dirs[len(dirs) - common :]
    if common and (len(parts) - common) < 2:
        inner = dirs[len(dirs) - common + 1 :]
    return "/".join([*inner, name])


def _race_place(lines: list[str]) -> tuple[str | None, int | None]:
    begun = next(i for i, line in enumerate(lines) if "WARNING: DATA RACE" in line)
    for call, place in pairwise(lines[begun:]):
        frame = re.match(r"^\s+(?P<file>/\S+\.go):(?P<line>\d+)", place)
        named = re.match(r"^\s+(?P<package>[\w./-]+?)\.(?:\(\*?\w+\)\.)?\w+", call)
        if (
            frame is not None
            and named is not None
            and own_path(frame["file"])
            and not _STANDARD.match(named["package"])
        ):
            return _relative(frame["file"], named["package"]), int(frame["line"])
    return None, None


def _merge(found: Found, died: Found) -> None:
    """A test that is listed as failed, and why the process died in it."""
    found.kind, found.message = died.kind, died.message or found.message
    if died.file is not None:
        found.file, found.line = died.file, died.line
