"""list_directory: kinds, sizes, pages."""

from __future__ import annotations

import os
from typing import Any

from remit.adapters.tools.list_directory import list_directory
from remit.core.effects import Need


def test_kinds_and_sizes(bench: Any) -> None:
    """Folders end in /, links in @, files show bytes; what may not be read is absent."""
    bench.put("b.txt", "12345")
    bench.put("sub/x", "")
    bench.put(".env", "K=1")
    os.symlink("/etc", bench.root / "ln")
    os.mkfifo(bench.root / "pipe")
    ctx = bench.ctx(lambda verb, path: path != ".env")
    assert list_directory(ctx).splitlines() == [
        "b.txt  5",
        "ln@ (link, not followed)",
        "pipe  (not a file)",
        "sub/",
    ]
    os.mkdir(bench.root / "none")
    assert list_directory(ctx, "none") == "[empty]"


def test_pages(bench: Any) -> None:
    """1,000 entries a call; the cut says how to go on."""
    for n in range(1003):
        (bench.root / f"f{n:04}").write_bytes(b"")
    first = list_directory(bench.ctx()).splitlines()
    assert (len(first), first[-1]) == (1001, "[cut: entries 1-1000 of 1003 shown; go on with offset=1000]")
    assert list_directory(bench.ctx(), offset=1000).splitlines() == ["f1000  0", "f1001  0", "f1002  0"]
    assert list_directory(bench.ctx(), offset=2000) == "[no more: the folder has 1003 entries]"


def test_needs() -> None:
    """The folder, with its default."""
    assert list_directory.needs is not None
    assert list_directory.needs() == (Need("fs.read", "."),)
    assert list_directory.needs(path="a/") == (Need("fs.read", "a"),)
