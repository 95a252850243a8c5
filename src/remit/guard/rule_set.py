"""A set of guardrail rules, compiled once, and one look of it at one text.

Built-in rules are linear in the text, so they run where they stand, one after the other, and the first that
blocks ends the look; for a long text each runs in a thread, with its deadline, so that other runs go on. Custom
rules run side by side, each with its own deadline and all with one of 30 s; a rule that is late or raises counts as a
hit of its own severity: what could not be checked is not let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from remit.core.screening import ALL_TIMEOUT_S, Finding, Hit, Rule, Stage
from remit.core.sections import GuardrailsSection
from remit.errors import Invalid

if TYPE_CHECKING:
    from remit.guard.guardrails import AnyCheck, Check, Subject

INLINE_CHARS: Final = 20_000  # a tenth of a second, in the worst case measured with hostile texts
MAX_TEXTS: Final = 200  # of one call's arguments that are looked at one by one; the rest as one text

# Source: spec/security.md 8 ("five default rules, all block"); which five is ours: each acts where its harm is done.
DEFAULT_RULES: Final = (
    Rule("max_length"),
    Rule("prompt_injection", on=("input", "result"), min_confidence=0.7),
    Rule("pii", on=("output",), values=("private_key", "api_key", "jwt", "database_url", "card", "ssn")),
    Rule("toxicity", on=("output",)),
    Rule("shell_injection", on=("call",), min_confidence=0.7),
)
_SEVERITY_OF: Final = {"audit": "log", "sanitize": "sanitize", "block": "block"}


class Compiled(NamedTuple):
    """A rule with its check: pure for a built-in kind, anything callable for a custom one."""

    rule: Rule
    check: Check | None
    custom: AnyCheck | None
    on: tuple[Stage, ...]


class Look(NamedTuple):
    """What the rules say of one text."""

    findings: tuple[Finding, ...]
    text: str
    """with what the `sanitize` rules found taken out"""
    blocked: Finding | None
    """the first finding that blocks"""
    tripped: Finding | None
    """the first critical one"""


def rules_of(section: GuardrailsSection) -> tuple[Rule, ...]:
    """The rules that a section means: preset, the three switches, its own."""
    found = list(DEFAULT_RULES) if section.preset == "default" else []
    for mode, kind, on in (
        (section.pii, "pii", ("result", "output")),
        (section.injection, "prompt_injection", ("input", "result")),
        (section.unicode, "unicode", ("input", "call", "result", "output")),
    ):
        if mode is not None and mode != "off":
            found.append(Rule(kind, on=on, severity=_SEVERITY_OF[mode]))  # type: ignore[arg-type]  # literals both
    return (*found, *(section.rules or ()))


def compiled(rules: Iterable[Rule], checks: Mapping[str, AnyCheck]) -> tuple[Compiled, ...]:
    """The rules ready to look; raises config_invalid for an unknown kind, wrong values, a check without a rule."""
    from remit.guard.guardrails import module_of

    found, named = [], set()
    for rule in rules:
        module = module_of(rule)
        on = rule.on or module.ON
        if rule.kind == "custom" and rule.title in checks:
            found.append(Compiled(rule, None, checks[rule.title], on))
            named.add(rule.title)
        else:
            found.append(Compiled(rule, module.make(rule), None, on))
    for name in checks.keys() - named:
        raise Invalid("config_invalid", f"guardrails: no rule of kind custom is named {name!r}")
    return tuple(found)


async def look(rules: Iterable[Compiled], subject: Subject) -> Look:
    """All findings of the rules that look at the subject's stage; ends at the first that blocks."""
    findings: list[Finding] = []
    cuts: list[Hit] = []
    custom = []
    for each in rules:
        if subject.stage not in each.on:
            continue
        if each.check is None:
            custom.append(each)
            continue
        if _count(each.rule, await _hits(each, subject), subject, findings, cuts):
            return _answer(findings, cuts, subject.text)
    if custom:
        for each, hits in await _ask_all(custom, subject):
            _count(each.rule, hits, subject, findings, cuts)
    return _answer(findings, cuts, subject.text)


async def _hits(each: Compiled, subject: Subject) -> Iterable[Hit]:
    """A built-in rule's hits; late is a hit."""
    assert each.check is not None
    if len(subject.text) <= INLINE_CHARS:
        return each.check(subject)
    import asyncio

    check = each.check
    try:
        async with asyncio.timeout(each.rule.timeout_s):
            return await asyncio.to_thread(lambda: list(check(subject)))
    except TimeoutError:
        return [_unanswered(f"it has {each.rule.timeout_s:g} s")]


def _count(rule: Rule, hits: Iterable[Hit], subject: Subject, findings: list[Finding], cuts: list[Hit]) -> bool:
    """Note the best hit of a rule that is confident enough; whether it blocks."""
    counting = [h for h in hits if h.confidence >= rule.min_confidence]
    if not counting:
        return False
    best = max(counting, key=lambda h: h.confidence)
    findings.append(Finding(rule.title, rule.kind, rule.severity, rule.level, subject.stage, best.why, best.confidence))
    if rule.severity == "sanitize":
        cuts.extend(counting)
    return rule.severity == "block"


def _answer(findings: list[Finding], cuts: list[Hit], text: str) -> Look:
    blocked = next((f for f in findings if f.severity == "block"), None)
    tripped = next((f for f in findings if f.level == "critical"), None)
    return Look(tuple(findings), _without(text, cuts), blocked, tripped)


def _without(text: str, cuts: list[Hit]) -> str:
    """`text` with every hit replaced by its `fixed`; overlapping hits are one."""
    parts, at = [], 0
    for hit in sorted(cuts, key=lambda h: (h.start, -h.end)):
        if hit.start >= at and 0 <= hit.start <= hit.end <= len(text):
            parts += [text[at : hit.start], hit.fixed]
            at = hit.end
        else:
            at = max(at, min(hit.end, len(text)))
    return "".join([*parts, text[at:]])


async def _ask_all(custom: list[Compiled], subject: Subject) -> list[tuple[Compiled, list[Hit]]]:
    """The hits of custom rules, side by side; the first that blocks ends the others."""
    import asyncio

    answers: list[tuple[Compiled, list[Hit]]] = []

    async def one(each: Compiled) -> None:
        hits = await _ask(each, subject)
        answers.append((each, hits))
        if each.rule.severity == "block" and any(h.confidence >= each.rule.min_confidence for h in hits):
            raise _Blocks

    try:
        async with asyncio.timeout(ALL_TIMEOUT_S), asyncio.TaskGroup() as group:
            for each in custom:
                group.create_task(one(each))
    except* _Blocks:
        pass  # the answer is in the list; the other rules are not needed
    except* TimeoutError:
        late = [each for each in custom if all(each is not done for done, _ in answers)]
        answers.extend((each, [_unanswered(f"all rules have {ALL_TIMEOUT_S:g} s")]) for each in late)
    return answers


class _Blocks(Exception):  # not an error: ends the group early
    """A custom rule has blocked."""


async def _ask(each: Compiled, subject: Subject) -> list[Hit]:
    """One custom rule; what it does not answer in time or raises is a hit."""
    import asyncio
    from inspect import isawaitable, iscoroutinefunction

    try:
        async with asyncio.timeout(each.rule.timeout_s):
            check: Any = each.custom
            answer = check(subject) if iscoroutinefunction(check) else await asyncio.to_thread(check, subject)
            hits = list(await answer if isawaitable(answer) else answer)
    except TimeoutError:
        return [_unanswered(f"it has {each.rule.timeout_s:g} s")]
    except Exception as e:  # somebody else's rule may raise anything; it then counts as a hit
        return [_unanswered(type(e).__name__)]
    return hits if all(isinstance(h, Hit) for h in hits) else [_unanswered("it gave no hits")]


def _unanswered(why: str) -> Hit:
    return Hit(f"the rule did not answer: {why}")
