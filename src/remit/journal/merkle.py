"""The Merkle tree over the log: roots, inclusion paths and consistency proofs.

leaf = SHA-256(0x00 || data), node = SHA-256(0x01 || left || right): the two prefixes keep a node from being shown
as a leaf. A tree of n leaves splits at the largest power of two below n. The data of a leaf is the 32-byte hash of a
journal entry (chain.py), so whoever holds an entry's content can recompute its leaf.

`Frontier` is what a growing tree needs to know of its past: one hash for each complete subtree (each set bit of the
size), at most 63 of them. Everything else streams over the leaf hashes.

Source: RFC 9162, sections 2.1.1 to 2.1.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()

Leaves = Callable[[int, int], Iterable[bytes]]
"""(first, end) -> the leaf hashes with these indices, from 0"""


def leaf_hash(data: bytes) -> bytes:
    """The leaf of `data`."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The parent of two nodes."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """The complete subtrees of a tree of `size` leaves."""

    __slots__ = ("_levels", "size")

    def __init__(self) -> None:
        self.size = 0
        self._levels: list[bytes] = []
        """hash of the complete subtree of 2**i leaves where bit i of size is set, else b"" """

    @classmethod
    def load(cls, size: int, peaks: bytes) -> Frontier:
        """The frontier whose `dump` gave `peaks`; ValueError when they do not fit the size."""
        if size < 0 or len(peaks) != size.bit_count() * HASH_BYTES:
            raise ValueError("the peaks do not fit the size")
        self = cls()
        self.size = size
        at = len(peaks)
        for level in range(size.bit_length()):
            found = b""
            if size >> level & 1:
                found = peaks[at - HASH_BYTES : at]
                at -= HASH_BYTES
            self._levels.append(found)
        return self

    def dump(self) -> bytes:
        """The hashes of the complete subtrees, the largest first, end to end."""
        return b"".join(reversed(self._levels))

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes at the end: level by level, so that a batch costs one pass of hashing a level."""
        nodes, start, levels = list(leaves), self.size, self._levels
        self.size += len(nodes)
        level = 0
        while nodes:
            if level == len(levels):
                levels.append(b"")
            if start & 1:
                nodes.insert(0, levels[level])
                start -= 1
            levels[level] = nodes.pop() if len(nodes) & 1 else b""
            nodes = [sha256(b"\1" + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=True)]
            start >>= 1
            level += 1

    def root(self) -> bytes:
        """The root hash of the tree."""
        found = b""
        for peak in self._levels:
            if peak:
                found = node_hash(peak, found) if found else peak
        return found or EMPTY_ROOT


def range_root(leaves: Iterable[bytes]) -> bytes:
    """The root of a tree of these leaf hashes."""
    frontier, batch = Frontier(), []
    for leaf in leaves:
        batch.append(leaf)
        if len(batch) == 1024:
            frontier.extend(batch)
            batch.clear()
    frontier.extend(batch)
    return frontier.root()


def inclusion_path(index: int, size: int, leaves: Leaves) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves, from the leaf upwards (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError("the index is not in the tree")
    path: list[bytes] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            path.append(range_root(leaves(middle, end)))
            end = middle
        else:
            path.append(range_root(leaves(first, middle)))
            first = middle
    path.reverse()
    return path


def consistency_path(old: int, size: int, leaves: Leaves) -> list[bytes]:
    """The proof that the tree of `size` leaves begins with the tree of `old` leaves (RFC 9162, 2.1.4.1)."""
    if not 0 < old <= size:
        raise ValueError("the old size is not in the tree")
    path: list[bytes] = []
    first, end, whole = 0, size, True
    while old != end - first:
        middle = first + _split(end - first)
        if old <= middle - first:
            path.append(range_root(leaves(middle, end)))
            end = middle
        else:
            path.append(range_root(leaves(first, middle)))
            old -= middle - first
            first, whole = middle, False
    if not whole:
        path.append(range_root(leaves(first, end)))
    path.reverse()
    return path


def root_of_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that the path leads to; b"" when it does not fit index and size (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return b""
    at, last, found = index, size - 1, leaf
    for node in path:
        if last == 0:
            return b""
        if at & 1 or at == last:
            found = node_hash(node, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, node)
        at, last = at >> 1, last >> 1
    return found if last == 0 else b""


def is_consistent(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves that the tree (size, root) begins with (old, old_root) (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= size:
        return False
    if old == size:
        return old_root == root and not path
    nodes = list(path)
    if old & (old - 1) == 0:
        nodes.insert(0, old_root)
    if not nodes:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, node)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == root


def _split(count: int) -> int:
    """The largest power of two below `count` (at least 2)."""
    return 1 << ((count - 1).bit_length() - 1)
