r'''A public function without documentation.

Bad (python):
    def f(x): return x
    ---
    class A:
        """A."""
        def m(self): return 1
    ---
    async def f(x):
        await g(x)

Good (python):
    def f(x):
        """Give x back."""
        return x
    ---
    def _f(x): return x
    ---
    class A:
        """A."""
        def __init__(self): self.x = 1

Bad (javascript):
    export function f(x) { return x; }
    ---
    export const f = (x) => x;
    ---
    function g() {} export function f(x) { return g(x); }

Good (javascript):
    /** Give x back. */
    export function f(x) { return x; }
    ---
    function f(x) { return x; }
    ---
    /** Give x back. */
    export const f = (x) => x;

Bad (go):
    package p
    func F() {}
    ---
    package p
    func (a A) M() {}
    ---
    package p

    // Other is something else.

    func F() {}

Good (go):
    package p
    // F does it.
    func F() {}
    ---
    package p
    func f() {}
    ---
    package p
    // M does it.
    func (a A) M() {}

Bad (rust):
    pub fn f() {}
    ---
    impl A { pub fn m(&self) {} }
    ---
    // a plain remark
    pub async fn f() {}

Good (rust):
    /// Does it.
    pub fn f() {}
    ---
    fn f() {}
    ---
    impl A {
        /// Does it.
        pub fn m(&self) {}
    }
'''

from __future__ import annotations

import re
from collections.abc import Iterable

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import classes, head, named, production
from remit.code.review.values import Hit, Rule

RULE = Rule("DOC001", "Undocumented function", "documentation", "warning",
            "Say what it does, what it takes and gives, and how it fails.", confidence=0.9)  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """Public functions and methods; in JavaScript those that are exported."""
    private = {one.name for one in classes(file) if not one.public}
    nested = _nested(file)
    for function in production(file):
        if not function.public or function.kind == "lambda" or function.doc or id(function) in nested:
            continue
        if function.name.startswith("_") or function.owner in private or function.name in ("main", "constructor"):
            continue
        if file.language in ("javascript", "typescript") and not exported(file, function.span[0], function.kind):
            continue
        if not any(
            re.search(r"overload|override|setter|\.register|property", ir.dotted(mark)) for mark in function.decorators
        ):
            yield Hit(head(function.span), f"{named(function)} is public and not documented")


def _nested(file: File) -> set[int]:
    """Functions defined in functions."""
    return {
        id(node.what)
        for function in production(file)
        for node in ir.walk([*function.body])
        if isinstance(node, ir.Define)
    }


def exported(file: File, line: int, kind: str = "function") -> bool:
    """Whether the line of a declaration exports it."""
    return kind != "method" and line <= len(file.lines) and bool(re.search(r"\bexport\b", file.lines[line - 1]))
