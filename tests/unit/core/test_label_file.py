"""The label file: strict, bounded, and worst where it says nothing."""

from __future__ import annotations

import pytest

from remit.core.label_file import MAX_FILE_BYTES, UNLISTED, Field, decode_labels, find, parse_path, tool_labels
from remit.errors import Invalid


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tools = 1", "Expected `object`"),
        ("[tools.x]\ntrust = 'tool'", "unknown field"),
        ("[tools.x.returns]\n'$' = { trust = 'high' }", "Invalid enum value"),
        ("[tools.x.returns]\n'$' = { kind = 'iben' }", "unknown kind 'iben'"),
        ("[tools.x.returns]\n'a[b' = {}", "is not a path"),
        ("[tools.x.arguments]\na = { role = 'detail' }", "role detail needs a kind"),
        ("[tools.x]\npattern = '('", "pattern"),
        ("version = 2\n[tools]", "version"),
        ("{", "the label file"),
        ("x" * (MAX_FILE_BYTES + 1), "at most"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(text: str, says: str) -> None:
    """labels_invalid names the path or the value; nothing is skipped."""
    with pytest.raises(Invalid) as caught:
        decode_labels(text)
    assert caught.value.code == "labels_invalid"
    assert says in caught.value.message


def test_toml_and_json_are_the_same_file() -> None:
    """One format in two spellings."""
    toml = '[tools.t]\neffect = "read"\nreturns = { "[].a" = { trust = "tool", kind = "id" } }\n'
    json = '{"tools": {"t": {"effect": "read", "returns": {"[].a": {"trust": "tool", "kind": "id"}}}}}'
    assert decode_labels(toml) == decode_labels(json.encode())


def test_what_is_not_listed_is_at_its_worst() -> None:
    """An unlisted tool writes, an undeclared field is untrusted text."""
    assert (UNLISTED.effect, UNLISTED.returns, Field().trust, Field().kind) == ("write", {}, "untrusted", "text")


def test_a_path_takes_the_nearest_entry() -> None:
    """Exact first, then `*`, then the part above."""
    table = {parse_path(p): p for p in ("$", "[].a", "[].*", "[].*.x", "d.@key")}
    assert [find(table, p) for p in (("[]", "a"), ("[]", "b"), ("[]", "b", "x"), ("d", "@key"), ("q",))] == [
        "[].a",
        "[].*",
        "[].*.x",
        "d.@key",
        "$",
    ]


def test_labels_of_one_tool_are_checked_the_same_way() -> None:
    """`@tool(labels=...)` takes plain data, strictly."""
    with pytest.raises(Invalid, match="labels of tool t"):
        tool_labels("t", {"effects": "read"})
