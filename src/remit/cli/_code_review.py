"""`remit code review`: files in, a report out."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from remit.cli import _output
from remit.cli._code_patch import read_text
from remit.code.graph.tree import sources
from remit.code.graph.values import Unread
from remit.code.review import outside, rendering, sarif
from remit.code.review.changes import lines_of_patch, review_lines
from remit.code.review.engine import review
from remit.code.review.fixing import fixed
from remit.code.review.parsing import language_of
from remit.code.review.values import SEVERITIES, Finding, NotReviewed, Report
from remit.errors import Invalid, RemitError

FORMATS: Final = ("text", "json", "md", "sarif")
MAX_OUTPUT_BYTES: Final = 64 * 1024 * 1024
EXIT_FOUND: Final = 1
MAX_SHOWN: Final = {"text": 50, "md": 50}
"""Findings that a person is shown at once; a program gets all."""


def show(args: Any) -> int:
    """Review, print, and say by the exit code whether `--fail-on` is met."""
    root, texts, missed = _texts(args.path)
    extra = _others(args, root, missed)
    baseline = _baseline(args.baseline)
    if args.diff:
        changed = lines_of_patch(_patch(args.diff, root))
        made = review_lines(texts, changed, max_findings=sys.maxsize, extra=extra, baseline=baseline, missed=missed)
    else:
        made = review(texts, only=args.rule, max_findings=sys.maxsize, extra=extra, baseline=baseline, missed=missed)
    if args.write_baseline:
        known = sorted({one.fingerprint for one in made.findings} | set(baseline))
        Path(args.write_baseline).write_bytes(msgspec.json.format(msgspec.json.encode({"fingerprints": known})) + b"\n")
    if args.fix:
        _fix(root, texts, made)
    shown = args.max if args.max is not None else MAX_SHOWN.get(args.format, sys.maxsize)
    _print(msgspec.structs.replace(made, findings=made.findings[: max(0, shown)]), args.format)
    limit = SEVERITIES.index(args.fail_on) if args.fail_on else len(SEVERITIES)
    return EXIT_FOUND if any(made.counts[one] for one in SEVERITIES[limit:]) else 0


def _texts(path: str) -> tuple[str, dict[str, str | bytes], list[NotReviewed]]:
    """(folder, its source files, what was not read)."""
    missed: list[NotReviewed] = []
    if os.path.isfile(path):
        folder, name = os.path.split(os.path.abspath(path))
        if not language_of(name):
            raise Invalid("usage_invalid", f"no language that is reviewed: {path}")
        return folder, {name: Path(path).read_bytes()}, missed
    unread: list[Unread] = []
    texts: dict[str, str | bytes] = {}
    for file, language, text in sources(path, unread):
        if language != "stub":
            texts[file] = text
    missed.extend(NotReviewed(one.file, one.reason) for one in unread)
    return os.path.abspath(path), texts, missed


def _patch(base: str, root: str) -> str:
    """A patch file, standard input, or what git says has changed since a revision."""
    if base == "-" or os.path.isfile(base):
        return read_text(base)
    if base.startswith("-"):
        raise Invalid("usage_invalid", f"not a revision: {base}")
    command = ("git", "-c", "core.quotepath=off", "diff", "--no-color", "--no-ext-diff", "--no-textconv", "--relative",
               "--src-prefix=a/", "--dst-prefix=b/", "-U0", base, "--")  # fmt: skip
    code, stdout, stderr = _run(command, root)
    if code:
        raise Invalid("usage_invalid", f"git knows no {base}: {stderr.strip()[:200]}")
    return stdout.decode("utf-8", "surrogateescape")


def _run(argv: tuple[str, ...], root: str) -> tuple[int, bytes, str]:
    """A program in the sandbox, without network, reading the folder only."""
    from remit.ports.sandbox import SandboxJob
    from remit.runtime import Adapters

    job = SandboxJob(argv, root, timeout_s=600.0, max_output_bytes=MAX_OUTPUT_BYTES, env={"HOME": "/nonexistent"})
    done = asyncio.run(Adapters().sandbox.run(job))
    return done.exit_code, done.stdout, done.stderr.decode("utf-8", "replace")


def _others(args: Any, root: str, missed: list[NotReviewed]) -> list[Finding]:
    """Findings of other tools: run here in the sandbox, or read from files `TOOL:FILE`."""
    found: list[Finding] = []
    for tool in args.tool:
        try:
            _, stdout, stderr = _run(outside.COMMANDS[tool], root)
            if not stdout.strip():
                raise Invalid("value_invalid", stderr.strip()[:200] or "it printed nothing")
            more, holes = outside.read(tool, stdout, root)
        except RemitError as error:
            missed.append(NotReviewed(".", f"{tool} did not run: {error}"))
            continue
        found.extend(more)
        missed.extend(holes)
    for one in args.results:
        tool, _, file = one.partition(":")
        more, holes = outside.read(tool, read_text(file).encode("utf-8", "surrogateescape"), root)
        found.extend(more)
        missed.extend(holes)
    return found


def _baseline(path: str) -> frozenset[str]:
    if not path:
        return frozenset()
    try:
        said = msgspec.json.decode(read_text(path), type=dict[str, list[str]])
    except msgspec.MsgspecError as error:
        raise Invalid("value_invalid", f"{path} is no baseline: {error}") from None
    return frozenset(said.get("fingerprints", ()))


def _fix(root: str, texts: dict[str, str | bytes], made: Report) -> None:
    for file in sorted({one.file for one in made.findings if one.fix is not None}):
        raw = texts[file]
        text = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else raw
        after, count = fixed(text, [one for one in made.findings if one.file == file])
        if count:
            Path(root, file).write_bytes(after.encode("utf-8", "surrogateescape"))
            _output.say(f"{file}: {count} fixed")


def _print(made: Report, form: str) -> None:
    if form == "json":
        _output.json_line({"type": "result", **msgspec.to_builtins(made)})
    elif form == "sarif":
        from remit import __version__

        _output.data(msgspec.json.format(msgspec.json.encode(sarif.write(made, __version__))).decode())
    elif form == "md":
        _output.data(rendering.markdown(made).rstrip("\n"))
    else:
        _output.data(rendering.text(made))
        for one in made.not_reviewed[:20]:
            _output.say(f"not reviewed: {one.file}: {one.reason}", "yellow")
