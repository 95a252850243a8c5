"""regex: Python's answers, with a bound on the work."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.adapters.tools.regex import regex
from remit.core import linear_regex as engine
from remit.core.linear_regex import Bounded
from remit.core.regex_machine import Machine, Steps
from remit.errors import Exhausted, Invalid, RemitError


def test_operations() -> None:
    """match is of the whole text; find_all gives places and groups; replace knows groups; split splits."""
    assert regex(None, "match", r"(\d+)-(?P<b>\w+)", "12-ab") == (
        'match\n{"text":"12-ab","start":0,"end":5,"groups":{"1":"12","b":"ab"}}'
    )
    assert regex(None, "match", "a|ab", "abc") == "no match"
    assert regex(None, "match", "a|ab", "ab").startswith("match")
    assert regex(None, "match", "a # c", "a", flags="x").startswith("match")
    assert json.loads(regex(None, "find_all", "b(c)?", "abcb")) == [
        {"text": "bc", "start": 1, "end": 3, "groups": {"1": "c"}},
        {"text": "b", "start": 3, "end": 4, "groups": {"1": None}},
    ]
    assert regex(None, "replace", r"(\w)(?P<n>\d)", "a1 b2", r"\g<n>\1\\\n") == "1a\\\n 2b\\\n"
    assert json.loads(regex(None, "split", r"[,;]\s*", "a, b;c")) == ["a", "b", "c"]
    assert json.loads(regex(None, "find_all", "^A", "a\na", flags="im")) == [
        {"text": "a", "start": 0, "end": 1},
        {"text": "a", "start": 2, "end": 3},
    ]


ATTACKS = [
    ("(a+)+$", "a" * 5000 + "!"),
    ("(a|a)*$", "a" * 5000 + "!"),
    ("(a|aa)+$", "a" * 5000 + "!"),
    ("(a*)*b", "a" * 5000),
    ("(.*)*x", "a" * 5000),
    (r"^(\w+\s?)*$", "a " * 2500 + "!"),
    (r"([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+", "a" * 5000),
    ("a?" * 30 + "a" * 30, "a" * 29),
    ("(a|a)" * 60 + "b", "a" * 61),
    (".*.*.*.*.*x", "a" * 3000),
    ("(?:a{1,50}){1,50}$", "a" * 2000 + "!"),
    ("(x+x+)+y", "x" * 5000),
]


@pytest.mark.parametrize(("pattern", "text"), ATTACKS, ids=range(len(ATTACKS)))
@pytest.mark.parametrize("operation", ["match", "find_all", "replace"])
def test_no_pattern_hangs(operation: Any, pattern: str, text: str) -> None:
    """Exponential and polynomial attacks answer, or are refused; each of them would take `re` for ever."""
    try:
        assert isinstance(regex(None, operation, pattern, text), str)
    except RemitError as e:
        assert e.code in ("value_invalid", "output_too_large")


@pytest.mark.parametrize("pattern", [r"(a+)+\1$", "(a+)+(?=b)$", "(?>a+)+(a+)+$", "(?!x)(a+)+$"])
def test_what_only_backtracking_can_do_is_refused_when_it_is_dear(pattern: str) -> None:
    """Look-around and back-references work on small texts, and are refused where they could explode."""
    with pytest.raises(Invalid, match="exponential"):
        regex(None, "find_all", pattern, "a" * 200)
    assert regex(None, "find_all", r"(a)\1", "aa") == '[{"text":"aa","start":0,"end":2,"groups":{"1":"a"}}]'


def test_unplugged_bound_hands_the_attack_to_re(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bound in place the simulation is asked; without it `re` itself would be."""
    assert Bounded("(a+)+$", 0)._cheap(24) is False
    asked: list[int] = []
    monkeypatch.setattr(Bounded, "_simulate", lambda self, text, start, steps, barred=-1: asked.append(len(text)))
    Bounded("(a+)+$", 0).search("a" * 24 + "!")
    assert asked == [25]
    monkeypatch.setattr(engine, "_paths", lambda tree, length: 0)
    Bounded("(a+)+$", 0).search("a" * 12 + "!")  # short, because now it backtracks
    assert asked == [25]


def test_a_pass_over_the_whole_text_never_hides_a_line() -> None:
    """absent_from sees line ends as a line does; where it cannot (look-around, ends of a text, CR) it is never sure."""
    assert Bounded("ab", 0).absent_from("x\nb\na\n") is True
    assert Bounded("ab", 0).absent_from("x\nab") is False
    for pattern in ("^ab", "ab$", r"\bab"):
        assert Bounded(pattern, 0).absent_from("x\nzab z\n") is True
    for pattern, text in (("^ab", "x\nab z"), ("ab$", "x\nz ab\ny"), (r"\bab", "x\nab z"), ("ab$", "zab\r\nx")):
        assert Bounded(pattern, 0).absent_from(text) is False
    for pattern in ("(?<!x\n)ab", "(?=a)ab$", r"\Aab", r"ab\Z"):
        assert Bounded(pattern, 0).absent_from("x\nzab z\n") is False


@given(
    st.sampled_from(
        ["^a", "b$", "^a.*b$", r"\ba", r"a\B", "^$", "a|^b", "[^a]$", r"\s+$", r"\Aa", r"b\Z", r"^\s*\n*c"]
    ),
    st.text("ab c\n\r", max_size=30),
)
def test_what_is_called_absent_matches_no_line(pattern: str, text: str) -> None:
    """Whatever the text: no line of it matches a pattern that the pass over the whole text calls absent."""
    found = Bounded(pattern, 0)
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    assert not (found.absent_from(text) and any(found.search(line) for line in lines))


def test_the_step_budget_ends_the_simulation() -> None:
    """Steps are counted across all matches of a call."""
    tree = engine._parser.parse("(?:a|b)+c", 0)
    with pytest.raises(Exhausted):
        Machine(tree, 0).search("ab" * 1000, 0, Steps(500))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": "a" * 1001}, "longer than 1000"),
        ({"pattern": "(" * 400 + ")" * 400}, "."),
        ({"pattern": "a{99999999999}"}, "."),
        ({"pattern": "((a{1,200}){1,200}){1,200}$", "text": "a" * 500}, "too large"),
        ({"pattern": "a", "flags": "z"}, "flags"),
        ({"pattern": "a", "text": "x" * 200_001}, "longer than 200000"),
        ({"pattern": "a", "text": "a", "operation": "replace", "replacement": r"\2"}, "names group"),
        ({"pattern": "a", "text": "a", "operation": "replace", "replacement": r"\g<x>"}, "names group"),
    ],
)
def test_refusals(arguments: dict[str, Any], why: str) -> None:
    """A clear reason; never an exception of `re`."""
    try:
        regex(None, **{"operation": "find_all", "text": "a", **arguments})
    except RemitError as e:
        assert re.search(why, str(e))
    else:
        assert why == "."


def test_replacement_is_bounded() -> None:
    """A text cannot be blown up without end."""
    with pytest.raises(Exhausted):
        regex(None, "replace", "a", "a" * 10_000, "b" * 1000)


PIECES = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^b]", r"\b", "^", "$", r"\w", r"\s", "(?i:A)"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        inner.map(lambda one: f"({one})"),
    ),
    max_leaves=6,
)
REPEATED = st.tuples(
    st.sampled_from(["a", "b", ".", "[ab]", r"\w", "(ab)", "(?:a|b)"]),
    st.sampled_from(["*", "+", "?", "*?", "+?", "{1,2}"]),
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(PIECES, REPEATED), min_size=1, max_size=4).map("".join), st.text("abc \nA1", max_size=12))
def test_the_simulation_agrees_with_re(pattern: str, text: str) -> None:
    """Same matches, same places, for patterns whose repeats cannot repeat nothing."""
    wanted = [found.span() for found in re.finditer(pattern, text)]
    bounded = Bounded(pattern, 0)
    bounded._cheap_chars = 0  # only the empty text is left to re
    assert [spans[0] for spans in bounded.matches(text)] == wanted
