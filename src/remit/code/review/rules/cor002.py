r"""A narrowing numeric conversion.

Bad (go):
    package p
    func f(n int64) int32 { return int32(n) }
    ---
    package p
    func f(xs []int) uint8 { return uint8(len(xs)) }
    ---
    package p
    import "strconv"
    func f(s string) int16 { n, _ := strconv.Atoi(s); return int16(n) }

Good (go):
    package p
    func f(n int32) int64 { return int64(n) }
    ---
    package p
    func f() int8 { return int8(3) }
    ---
    package p
    func f(n uint8) uint32 { return uint32(n) }

Bad (rust):
    fn f(n: u64) -> u32 { n as u32 }
    ---
    fn f(v: &[u8]) -> u8 { v.len() as u8 }
    ---
    fn f(n: i64) -> i16 { let m = n; m as i16 }

Good (rust):
    fn f(n: u32) -> u64 { n as u64 }
    ---
    fn f() -> u8 { 3 as u8 }
    ---
    fn f(n: u64) -> Result<u32, E> { u32::try_from(n) }

Bad (python):
    import ctypes
    def f(n):
        return ctypes.c_int8(n)
    ---
    import numpy as np
    def f(a):
        return a.astype(np.int8)
    ---
    import numpy
    def f(n):
        return numpy.float16(n)

Good (python):
    def f(n):
        return int(n)
    ---
    import numpy as np
    def f(a):
        return a.astype(np.float64)
    ---
    import ctypes
    def f(n):
        return ctypes.c_int64(n)

Bad (javascript):
    function f(n) { return n | 0; }
    ---
    function f(n) { return ~~n; }
    ---
    function f(n) { return n >> 0; }

Good (javascript):
    function f(n) { return Math.trunc(n); }
    ---
    function f(n) { return n >>> 0; }
    ---
    function f(a, b) { return a | b; }
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import functions, nodes, own_nodes
from remit.code.review.values import Hit, Rule

RULE = Rule("COR002", "Narrowing conversion", "correctness", "warning",
            "Check the range first, or keep the wider type.", cwe=197, confidence=0.7)  # fmt: skip
_SIZE = re.compile(r"^(u?int|[iuf]|float)(8|16|32|64|128|size)?$")
_SMALL = re.compile(r"^(ctypes\.c_(u?int(8|16)|short|byte|ubyte|ushort)|(np|numpy)\.(u?int(8|16)|float16|half))$")


def check(file: File) -> Iterable[Hit]:
    """Casts of something wider (Go, Rust), small types (Python), bit tricks (JavaScript)."""
    if file.language in ("go", "rust"):
        for function in functions(file):
            sizes = {one.name: _bits(one.type) for one in function.params}
            for node in own_nodes(function):
                if isinstance(node, ir.Assign) and len(node.targets) == 1:
                    _note(sizes, node, file.language)
                elif isinstance(node, ir.Cast):
                    was, is_ = _width(node.operand, sizes, file.language), _bits(node.type)
                    if was and is_ and is_ < was:
                        yield Hit(node.span, f"{was} bits become {is_}; what does not fit is cut off")
    elif file.language == "python":
        yield from _python(file)
    else:
        yield from _script(file)


def _bits(name: str) -> int:
    match = _SIZE.match(name.strip("&* "))
    if not match or (not match[2] and match[1] not in ("int", "uint")):
        return 32 if name == "rune" else 8 if name == "byte" else 0
    return int(match[2]) if match[2] and match[2] != "size" else 64


def _note(sizes: dict[str, int], node: ir.Assign, language: str) -> None:
    target = node.targets[0]
    if isinstance(target, ir.Sequence) and target.items:
        target = target.items[0]
    width = _bits(node.type) or _width(node.value, sizes, language)
    if width:
        sizes[ir.last_name(target)] = width


def _width(node: Any, sizes: dict[str, int], language: str) -> int:
    if isinstance(node, ir.Name):
        return sizes.get(node.name, 0)
    if isinstance(node, ir.Cast):
        return _bits(node.type)
    if isinstance(node, ir.Call):
        name = ir.dotted(node.callee)
        if name == "len" or name.endswith(".len") or name in ("strconv.Atoi", "time.Now().Unix", "strconv.ParseInt"):
            return 64
    if isinstance(node, ir.Binary) and node.op in ("+", "-", "*", "/"):
        return max(_width(node.left, sizes, language), _width(node.right, sizes, language))
    return 0


def _python(file: File) -> Iterable[Hit]:
    for node in nodes(file, ir.Call):
        if node.args and not isinstance(node.args[0], ir.Const) and _SMALL.match(ir.dotted(node.callee)):
            yield Hit(node.span, f"{ir.dotted(node.callee)} cuts off what does not fit")
        elif ir.last_name(node.callee) == "astype" and node.args and _SMALL.match(ir.dotted(node.args[0])):
            yield Hit(node.span, f"{ir.dotted(node.args[0])} cuts off what does not fit")


def _script(file: File) -> Iterable[Hit]:
    for node in nodes(file, ir.Binary, ir.Unary):
        if isinstance(node, ir.Binary):
            zero = isinstance(node.right, ir.Const) and node.right.value == 0 and not isinstance(node.right.value, bool)
            if node.op in ("|", ">>") and zero:
                yield Hit(node.span, "the number is cut to 32 bits")
        elif node.op == "~" and isinstance(node.operand, ir.Unary) and node.operand.op == "~":
            yield Hit(node.span, "the number is cut to 32 bits")
