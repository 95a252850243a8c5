"""The pages that are made from the code: error codes, command line, and the README's recorded output."""

from __future__ import annotations

import json
import re
from pathlib import Path

from docs.pages import OUTPUT_OF, ROOT, remit
from remit import errors

ERRORS = ROOT / "docs/reference/errors.md"
CLI = ROOT / "docs/reference/cli.md"
RULES = ROOT / "docs/reference/review-rules.md"
TEAM_SCHEMA = ROOT / "docs/reference/team.schema.json"
README = ROOT / "README.md"

ERRORS_HEAD = """# Error codes

Every error of remit has a stable `code`, a message with the value that was wrong, a hint and `retryable`. Codes do not
change their meaning. `remit run --json` gives them as `{code, message, hint, retryable}`; in Python they are attributes
of `remit.errors.RemitError`. What a model sees is the code and the message, without host paths and without the hint.

This page is made from `remit.errors.CODES` by `python tests/docs/regenerate.py`; a test compares it.
"""
RULES_HEAD = """# Rules of review

What `remit code review` looks for. Each rule is a file of `src/remit/code/review/rules/`; its docstring holds programs
that it finds and programs that it leaves alone, which are its tests.

This page is made from those files by `python tests/docs/regenerate.py`; a test compares it.
"""
CLI_HEAD = """# Command line

Data goes to stdout, words for people to stderr. `--json` prints NDJSON with one final line of type `result` where a
verb runs something. There is never a prompt without a terminal. The exit code is 0 for `ok` and another number for
everything else.

This page is what `remit --help` and `remit VERB --help` print, made by
`python tests/docs/regenerate.py`; a test compares it.
"""


def error_page() -> str:
    """docs/reference/errors.md."""
    lines = [ERRORS_HEAD]
    families: dict[str, list[str]] = {}
    for code, (family, hint) in errors.CODES.items():
        families.setdefault(family, []).append(f"| `{code}` | {hint.replace('|', chr(92) + '|')} |")
    for family, rows in families.items():
        kind = getattr(errors, family)
        about = (kind.__doc__ or "").strip().split("\n")[0]
        lines.append(f"## {family}\n\n{about}\n\n| code | what to do |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(lines)


def verbs() -> list[str]:
    """The verbs that `remit --help` lists, in its order."""
    listed = re.findall(r"^ {2,}([a-z]+)(?:  +|,|$)", remit("--help").stdout, re.M)
    return list(dict.fromkeys(listed))


def cli_page() -> str:
    """docs/reference/cli.md."""
    parts = [CLI_HEAD, f"## remit\n\n```text\n{remit('--help').stdout.rstrip()}\n```\n"]
    for verb in verbs():
        parts.append(f"## remit {verb}\n\n```text\n{remit(verb, '--help').stdout.rstrip()}\n```\n")
    return "\n".join(parts)


def team_schema() -> str:
    """docs/reference/team.schema.json."""
    from remit.teams.files.schema import file_schema

    return json.dumps(file_schema(), indent=1) + "\n"


def demo_output() -> str:
    """What `make demo` prints for this checkout, people's words and data together; its root is written as a dot."""
    return as_recorded(remit("demo", ".", together=True).stdout)


def as_recorded(output: str) -> str:
    """Output as the README keeps it: without a path of the machine."""
    return output.replace(f"{ROOT}/", "").replace(str(ROOT), ".").strip("\n") + "\n"


def closing_lines(output: str) -> str:
    """The last lines of a test run: what was skipped and why, and the count."""
    lines = output.rstrip().split("\n")
    heads = [i for i, line in enumerate(lines) if "short test summary info" in line]
    return "\n".join(lines[heads[-1] if heads else -1 :]) + "\n"


def recorded(command: str) -> str:
    """The output that the README shows for `command`; empty when it shows none."""
    found = OUTPUT_OF.finditer(README.read_text(encoding="utf-8"))
    return next((match["text"] for match in found if match["command"] == command), "")


def readme_with(command: str, output: str) -> str:
    """The README with `output` as the recorded output of `command`."""
    text = README.read_text(encoding="utf-8")
    block = f"<!-- output of: {command} -->\n```text\n{output}```\n<!-- end of output -->"
    return OUTPUT_OF.sub(lambda match: block if match["command"] == command else match[0], text)


def rules_page() -> str:
    """docs/reference/review-rules.md."""
    from remit.code.review.registry import rules

    lines = [RULES_HEAD, "| id | severity | dimension | CWE | finds | what to do |", "|---|---|---|---|---|---|"]
    for module in rules():
        rule = module.RULE
        about = " ".join((module.__doc__ or "").strip().split("\n\n")[0].split())
        cells = (rule.id, rule.severity, rule.dimension, str(rule.cwe or ""), about, rule.suggestion)
        lines.append("| " + " | ".join(cell.replace("|", chr(92) + "|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """{path: text} of every page that is wholly generated."""
    return {ERRORS: error_page(), CLI: cli_page(), RULES: rules_page(), TEAM_SCHEMA: team_schema()}
