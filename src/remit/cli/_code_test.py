"""`remit code test DIR`: the folder's tests, run in the sandbox through the gate, read by the oracle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from remit.cli import _output
from remit.code.oracle.read import read
from remit.code.oracle.values import Report
from remit.code.running.record import Executed, kept, record_in
from remit.code.running.runners import Command, command, package_of, runner_of
from remit.errors import Exhausted, Invalid

MAX_LISTED = 5_000
MAX_PACKAGE_BYTES = 1024 * 1024
CUT = "the output was cut; name fewer tests"


def show(args: Any) -> int:
    """Run the tests and say what they say; exit 1 when something failed or nothing ran."""
    from remit.ports.stream import run_loop

    folder = os.path.abspath(args.dir)
    if not os.path.isdir(folder):
        raise Invalid("usage_invalid", f"not a folder: {args.dir}")
    if not 0 < args.timeout < 86_400:
        raise Invalid("usage_invalid", f"--timeout {args.timeout:g}: seconds above 0 and below a day")
    named = os.path.isfile(args.impact) if args.impact else False
    patch = Path(args.impact).read_text("utf-8", "surrogateescape") if named else None
    report: Report = run_loop(_work(args, folder, patch))
    return 0 if report.ok else 1


async def _work(args: Any, folder: str, patch: str | None) -> Report:
    from remit.runtime import Runtime

    async with Runtime(workspace=folder):
        tests = list(args.test)
        runner = args.runner or _runner(folder)
        chosen: list[str] | None = None
        if args.impact:
            chosen = await _selected(args, folder, patch)
            tests += chosen
        if chosen is not None and not tests:
            return _said(args, read(runner, "", "", 0), chosen, None)
        done = await _door(command(runner, tests, python=_python(args, folder)), args)
    return _read(args, folder, runner, done, chosen)


def _read(args: Any, folder: str, runner: str, done: Any, chosen: list[str] | None) -> Report:
    if done.cut_bytes:
        raise Exhausted("output_too_large", CUT)
    text, record = record_in(done.stdout.decode("utf-8", "replace"))
    structured = record.junit if record is not None else text if runner in ("jest", "vitest") else ""
    code = 124 if done.killed == "timeout" else done.exit_code
    said = read(runner, text, done.stderr.decode("utf-8", "replace"), code, structured)
    if record is not None and chosen is None and not args.test and not args.no_cache:
        _keep(folder, record)
    return _said(args, said, chosen, record)


def _said(args: Any, said: Report, chosen: list[str] | None, record: Executed | None) -> Report:
    import msgspec

    if args.json:
        value = msgspec.to_builtins(said)
        more = {} if chosen is None else {"selected": chosen}
        _output.json_line({**value, **more, "recorded": record is not None})
        return said
    counts = {name: getattr(said.counts, name) for name in ("passed", "failed", "skipped", "errors")}
    shown = ", ".join(f"{'?' if n is None else n} {name}" for name, n in counts.items())
    _output.data(f"{said.runner}: {shown}  ({said.suite_kind})")
    for failure in said.failures:
        place = f"{failure.file}:{failure.line}" if failure.file and failure.line else failure.file or "?"
        _output.data(f"{failure.kind:14} {failure.test}  {place}  {failure.strategy}")
    if chosen is not None:
        _output.say(f"{len(chosen)} tests were selected by impact", "dim")
    return said


def _runner(folder: str) -> str:
    files = []
    for at, (where, folders, names) in enumerate(os.walk(folder)):
        folders[:] = [f for f in folders if f not in ("node_modules", ".git", ".venv", "target")]
        below = os.path.relpath(where, folder)
        files += [name if below == "." else f"{below}/{name}".replace(os.sep, "/") for name in names]
        if at > MAX_LISTED or len(files) > MAX_LISTED:
            break
    manifest = Path(folder, "package.json")
    fits = manifest.is_file() and manifest.stat().st_size <= MAX_PACKAGE_BYTES
    return runner_of(files, package_of(manifest.read_bytes()) if fits else {})


def _python(args: Any, folder: str) -> str:
    """The interpreter that has the project's packages: named, the folder's own, or the system's."""
    if args.python:
        return str(args.python)
    for name in (".venv/bin/python", "venv/bin/python"):
        if Path(folder, name).exists():
            return str(Path(folder, name))
    return "python3"


async def _door(what: Command, args: Any) -> Any:
    """One program in the sandbox, started as an agent's tool would start it: gate and journal."""
    from remit.cli._one_call import call_tool
    from remit.core.tools import tool
    from remit.ports.tool import Context

    results: list[Any] = []

    @tool(effect="unsafe", timeout_s=args.timeout + 5)
    async def run_tests(ctx: Context[Any]) -> str:
        """Run the tests."""
        results.append(await ctx.shell.run(what.argv, stdin=what.stdin))
        return f"exit code {results[-1].exit_code}"

    grants = ["fs.read:**", f"shell:{what.argv[0]}", *(f"fs.write:{folder}/**" for folder in args.write)]
    await call_tool("code-test", run_tests, {}, grants)
    return results[0]


async def _selected(args: Any, folder: str, patch: str | None) -> list[str]:
    """Tests that what changed since BASE may break; BASE is a commit or a patch file."""
    from remit.cli._code_graph import cache_of, lines_of
    from remit.code.graph.impact import changed_symbols, paths_in
    from remit.code.graph.index import index_folder
    from remit.code.running.selection import selected

    if patch is None and args.impact.startswith("-"):
        raise Invalid("usage_invalid", f"--impact {args.impact!r} is no commit")
    if patch is None:
        argv = ("git", "diff", "--no-color", "--no-ext-diff", "--relative", args.impact, "--")
        done = await _door(Command(argv), args)
        if done.exit_code:
            raise Invalid("usage_invalid", f"git diff {args.impact}: {done.stderr.decode('utf-8', 'replace')[:300]}")
        patch = done.stdout.decode("utf-8", "surrogateescape")
    graph = index_folder(folder, "" if args.no_cache else cache_of(folder))
    changed = changed_symbols(graph, patch, lines_of(folder, paths_in(patch))) if patch.strip() else []
    return selected(graph, changed, None if args.no_cache else _kept(folder))


def _place(folder: str) -> str:
    from remit.cli._code_graph import cache_of

    path = cache_of(folder)
    return f"{path.removesuffix('.db')}.tests.json" if path else ""


def _keep(folder: str, record: Executed) -> None:
    path = _place(folder)
    if path:
        Path(path).write_bytes(kept(record))


def _kept(folder: str) -> Executed | None:
    import msgspec

    path = _place(folder)
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Executed) if path else None
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None
