"""Checked reading of JSON from outside."""

from __future__ import annotations

import pytest

from remit.errors import ModelError
from remit.wire import reading


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nope",
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":"\xff"}',
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_is_a_bad_reply(data: bytes) -> None:
    """Cut, NaN, out of range, not UTF-8, too deep: one error, never another exception."""
    with pytest.raises(ModelError) as caught:
        reading.read_json(data)
    assert caught.value.code == "model_bad_reply"


def test_depth_is_bounded() -> None:
    """100 levels pass, 101 do not; wide values and brackets in a text pass."""
    assert reading.read_json(b"[" * 100 + b"]" * 100)
    with pytest.raises(ModelError):
        reading.read_json(b"[" * 101 + b"]" * 101)
    assert reading.read_json(b"[" + b",".join([b"[]"] * 500) + b"]")
    assert reading.read_json(b'"' + b"[" * 500 + b'"') == "[" * 500


def test_a_byte_order_mark_is_ignored() -> None:
    """UTF-8 with BOM is JSON all the same."""
    assert reading.read_json(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (rb"\ud800", "�"),
        (rb"a\udc00b", "a�b"),
        (rb"\ud83d\ude00\ud83d", "😀�"),
        (rb"\udc00\udc00", "��"),
        (rb"\u0041\udc00", "A�"),
        (rb"\\ud800\ud800", "\\ud800�"),
    ],
)
def test_lone_surrogates_become_replacement_characters(escaped: bytes, text: str) -> None:
    """Halves of pairs do not fail the reply and cannot reach an encoder later."""
    value = reading.read_json(b'{"a":"' + escaped + b'"}')
    assert value == {"a": text}
    value["a"].encode()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, ({}, "")),
        ("", ({}, "")),
        ("  ", ({}, "")),
        ("{}", ({}, "")),
        ('{"a":1,"a":2}', ({"a": 2}, "")),
        ({"a": 1}, ({"a": 1}, "")),
        ('{"a":', ({}, '{"a":')),
        ("[1]", ({}, "[1]")),
        ("null", ({}, "")),
        ('{"a":NaN}', ({}, '{"a":NaN}')),
        ("[" * 3000, ({}, "[" * 3000)),
        ([1], ({}, "[1]")),
        (7, ({}, "7")),
    ],
)
def test_arguments_are_an_object_or_the_raw_text(raw: object, expected: object) -> None:
    """Whatever a model writes as arguments, there is no exception."""
    assert reading.arguments(raw) == expected


@pytest.mark.parametrize(("value", "expected"), [(None, 0), (7, 7), (7.0, 7), (-1, 0)])
def test_counts(value: object, expected: int) -> None:
    """Missing and unknown counts are 0."""
    assert reading.count({"n": value}, "n") == expected


@pytest.mark.parametrize("value", ["7", True, 10**16, [], 1.5])
def test_what_is_no_count_is_refused(value: object) -> None:
    """A count of another type or size is a bad reply, never a cost."""
    with pytest.raises(ModelError):
        reading.count({"n": value}, "n")
