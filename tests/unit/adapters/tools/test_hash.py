"""hash: digests of texts and files."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest

from remit.adapters.tools.hash import hash as hash_tool
from remit.core.effects import Need
from remit.errors import Denied, Invalid


def test_known_digests(bench: Any) -> None:
    """FIPS 180 and RFC 1321 test vectors; weak ones say so."""
    ctx = bench.ctx()
    sha256 = "sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_tool(ctx, "abc") == sha256
    assert hash_tool(ctx, "", algorithm="md5").startswith("md5: d41d8cd98f00b204e9800998ecf8427e (weak")
    assert hash_tool(ctx, "abc", algorithm="sha1").startswith("sha1: a9993e364706816aba3e25717850c26c9cd0d89d (weak")
    bench.put("f", "abc")
    assert hash_tool(ctx, path="f") == sha256
    data = os.urandom(9_000_000)
    bench.put("big", data)
    assert hash_tool(ctx, path="big", algorithm="blake2b") == f"blake2b: {hashlib.blake2b(data).hexdigest()}"


def test_input_is_one_of_two(bench: Any) -> None:
    """Neither and both are refused; a file needs its grant."""
    for arguments in ({}, {"text": "a", "path": "f"}):
        with pytest.raises(Invalid):
            hash_tool(bench.ctx(), **arguments)
    bench.put("f", "abc")
    with pytest.raises(Denied):
        hash_tool(bench.ctx(lambda verb, path: False), path="f")
    assert hash_tool.needs is not None
    assert (hash_tool.needs(path="./f"), hash_tool.needs(text="a")) == ((Need("fs.read", "f"),), ())
