"""cargo test: libtest's text, compiler errors, and processes that died."""

from __future__ import annotations

import re
from typing import Final

from remit.code.oracle.texts import own_path
from remit.code.oracle.values import Counts, Found, Parsed

_TEST: Final = re.compile(r"^test (?P<name>.+?)(?: - should panic)? \.\.\. (?P<rest>.*)$")
_SUM: Final = re.compile(r"^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored")
_BLOCK: Final = re.compile(r"^---- (?P<name>.+?) (?:stdout|stderr) ----$")
_PANIC: Final = re.compile(r"panicked at (?:'(?P<old>.*)', )?(?P<file>[^:']+):(?P<line>\d+):\d+:?$")
_AT: Final = re.compile(r"as expected at (?P<file>[^:]+):(?P<line>\d+):\d+")
_ARROW: Final = re.compile(r"^\s*--> (?P<file>[^:]+):(?P<line>\d+):\d+$")
_ERROR: Final = re.compile(r"^error(?:\[(?P<code>E\d+)\])?: (?P<text>.+)$")
_CRATE: Final = re.compile(r"^error: could not compile `(?P<name>[^`]+)`")
_SIGNAL: Final = re.compile(r"\(signal: (?P<number>\d+), (?P<name>SIG\w+)")
_IMPORTS: Final = ("E0432", "E0433", "E0463")


def parse(stdout: list[str], stderr: list[str], exit_code: int, report: str) -> Parsed:
    """What a run of `cargo test` says."""
    lines = [*stdout, "", *stderr]
    sums = [tuple(int(n) for n in m.groups()) for line in lines if (m := _SUM.match(line))]
    started = [(m["name"], m["rest"]) for line in lines if (m := _TEST.match(line))]
    failed = [name for name, rest in started if rest.strip().startswith("FAILED")]
    blocks = _blocks(lines)
    found = [_described(name, blocks.get(name, [])) for name in dict.fromkeys(failed)]
    compiled = _compile(lines)
    if compiled is not None and not sums:
        return Parsed(Counts(errors=1), [compiled])
    dead = _dead(lines, started, exit_code)
    if dead is not None:
        found.append(dead)
    if dead is not None or not sums:
        return Parsed(Counts(), found)
    passed, wrong, ignored = (sum(column) for column in zip(*sums, strict=True))
    return Parsed(Counts(passed, wrong, ignored, 0), found, not (passed + wrong + ignored))


def _blocks(lines: list[str]) -> dict[str, list[str]]:
    """Test -> what it printed."""
    out: dict[str, list[str]] = {}
    current = ""
    for line in lines:
        header = _BLOCK.match(line)
        if header is not None:
            current = header["name"]
            out.setdefault(current, [])
        elif line == "failures:" or line.startswith("test result:"):
            current = ""
        elif current:
            out[current].append(line)
    return out


def _described(name: str, body: list[str]) -> Found:
    found = Found(name)
    for i, line in enumerate(body):
        panic = _PANIC.search(line)
        if panic is not None:
            found.file, found.line = own_path(panic["file"]), int(panic["line"])
            rest = body[i + 1 : next((k for k in range(i + 1, len(body)) if body[k] == "stack backtrace:"), None)]
            found.message = panic["old"] or "\n".join(text for text in rest if not text.startswith("note: "))
            found.kind = _panic_kind(found.message.strip())
            break
        error = re.match(r"^Error: (?P<text>.+)$", line)
        if error is not None:
            found.message, found.kind = error["text"], "exception"
    else:
        text = "\n".join(body)
        if "did not panic as expected" in text or "panic did not contain expected" in text:
            found.message, found.kind = text, "assertion"
            place = _AT.search(text)
            if place is not None:
                found.file, found.line = own_path(place["file"]), int(place["line"])
        found.message = found.message or text
    return found


def _panic_kind(message: str) -> str:
    if message.startswith(("assertion ", "assertion `")) or "assertion failed" in message.split("\n", 1)[0]:
        return "assertion"
    if "snapshot assertion" in message:
        return "snapshot"
    return "panic"


def _compile(lines: list[str]) -> Found | None:
    """The first error of the first crate that did not compile."""
    crate = next((m["name"] for line in lines if (m := _CRATE.match(line))), None)
    if crate is None:
        return None
    for i, line in enumerate(lines):
        error = _ERROR.match(line)
        if error is None or _CRATE.match(line):
            continue
        place = next((m for text in lines[i + 1 : i + 8] if (m := _ARROW.match(text))), None)
        kind = "missing_import" if error["code"] in _IMPORTS else "compile_error"
        file = own_path(place["file"]) if place is not None else None
        return Found(crate, error["text"], file, int(place["line"]) if place is not None else None, kind)
    return Found(crate, "could not compile", kind="compile_error")


def _dead(lines: list[str], started: list[tuple[str, str]], exit_code: int) -> Found | None:
    """The process was ended in the middle: the last test without a result was running."""
    signal = next((m for line in lines if (m := _SIGNAL.search(line))), None)
    open_test = next((name for name, rest in reversed(started) if not re.match(r"(ok|FAILED|ignored)", rest)), "")
    text = "\n".join(lines)
    if signal is None and exit_code not in (124, 137, 143):
        return None
    if "memory allocation of" in text:
        return Found(open_test, "memory allocation failed", kind="oom")
    overflow = re.search(r"thread '([^']+)'.* has overflowed its stack", text)
    if overflow is not None:
        return Found(overflow[1] if overflow[1] != "main" else open_test, "stack overflow", kind="crash")
    if exit_code == 124:
        return Found(open_test, "ended by a timeout from outside", kind="timeout")
    if signal is not None and signal["name"] == "SIGKILL":
        return Found(open_test, "killed (SIGKILL)", kind="oom")
    return Found(open_test, f"died of {signal['name']}" if signal is not None else "killed", kind="crash")
