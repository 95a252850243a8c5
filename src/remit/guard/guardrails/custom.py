"""custom: a function of yours, given to `Screening(checks={"name": function})`; the rule's name says which.

The function gets a `Subject` and gives hits, at once or awaited; it has `timeout_s`, and what it does not answer in
time, or raises, counts as a hit: what could not be checked is not let through. It is code: no TOML file can bring it.
"""

from __future__ import annotations

from typing import Final

from remit.core.screening import Rule
from remit.guard.guardrails import Check, wrong

ON: Final = ("input", "output")


def make(rule: Rule) -> Check:
    """Refused: the function comes from `checks`, beside the rule."""
    raise wrong(rule, f"no function is given: Screening(section, checks={{{rule.title!r}: function}})")
