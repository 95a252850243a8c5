#!/usr/bin/env python3
"""Verify what `remit audit` gave you, without remit: one file, python3 alone.

    python3 offline_verifier.py --key KEY FILE [--witness FILE]

FILE is a bundle (`remit audit export --format bundle`) or a proof (`remit audit proof`); `-` is standard input. KEY is
the public key that you know from elsewhere (`remit audit verify` shows it), as `remit-audit+<key id>+<base64>`; it may
be given several times. Keys that stand in FILE are not trusted. --witness compares a file of checkpoints that was kept
somewhere else. Exit code 0: all of it holds; 1: the first lines say what does not; 2: it cannot be read.

What is checked: the hash of every record over its content, each run's chain, the tree of leaf hashes from checkpoint
to checkpoint, the records against it, and the signature of the newest checkpoint (--all: of every one; 5 ms each).

Sources: RFC 8032 (Ed25519, section 5.1, verification without cofactor), RFC 9162 (section 2.1), C2SP signed-note and
tlog-checkpoint. This file is part of remit and may be copied on its own.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import struct
import sys
from typing import Any

MAX_LINE = 64 * 1024 * 1024
MAX_PROBLEMS = 100
KEY_NAME = "remit-audit"

# ---- Ed25519 verification. Source: RFC 8032, 5.1.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]


def _add(a: Point, b: Point) -> Point:
    """The sum of two points in extended coordinates."""
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(scalar: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _decode_point(raw: bytes) -> Point | None:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _base() -> Point:
    found = _decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    assert found is not None
    return found


def verify_ed25519(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether `signature` (64 bytes) is that of `public` (32 bytes) over `text`."""
    key, start = _decode_point(public), _decode_point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or start is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % L
    left, right = _multiply(scalar, _base()), _add(start, _multiply(challenge, key))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# ---- signed notes


def read_key(text: str) -> tuple[bytes, bytes]:
    """(key id, public key) of a written public key; ValueError for anything else."""
    name, _, rest = text.strip().partition("+")
    named, _, encoded = rest.partition("+")
    raw = base64.b64decode(encoded, validate=True)
    identity = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if name != KEY_NAME or len(raw) != 33 or raw[0] != 1 or identity.hex() != named:
        raise ValueError(f"not a public audit key: {text[:120]}")
    return identity, raw[1:]


class Note:
    """A signed checkpoint: text, size, root; ValueError when it is not one."""

    def __init__(self, note: str, log: str) -> None:
        text, gap, line = note.rpartition("\n\n")
        prefix = f"\u2014 {KEY_NAME} "
        if not gap or not line.startswith(prefix) or not line.endswith("\n"):
            raise ValueError("not a signed note")
        self.text = (text + "\n").encode()
        self.signature = base64.b64decode(line[len(prefix) : -1], validate=True)
        lines = text.split("\n")
        if len(lines) != 5 or not lines[1].isascii() or not lines[1].isdigit():
            raise ValueError("not a checkpoint")
        if lines[0] != f"remit/audit/{log}":
            raise ValueError("a checkpoint of another log")
        self.size = int(lines[1])
        self.root = base64.b64decode(lines[2], validate=True)
        self.time = lines[3]

    def signed(self, keys: dict[bytes, bytes]) -> bool:
        """Whether one of the keys signed it."""
        public = keys.get(self.signature[:4])
        return public is not None and verify_ed25519(public, self.signature[4:], self.text)


# ---- the tree


def _leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A growing tree: its complete subtrees, by level."""

    def __init__(self) -> None:
        self.size = 0
        self._levels: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        level, node, size = 0, leaf, self.size
        while size & 1:
            node = _node(self._levels[level], node)
            self._levels[level] = b""
            level, size = level + 1, size >> 1
        if level == len(self._levels):
            self._levels.append(b"")
        self._levels[level] = node
        self.size += 1

    def root(self) -> bytes:
        """The root hash."""
        found = b""
        for node in self._levels:
            if node:
                found = _node(node, found) if found else node
        return found or hashlib.sha256(b"").digest()


def root_of_inclusion(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that an inclusion path leads to, b"" when it does not fit. Source: RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        return b""
    at, last, found = index, size - 1, leaf
    for node in path:
        if last == 0:
            return b""
        if at & 1 or at == last:
            found = _node(node, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = _node(found, node)
        at, last = at >> 1, last >> 1
    return found if last == 0 else b""


def is_consistent(old: Note, new: Note, path: list[bytes]) -> bool:
    """Whether the new tree begins with the old one. Source: RFC 9162, 2.1.4.2."""
    if not 0 < old.size <= new.size:
        return False
    if old.size == new.size:
        return old.root == new.root and not path
    nodes = [old.root, *path] if old.size & (old.size - 1) == 0 else list(path)
    if not nodes:
        return False
    at, last = old.size - 1, new.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = _node(node, first), _node(node, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = _node(second, node)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old.root and second == new.root


# ---- records


def entry_hash(record: dict[str, Any]) -> bytes:
    """The hash that the record's content gives."""
    run, body = record["run_id"].encode("ascii"), record["body"].encode()
    numbers = struct.pack(">QQqQ", record["seq"], record["epoch"], record["at_ms"], len(body))
    head = b"remit-entry-1" + struct.pack(">H", len(run)) + run + numbers
    return hashlib.sha256(bytes.fromhex(record["prev"]) + head + body).digest()


class Check:
    """The check of one file: problems, and what was counted."""

    def __init__(self, keys: dict[bytes, bytes], every: bool) -> None:
        self.keys = keys
        self.every = every
        self.problems: list[str] = []
        self.more = 0
        self.said = ""

    def problem(self, text: str) -> None:
        """Note one problem."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)
        else:
            self.more += 1

    def note(self, text: str, log: str) -> Note | None:
        """A checkpoint whose signature holds; else a problem and None."""
        try:
            found = Note(text, log)
        except ValueError as error:
            self.problem(f"checkpoint: {error}")
            return None
        if not found.signed(self.keys):
            self.problem(f"checkpoint of {found.size} records: no trusted key signed it")
            return None
        return found

    def record(self, record: dict[str, Any]) -> bytes:
        """The record's leaf hash; a problem when its content does not give its hash."""
        if any(type(record[name]) is not int for name in ("position", "seq", "epoch", "at_ms")):
            raise ValueError("a number of a record is not an integer")  # JSON's true would count as 1
        named = bytes.fromhex(record["hash"])
        if "body" in record and entry_hash(record) != named:
            self.problem(f"run {record['run_id']} seq {record['seq']}: the hash does not match the content")
        return _leaf(named)

    def file(self, lines: Any, witness: list[str]) -> None:
        """Check what the lines are: a bundle or a proof."""
        head = next(lines, None)
        if not isinstance(head, dict):
            raise ValueError("not a JSON object")
        if head.get("type") == "bundle":
            self.bundle(head, lines, witness)
        elif head.get("type") == "inclusion":
            self.inclusion(head)
        elif head.get("type") == "consistency":
            self.consistency(head)
        else:
            raise ValueError("neither a bundle nor a proof")

    def inclusion(self, proof: dict[str, Any]) -> None:
        """Check an inclusion proof."""
        note, record = self.note(proof["checkpoint"], proof["log"]), proof["record"]
        leaf = self.record(record)
        path = [bytes.fromhex(node) for node in proof["path"]]
        if note is None:
            return
        if root_of_inclusion(leaf, record["position"] - 1, note.size, path) != note.root:
            self.problem(f"run {record['run_id']} seq {record['seq']}: the path does not lead to the signed root")
        kept = "" if "body" in record else " (its content was dropped by a rotation)"
        self.said = f"run {record['run_id']} seq {record['seq']} is record {record['position']} of {note.size}{kept}"

    def consistency(self, proof: dict[str, Any]) -> None:
        """Check a consistency proof."""
        old, new = self.note(proof["old_checkpoint"], proof["log"]), self.note(proof["checkpoint"], proof["log"])
        if old is None or new is None:
            return
        if not is_consistent(old, new, [bytes.fromhex(node) for node in proof["path"]]):
            self.problem(f"the log of {new.size} records does not begin with the one of {old.size}")
        self.said = f"the log of {new.size} records begins with the one of {old.size}"

    def bundle(self, head: dict[str, Any], lines: Any, witness: list[str]) -> None:
        """Check a bundle: `lines` are its decoded lines after the header.

        A bundle of one run cannot show that the run has no later records; a whole bundle can. An archive (`part`)
        holds some runs, and is said to be a part.
        """
        run, part = head["run"], head.get("part", False)
        whole = not run and not part
        if type(run) is not str:
            raise ValueError("the run of the bundle is not a text")
        tree, leaves, roots = Tree(), bytearray(), dict[int, bytes]()
        newest: Note | None = None
        seen, last = 0, dict[str, Any]()
        content = 0
        for line in lines:
            if line["type"] == "checkpoint":
                newest = self._grow(tree, leaves, line, head["log"]) or newest
                roots[tree.size] = tree.root()
                continue
            if line["type"] != "record":
                raise ValueError("a line that is neither a checkpoint nor a record")
            self._place(line, leaves, last)
            content += "body" in line
            if run and line["run_id"] != run:
                self.problem(f"run {line['run_id']} seq {line['seq']}: not of the run that the bundle is about")
            if whole and line["position"] != seen + 1:
                self.problem(f"records {seen + 1} to {line['position'] - 1} are missing")
            seen = line["position"]
        if whole and seen != tree.size:
            self.problem(f"records {seen + 1} to {tree.size} are missing")
        self._end(newest)
        self._compare(witness, roots, head["log"])
        kind = "whole log" if whole else "part of a log"
        self.said = f"{kind} of {tree.size} records, {len(last)} run(s), {content} with content"

    def _end(self, newest: Note | None) -> None:
        """The newest checkpoint signs everything before it."""
        if newest is None:
            self.problem("there is no checkpoint")
        elif not self.every and not newest.signed(self.keys):
            self.problem(f"checkpoint of {newest.size} records: no trusted key signed it")

    def _compare(self, witness: list[str], roots: dict[int, bytes], log: str) -> None:
        """Every checkpoint that a witness saw must be one of this log."""
        for text in witness:
            note = self.note(text, log)
            if note is not None and roots.get(note.size) != note.root:
                self.problem(f"the witness saw a log of {note.size} records that this one does not begin with")

    def _grow(self, tree: Tree, leaves: bytearray, line: dict[str, Any], log: str) -> Note | None:
        raw = base64.b64decode(line["leaves"], validate=True)
        if line["after"] != tree.size:
            self.problem(f"the checkpoint after record {tree.size} is missing")
        leaves += raw
        for at in range(0, len(raw), 32):
            tree.add(raw[at : at + 32])
        try:
            note = Note(line["checkpoint"], log)
        except ValueError as error:
            self.problem(f"checkpoint: {error}")
            return None
        if note.size != tree.size or note.root != tree.root():
            self.problem(f"records {line['after'] + 1} to {line['size']}: the leaf hashes are not the signed ones")
        if self.every and not note.signed(self.keys):
            self.problem(f"checkpoint of {note.size} records: no trusted key signed it")
        return note

    def _place(self, record: dict[str, Any], leaves: bytearray, last: dict[str, Any]) -> None:
        where = f"run {record['run_id']} seq {record['seq']}"
        at = (record["position"] - 1) * 32
        if self.record(record) != bytes(leaves[at : at + 32]):
            self.problem(f"{where}: not the record that was signed at position {record['position']}")
        seq, digest = last.get(record["run_id"], (0, bytes(32).hex()))
        if record["seq"] != seq + 1:
            self.problem(f"{where}: seq {seq + 1} is missing")
        elif record["prev"] != digest:
            self.problem(f"{where}: prev is not the hash of the record before")
        last[record["run_id"]] = (record["seq"], record["hash"])


def _lines(stream: Any) -> Any:
    """The decoded lines of a file."""
    while raw := stream.readline(MAX_LINE + 1):
        if len(raw) > MAX_LINE:
            raise ValueError("a line is too long")
        if raw.strip():
            yield json.loads(raw)


def _witness(name: str) -> list[str]:
    with open(name, encoding="utf-8") as stream:
        blocks = stream.read().split("\n\n")
    return [f"{blocks[at]}\n\n{blocks[at + 1]}\n" for at in range(0, len(blocks) - 2, 2)]


def main(arguments: list[str] | None = None) -> int:
    """Verify one file."""
    parser = argparse.ArgumentParser(description="Verify a bundle or a proof of remit's audit log.")
    parser.add_argument("file", metavar="FILE", help="a bundle or a proof; - for standard input")
    parser.add_argument("--key", action="append", required=True, help="a public key that you trust")
    parser.add_argument("--witness", metavar="FILE", help="checkpoints that were kept somewhere else")
    parser.add_argument("--all", action="store_true", help="check the signature of every checkpoint")
    options = parser.parse_args(arguments)
    try:
        check = Check(dict(read_key(text) for text in options.key), options.all)
        witness = _witness(options.witness) if options.witness else []
        if options.file == "-":
            check.file(_lines(sys.stdin.buffer), witness)
        else:
            with open(options.file, "rb") as stream:
                check.file(_lines(stream), witness)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        struct.error,
        RecursionError,
    ) as error:
        sys.stderr.write(
            f"cannot be read: {type(error).__name__}: {error}\n".encode("ascii", "backslashreplace").decode()
        )
        return 2
    for text in check.problems:
        sys.stdout.write(text.encode("ascii", "backslashreplace").decode() + "\n")
    if check.more:
        sys.stdout.write(f"{check.more} further problems\n")
    if not check.problems:
        sys.stdout.write(f"verified: {check.said}\n")
    return 1 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main())
