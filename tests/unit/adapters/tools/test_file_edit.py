"""file_edit: exact, unique, and honest about what it did."""

from __future__ import annotations

from typing import Any

import pytest

from remit.adapters.tools.file_edit import file_edit
from remit.errors import Invalid


def test_one_place_is_replaced(bench: Any) -> None:
    """The text changes there and nowhere else; the answer names the line."""
    bench.put("a.py", "x = 1\ny = 2\n")
    assert file_edit(bench.ctx(), "a.py", "y = 2", "y = 3") == "edited a.py: 1 place replaced (line 2)"
    assert bench.get("a.py") == "x = 1\ny = 3\n"


def test_several_places_need_replace_all(bench: Any) -> None:
    """Ambiguity is refused with the lines; replace_all takes them all."""
    bench.put("a", "v\nw\nv\n")
    with pytest.raises(Invalid, match=r"2 times in a \(lines 1, 3\)"):
        file_edit(bench.ctx(), "a", "v", "z")
    assert bench.get("a") == "v\nw\nv\n"
    assert file_edit(bench.ctx(), "a", "v", "z", replace_all=True) == "edited a: 2 places replaced (line 1, 3)"
    assert bench.get("a") == "z\nw\nz\n"


def test_what_is_not_there_is_refused_with_the_nearest_line(bench: Any) -> None:
    """A difference in whitespace is pointed out."""
    bench.put("a", "def f():\n\treturn 1\n")
    with pytest.raises(Invalid, match=r"old is not in a; line 2 differs"):
        file_edit(bench.ctx(), "a", "    return 1", "    return 2")
    with pytest.raises(Invalid, match=r"old is not in a$"):
        file_edit(bench.ctx(), "a", "absent", "x")


def test_crlf_files_keep_their_line_ends(bench: Any) -> None:
    """old and new with plain line feeds fit a CRLF file and do not mix its ends."""
    bench.put("a", "one\r\ntwo\r\nthree\r\n")
    file_edit(bench.ctx(), "a", "one\ntwo", "1\n2\n2b")
    assert bench.get("a") == "1\r\n2\r\n2b\r\nthree\r\n"


def test_bad_input(bench: Any) -> None:
    """Empty old, equal texts, and files that are no UTF-8 are refused."""
    bench.put("a", "x")
    bench.put("bin", b"\xff\xfe")
    for old, new, path in (("", "y", "a"), ("x", "x", "a"), ("x", "y", "bin")):
        with pytest.raises(Invalid):
            file_edit(bench.ctx(), path, old, new)


@pytest.mark.parametrize(
    ("text", "old", "new", "answer"),
    [
        ("b", "a", "b", "done"),
        ("a", "a", "b", "not-done"),
        ("a", "a", "ab", "not-done"),
        ("ab", "a", "ab", "unknown"),
        ("a b", "a", "b", "unknown"),
        ("c", "a", "b", "unknown"),
    ],
)
def test_reconcile(bench: Any, text: str, old: str, new: str, answer: str) -> None:
    """Only what the file proves is claimed."""
    bench.put("f", text)
    assert file_edit.reconcile is not None
    assert file_edit.reconcile(bench.ctx(), path="f", old=old, new=new) == answer
