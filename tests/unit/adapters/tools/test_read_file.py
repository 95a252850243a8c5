"""read_file: pages, cuts, encodings, binary files."""

from __future__ import annotations

from typing import Any

import pytest

from remit.adapters.tools._text import PAGE_BYTES
from remit.adapters.tools.read_file import read_file
from remit.core.effects import Need
from remit.errors import Denied, Invalid


def test_a_small_file_is_returned_as_it_is(bench: Any) -> None:
    """No header, no note: exactly the text; the byte order mark is dropped."""
    bench.put("a.txt", "one\r\ntwo\n")
    bench.put("bom.txt", b"\xef\xbb\xbfx")
    bench.put("empty", "")
    assert read_file(bench.ctx(), "a.txt") == "one\r\ntwo\n"
    assert read_file(bench.ctx(), "bom.txt") == "x"
    assert read_file(bench.ctx(), "empty") == "[empty]"


def test_lines_are_paged_and_the_cut_is_said(bench: Any) -> None:
    """offset skips lines, limit bounds them, the note says how to go on."""
    bench.put("n.txt", "".join(f"{n}\n" for n in range(1, 6)))
    assert read_file(bench.ctx(), "n.txt", limit=2) == "1\n2\n[cut: lines 1-2 shown; go on with offset=2]"
    assert read_file(bench.ctx(), "n.txt", offset=2, limit=2) == "3\n4\n[cut: lines 3-4 shown; go on with offset=4]"
    assert read_file(bench.ctx(), "n.txt", offset=4) == "5\n"
    assert read_file(bench.ctx(), "n.txt", offset=9) == "[no lines here: the file ends before]"


def test_paging_a_large_file_loses_nothing(bench: Any) -> None:
    """Following the notes gives every line once, at most 64 KiB a page."""
    text = "".join(f"line {n} \u00e9\u4e2d\U0001f600 {'x' * (n % 300)}\n" for n in range(3000))
    bench.put("big.txt", text)
    got, offset = "", 0
    while True:
        page = read_file(bench.ctx(), "big.txt", offset=offset)
        assert len(page.encode()) <= PAGE_BYTES + 100
        body, cut, note = page.rpartition("[cut: ")
        if not cut:
            got += page
            break
        got += body
        offset = int(note.rpartition("offset=")[2].rstrip("]"))
    assert got == text


def test_a_very_long_line_is_reached_by_bytes(bench: Any) -> None:
    """One line of 150 KB comes in pieces that meet at character boundaries."""
    text = "\u4e2d" * 50_000
    bench.put("min.js", text)
    got, at = "", 0
    while True:
        page = read_file(bench.ctx(), "min.js", byte_offset=at)
        body, cut, note = page.partition("\n[cut: ")
        got += body
        if not cut:
            break
        at = int(note.rpartition("byte_offset=")[2].rstrip("]"))
    assert got == text


def test_bytes_that_are_no_utf8_are_noted(bench: Any) -> None:
    """They are replaced, and the result says so."""
    bench.put("latin", b"caf\xe9\n")
    assert (
        read_file(bench.ctx(), "latin") == "caf\ufffd\n[not all of it is UTF-8: bytes that are not are shown as \ufffd]"
    )


def test_binary_is_refused_unless_asked_for(bench: Any) -> None:
    """A null byte makes a file binary; binary=true gives a hex dump."""
    bench.put("b", b"MZ\0\x01")
    bench.put("u16", "hi".encode("utf-16"))
    with pytest.raises(Invalid) as caught:
        read_file(bench.ctx(), "b")
    assert caught.value.code == "value_invalid"
    with pytest.raises(Invalid, match="UTF-16"):
        read_file(bench.ctx(), "u16")
    assert read_file(bench.ctx(), "b", binary=True) == f"00000000  {'4d 5a 00 01':<47}  MZ.."
    bench.put("long", bytes(9000))
    assert read_file(bench.ctx(), "long", binary=True).endswith("[cut: 8192 bytes shown; go on with byte_offset=8192]")


def test_numbers_are_checked_and_grants_hold(bench: Any) -> None:
    """Negative numbers are refused; without a grant nothing is read."""
    bench.put("a", "x")
    for bad in ({"offset": -1}, {"limit": 0}, {"byte_offset": -1}):
        with pytest.raises(Invalid):
            read_file(bench.ctx(), "a", **bad)
    with pytest.raises(Denied):
        read_file(bench.ctx(lambda verb, path: False), "a")


def test_needs_name_the_path_as_it_will_be_opened() -> None:
    """`./a//b` needs fs.read:a/b; a parent stays visible for the refusal."""
    assert read_file.needs is not None
    assert read_file.needs(path="./a//b", offset=3) == (Need("fs.read", "a/b"),)
    assert read_file.needs(path="a/../b") == (Need("fs.read", "a/../b"),)
