"""text_transform: every operation once, and its bounds."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from remit.adapters.tools.text_transform import Operation, text_transform
from remit.errors import Invalid

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "upper": ({"text": "a\u00df"}, "ASS"),
    "lower": ({"text": "AB"}, "ab"),
    "title": ({"text": "the king's son"}, "The King's Son"),
    "capitalize": ({"text": "aB"}, "Ab"),
    "swapcase": ({"text": "aB"}, "Ab"),
    "snake_case": ({"text": "HTTPServer nameOf-it"}, "http_server_name_of_it"),
    "kebab_case": ({"text": "myName is"}, "my-name-is"),
    "camel_case": ({"text": "my name-is"}, "myNameIs"),
    "pascal_case": ({"text": "my name"}, "MyName"),
    "slug": ({"text": " \u00dcber Caf\u00e9, 2! "}, "uber-cafe-2"),
    "trim": ({"text": " a "}, "a"),
    "trim_lines": ({"text": " a \n b\n"}, "a\nb\n"),
    "collapse_spaces": ({"text": " a \n\t b "}, "a b"),
    "remove_blank_lines": ({"text": "a\n\n \nb"}, "a\nb"),
    "sort_lines": ({"text": "b\na\nc\n", "descending": True}, "c\nb\na\n"),
    "sort_lines_numeric": ({"text": "x 10\nx 9\nnone\nx -1.5"}, "x -1.5\nx 9\nx 10\nnone"),
    "reverse_lines": ({"text": "a\nb\n"}, "b\na\n"),
    "unique_lines": ({"text": "b\na\nb"}, "b\na"),
    "number_lines": ({"text": "x\ny"}, "1: x\n2: y"),
    "join_lines": ({"text": "a\n\n b\n", "separator": ", "}, "a, b"),
    "split_lines": ({"text": "a, b,c"}, "a\nb\nc"),
    "indent": ({"text": "a\nb", "width": 2}, "  a\n  b"),
    "dedent": ({"text": "  a\n   b"}, "a\n b"),
    "wrap": ({"text": "aa bb cc\n\ndd", "width": 5}, "aa bb\ncc\n\ndd"),
    "reverse": ({"text": "abc"}, "cba"),
    "remove_accents": ({"text": "\u00e9\u00fc"}, "eu"),
    "normalize": ({"text": "e\u0301"}, "\u00e9"),
    "head": ({"text": "1\n2\n3\n", "width": 2}, "1\n2\n"),
    "tail": ({"text": "1\n2\n3\n", "width": 2}, "2\n3\n"),
    "count": ({"text": "a \u00e9\nb\n"}, "characters: 6\nwords: 3\nlines: 2\nbytes: 7"),
}


@pytest.mark.parametrize("operation", get_args(Operation))
def test_operation(operation: Any) -> None:
    """What the name says."""
    arguments, answer = CASES[operation]
    assert text_transform(None, operation, **arguments) == answer


def test_bounds() -> None:
    """Input and output are bounded; the cut is said."""
    with pytest.raises(Invalid):
        text_transform(None, "upper", "x" * 500_001)
    with pytest.raises(Invalid):
        text_transform(None, "wrap", "x", width=1001)
    assert text_transform(None, "upper", "x" * 60_001).endswith("[cut: 60000 of 60001 characters shown]")


@pytest.mark.parametrize(
    "text", ["-" * 100_000, " " * 200_000 + "x", "\n \n " * 50_000, "a-" * 50_000, "A" * 100_000 + "a"]
)
def test_hostile_texts_end(text: str) -> None:
    """No operation is quadratic on texts made for it."""
    for operation in get_args(Operation):
        assert isinstance(text_transform(None, operation, text), str)
