"""A report for people: text lines and Markdown."""

from __future__ import annotations

from remit.code.review.values import SEVERITIES, WEIGHTS, Finding, Report

_VERDICTS = {"approve": "Approve", "request_changes": "Request changes", "block": "Block"}


def text(report: Report) -> str:
    """One line a finding, as compilers write them, and a summary."""
    lines = []
    for one in report.findings:
        cwe = f" CWE-{one.cwe}" if one.cwe else ""
        opinion = " (a model's opinion)" if one.opinion else ""
        lines.append(
            f"{one.file}:{one.range.line}:{one.range.column}: {one.severity} {one.rule_id}{cwe}: {one.message}{opinion}"
        )
        lines.extend(f"    {step.file}:{step.line}: {step.note}" for step in one.path)
    if report.total > len(report.findings):
        lines.append(f"and {report.total - len(report.findings)} more")
    todo = {one.rule_id: one.suggestion for one in report.findings if one.suggestion and one.tool == "remit"}
    lines += ["", *(f"{rule}: {said}" for rule, said in sorted(todo.items())), ""] if todo else []
    lines.append(summary(report))
    return "\n".join(lines)


def summary(report: Report) -> str:
    """One line: verdict, score, counts."""
    counts = ", ".join(f"{report.counts[severity]} {severity}" for severity in reversed(SEVERITIES))
    said = f"{report.verdict}: score {report.score:.2f}, {report.files} files, {counts}"
    for count, what in ((len(report.suppressed), "suppressed"), (report.known, "known"),
                        (len(report.not_reviewed), "not reviewed")):  # fmt: skip
        said += f", {count} {what}" if count else ""
    return said


def markdown(report: Report) -> str:
    """Verdict, score table, findings by severity, what was not reviewed."""
    lines = [f"# Review: {_VERDICTS[report.verdict]}", "", f"Score {report.score:.2f} over {report.files} files.", "",
             "| dimension | weight | score |", "|---|---|---|"]  # fmt: skip
    lines += [f"| {name} | {weight:.2f} | {report.scores[name]:.2f} |" for name, weight in WEIGHTS.items()]
    for severity in reversed(SEVERITIES):
        found = [one for one in report.findings if one.severity == severity]
        if found:
            lines += ["", f"## {severity.capitalize()} ({report.counts[severity]})", ""]
            for one in found:
                lines.extend(_item(one))
    if report.total > len(report.findings):
        lines += ["", f"{report.total - len(report.findings)} more findings are not shown; the verdict counts them."]
    if report.suppressed:
        lines += ["", "## Suppressed", ""]
        lines += [f"- {_code(s.finding.file)}:{s.finding.range.line} {s.finding.rule_id}: {_plain(s.reason)}"
                  for s in report.suppressed]  # fmt: skip
    if report.not_reviewed:
        lines += ["", "## Not reviewed", ""]
        lines += [f"- {_code(one.file)}: {_plain(one.reason)}" for one in report.not_reviewed]
    return "\n".join(lines) + "\n"


def _item(one: Finding) -> list[str]:
    cwe = f" (CWE-{one.cwe})" if one.cwe else ""
    opinion = " *A model's opinion.*" if one.opinion else ""
    lines = [f"- **{one.rule_id}**{cwe} {_code(one.file)}:{one.range.line}: {_plain(one.message)}.{opinion}"]
    if one.path:
        lines.append("  - way: " + " -> ".join(f"{step.file}:{step.line} {_plain(step.note)}" for step in one.path))
    if one.suggestion:
        lines.append(f"  - {_plain(one.suggestion)}")
    return lines


def _code(text: str) -> str:
    return "`" + text.replace("`", "'").replace("\n", " ") + "`"


def _plain(text: str) -> str:
    """Text of others that cannot become markup: a finding's message may quote the code under review."""
    for mark in "\\`*_{}[]<>#|":
        text = text.replace(mark, "\\" + mark) if mark != "_" else text
    return text.replace("\n", " ")
