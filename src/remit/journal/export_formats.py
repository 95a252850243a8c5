"""Audit records in the forms that other systems read: JSON, CSV, OCSF, CEF.

Reasons and names come from models and tools. CSV cells that a spreadsheet would take for a formula get a leading
apostrophe; CEF escapes what separates its fields; JSON needs nothing more.

Sources: OCSF 1.4.0, class API Activity (6003); ArcSight Common Event Format revision 25; OWASP, CSV injection.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import structs

from remit.journal.projections.decisions import Decision

CSV_COLUMNS: Final = (
    *("position", "time_ms", "run_id", "seq", "kind", "level", "actor", "grant", "effect", "key", "digest", "needs"),
    *("integrity", "readers", "sources", "decision", "rule", "reason", "prev", "hash"),
)
CSV_HEADER: Final = ",".join(CSV_COLUMNS)
OCSF_VERSION: Final = "1.4.0"
_CLASS: Final = 6003
_OTHER: Final = 99
_OCSF_SEVERITY: Final = {"info": 1, "warning": 3, "error": 4, "critical": 5}
_CEF_SEVERITY: Final = {"info": 3, "warning": 5, "error": 7, "critical": 9}
_REFUSED: Final = frozenset(("deny", "denied", "failed", "exhausted", "in_doubt", "unreadable"))
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def json_data(position: int, decision: Decision) -> dict[str, Any]:
    """The canonical record, with its position in the log."""
    label = decision.label
    found = structs.asdict(decision)
    found["label"] = {"integrity": label.integrity, "readers": label.readers, "sources": label.sources}
    return {"position": position, **found}


def csv_line(position: int, decision: Decision) -> str:
    """One line without its end (RFC 4180), in the order of CSV_COLUMNS."""
    label = decision.label
    readers = "*" if label.readers is None else " ".join(label.readers)
    found = {
        **structs.asdict(decision),
        "position": position,
        "needs": " ".join(decision.needs),
        "integrity": label.integrity,
        "readers": readers,
        "sources": " ".join(label.sources),
    }
    return ",".join(_cell(found[name]) for name in CSV_COLUMNS)


def ocsf_data(position: int, decision: Decision, version: str) -> dict[str, Any]:
    """An OCSF event of remit `version`: API Activity, activity Other with the decision's name."""
    refused = decision.decision in _REFUSED
    return {
        "category_uid": 6,
        "category_name": "Application Activity",
        "class_uid": _CLASS,
        "class_name": "API Activity",
        "activity_id": _OTHER,
        "activity_name": decision.decision,
        "type_uid": _CLASS * 100 + _OTHER,
        "severity_id": _OCSF_SEVERITY[decision.level],
        "status_id": 2 if refused else 1,
        "status_detail": decision.rule,
        "time": decision.time_ms,
        "message": decision.reason,
        "metadata": {
            "version": OCSF_VERSION,
            "product": {"name": "remit", "vendor_name": "remit", "version": version},
            "log_name": "remit audit",
            "sequence": position,
            "uid": decision.hash,
        },
        "actor": {"user": {"name": decision.actor}, "session": {"uid": decision.run_id}},
        "api": {
            "operation": decision.effect or decision.kind,
            "service": {"name": decision.kind},
            "request": {"uid": decision.key or decision.run_id},
        },
        "src_endpoint": {"svc_name": "remit"},
        "resources": [{"name": need} for need in decision.needs],
        "unmapped": {
            "seq": decision.seq,
            "grant": decision.grant,
            "argument_digest": decision.digest,
            "integrity": decision.label.integrity,
            "readers": decision.label.readers,
            "sources": decision.label.sources,
            "prev": decision.prev,
        },
    }


def cef_line(position: int, decision: Decision, version: str) -> str:
    """A CEF:0 line of remit `version`."""
    name = f"{decision.effect or decision.kind} {decision.decision}"
    header = ["remit", "remit", version, decision.kind, name, str(_CEF_SEVERITY[decision.level])]
    custom = {"run": decision.run_id, "grant": decision.grant, "argumentDigest": decision.digest,
              "rule": decision.rule, "hash": decision.hash, "integrity": decision.label.integrity}  # fmt: skip
    fields = {
        "rt": str(decision.time_ms),
        "suser": decision.actor,
        "act": decision.decision,
        "externalId": str(position),
        "cn1Label": "seq",
        "cn1": str(decision.seq),
        "request": " ".join(decision.needs),
        "reason": decision.reason,
    }
    used = [(label, value) for label, value in custom.items() if value]
    for number, (label, value) in enumerate(used, 1):
        fields[f"cs{number}Label"], fields[f"cs{number}"] = label, value
    extension = " ".join(f"{key}={_extension(value)}" for key, value in fields.items() if value)
    return f"CEF:0|{'|'.join(_header(text) for text in header)}|{extension}"


def _cell(value: Any) -> str:
    text = str(value)
    if isinstance(value, str) and text.startswith(_FORMULA):
        text = "'" + text
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _header(text: str) -> str:
    flat = text.replace("\r", " ").replace("\n", " ")
    return flat.replace("\\", "\\\\").replace("|", "\\|")


def _extension(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("=", "\\=")
    return escaped.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
