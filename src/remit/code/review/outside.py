"""Findings of other tools as data: what ruff, bandit and semgrep print as JSON, or any SARIF log.

Nothing is run here: whoever ran the tool hands its output over. What the tool could not parse is not reviewed.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from remit.code.review import sarif
from remit.code.review.values import Finding, NotReviewed, Range
from remit.errors import Invalid

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "ruff": ("ruff", "check", "--output-format", "json", "--no-cache", "--exit-zero", "."),
    "bandit": ("bandit", "-q", "-r", "-f", "json", "."),
    "semgrep": ("semgrep", "scan", "--json", "--quiet", "--metrics", "off", "--disable-version-check", "."),
}
"""How each is called to print what `read` reads."""
_SEVERITIES: Final = {"LOW": "info", "MEDIUM": "warning", "HIGH": "error", "INFO": "info", "WARNING": "warning",
                      "ERROR": "error", "CRITICAL": "critical"}  # fmt: skip
_SHARES: Final = {"LOW": 0.4, "MEDIUM": 0.6, "HIGH": 0.85}
_RUFF: Final = {"S": "security", "B": "correctness", "F": "correctness", "E9": "correctness", "D": "documentation",
                "BLE": "error_handling", "TRY": "error_handling", "PERF": "performance"}  # fmt: skip


class _Place(msgspec.Struct):
    row: int = 1
    column: int = 1


class _Ruff(msgspec.Struct):
    code: str | None
    filename: str
    message: str
    location: _Place
    end_location: _Place


class _BanditCwe(msgspec.Struct):
    id: int = 0


class _BanditResult(msgspec.Struct):
    filename: str
    issue_text: str
    issue_severity: str
    issue_confidence: str
    line_number: int
    test_id: str
    line_range: list[int] = []
    col_offset: int = 0
    issue_cwe: _BanditCwe = msgspec.field(default_factory=_BanditCwe)


class _BanditError(msgspec.Struct):
    filename: str
    reason: str = ""


class _Bandit(msgspec.Struct):
    results: list[_BanditResult]
    errors: list[_BanditError] = []


class _Spot(msgspec.Struct):
    line: int = 1
    col: int = 1


class _Extra(msgspec.Struct):
    message: str = ""
    severity: str = "WARNING"
    metadata: dict[str, Any] = {}


class _SemgrepResult(msgspec.Struct):
    check_id: str
    path: str
    start: _Spot
    end: _Spot
    extra: _Extra


class _SemgrepError(msgspec.Struct):
    message: str = ""
    path: str = ""


class _Semgrep(msgspec.Struct):
    results: list[_SemgrepResult]
    errors: list[_SemgrepError] = []


def read(tool: str, raw: bytes, root: str = "") -> tuple[list[Finding], list[NotReviewed]]:
    """(findings, files that the tool could not parse); paths beneath `root` become relative to it.

    `tool` is ruff, bandit, semgrep or sarif. Raises value_invalid.
    """
    readers = {"ruff": _ruff, "bandit": _bandit, "semgrep": _semgrep}
    if tool == "sarif":
        return [_placed(one, root) for one in sarif.read(raw)], []
    if tool not in readers:
        raise Invalid("value_invalid", f"no reader for {tool!r}; there are {', '.join((*readers, 'sarif'))}")
    try:
        found, missed = readers[tool](raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("value_invalid", f"not what {tool} prints as JSON: {str(error)[:200]}") from None
    placed = [NotReviewed(_relative(one.file, root), one.reason) for one in missed]
    return [_placed(one, root) for one in found], placed


def _ruff(raw: bytes) -> tuple[list[Finding], list[NotReviewed]]:
    found, missed = [], []
    for one in msgspec.json.decode(raw, type=list[_Ruff]):
        if one.code is None or one.code == "invalid-syntax":
            missed.append(NotReviewed(one.filename, f"ruff: {one.message}"))
            continue
        dimension = next((to for start, to in _RUFF.items() if one.code.startswith(start)), "style")
        place = Range(one.location.row, one.location.column, one.end_location.row, max(1, one.end_location.column - 1))
        found.append(Finding(one.code, dimension, "warning" if dimension == "security" else "info", 0.6, one.filename,
                             place, one.message, tool="ruff"))  # fmt: skip
    return found, missed


def _bandit(raw: bytes) -> tuple[list[Finding], list[NotReviewed]]:
    said = msgspec.json.decode(raw, type=_Bandit)
    found = []
    for one in said.results:
        end = max([one.line_number, *one.line_range])
        place = Range(one.line_number, one.col_offset + 1, end, one.col_offset + 1)
        found.append(Finding(one.test_id, "security", _SEVERITIES.get(one.issue_severity, "warning"),
                             _SHARES.get(one.issue_confidence, 0.5), one.filename, place, one.issue_text,
                             cwe=one.issue_cwe.id, tool="bandit"))  # fmt: skip
    return found, [NotReviewed(one.filename, f"bandit: {one.reason}") for one in said.errors]


def _semgrep(raw: bytes) -> tuple[list[Finding], list[NotReviewed]]:
    said = msgspec.json.decode(raw, type=_Semgrep)
    found = []
    for one in said.results:
        place = Range(one.start.line, one.start.col, one.end.line, max(1, one.end.col - 1))
        share = _SHARES.get(str(one.extra.metadata.get("confidence", "MEDIUM")).upper(), 0.6)
        found.append(Finding(one.check_id, "security", _SEVERITIES.get(one.extra.severity, "warning"), share, one.path,
                             place, one.extra.message, cwe=_cwe(one.extra.metadata.get("cwe")),
                             tool="semgrep"))  # fmt: skip
    return found, [NotReviewed(one.path, f"semgrep: {one.message[:200]}") for one in said.errors if one.path]


def _cwe(said: Any) -> int:
    import re

    match = re.search(r"CWE-(\d{1,5})", str(said))
    return int(match[1]) if match else 0


def _relative(path: str, root: str) -> str:
    path = path.removeprefix("file://")
    return (path.removeprefix(root.rstrip("/") + "/") if root else path).removeprefix("./")


def _placed(one: Finding, root: str) -> Finding:
    return msgspec.structs.replace(one, file=_relative(one.file, root))
