"""write_file: whole files, pieces, bounds, and what is known after a crash."""

from __future__ import annotations

from typing import Any

import pytest

from remit.adapters.tools.write_file import write_file
from remit.core.effects import Need
from remit.errors import Denied, Invalid


def test_create_replace_append(bench: Any) -> None:
    """Content arrives byte for byte; append extends, and creates where nothing is."""
    ctx = bench.ctx()
    assert write_file(ctx, "out/a.txt", "one\n") == "wrote 4 bytes to out/a.txt"
    assert write_file(ctx, "./out/a.txt", "\u00e9\n") == "wrote 3 bytes to out/a.txt"
    assert write_file(ctx, "out/a.txt", "x", append=True) == "added 1 bytes to out/a.txt; it now has 4"
    assert write_file(ctx, "b", "y", append=True) == "added 1 bytes to b; it now has 1"
    assert bench.get("out/a.txt") == "\u00e9\nx"


def test_bounds(bench: Any) -> None:
    """64 KiB a call, 4 MiB by appending, no half surrogate."""
    with pytest.raises(Invalid, match="65537 bytes"):
        write_file(bench.ctx(), "a", "x" * 65537)
    with pytest.raises(Invalid, match="surrogate"):
        write_file(bench.ctx(), "a", "\ud800")
    bench.put("big", b"x" * (4 * 1024 * 1024))
    with pytest.raises(Invalid, match="grow"):
        write_file(bench.ctx(), "big", "y", append=True)
    assert not (bench.root / "a").exists()


def test_needs() -> None:
    """Writing needs fs.write; extending needs fs.read too."""
    assert write_file.needs is not None
    assert write_file.needs(path="a/./b", content="") == (Need("fs.write", "a/b"),)
    assert write_file.needs(path="a", content="", append=True) == (Need("fs.write", "a"), Need("fs.read", "a"))


def test_reconcile_says_only_what_the_file_proves(bench: Any) -> None:
    """Equal content is done, another or none is not done; appended or unreadable is unknown."""
    ask = write_file.reconcile
    assert ask is not None
    bench.put("a", "x")
    ctx = bench.ctx()
    assert ask(ctx, path="a", content="x") == "done"
    assert ask(ctx, path="a", content="y") == "not-done"
    assert ask(ctx, path="b", content="y") == "not-done"
    assert ask(ctx, path="a", content="x", append=True) == "unknown"
    assert ask(bench.ctx(lambda verb, path: False), path="a", content="x") == "unknown"


def test_without_a_grant_nothing_is_written(bench: Any) -> None:
    """not_granted, and no file."""
    with pytest.raises(Denied) as caught:
        write_file(bench.ctx(lambda verb, path: verb == "fs.read"), "a", "x")
    assert caught.value.code == "not_granted"
    assert not (bench.root / "a").exists()
