"""`remit code oracle`: files of a finished test run in, counts and failures out."""

from __future__ import annotations

from typing import Any

from remit.cli import _output
from remit.cli._code_patch import read_text
from remit.code.oracle.read import read


def show(args: Any) -> int:
    """Print what the run says."""
    texts = [read_text(path) if path else "" for path in (args.stdout, args.stderr, args.report)]
    said = read(args.runner, texts[0], texts[1], args.exit_code, texts[2])
    if args.json:
        _output.json_line(said)
        return 0
    counts = {name: getattr(said.counts, name) for name in ("passed", "failed", "skipped", "errors")}
    _output.data(
        ", ".join(f"{'?' if n is None else n} {name}" for name, n in counts.items()) + f"  ({said.suite_kind})"
    )
    for failure in said.failures:
        place = f"{failure.file}:{failure.line}" if failure.file and failure.line else failure.file or "?"
        _output.data(f"{failure.kind:14} {failure.test}  {place}  {failure.strategy}")
    return 0
