"""Scores, verdict, suppressions, baseline, changed lines, fixes, formats, other tools, a model's opinions."""

from __future__ import annotations

import json

import msgspec
import pytest

from remit.code import deep_review_prompt, diff, review_changes, review_code
from remit.code.review import outside, rendering, sarif
from remit.code.review.changes import lines_of_patch
from remit.code.review.engine import review
from remit.code.review.fixing import fixed
from remit.code.review.prompts import opinions
from remit.code.review.scoring import scored
from remit.code.review.values import WEIGHTS, Finding, Range
from remit.errors import Invalid

BAD = (
    '"""M."""\nimport os\nfrom flask import request\n\n\ndef view():\n    """V."""\n    os.system(request.args["c"])\n'
)


def finding(severity: str, dimension: str = "security", opinion: bool = False) -> Finding:
    """One finding."""
    return Finding("X001", dimension, severity, 0.9, "a.py", Range(1, 1, 1, 1), "m", opinion=opinion)


def test_the_weights_sum_to_one() -> None:
    """Seven dimensions, sum 1."""
    assert len(WEIGHTS) == 7
    assert sum(WEIGHTS.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("found", "verdict", "score"),
    [
        ([], "approve", 1.0),
        ([finding("critical")], "block", 0.925),
        ([finding("error")] * 7, "approve", 0.75),
        ([finding("error", d) for d in WEIGHTS for _ in range(3)], "request_changes", 0.55),
        ([finding("error", d) for d in WEIGHTS for _ in range(5)], "block", 0.25),
        ([finding("info", "style")], "approve", 0.998),
        ([finding("critical", opinion=True)], "approve", 1.0),
    ],
)
def test_score_and_verdict(found: list[Finding], verdict: str, score: float) -> None:
    """1 minus penalties per dimension, weighted; critical or below .4 blocks, below .7 asks for changes."""
    report = scored(found, 50, files=1)
    assert (report.verdict, report.score) == (verdict, pytest.approx(score))


def test_the_cut_shows_the_gravest_and_counts_all() -> None:
    """At most max_findings are shown; verdict and counts use all."""
    report = scored([finding("info", "style")] * 60 + [finding("critical")], 50, files=1)
    assert (len(report.findings), report.total, report.findings[0].severity) == (50, 61, "critical")
    assert report.verdict == "block"


def test_a_remark_with_a_reason_suppresses() -> None:
    """The id and a reason on the line or alone above it; without a reason nothing is suppressed."""
    line = '    os.system(request.args["c"])'
    for remark, hidden in (
        ("  # remit: ignore SEC004 - the list is fixed", 1), ("  # remit: ignore SEC004", 0),
        ("  # remit: ignore SEC003 - another rule", 0),
    ):  # fmt: skip
        report = review_code("a.py", BAD.replace(line, line + remark))
        assert len(report.suppressed) == hidden
        assert ("SEC004" in {one.rule_id for one in report.findings}) is not bool(hidden)
    above = BAD.replace(line, "    # remit: ignore SEC004 - the list is fixed\n" + line)
    assert [one.reason for one in review_code("a.py", above).suppressed] == ["the list is fixed"]


def test_a_baseline_survives_moved_lines() -> None:
    """What the baseline knows is left out, also when lines are added above."""
    known = {one.fingerprint for one in review_code("a.py", BAD).findings}
    moved = BAD.replace("import os\n", "import os\n\n\n")
    report = review({"a.py": moved}, baseline=known)
    assert (report.total, report.known) == (0, len(known))
    assert report.verdict == "approve"


def test_only_changed_lines_are_said() -> None:
    """Findings on lines that the diff adds, or whose way crosses one; the rest of the file stays unsaid."""
    new = BAD + '\n\ndef other():\n    """O."""\n    os.system(request.args["d"])\n'
    report = review_changes({"a.py": BAD}, {"a.py": new})
    assert [(one.rule_id, one.range.line) for one in report.findings] == [("SEC004", 13)]
    assert review_changes({"a.py": BAD}, {"a.py": BAD}).findings == ()
    assert lines_of_patch(diff(BAD, new, path="a.py"))["a.py"] == frozenset(range(9, 14))


def test_removed_lines_mark_the_line_after_them() -> None:
    """A check that is taken away makes the line behind it a changed one."""
    old = BAD.replace("    os.system", '    if request.args["c"] not in ("a", "b"):\n        return\n    os.system')
    assert [one.rule_id for one in review_changes({"a.py": old}, {"a.py": BAD}).findings] == ["SEC004"]


def test_a_file_that_does_not_parse_is_not_clean() -> None:
    """Broken files, other languages and files over the bound are listed as not reviewed."""
    report = review({"a.py": "def f(:\n", "b.txt": "x", "c.py": "x = 1\n" + "# " + "y" * 3_000_000})
    assert sorted(one.file for one in report.not_reviewed) == ["a.py", "b.txt", "c.py"]


def test_safe_fixes_change_whole_lines() -> None:
    """A plain-http literal becomes https; the rest of the text is untouched."""
    text = '"""M."""\nURL = "http://api.acme.dev/v1"\n'
    report = review_code("a.py", text)
    assert fixed(text, report.findings) == (text.replace("http://", "https://"), 1)


def _valid(log: dict[str, object]) -> None:
    """The parts of SARIF 2.1.0 that readers rely on (3.13, 3.14, 3.27)."""
    assert log["version"] == "2.1.0" and str(log["$schema"]).endswith("sarif-2.1.0.json")
    (run,) = log["runs"]  # type: ignore[misc]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error") and result["message"]["text"]
        region = result["locations"][0]["physicalLocation"]["region"]
        assert 1 <= region["startLine"] <= region["endLine"]
        assert region["startColumn"] >= 1 and region["endColumn"] >= 1
        for flow in result.get("codeFlows", ()):
            assert all(step["location"]["message"]["text"] for step in flow["threadFlows"][0]["locations"])
    for note in run["invocations"][0]["toolExecutionNotifications"]:
        assert note["message"]["text"]


def test_sarif_is_written_and_read_back() -> None:
    """The log has the standard's structure, and reading it gives the same findings."""
    report = review({"a.py": BAD, "b.py": "def f(:\n"})
    log = sarif.write(report, "1")
    _valid(json.loads(json.dumps(log)))
    back = sarif.read(json.dumps(log).encode())
    assert [(one.rule_id, one.file, one.range.line, one.severity, one.cwe, one.path) for one in back] == [
        (one.rule_id, one.file, one.range.line, one.severity, one.cwe, one.path) for one in report.findings
    ]


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b'{"version":"2.0.0","runs":[]}', b'{"version":"2.1.0"}', b"\xff", b"[" * 9_999]
)
def test_what_is_no_sarif_is_refused(raw: bytes) -> None:
    """value_invalid, never a crash."""
    with pytest.raises(Invalid, match="SARIF") as raised:
        sarif.read(raw)
    assert raised.value.code == "value_invalid"


RUFF = [{"code": "S602", "filename": "/w/a.py", "message": "shell", "location": {"row": 3, "column": 5},
         "end_location": {"row": 3, "column": 9}},
        {"code": None, "filename": "/w/b.py", "message": "SyntaxError: x", "location": {"row": 1, "column": 1},
         "end_location": {"row": 1, "column": 2}}]  # fmt: skip
BANDIT = {"results": [{"filename": "./a.py", "issue_text": "shell", "issue_severity": "HIGH", "issue_confidence": "LOW",
                       "line_number": 3, "test_id": "B602", "issue_cwe": {"id": 78}}],
          "errors": [{"filename": "./b.py", "reason": "syntax error"}]}  # fmt: skip
SEMGREP = {"results": [{"check_id": "x.y", "path": "a.py", "start": {"line": 3, "col": 1}, "end": {"line": 3, "col": 4},
                        "extra": {"message": "shell", "severity": "ERROR", "metadata": {"cwe": ["CWE-78: OS"]}}}],
           "errors": [{"message": "cannot parse", "path": "b.py"}]}  # fmt: skip


@pytest.mark.parametrize(("tool", "said", "cwe"), [("ruff", RUFF, 0), ("bandit", BANDIT, 78), ("semgrep", SEMGREP, 78)])
def test_other_tools_speak_through_the_same_finding(tool: str, said: object, cwe: int) -> None:
    """Their findings keep file, line and CWE; what they could not parse is not reviewed."""
    found, missed = outside.read(tool, msgspec.json.encode(said), "/w")
    assert [(one.tool, one.file, one.range.line, one.cwe) for one in found] == [(tool, "a.py", 3, cwe)]
    assert [one.file for one in missed] == ["b.py"]
    with pytest.raises(Invalid, match=tool):
        outside.read(tool, b'{"x": 1}')


def test_a_model_gives_opinions_only() -> None:
    """Places that do not exist are dropped, confidence is capped, and the answer never counts for the verdict."""
    assert "JSON" in deep_review_prompt("security")
    with pytest.raises(Invalid, match="no dimension"):
        deep_review_prompt("beauty")
    answer = 'Here: [{"file":"a.py","line":2,"severity":"critical","confidence":1,"message":"m"},' \
             '{"file":"b.py","line":1,"severity":"error","message":"m"}]'  # fmt: skip
    (one,) = opinions(answer, "security", "model", {"a.py": 3})
    assert (one.opinion, one.confidence, one.tool) == (True, 0.6, "model")
    with pytest.raises(Invalid, match="no list"):
        opinions("nothing", "security", "model", {})


def test_reports_for_people() -> None:
    """Text and Markdown name verdict, place and way; text of others cannot become markup."""
    report = review_code("a.py", BAD)
    assert "a.py:8:5: critical SEC004 CWE-78" in rendering.text(report)
    said = rendering.markdown(report)
    assert said.startswith("# Review: Block") and "| security | 0.25 |" in said
    evil = scored([msgspec.structs.replace(finding("error"), message="<script>[x](y)")], 50, files=1)
    assert "<script>" not in rendering.markdown(evil)
