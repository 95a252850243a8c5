"""Calls of small models: what is mended, what is refused, and that every mended call says so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.messages import Text, ToolCall
from remit.core.model import ModelRequest, Reply, ToolSpec
from remit.wire.reading import as_json
from remit.wire.repair import mend, repaired

ASK = ModelRequest((), tools=(ToolSpec("f"), ToolSpec("g")))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"a": 1', {"a": 1}),
        ('{"a": [1, 2', {"a": [1, 2]}),
        ('{"a": {"b": 1}', {"a": {"b": 1}}),
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ("{'a': 'it\\'s'}", {"a": "it's"}),
        ("{'a': \"x\", 'b': True, 'c': None, 'd': False}", {"a": "x", "b": True, "c": None, "d": False}),
        ('Sure! {"a": 1} Done.', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('{"a": "line\nbreak"}', {"a": "line\nbreak"}),
        ('{"a": "open}', {"a": "open"}),
        ('{"a": 1}}', {"a": 1}),
        ('{"a": [1}', {"a": [1]}),
        ("{'say': 'the \"word\"'}", {"say": 'the "word"'}),
        ("{}", {}),
        ("[1]", None),
        ("no object", None),
        ('{"a" 1}', None),
        ("{a: 1}", None),
        ("", None),
    ],
)
def test_mend(text: str, meant: dict[str, Any] | None) -> None:
    """Each documented slip, and what cannot be told."""
    assert mend(text) == meant


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=8)


@given(st.dictionaries(st.text(max_size=5), PLAIN | st.lists(PLAIN, max_size=3)))
def test_what_is_right_is_left_as_it_is(value: dict[str, Any]) -> None:
    """Good JSON is what it says, also with a bracket missing at its end."""
    text = as_json(value)
    if "'" not in text and "{" not in text[1:] and "}" not in text[:-1] and "]" not in text:
        assert mend(text) == value
    assert mend(as_json({"k": 1})[:-1]) == {"k": 1}


@given(st.text(max_size=80))
def test_any_text_gives_an_object_or_none(text: str) -> None:
    """Never another exception."""
    assert mend(text) is None or type(mend(text)) is dict


def test_a_broken_call_is_mended_and_says_so() -> None:
    """The call keeps id and name; what the model wrote is kept."""
    reply = repaired(Reply((ToolCall("1", "f", {}, '{"a": 1,}'),)), ASK)
    assert reply.tool_calls == (ToolCall("1", "f", {"a": 1}, repaired='{"a": 1,}'),)
    assert reply.stop_reason == "tool_use"


@pytest.mark.parametrize(
    ("text", "calls", "before"),
    [
        ('<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>', [("f", {"a": 1})], ""),
        ('I will. <tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call><tool_call>{"name":"g"}</tool_call>',
         [("f", {"a": 1}), ("g", {})], "I will."),
        ('<tool_call>{"name": "f", "arguments": {"a": 1}', [("f", {"a": 1})], ""),
        ('[TOOL_CALLS] [{"name": "f", "arguments": {"a": 1}}]', [("f", {"a": 1})], ""),
        ('{"name": "f", "parameters": {"a": 1}}', [("f", {"a": 1})], ""),
        ('```json\n{"function": {"name": "f", "arguments": "{\\"a\\": 1}"}}\n```', [("f", {"a": 1})], ""),
        ('{"name": "unknown", "arguments": {}}', [], None),
        ('The answer is {"name": "f"} and more words', [], None),
        ("plain words", [], None),
    ],
)  # fmt: skip
def test_calls_that_are_written_as_text(text: str, calls: list[Any], before: str | None) -> None:
    """Tags, a list, a bare object, a fence; a text that only speaks of a call stays a text."""
    reply = repaired(Reply((Text(text),)), ASK)
    assert [(c.name, c.arguments) for c in reply.tool_calls] == calls
    assert all(c.repaired for c in reply.tool_calls)
    assert reply.text == (text if before is None else before)
    assert reply.stop_reason == ("tool_use" if calls else "end")


def test_what_must_not_be_mended() -> None:
    """A cut answer, a call where no tool is offered, and a reply with good calls are left alone."""
    cut = Reply((ToolCall("1", "f", {}, '{"path": "/ho'),), "max_tokens")
    assert repaired(cut, ASK) is cut
    written = Reply((Text('{"name": "f", "arguments": {}}'),))
    assert repaired(written, ModelRequest(())) is written
    both = Reply((Text('{"name": "f", "arguments": {}}'), ToolCall("1", "g")))
    assert repaired(both, ASK) is both
