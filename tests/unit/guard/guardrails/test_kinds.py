# ruff: noqa: E501, RUF001  # look-alikes are what these tests are about
"""The kinds of guardrails, one by one; their measured bars are in tests/security/test_guardrails.py."""

from __future__ import annotations

from pathlib import Path

import pytest

import remit.guard.guardrails as folder
from remit.core.screening import Rule
from remit.guard.guardrails import Subject, kinds, module_of
from remit.guard.guardrails.language import detect
from remit.guard.guardrails.prompt_injection import COUNT


def hits(rule: Rule, text: str, *sources: str) -> list[tuple[str, int, int]]:
    """Reason and place of each hit that counts."""
    found = module_of(rule).make(rule)(Subject(text, "output", sources=sources))
    return [(h.why, h.start, h.end) for h in found if h.confidence >= rule.min_confidence]


def test_the_folder_is_the_registry() -> None:
    """Every file is a kind with stages and a maker; the eleven kinds of the specification are there."""
    named = {"pii", "toxicity", "topic_blocklist", "max_length", "regex", "prompt_injection", "content_policy", "language",
             "hallucination_check", "shell_injection", "custom"}  # fmt: skip
    assert named <= set(kinds())
    assert set(kinds()) == {p.stem for p in Path(folder.__file__).parent.glob("*.py")} - {"__init__"}
    assert all(module_of(Rule(kind)).ON and callable(module_of(Rule(kind)).make) for kind in kinds())


def test_there_are_enough_injection_patterns() -> None:
    """At least 26."""
    assert COUNT >= 26


def test_max_length() -> None:
    """The rest beyond the limit is the hit."""
    assert hits(Rule("max_length", limit=3), "abcd") == [("has 4 characters; at most 3", 3, 4)]
    assert hits(Rule("max_length", limit=4), "abcd") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [("we discuss Weapons here", True), ("weaponsmith", False), ("the n.u.c.l.e.a.r. plan", True), ("nucleares", True),
     ("ｗｅａｐｏｎｓ", True), ("w\u200beapons", True), ("关于 武器 的讨论", True), ("rocket   science", True), ("rockets", False)],
)  # fmt: skip
def test_topic_blocklist(text: str, found: bool) -> None:
    """Whole words in any disguise; `*` at the end takes any ending; scripts without spaces match anywhere."""
    rule = Rule("topic_blocklist", values=("weapons", "nuclear*", "武器", "rocket science"))
    assert bool(hits(rule, text)) is found


def test_a_catastrophic_pattern_does_not_hang() -> None:
    """`(a+)+$` is answered or given up in bounded steps; giving up is a hit."""
    assert hits(Rule("regex", values=("(a+)+$",)), "a" * 5000 + "!") in (
        [],
        [("a pattern could not be checked", 0, 5001)],
    )
    assert hits(Rule("regex", values=(r"(\w+\s?)*!",)), "word " * 2000 + "?") is not None
    assert hits(Rule("regex", values=(r"(?<=x)(a|aa)+$",)), "x" + "a" * 200 + "!")[0][0].startswith(
        "a pattern could not"
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [("This is a sentence in English.", "en"), ("Das ist ein Satz, der nicht englisch ist.", "de"),
     ("Это предложение на русском языке.", "ru"), ("Це речення українською мовою, і воно її.", "uk"),
     ("これは日本語の文です。", "ja"), ("这是一个中文句子。", "zh"), ("이것은 한국어 문장입니다.", "ko"), ("ok", ""), ("x = 1; y = 2", "")],
)  # fmt: skip
def test_language(text: str, code: str) -> None:
    """Script first, then the commonest words; too little is not judged."""
    assert detect(text)[0] == code


def test_content_policy_accepts_a_disclaimer() -> None:
    """Definite advice is a hit, the same with a disclaimer is none."""
    advice = "You should take 800 mg of ibuprofen every four hours."
    assert hits(Rule("content_policy", values=("medical",)), advice)
    assert hits(Rule("content_policy"), advice + " But ask your doctor first.") == []
    assert hits(Rule("content_policy", values=("legal",)), advice) == []


def test_hallucination_check_needs_sources() -> None:
    """Without anything to compare with there is no hit."""
    assert hits(Rule("hallucination_check"), "It was 4,711 euros.") == []
    assert hits(Rule("hallucination_check"), "It was 4,711 euros.", "cost: 4711") == []
    assert hits(Rule("hallucination_check"), "It was 4,711 euros.", "cost: 4712")


def test_unicode_marks_every_hidden_character() -> None:
    """Each one is a place that sanitizing removes."""
    assert hits(Rule("unicode"), "a\u202eb\u200b") == [
        ("holds invisible characters", 1, 2),
        ("holds invisible characters", 3, 4),
    ]
