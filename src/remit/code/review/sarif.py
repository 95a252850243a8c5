"""SARIF 2.1.0: writing a report, reading what other tools wrote.

Source: OASIS SARIF 2.1.0, 3.13 (log), 3.14 (run), 3.27 (result), 3.36 (codeFlow), 3.55 (fix), 3.35 (suppression).
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from remit.code.review.registry import rules
from remit.code.review.values import Finding, Range, Report, Step
from remit.errors import Invalid

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS: Final = {"info": "note", "warning": "warning", "error": "error", "critical": "error"}
_BACK: Final = {"none": "info", "note": "info", "warning": "warning", "error": "error"}
_SECURITY_SEVERITY: Final = {"info": "2.0", "warning": "5.0", "error": "7.5", "critical": "9.5"}
MAX_RESULTS: Final = 50_000


def write(report: Report, version: str = "0") -> dict[str, Any]:
    """The log of one report; paths are relative to the reviewed folder."""
    ids = sorted({one.rule_id for one in report.findings} | {s.finding.rule_id for s in report.suppressed})
    results = [_result(one, ids) for one in report.findings]
    for hidden in report.suppressed:
        said = _result(hidden.finding, ids)
        said["suppressions"] = [{"kind": "inSource", "justification": hidden.reason}]
        results.append(said)
    notes = [
        {"level": "warning", "message": {"text": f"not reviewed: {one.reason}"},
         "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(one.file)}}}]}
        for one in report.not_reviewed
    ]  # fmt: skip
    driver = {"name": "remit", "version": version, "rules": [_rule(one) for one in ids]}
    run = {
        "tool": {"driver": driver}, "results": results, "columnKind": "utf16CodeUnits",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "properties": {"verdict": report.verdict, "score": report.score, "scores": report.scores},
    }  # fmt: skip
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule_id: str) -> dict[str, Any]:
    known = {one.RULE.id: one for one in rules()}.get(rule_id)
    if known is None:
        return {"id": rule_id}
    rule = known.RULE
    made: dict[str, Any] = {
        "id": rule.id, "name": re.sub(r"\W", "", rule.title.title()), "shortDescription": {"text": rule.title},
        "fullDescription": {"text": (known.__doc__ or rule.title).strip().split("\n")[0]},
        "help": {"text": rule.suggestion}, "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"tags": [rule.dimension]},
    }  # fmt: skip
    if rule.cwe:
        made["properties"]["tags"].append(f"external/cwe/cwe-{rule.cwe:03d}")
        made["properties"]["security-severity"] = _SECURITY_SEVERITY[rule.severity]
    return made


def _result(one: Finding, ids: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "ruleId": one.rule_id, "ruleIndex": ids.index(one.rule_id), "level": LEVELS[one.severity],
        "message": {"text": one.message}, "locations": [_location(one.file, one.range)],
        "partialFingerprints": {"remit/v1": one.fingerprint},
        "properties": {"severity": one.severity, "dimension": one.dimension, "confidence": one.confidence,
                       "suggestion": one.suggestion, "cwe": one.cwe, "tool": one.tool, "opinion": one.opinion},
    }  # fmt: skip
    if one.path:
        steps = [
            {"location": {**_location(step.file, Range(step.line, 1, step.line, 1)), "message": {"text": step.note}}}
            for step in one.path
        ]
        made["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    if one.fix is not None:
        region = {"startLine": one.fix.line, "startColumn": 1, "endLine": one.fix.end_line + 1, "endColumn": 1}
        change = {"artifactLocation": {"uri": _uri(one.file)},
                  "replacements": [{"deletedRegion": region, "insertedContent": {"text": one.fix.text}}]}  # fmt: skip
        made["fixes"] = [{"description": {"text": one.suggestion or "fix"}, "artifactChanges": [change]}]
    return made


def _location(file: str, place: Range) -> dict[str, Any]:
    region = {"startLine": max(1, place.line), "startColumn": max(1, place.column), "endLine": max(1, place.end_line),
              "endColumn": max(1, place.end_column + (place.end_line == place.line))}  # fmt: skip
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(file)}, "region": region}}


def _uri(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"), safe="/~")


class _Text(msgspec.Struct):
    text: str = ""
    markdown: str = ""


class _Region(msgspec.Struct, rename="camel"):
    start_line: int = 1
    start_column: int = 1
    end_line: int = 0
    end_column: int = 0


class _Artifact(msgspec.Struct):
    uri: str = ""


class _Physical(msgspec.Struct, rename="camel"):
    artifact_location: _Artifact = msgspec.field(default_factory=_Artifact)
    region: _Region = msgspec.field(default_factory=_Region)


class _Location(msgspec.Struct, rename="camel"):
    physical_location: _Physical = msgspec.field(default_factory=_Physical)
    message: _Text = msgspec.field(default_factory=_Text)


class _FlowStep(msgspec.Struct):
    location: _Location = msgspec.field(default_factory=_Location)


class _Thread(msgspec.Struct):
    locations: list[_FlowStep] = []


class _CodeFlow(msgspec.Struct, rename="camel"):
    thread_flows: list[_Thread] = []


class _Result(msgspec.Struct, rename="camel"):
    message: _Text = msgspec.field(default_factory=_Text)
    rule_id: str = ""
    rule_index: int = -1
    level: str = ""
    kind: str = "fail"
    locations: list[_Location] = []
    code_flows: list[_CodeFlow] = []
    partial_fingerprints: dict[str, str] = {}
    properties: dict[str, Any] = {}
    suppressions: list[Any] = []


class _Default(msgspec.Struct):
    level: str = "warning"


class _Reporting(msgspec.Struct, rename="camel"):
    id: str
    default_configuration: _Default = msgspec.field(default_factory=_Default)
    properties: dict[str, Any] = {}


class _Driver(msgspec.Struct):
    name: str
    rules: list[_Reporting] = []


class _Tool(msgspec.Struct):
    driver: _Driver


class _Run(msgspec.Struct):
    tool: _Tool
    results: list[_Result] | None = None


class _Log(msgspec.Struct):
    version: str
    runs: list[_Run]


def read(raw: bytes) -> list[Finding]:
    """The findings of a SARIF 2.1.0 log; suppressed ones and those that passed are left out.

    Raises value_invalid when it is none, or has too many results.
    """
    try:
        log = msgspec.json.decode(raw, type=_Log)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("value_invalid", f"no SARIF log: {str(error)[:200]}") from None
    if log.version != "2.1.0":
        raise Invalid("value_invalid", f"SARIF {log.version[:20]} is not read; 2.1.0 is")
    if sum(len(run.results or ()) for run in log.runs) > MAX_RESULTS:
        raise Invalid("value_invalid", f"more than {MAX_RESULTS} results")
    return [
        _finding(one, run.tool.driver)
        for run in log.runs
        for one in run.results or ()
        if not one.suppressions and one.kind == "fail"
    ]


def _finding(one: _Result, driver: _Driver) -> Finding:
    rule = driver.rules[one.rule_index] if 0 <= one.rule_index < len(driver.rules) else \
        next((r for r in driver.rules if r.id == one.rule_id), None)  # fmt: skip
    level = one.level or (rule.default_configuration.level if rule is not None else "warning")
    place = one.locations[0].physical_location if one.locations else _Physical()
    region = place.region
    own = one.properties
    severity = own.get("severity")
    steps = [
        step.location for flow in one.code_flows[:1] for thread in flow.thread_flows[:1] for step in thread.locations
    ]
    end = region.end_line or region.start_line
    column = region.end_column - (end == region.start_line) if region.end_column else region.start_column
    return Finding(
        one.rule_id or (rule.id if rule is not None else "unknown"), _word(own.get("dimension"), "security"),
        severity if severity in LEVELS else _BACK.get(level, "warning"), _share(own.get("confidence")),
        unquote(place.artifact_location.uri.removeprefix("file://")),
        Range(region.start_line, region.start_column, end, max(1, column)),
        one.message.text or one.message.markdown or one.rule_id, _word(own.get("suggestion"), ""), _cwe(own, rule),
        fingerprint=next(iter(one.partial_fingerprints.values()), ""), tool=_word(own.get("tool"), driver.name),
        path=tuple(Step(unquote(s.physical_location.artifact_location.uri), s.physical_location.region.start_line,
                        s.message.text) for s in steps), opinion=own.get("opinion") is True,
    )  # fmt: skip


def _word(value: Any, other: str) -> str:
    return value if isinstance(value, str) else other


def _share(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 else 0.6


def _cwe(own: dict[str, Any], rule: _Reporting | None) -> int:
    given = own.get("cwe")
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    tags = rule.properties.get("tags") if rule is not None else None
    for tag in tags if isinstance(tags, list) else ():
        match = re.search(r"cwe[-/](\d{1,5})", str(tag), re.I)
        if match:
            return int(match[1])
    return 0
