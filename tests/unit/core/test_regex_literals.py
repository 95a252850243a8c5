"""The texts that a pattern requires: never a match without one of them."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.linear_regex import compile_bounded
from remit.core.regex_literals import required

parser: Any = import_module("re._parser")


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        (r"\b(TODO|FIXME|XXX)\b", ("TODO", "FIXME", "XXX")),
        (r"^\s*(async )?def test_", ("def test_",)),
        (r"a(bc)+d?", ("bc",)),
        (r"(?:from|x*)y", ("y",)),
        (r"(abc|d?)", ()),
        (r"(abc)*", ()),
        (r"(?i)abc", ()),
        (r"(?i:abc)z", ("z",)),
        (r"[ab]cd|\d+", ()),
        (r"(?!abc)z(?<=z)", ("z",)),
        ("|".join(f"{c}{c}" for c in "abcdefghijklmnopq"), ()),
    ],
)
def test_texts_that_a_pattern_requires(pattern: str, texts: tuple[str, ...]) -> None:
    """Alternatives, groups and repeats that must occur; nothing where a match can do without."""
    assert required(parser.parse(pattern), re.compile(pattern).flags) == texts


PIECES = st.recursive(
    st.sampled_from(["a", "b", "ab", "[ab]", r"\w", ".", "^", "$", r"\b", "(?=a)", "(?!b)", "(?i:a)"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "?", "+", "{2}", "{0,1}", "+?"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=6,
)


@given(PIECES, st.text("aAbBc ", max_size=8), st.sampled_from([0, re.IGNORECASE]))
def test_nothing_that_lacks_them_matches(pattern: str, text: str, flags: int) -> None:
    """Whatever the pattern, the text and the flags."""
    if compile_bounded(pattern, flags).lacks(text):
        assert re.search(pattern, text, flags) is None
