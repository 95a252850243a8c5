r"""A record with more than 12 fields.

Bad (python):
    from dataclasses import dataclass
    @dataclass
    class A:
        a: int; b: int; c: int; d: int; e: int; f: int; g: int; h: int; i: int; j: int; k: int; l: int; m: int
    ---
    class B(Struct):
        a1: str; a2: str; a3: str; a4: str; a5: str; a6: str; a7: str
        a8: str; a9: str; b1: str; b2: str; b3: str; b4: str
    ---
    class C:
        def __init__(self):
            self.a = self.b = self.c = self.d = self.e = self.f = self.g = 1
            self.h = self.i = self.j = self.k = self.l = self.m = 2

Good (python):
    class A:
        a: int; b: int; c: int
    ---
    class B:
        def __init__(self):
            self.a = 1
    ---
    class C:
        A = 1; B = 2

Bad (typescript):
    interface A { a: 1; b: 1; c: 1; d: 1; e: 1; f: 1; g: 1; h: 1; i: 1; j: 1; k: 1; l: 1; m: 1 }
    ---
    class B { a = 1; b = 1; c = 1; d = 1; e = 1; f = 1; g = 1; h = 1; i = 1; j = 1; k = 1; l = 1; m = 1; }
    ---
    interface C { a1: x; a2: x; a3: x; a4: x; a5: x; a6: x; a7: x; a8: x; a9: x; b1: x; b2: x; b3: x; b4: x; b5: x }

Good (typescript):
    interface A { a: number; b: string }
    ---
    class B { a = 1; }
    ---
    class C { m() { return 1; } }

Bad (go):
    package p
    type A struct { a, b, c, d, e, f, g, h, i, j, k, l, m int }
    ---
    package p
    type B struct { a, b, c, d, e, f, g int; h, i, j, k, l, m string }
    ---
    package p
    type C struct { a, b, c, d, e, f, g, h, i, j, k, l int; M; N }

Good (go):
    package p
    type A struct { a, b int }
    ---
    package p
    type B struct{}
    ---
    package p
    type C interface { M() }

Bad (rust):
    struct A { a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u8 }
    ---
    pub struct B { a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u8, n: u8 }
    ---
    struct C<T> { a: T, b: T, c: T, d: T, e: T, f: T, g: T, h: T, i: T, j: T, k: T, l: T, m: T }

Good (rust):
    struct A { a: u8 }
    ---
    struct B;
    ---
    struct C(u8, u8);
"""

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import classes, head
from remit.code.review.values import Hit, Rule

RULE = Rule("PERF005", "Record with many fields", "performance", "info",
            "Group what belongs together into records of its own.", confidence=0.9,
            languages=("python", "typescript", "go", "rust"))  # fmt: skip
MAX_FIELDS = 12


def check(file: File) -> Iterable[Hit]:
    """Declared fields, and in Python those that `__init__` sets."""
    for one in classes(file):
        fields = set(one.fields)
        if file.language == "python":
            for define in one.body:
                if (
                    isinstance(define, ir.Define)
                    and isinstance(define.what, ir.Function)
                    and define.what.name == "__init__"
                ):
                    fields |= {target.name for node in ir.within(list(define.what.body)) if isinstance(node, ir.Assign)
                               for target in node.targets if isinstance(target, ir.Attr)
                               and ir.last_name(target.object) == "self"}  # fmt: skip
        if len(fields) > MAX_FIELDS:
            yield Hit(head(one.span), f"{one.name} has {len(fields)} fields; at most {MAX_FIELDS}")
