r"""Off by one: an index that reaches the length.

Bad (python):
    def f(xs):
        for i in range(len(xs) + 1):
            g(xs[i])
    ---
    def f(xs):
        i = 0
        while i <= len(xs):
            g(xs[i])
            i += 1
    ---
    def f(xs):
        return xs[len(xs)]

Good (python):
    def f(xs):
        for i in range(len(xs)):
            g(xs[i])
    ---
    def f(xs):
        i = 0
        while i < len(xs):
            i += 1
    ---
    def f(xs, n):
        return n <= len(xs)

Bad (javascript):
    for (let i = 0; i <= xs.length; i++) { g(xs[i]); }
    ---
    let i = 0; while (i <= xs.length) { g(xs[i]); i++; }
    ---
    const last = xs[xs.length];

Good (javascript):
    for (let i = 0; i < xs.length; i++) { g(xs[i]); }
    ---
    const last = xs[xs.length - 1];
    ---
    if (n <= xs.length) { g(n); }

Bad (go):
    package p
    func f(xs []int) { for i := 0; i <= len(xs); i++ { g(xs[i]) } }
    ---
    package p
    func f(xs []int) { i := 0; for i <= len(xs) { g(xs[i]); i++ } }
    ---
    package p
    func f(xs []int) int { return xs[len(xs)] }

Good (go):
    package p
    func f(xs []int) { for i := 0; i < len(xs); i++ { g(xs[i]) } }
    ---
    package p
    func f(xs []int) int { return xs[len(xs)-1] }
    ---
    package p
    func f(xs []int, n int) bool { return n <= len(xs) }

Bad (rust):
    fn f(v: &[u8]) { for i in 0..=v.len() { g(v[i]); } }
    ---
    fn f(v: &[u8]) { let mut i = 0; while i <= v.len() { g(v[i]); i += 1; } }
    ---
    fn f(v: &[u8]) -> u8 { v[v.len()] }

Good (rust):
    fn f(v: &[u8]) { for i in 0..v.len() { g(v[i]); } }
    ---
    fn f(v: &[u8]) -> u8 { v[v.len() - 1] }
    ---
    fn f(v: &[u8], n: usize) -> bool { n <= v.len() }
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import in_loop, nodes
from remit.code.review.values import Hit, Rule

RULE = Rule("COR001", "Off by one", "correctness", "warning",
            "An index ends at length - 1: compare with <.", cwe=193)  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """Loops up to and including the length whose counter is an index; an index that is the length."""
    for loop in nodes(file, ir.Loop):
        counter = _counter(loop)
        if counter and any(isinstance(node, ir.Index) and ir.last_name(node.key) == counter for node in in_loop(loop)):
            yield Hit(loop.span[:2] + loop.span[:1] + (loop.span[1] + 1,), f"{counter} reaches the length")
    for node in nodes(file, ir.Index):
        owner = _length_of(node.key)
        if owner and owner == ir.dotted(node.object):
            yield Hit(node.span, "the index is the length")


def _counter(loop: ir.Loop) -> str:
    """The variable of a loop that takes the length as its last value."""
    if loop.iterable is not None:
        call = loop.iterable
        if not isinstance(call, ir.Call):
            return ""
        last = call.args[-1] if call.args and len(call.args) < 3 else None
        if call.kind == "range":
            reaches = ir.last_name(call.callee) == "..=" and _length_of(last)
        else:
            reaches = ir.dotted(call.callee) == "range" and isinstance(last, ir.Binary) and last.op == "+" and \
                _length_of(last.left) and isinstance(last.right, ir.Const) and last.right.value == 1  # fmt: skip
        return ir.last_name(loop.target) if reaches else ""
    test = loop.test
    return ir.last_name(test.left) if isinstance(test, ir.Binary) and test.op == "<=" and _length_of(test.right) else ""


def _length_of(node: Any) -> str:
    """What `node` is the length of; "" when it is no length."""
    if isinstance(node, ir.Attr) and node.name == "length":
        return ir.dotted(node.object)
    if isinstance(node, ir.Call):
        if ir.dotted(node.callee) == "len" and len(node.args) == 1:
            return ir.dotted(node.args[0])
        if isinstance(node.callee, ir.Attr) and node.callee.name in ("len", "size") and not node.args:
            return ir.dotted(node.callee.object)
    return ""
