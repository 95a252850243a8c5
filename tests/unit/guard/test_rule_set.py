"""A set of rules: what counts, what is cut out, what happens to rules that do not answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

import pytest

from remit.core.screening import Finding, Hit, Rule
from remit.core.sections import GuardrailsSection
from remit.errors import Invalid
from remit.guard import rule_set
from remit.guard.guardrails import AnyCheck, Subject
from remit.guard.rule_set import DEFAULT_RULES, Look, compiled, look, rules_of


def ask(text: str, *rules: Rule, stage: str = "input", **checks: AnyCheck) -> Look:
    """One look."""
    return asyncio.run(look(compiled(rules, checks), Subject(text, stage)))


def test_a_section_means_rules() -> None:
    """Preset, switches and own rules add up, in that order."""
    own = Rule("regex", values=("x",))
    section = GuardrailsSection(preset="default", pii="sanitize", injection="audit", unicode="off", rules=(own,))
    assert rules_of(section) == (
        *DEFAULT_RULES,
        Rule("pii", on=("result", "output"), severity="sanitize"),
        Rule("prompt_injection", on=("input", "result"), severity="log"),
        own,
    )
    assert rules_of(GuardrailsSection()) == ()
    assert [rule.severity for rule in DEFAULT_RULES] == ["block"] * 5


def test_the_first_block_ends_the_look() -> None:
    """What comes after a blocking finding is not asked."""
    found = ask("abc", Rule("regex", values=("b",)), Rule("custom", "never"), never=lambda s: 1 / 0)
    assert found.blocked == Finding(
        "regex", "regex", "block", "high", "input", "matches a pattern that is not allowed", 1.0
    )
    assert found.findings == (found.blocked,)


def test_sanitizing_cuts_every_hit_and_joins_overlaps() -> None:
    """Each place is replaced once; log and warn change nothing."""
    rules = (Rule("pii", on=("input",), severity="sanitize"), Rule("regex", severity="sanitize", values=("ann@x",)),
             Rule("regex", "w", severity="warn", values=("and",)))  # fmt: skip
    found = ask("to ann@x.org and bob@y.org.", *rules)
    assert found.text == "to [email removed] and [email removed]."
    assert [(f.rule, f.severity) for f in found.findings] == [("pii", "sanitize"), ("regex", "sanitize"), ("w", "warn")]
    assert found.blocked is None


def test_confidence_below_the_rule_does_not_count() -> None:
    """min_confidence is a floor."""
    rule = Rule("custom", "c", min_confidence=0.6)
    assert ask("x", rule, c=lambda s: [Hit("maybe", 0.59)]).findings == ()
    assert ask("x", rule, c=lambda s: [Hit("likely", 0.6)]).blocked is not None


def test_a_critical_finding_trips_whatever_its_severity() -> None:
    """A rule that only logs still trips when it is critical."""
    found = ask("x", Rule("regex", severity="log", level="critical", values=("x",)))
    assert found.blocked is None
    assert found.tripped is not None


async def _slow(subject: Subject) -> Iterable[Hit]:
    await asyncio.sleep(60)
    return ()


@pytest.mark.parametrize(
    ("check", "why"),
    [(_slow, "it has 0.05 s"), (lambda s: 1 / 0, "ZeroDivisionError"), (lambda s: None, "TypeError"),
     (lambda s: ["text"], "it gave no hits")],
)  # fmt: skip
def test_a_rule_that_does_not_answer_blocks(check: AnyCheck, why: str) -> None:
    """Late, raising, or answering something else: what could not be checked is not let through."""
    found = ask("x", Rule("custom", "c", timeout_s=0.05), c=check)
    assert found.blocked is not None
    assert found.blocked.why == f"the rule did not answer: {why}"


def test_all_rules_together_have_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are slow, the look ends, and those that were late block."""
    monkeypatch.setattr(rule_set, "ALL_TIMEOUT_S", 0.05)
    rules = [Rule("custom", f"c{i}") for i in range(20)]
    found = asyncio.run(look(compiled(rules, {r.name: _slow for r in rules}), Subject("x", "input")))
    assert len(found.findings) == 20
    assert found.blocked is not None


def test_custom_rules_run_side_by_side_and_a_block_ends_them() -> None:
    """Two sync rules meet each other; a rule that would take a minute is left when another blocks."""
    both = threading.Barrier(2, timeout=5)

    def meets(subject: Subject) -> Iterable[Hit]:
        both.wait()
        return ()

    assert ask("x", Rule("custom", "a"), Rule("custom", "b"), a=meets, b=meets).findings == ()
    found = ask("x", Rule("custom", "slow"), Rule("custom", "no"), slow=_slow, no=lambda s: [Hit("no")])
    assert found.blocked is not None
    assert found.blocked.rule == "no"


@pytest.mark.parametrize(
    "rule",
    [Rule("nothing"), Rule("../pii"), Rule("regex"), Rule("regex", values=("(",)), Rule("regex", values=("x" * 2000,)),
     Rule("topic_blocklist"), Rule("language"), Rule("language", values=("xx",)), Rule("pii", values=("shoe_size",)),
     Rule("content_policy", values=("gossip",)), Rule("custom", "mine")],
    ids=lambda r: f"{r.kind}-{r.values}"[:40],
)  # fmt: skip
def test_rules_that_cannot_work_are_refused(rule: Rule) -> None:
    """Unknown kinds, missing or wrong values, custom rules without a function: config_invalid at the start."""
    with pytest.raises(Invalid, match="config_invalid"):
        compiled([rule], {})


def test_a_function_without_its_rule_is_refused() -> None:
    """A check that no rule names would never run."""
    with pytest.raises(Invalid, match="no rule of kind custom"):
        compiled([], {"mine": lambda s: ()})


def test_a_long_text_is_looked_at_beside_other_work() -> None:
    """A rule on a long text leaves the loop free, and has a deadline there too."""
    release = threading.Event()

    def stuck(subject: Subject) -> Iterable[Hit]:
        release.wait(10)
        return ()

    rule = Rule("max_length", timeout_s=0.05)
    each = rule_set.Compiled(rule, stuck, None, ("input",))

    async def work() -> Look:
        seen = look([each], Subject("x" * (rule_set.INLINE_CHARS + 1), "input"))
        found, _ = await asyncio.gather(seen, asyncio.sleep(0))
        release.set()
        return found

    found = asyncio.run(work())
    assert found.blocked is not None
    assert found.blocked.why == "the rule did not answer: it has 0.05 s"
