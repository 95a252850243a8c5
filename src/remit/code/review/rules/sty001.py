r"""A function longer than 50 lines. (`...50` stands for 50 more lines like the one before.)

Bad (python):
    def f(x):
        g(x) ...50
    ---
    class A:
        def m(self):
            self.n() ...51
    ---
    async def f(x):
        await g(x) ...60

Good (python):
    def f(x):
        g(x) ...20
    ---
    def f(x):
        # words ...60
        g(x)
    ---
    def test_f(x):
        g(x) ...48

Bad (javascript):
    function f(x) {
        g(x); ...50
    }
    ---
    const f = (x) => {
        g(x); ...50
    };
    ---
    class A { m() {
        this.n(); ...50
    } }

Good (javascript):
    function f(x) {
        g(x); ...20
    }
    ---
    const f = (x) => {
        // words ...60
    };
    ---
    class A { m() { return 1; } }

Bad (go):
    package p
    func f() {
        g() ...50
    }
    ---
    package p
    func (a A) M() {
        g() ...50
    }
    ---
    package p
    func F(x int) {
        g(x) ...70
    }

Good (go):
    package p
    func f() {
        g() ...20
    }
    ---
    package p
    func f() {
        // words ...60
    }
    ---
    package p
    func f() {}

Bad (rust):
    fn f() {
        g(); ...50
    }
    ---
    impl A { fn m(&self) {
        g(); ...50
    } }
    ---
    pub async fn f() {
        g(); ...70
    }

Good (rust):
    fn f() {
        g(); ...20
    }
    ---
    fn f() {
        // words ...60
    }
    ---
    fn f() {}
"""

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review.parsing import File
from remit.code.review.syntax import head, named, production
from remit.code.review.values import Hit, Rule

RULE = Rule("STY001", "Long function", "style", "warning",
            "Give its steps names of their own.", confidence=0.9)  # fmt: skip
MAX_LINES = 50
_REMARKS = ("#", "//", "/*", "*", '"""', "'''")


def check(file: File) -> Iterable[Hit]:
    """Lines that hold code: neither blank nor remarks nor the docstring."""
    for function in production(file):
        first, _, last, _ = function.span
        if last - first < MAX_LINES:
            continue
        doc = function.doc.count("\n") + 1 if function.doc and file.language == "python" else 0
        lines = [line.strip() for line in file.lines[first - 1 : last]]
        count = sum(bool(line) and not line.startswith(_REMARKS) for line in lines) - max(0, doc - 1)
        if count > MAX_LINES and function.kind != "lambda":
            yield Hit(head(function.span), f"{named(function)} has {count} lines of code; at most {MAX_LINES}")
