"""The Merkle tree: RFC 9162's definition, in the plainest way, is what everything else must agree with."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from remit.journal.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    inclusion_path,
    is_consistent,
    leaf_hash,
    node_hash,
    range_root,
    root_of_inclusion,
)

DATA = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
# Source: the test vectors of the certificate-transparency reference implementation (merkletree).
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
LEAVES = [leaf_hash(number.to_bytes(4)) for number in range(200)]


def part(first: int, end: int) -> Sequence[bytes]:
    return LEAVES[first:end]


def plain_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(plain_root(leaves[:split]), plain_root(leaves[split:]))


def test_published_roots() -> None:
    """The roots of 1, 2 and 8 published leaves; the empty tree is SHA-256 of nothing."""
    leaves = [leaf_hash(bytes.fromhex(text)) for text in DATA]
    assert {size: range_root(leaves[:size]).hex() for size in ROOTS} == ROOTS
    assert Frontier().root() == range_root([]) == EMPTY_ROOT


def test_a_growing_tree_has_the_root_of_the_definition() -> None:
    """Batches of any size, kept and loaded in between, lead to the same roots."""
    rng = random.Random(3)
    frontier, at = Frontier(), 0
    while at < len(LEAVES):
        batch = LEAVES[at : at + rng.randrange(1, 40)]
        frontier.extend(batch)
        at += len(batch)
        frontier = Frontier.load(frontier.size, frontier.dump())
        assert (frontier.size, frontier.root()) == (at, plain_root(LEAVES[:at]))


@pytest.mark.parametrize(("size", "peaks"), [(1, b""), (3, bytes(32)), (-1, b""), (2, bytes(33)), (0, bytes(32))])
def test_peaks_that_do_not_fit_are_refused(size: int, peaks: bytes) -> None:
    """A stored frontier has one hash for each set bit of its size."""
    with pytest.raises(ValueError, match="fit"):
        Frontier.load(size, peaks)


def test_inclusion_paths_lead_to_the_root_and_to_nothing_else() -> None:
    """Every leaf of every tree up to 40 leaves; another leaf, index, size or a changed path does not."""
    for size in range(1, 41):
        root = plain_root(LEAVES[:size])
        for index in range(size):
            path = inclusion_path(index, size, part)
            assert root_of_inclusion(LEAVES[index], index, size, path) == root
            assert root_of_inclusion(LEAVES[index + 1], index, size, path) != root
            assert root_of_inclusion(LEAVES[index], index, size, [*path, bytes(32)]) != root
            assert not path or root_of_inclusion(LEAVES[index], index, size, path[1:]) != root
    assert root_of_inclusion(LEAVES[0], 5, 5, []) == root_of_inclusion(LEAVES[0], -1, 5, []) == b""


def test_consistency_paths_prove_prefixes_and_nothing_else() -> None:
    """Every pair of sizes up to 40; another old root, another new root or a changed path does not."""
    for size in range(1, 41):
        root = plain_root(LEAVES[:size])
        for old in range(1, size + 1):
            before, path = plain_root(LEAVES[:old]), consistency_path(old, size, part)
            assert is_consistent(old, before, size, root, path)
            assert not is_consistent(old, plain_root(LEAVES[1 : old + 1]), size, root, path)
            assert not is_consistent(old, before, size, plain_root(LEAVES[1 : size + 1]), path)
            assert not is_consistent(old, before, size, root, [*path, bytes(32)])
            assert not path or not is_consistent(old, before, size, root, path[:-1])
    assert not is_consistent(0, EMPTY_ROOT, 3, plain_root(LEAVES[:3]), [])
    assert not is_consistent(4, plain_root(LEAVES[:4]), 3, plain_root(LEAVES[:3]), [])


def test_what_is_not_in_the_tree_has_no_path() -> None:
    """An index or an old size beyond the tree is refused."""
    for index in (-1, 4):
        with pytest.raises(ValueError, match="not in the tree"):
            inclusion_path(index, 4, part)
    for old in (0, 5):
        with pytest.raises(ValueError, match="not in the tree"):
            consistency_path(old, 4, part)
