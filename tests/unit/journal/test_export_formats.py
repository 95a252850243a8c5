"""Audit records in other systems' forms: complete, and what models wrote cannot break out of its field."""

from __future__ import annotations

import csv
import io
import re

import msgspec
import pytest

from remit.core.labels import Label
from remit.journal.export_formats import CSV_COLUMNS, CSV_HEADER, cef_line, csv_line, json_data, ocsf_data
from remit.journal.projections.decisions import Decision

HOSTILE = '=cmd|"a",b\\c=d\r\ne\nCEF:0|x'


def record(
    reason: str = "because", effect: str = "write_file", level: str = "info", decision: str = "allow"
) -> Decision:
    label = Label("untrusted", ("ann", "bob"), ("tool:web_fetch",))
    return Decision(
        "run_1", 7, 1_700_000_000_000, "tool_call", level, "agent:a", "ab" * 8, effect, "turn/1/call/0", "d1",
        ("fs.write:out/x",), label, decision, "", reason, "00" * 32, "11" * 32,
    )  # fmt: skip


def test_json_holds_the_canonical_record() -> None:
    """seq, time, actor, grant, effect, digest, labels, decision, rule and prev: everything, with its position."""
    assert msgspec.json.decode(msgspec.json.encode(json_data(9, record()))) == {
        "position": 9, "run_id": "run_1", "seq": 7, "time_ms": 1_700_000_000_000, "kind": "tool_call", "level": "info",
        "actor": "agent:a", "grant": "ab" * 8, "effect": "write_file", "key": "turn/1/call/0", "digest": "d1",
        "needs": ["fs.write:out/x"], "decision": "allow", "rule": "", "reason": "because", "prev": "00" * 32,
        "label": {"integrity": "untrusted", "readers": ["ann", "bob"], "sources": ["tool:web_fetch"]},
        "hash": "11" * 32, "grants": [],
    }  # fmt: skip


def test_csv_is_read_back_and_holds_no_formula() -> None:
    """One row a record for any text; a cell never begins with what a spreadsheet would run."""
    text = "\r\n".join([CSV_HEADER, csv_line(1, record()), csv_line(2, record(HOSTILE, "+effect"))])
    header, plain, hostile = csv.reader(io.StringIO(text, newline=""))
    assert (tuple(header), len(plain), len(hostile)) == (CSV_COLUMNS, len(CSV_COLUMNS), len(CSV_COLUMNS))
    assert dict(zip(header, plain, strict=True))["readers"] == "ann bob"
    found = dict(zip(header, hostile, strict=True))
    assert (found["reason"], found["effect"]) == ("'" + HOSTILE, "'+effect")


@pytest.mark.parametrize("text", [HOSTILE, "a|b", "a\\", "x=1 act=deny", "line\nCEF:0|evil"])
def test_cef_fields_cannot_be_left(text: str) -> None:
    """Header and extension keep their fields, whatever the texts are; unescaping gives the text again."""
    line = cef_line(3, record(text, text), "1.2.3")
    assert "\n" not in line
    assert "\r" not in line
    parts = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    assert (parts[0], parts[4], parts[6]) == ("CEF:0", "tool_call", "3")
    keys = re.findall(r"(?:^| )(\w+)(?<!\\)=", parts[7])
    assert keys[:4] == ["rt", "suser", "act", "externalId"]
    assert keys.count("act") == 1


def test_ocsf_has_what_the_class_requires() -> None:
    """API Activity: class, type, severity, status, time, product, actor and operation; a refusal is a failure."""
    found = ocsf_data(4, record(level="critical", decision="deny"), "1.2.3")
    assert (found["class_uid"], found["category_uid"], found["type_uid"], found["activity_id"]) == (6003, 6, 600399, 99)
    assert (found["severity_id"], found["status_id"], found["time"]) == (5, 2, 1_700_000_000_000)
    assert (found["metadata"]["version"], found["metadata"]["product"]["name"], found["metadata"]["sequence"]) == (
        "1.4.0", "remit", 4
    )  # fmt: skip
    assert (found["actor"]["user"]["name"], found["api"]["operation"]) == ("agent:a", "write_file")
    assert ocsf_data(4, record(), "1.2.3")["status_id"] == 1
