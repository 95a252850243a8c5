r"""A magic number above 2 that is not a constant.

Bad (python):
    def f(x):
        return x * 37
    ---
    def f(x):
        if x > 86400: g()
    ---
    def f(x):
        for i in range(17): g(i)

Good (python):
    LIMIT = 37
    def f(x):
        return x * LIMIT
    ---
    def f(x):
        return x[2] + 1
    ---
    def f(x, limit=37):
        return g(x, timeout=30)
    ---
    def f(x):
        return x * 100

Bad (javascript):
    function f(x) { return x * 37; }
    ---
    function f(x) { if (x > 86400) { g(); } }
    ---
    function f() { for (let i = 0; i < 17; i++) { g(i); } }

Good (javascript):
    const LIMIT = 37; function f(x) { return x * LIMIT; }
    ---
    function f(x) { return x[0] + 1; }
    ---
    function f(x) { return g({ timeout: 30 }); }

Bad (go):
    package p
    func f(x int) int { return x * 37 }
    ---
    package p
    func f(x int) { if x > 86400 { g() } }
    ---
    package p
    func f() { for i := 0; i < 17; i++ { g(i) } }

Good (go):
    package p
    const limit = 37
    func f(x int) int { return x * limit }
    ---
    package p
    func f(x []int) int { return x[0] + 1 }
    ---
    package p
    func f() T { return T{Size: 30} }

Bad (rust):
    fn f(x: u32) -> u32 { x * 37 }
    ---
    fn f(x: u32) { if x > 86400 { g(); } }
    ---
    fn f() { for i in 0..17 { g(i); } }

Good (rust):
    const LIMIT: u32 = 37; fn f(x: u32) -> u32 { x * LIMIT }
    ---
    fn f(x: &[u32]) -> u32 { x[0] + 1 }
    ---
    fn f() -> T { T { size: 30 } }
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import own_nodes, production
from remit.code.review.values import Hit, Rule

RULE = Rule("STY004", "Magic number", "style", "info",
            "Give the number a name that says what it is.", confidence=0.6)  # fmt: skip
_PLAIN = frozenset((4, 8, 10, 16, 32, 64, 100, 128, 255, 256, 512, 1000, 1024, 1_000_000, 0xFF, 0xFFFF, 0xFFFFFFFF,
                    60, 3600, 24, 7, 365, 0.5, 1000.0, 60.0, 100.0, 200, 404, 500, 400, 401, 403, 201, 204,
                    302))  # fmt: skip
"""Bases, sizes, percent, time and HTTP: everybody knows what they are."""


def check(file: File) -> Iterable[Hit]:
    """Numbers in arithmetic, comparisons and ranges of functions; each value once a function."""
    for function in production(file):
        said: set[Any] = set()
        for node in own_nodes(function):
            for number in _numbers(node):
                if number.value not in said:
                    said.add(number.value)
                    yield Hit(number.span, f"{number.value} has no name")


def _numbers(node: Any) -> Iterator[ir.Const]:
    sides: list[Any] = []
    if isinstance(node, ir.Binary):
        sides = [node.left, node.right]
    elif isinstance(node, ir.Call) and (ir.dotted(node.callee) == "range" or node.kind == "range"):
        sides = node.args
    for one in sides:
        plain = isinstance(one, ir.Const) and isinstance(one.value, int | float) and not isinstance(one.value, bool)
        if plain and one.value > 2 and one.value not in _PLAIN and not _in_place(node):
            yield one


def _in_place(node: Any) -> bool:
    """Exponents and shifts say themselves."""
    return isinstance(node, ir.Binary) and node.op in ("**", "<<", ">>")
