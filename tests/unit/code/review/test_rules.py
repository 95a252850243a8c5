"""Every rule finds its Bad programs and is silent on its Good ones; the docstrings are the cases."""

from __future__ import annotations

from collections import Counter

import pytest

from remit.code.review.engine import review
from remit.code.review.registry import rules
from remit.code.review.values import PENALTIES, WEIGHTS
from unit.code.review.rule_cases import cases_of

LISTED = {
    **{f"SEC00{n}": s for n, s in zip(range(1, 9), ("critical", "critical", "error", "critical", "warning", "warning",
                                                   "error", "error"), strict=True)},
    "PERF001": "warning", "PERF002": "info", "PERF003": "error", "PERF004": "error", "PERF005": "info",
    "STY001": "warning", "STY002": "warning", "STY003": "warning", "STY004": "info", "STY005": "info", "STY006": "info",
    "ERR001": "error", "ERR002": "warning", "ERR003": "warning", "ERR004": "error", "ERR005": "warning",
    "COR001": "warning", "COR002": "warning", "COR003": "error", "TST001": "warning", "TST002": "info",
    "DOC001": "warning", "DOC002": "warning", "DOC003": "info",
}  # fmt: skip
RULES = {module.RULE.id: module for module in rules()}


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_tells_its_bad_programs_from_its_good_ones(rule: str) -> None:
    """A finding of the rule in each Bad program, none in each Good one, and every program parses."""
    wrong = []
    for case in cases_of(RULES[rule]):
        report = review(case.files, only=[rule], max_findings=1000)
        hit = any(one.rule_id == rule for one in report.findings)
        if hit is not case.bad or report.not_reviewed:
            wrong.append(("missed" if case.bad else "false", case.language, case.files, report.not_reviewed))
    assert wrong == []


def test_the_rules_of_the_specification_are_there() -> None:
    """All 32 ids with their severities, and three programs each way in every language that a rule is for."""
    assert {rule: RULES[rule].RULE.severity for rule in LISTED} == LISTED
    short = []
    for rule in LISTED:
        counts = Counter((case.language, case.bad) for case in cases_of(RULES[rule]))
        spoken = {"javascript" if one == "typescript" else one for one in RULES[rule].RULE.languages}
        if "javascript" not in RULES[rule].RULE.languages or not counts[("javascript", True)]:
            spoken = {"typescript" if one == "javascript" else one for one in spoken}
        short += [(rule, one, bad) for one in spoken for bad in (True, False) if counts[(one, bad)] < 3]
    assert short == []


def test_every_rule_is_described() -> None:
    """Ids are the file names; dimension and severity are known; a security rule names its CWE and a remedy."""
    for name, module in RULES.items():
        rule = module.RULE
        assert module.__name__.endswith("." + name.lower())
        assert rule.dimension in WEIGHTS and rule.severity in PENALTIES and rule.suggestion
        assert rule.cwe or rule.dimension != "security"
