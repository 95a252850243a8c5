"""Hostile trees: nothing crashes, and what is not read is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.hostile import binary, deep, lines, links, manifests, many

from remit.code.graph.index import index_folder


def test_deep_nesting_is_said(tmp_path: Path) -> None:
    """Brackets and chains thousands deep are analysed or reported, in every language."""
    deep(tmp_path, 0)
    graph = index_folder(str(tmp_path))
    # The grammar of Go takes calls at the top of a file, where they belong to no function.
    files = {path.name for path in tmp_path.iterdir()} - {"calls.go"}
    assert {one.file for one in graph.unread} | {s.file for s in graph.symbols} == files


@pytest.mark.parametrize("make", [lines, binary])
def test_no_text_is_read_of_what_is_none(tmp_path: Path, make: object) -> None:
    """Very long lines and binary files are reported, every one."""
    assert callable(make)
    make(tmp_path, 1_000_000)
    graph = index_folder(str(tmp_path))
    assert {one.file for one in graph.unread} == {path.name for path in tmp_path.iterdir()}


def test_links_and_devices_are_not_followed(tmp_path: Path) -> None:
    """Links out of the tree, to themselves, to devices, and a fifo are reported; the walk ends."""
    links(tmp_path, 0)
    graph = index_folder(str(tmp_path))
    assert {(one.file, one.reason) for one in graph.unread} == {
        ("self.py", "symbolic link"),
        ("zero.py", "symbolic link"),
        ("fifo.py", "not a regular file"),
    }


def test_manifests_that_lie_and_many_files(tmp_path: Path) -> None:
    """Wrong, deep and circular manifests and re-exports end; a thousand files are all there."""
    manifests(tmp_path, 0)
    many(tmp_path, 1_000)
    graph = index_folder(str(tmp_path))
    # A file of Go that holds a package clause only has no symbols.
    sources = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.??*") if path.is_file()}
    expected = {name for name in sources if not name.endswith((".go", ".json", ".toml"))}
    assert ({s.file for s in graph.symbols}, graph.unread) == (expected, ())
