"""JUnit XML as pytest writes it. No entities, no DTD, bounded: the file may come from anywhere."""

from __future__ import annotations

from typing import Final
from xml.parsers import expat

from msgspec import Struct

from remit.errors import Invalid

MAX_REPORT_CHARS: Final = 64 * 1024 * 1024
MAX_DEPTH: Final = 50


class Case(Struct):
    """One <testcase>."""

    classname: str
    name: str
    outcome: str = "passed"

    @property
    def inner(self) -> str:
        """The test within its file: classes are the parts of the class name that begin with a capital."""
        classes = [part for part in self.classname.split(".") if part[:1].isupper()]
        return "::".join([*classes, self.name])


def cases_of(report: str) -> list[Case]:
    """The cases in order; [] for no report; raises value_invalid for what is not such a report."""
    if not report.lstrip().startswith("<"):
        return []
    if len(report) > MAX_REPORT_CHARS:
        raise Invalid("value_invalid", f"a report of {len(report)} characters; at most {MAX_REPORT_CHARS} are read")
    cases: list[Case] = []
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise Invalid("value_invalid", f"the report is nested deeper than {MAX_DEPTH}")
        if tag == "testcase":
            cases.append(Case(attributes.get("classname", ""), attributes.get("name", "")))
        elif tag in ("failure", "error", "skipped") and cases:
            cases[-1].outcome = {"failure": "failed"}.get(tag, tag)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise Invalid("value_invalid", "the report declares entities or a document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(report.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise Invalid("value_invalid", f"the report is not XML: {error}") from None
    return cases
