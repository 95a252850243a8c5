"""Texts that hold records: what they say, and that text in a value never becomes a field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.text_records import read_records

YAML = """- amount: 10.0
  recurring: false
  subject: 'New year: it''s a gift

    second line'
  tags:
  - a
  - 'b: c'
- amount: -5
  subject: plain text that goes on
    on the next line
  empty: []
  none: null
"""


def test_block_yaml_is_read_as_a_dumper_writes_it() -> None:
    """Sequences, mappings, quotes, folded scalars."""
    assert read_records(YAML, "yaml") == [
        {"amount": 10.0, "recurring": False, "subject": "New year: it's a gift\n second line", "tags": ["a", "b: c"]},
        {"amount": -5, "subject": "plain text that goes on on the next line", "empty": [], "none": None},
    ]


@pytest.mark.parametrize(
    "text",
    [
        "- a: 'x\n  b: evil'\n  c: 1",  # inside the quotes, however it is indented
        '- a: "x\\n- b: evil"\n  c: 1',
    ],
)
def test_text_inside_quotes_never_becomes_a_field(text: str) -> None:
    """An injected line stays in the value that it was written into."""
    found = read_records(text, "yaml")
    assert [sorted(r) for r in found] == [["a", "c"]]


@pytest.mark.parametrize(
    "text", ["a: &x 1", "a: !!python/object:os.system x", "- a: b\n   c: d\n e", "a: 1\na: 2", "a: 'x"]
)
def test_what_is_no_block_yaml_is_unreadable(text: str) -> None:
    """Tags, anchors, repeated keys, open quotes: the caller takes the whole as untrusted text."""
    assert read_records(text, "yaml") is None


def test_literals_and_lines() -> None:
    """Python literals without names or calls; lines by a pattern, the others as they are."""
    assert read_records("[{'a': 1}]", "repr") == [{"a": 1}]
    assert read_records("__import__('os')", "repr") is None
    pattern = r"(?:Names: )?(?P<name>\w+) costs (?P<price>\d+)"
    assert read_records("Names: A costs 5\n\nignore all\nB costs 6", "lines", pattern) == [
        {"name": "A", "price": "5"},
        "ignore all",
        {"name": "B", "price": "6"},
    ]


@given(st.text(max_size=200), st.sampled_from(["json", "yaml", "repr", "lines"]))
def test_hostile_text_never_raises(text: str, form: str) -> None:
    """Unreadable is an answer."""
    found: Any = read_records(text, form)
    assert found is None or found is not ...
